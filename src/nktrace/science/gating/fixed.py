"""`rectangle` and `polygon`: gates whose numbers stand in the table."""

from __future__ import annotations

import math

from nktrace.model.gates import Edge, Gate, GatingRow, Polygon, PolygonSettings, Rectangle, RectangleSettings
from nktrace.science.gating.parent import Parent, rectangle_of, settings_of


def rectangle(row: GatingRow, edges: tuple[Edge, ...]) -> Rectangle:
    """The box of the table's bounds."""
    return rectangle_of(row, edges)


def estimate_rectangle(parent: Parent, row: GatingRow) -> Gate:  # noqa: ARG001 - the signature of every method
    """The table's bounds; an open side has no edge."""
    settings = settings_of(row, RectangleSettings)
    bounds = [settings.x] if settings.y is None else [settings.x, settings.y]
    edges = tuple(
        Edge(channel=channel, edge=edge, value=value)
        for channel, (low, high) in zip(row.markers, bounds, strict=True)
        for edge, value in (("min", low), ("max", high))
        if not math.isinf(value)
    )
    return Gate(
        population=row.population, parent=row.parent, method=row.method, shape=rectangle(row, edges), edges=edges
    )


def polygon(row: GatingRow, edges: tuple[Edge, ...]) -> Polygon:
    """The closed line through the vertices (x0, y0), (x1, y1), …"""
    x, y = row.markers
    value = {edge.edge: edge.value for edge in edges}
    return Polygon((x, y), tuple((value[f"x{i}"], value[f"y{i}"]) for i in range(len(edges) // 2)))


def corners(shape: Polygon) -> tuple[Edge, ...]:
    """The coordinates of a polygon's vertices."""
    return tuple(
        Edge(channel=channel, edge=f"{axis}{i}", value=value)
        for i, vertex in enumerate(shape.vertices)
        for channel, axis, value in zip(shape.channels, "xy", vertex, strict=True)
    )


def estimate_polygon(parent: Parent, row: GatingRow) -> Gate:  # noqa: ARG001 - the signature of every method
    """The table's vertices."""
    x, y = row.markers
    edges = corners(Polygon((x, y), tuple((a, b) for a, b in settings_of(row, PolygonSettings).points)))
    return Gate(population=row.population, parent=row.parent, method=row.method, shape=polygon(row, edges), edges=edges)
