"""Which events are members of a shape."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from nktrace.model.events import Events, FloatArray, Mask
from nktrace.model.gates import Boolean, Ellipse, Polygon, Rectangle, Shape, Windows
from nktrace.science.gating.boolean import evaluate, parse


def mask(shape: Shape, events: Events, members: Mapping[str, Mask]) -> Mask:
    """Membership of every event in a shape, the parent apart.

    Comparisons are made in float64 of the events' own values, as a reader of the exported gates makes them: float32
    events and a float64 bound, neither rounded to the other. An event with nan is in no shape of that channel.

    Args:
        shape: of a gate.
        events: on the scale of the gate.
        members: masks of the populations that a boolean names.

    Returns:
        Shape (events,).
    """
    match shape:
        case Rectangle():
            return _rectangle(shape, events)
        case Windows():
            values = events.column(shape.channel)
            inside = np.zeros(len(events), dtype=np.bool_)
            for low, high in shape.intervals:
                inside |= within(values, low, high)
            return inside
        case Polygon():
            x, y = (events.column(channel) for channel in shape.channels)
            return inside_polygon(x, y, np.array(shape.vertices, dtype=np.float64))
        case Ellipse():
            return _ellipse(shape, events)
        case Boolean():
            return evaluate(parse(shape.expression), members)


def within(values: FloatArray, low: float, high: float) -> Mask:
    """low ≤ values < high as float64 decides it, at the speed of float32: bounds move up to the next float32."""
    if values.dtype == np.float32:
        inside: Mask = (values >= _ceil32(low)) & (values < _ceil32(high))
        return inside
    return (values >= low) & (values < high)


def _ceil32(bound: float) -> np.float32:
    """The least float32 that is not below a float64 bound: x >= bound and x < bound are then decided exactly."""
    with np.errstate(over="ignore"):
        nearest = np.float32(bound)
    return nearest if float(nearest) >= bound else np.nextafter(nearest, np.float32(np.inf))


def _rectangle(shape: Rectangle, events: Events) -> Mask:
    inside = np.ones(len(events), dtype=np.bool_)
    for channel, low, high in zip(shape.channels, shape.low, shape.high, strict=True):
        inside &= within(events.column(channel), low, high)
    return inside


def inside_polygon(x: FloatArray, y: FloatArray, vertices: np.ndarray) -> Mask:
    """Crossing-number test of points against a polygon, points on a left or lower border inside (Shimrat 1962).

    Only points within the polygon's bounding box are tested, in float64, edge by edge.

    Args:
        x, y: shape (events,).
        vertices: shape (vertices, 2), closed implicitly.
    """
    (x_low, y_low), (x_high, y_high) = vertices.min(axis=0), vertices.max(axis=0)
    box = np.flatnonzero((x >= x_low) & (x <= x_high) & (y >= y_low) & (y <= y_high))
    px, py = x[box].astype(np.float64), y[box].astype(np.float64)
    odd = np.zeros(box.shape[0], dtype=np.bool_)
    for (x0, y0), (x1, y1) in zip(vertices, np.roll(vertices, -1, axis=0), strict=True):
        if y0 == y1:
            continue
        crosses = (y0 > py) != (y1 > py)
        with np.errstate(over="ignore", invalid="ignore"):  # beyond an edge of hardly any height, where none crosses
            odd ^= crosses & (px < (x1 - x0) * (py - y0) / (y1 - y0) + x0)
    inside = np.zeros(x.shape[0], dtype=np.bool_)
    inside[box[odd]] = True
    return inside


def _ellipse(shape: Ellipse, events: Events) -> Mask:
    x, y = (events.column(channel).astype(np.float64) for channel in shape.channels)
    dx, dy = x - shape.mean[0], y - shape.mean[1]
    inverse = np.linalg.inv(np.array(shape.covariance))
    distance = inverse[0, 0] * dx * dx + (inverse[0, 1] + inverse[1, 0]) * dx * dy + inverse[1, 1] * dy * dy
    inside: Mask = distance <= shape.distance_square
    return inside
