"""Events on the edge of a gate, decided again in float64.

Events are gated in float32. One that lies closer to an edge than the arithmetic is exact may be on the other side for a
program that reads the exported gates in float64. These few are found, computed again from the file in float64 by the
reference transforms, and put where they belong: then both programs count the same events.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from nktrace.model.events import Events, Mask
from nktrace.model.gates import ROOT, Boolean, Ellipse, Gate, GatedSample, Polygon, Rectangle, Windows
from nktrace.model.transforms import Scale
from nktrace.science.gating.masks import mask
from nktrace.science.transforms import error_bound

Rows = NDArray[np.intp]


def settle(gated: GatedSample, events: Events, *, scale: Scale, reference: Callable[[Rows], Events]) -> GatedSample:
    """The same gates, with the events on their edges decided in float64.

    Args:
        gated: as gated in float32; masks over `events`.
        events: float32, on the scale.
        reference: event numbers → these events in float64 on the scale, with the same channels.
    """
    rows = on_an_edge(gated, events, scale=scale)
    if not rows.size:
        return gated
    exact = reference(rows)
    masks = {population: members.copy() for population, members in gated.masks.items()}
    settled: dict[str, Mask] = {ROOT: np.ones(rows.size, dtype=np.bool_)}
    for gate in gated.gates:
        settled[gate.population] = settled[gate.parent] & mask(gate.shape, exact, settled)
        masks[gate.population][rows] = settled[gate.population]
    return replace(gated, masks=masks)


def on_an_edge(gated: GatedSample, events: Events, *, scale: Scale) -> Rows:
    """Numbers of the events that lie within the error bound of the edge of a gate whose parent they are in."""
    doubtful = np.zeros(len(events), dtype=np.bool_)
    for gate in gated.gates:
        inside = slice(None) if gate.parent == ROOT else np.flatnonzero(gated.masks[gate.parent])
        doubtful[inside] |= _on_edge(gate, events, scale, inside)
    return np.flatnonzero(doubtful)


def _on_edge(gate: Gate, events: Events, scale: Scale, inside: slice | Rows) -> Mask:
    shape = gate.shape
    match shape:
        case Boolean():  # decided by the gates that it names
            return np.zeros(len(range(*inside.indices(len(events))) if isinstance(inside, slice) else inside), np.bool_)
        case Windows(channel, intervals):
            return _near(events, channel, [bound for pair in intervals for bound in pair], scale, inside)
        case Rectangle(channels, low, high):
            near = [
                _near(events, channel, bounds, scale, inside)
                for channel, *bounds in zip(channels, low, high, strict=True)
            ]
            return reduce(np.logical_or, near)
        case Polygon(channels) | Ellipse(channels):
            return _changes_with_a_shift(shape, channels, events, scale, inside)


def _near(events: Events, channel: str, bounds: list[float], scale: Scale, inside: slice | Rows) -> Mask:
    values = events.column(channel)[inside]
    near = np.zeros(len(values), dtype=np.bool_)
    for bound in bounds:
        if np.isfinite(bound):
            margin = error_bound(scale.transforms[channel], largest=abs(bound))
            near |= (values >= np.float32(bound - margin)) & (values <= np.float32(bound + margin))
    return near


def _changes_with_a_shift(
    shape: Polygon | Ellipse, channels: tuple[str, str], events: Events, scale: Scale, inside: slice | Rows
) -> Mask:
    """Whether membership hangs on a shift by the error bound to any of four sides."""
    values = np.column_stack([events.column(channel)[inside] for channel in channels]).astype(np.float64)
    largest = np.abs(values).max(axis=0, initial=0.0)
    margins = [
        # an edge farther out than every event decides nothing
        error_bound(scale.transforms[channel], largest=min(_reach(shape, axis), float(largest[axis])))
        for axis, channel in enumerate(channels)
    ]
    votes = [
        mask(shape, Events(np.asfortranarray(values + np.multiply(margins, corner)), channels), {})
        for corner in ((-1, -1), (-1, 1), (1, -1), (1, 1))
    ]
    changes: Mask = np.logical_or.reduce(votes) & ~np.logical_and.reduce(votes)
    return changes


def _reach(shape: Polygon | Ellipse, axis: int) -> float:
    """How far from zero a shape goes along one axis."""
    if isinstance(shape, Polygon):
        return max(abs(vertex[axis]) for vertex in shape.vertices)
    return abs(shape.mean[axis]) + float(np.sqrt(shape.distance_square * shape.covariance[axis][axis]))
