"""`margin`: events at the ends of a scatter detector's range carry no measurement."""

from __future__ import annotations

import math

import numpy as np

from nktrace.model.events import FloatArray
from nktrace.model.gates import Edge, Gate, GatingRow, Rectangle, Source
from nktrace.science.gating.parent import Parent, rectangle_of

_TOP = 1023 / 1024  # the last channel of a 10-bit detector; of an 18-bit one 0.1 % of the range
_PILE = 5e-4  # share of events at exactly the largest value that shows a detector at its end


def shape(row: GatingRow, edges: tuple[Edge, ...]) -> Rectangle:
    """A box that is closed at the top of each detector and, where zero is its bottom, at zero."""
    return rectangle_of(row, edges)


def estimate(parent: Parent, row: GatingRow) -> Gate:
    """Keep 0 < x < top, the top from $PnR or from a pile of events at the largest value."""
    edges = tuple(edge for channel in row.markers for edge in _edges(parent, channel))
    return Gate(
        population=row.population,
        parent=row.parent,
        method=row.method,
        shape=shape(row, edges),
        edges=edges,
        source=Source.DATA,
    )


def _edges(parent: Parent, channel: str) -> tuple[Edge, ...]:
    values = parent.values(channel)
    top = parent.tops.get(channel, math.nan)
    high = top * _TOP if top > 0 else math.inf
    high = min(high, _pile(values))
    edges = [] if math.isinf(high) else [Edge(channel=channel, edge="max", value=high, source=Source.DATA)]
    if top > 0:
        # The least number above zero that is still nothing on this detector's scale: half-open bounds keep it.
        edges.insert(0, Edge(channel=channel, edge="min", value=top * 1e-9, source=Source.DATA))
    return tuple(edges)


def _pile(values: FloatArray) -> float:
    """The largest value where many events share it exactly, else infinity."""
    if values.shape[0] == 0:
        return math.inf
    largest = values.max()
    share = np.count_nonzero(values == largest) / values.shape[0]
    return float(largest) if share >= _PILE and np.count_nonzero(values == largest) >= 5 and largest > 0 else math.inf
