"""Pictures of gates: the parent's events as a two-dimensional histogram, and the gate's outline over it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nktrace.model.events import Events, FloatArray, Mask
from nktrace.model.gates import ROOT, Boolean, Ellipse, Gate, GatedSample, Polygon, Rectangle, Shape, Windows
from nktrace.model.panel import Kind, Panel, marker_key
from nktrace.model.pictures import Picture, Ticks
from nktrace.model.transforms import Linear, Scale, Transform
from nktrace.science.gating.boolean import names
from nktrace.science.transforms import exact

BINS = 100
_MOST_EVENTS = 200_000
_MARGIN = 0.04
_LEAST_TICK = 0.03  # of the axis, away from zero: below it decades crowd in the linear part of a scale
_CURVE = np.linspace(0, 2 * math.pi, 61)
Range = tuple[float, float]
Line = NDArray[np.float64]


def take_pictures(
    events: Events, gated: GatedSample, *, panel: Panel, scale: Scale | None = None, bins: int = BINS
) -> tuple[Picture, ...]:
    """A picture of every gate, in table order.

    A gate on one channel gets a second axis that tells most to a reader's eye: side scatter, else the channel that the
    table gates next. A boolean is drawn on the channels of the gates that it names, with their outlines. Of more than
    200,000 parent events every k-th is drawn.

    Args:
        events: all events on the scale of the gates.
        gated: masks over these events.
        panel: for the kinds of detectors.
        scale: that of the events, for ticks in data units; None gives none.
        bins: per axis.
    """
    shapes = {gate.population: gate.shape for gate in gated.gates}
    pictures = []
    for gate in gated.gates:
        drawn = _drawn(gate, shapes)
        x, y = _axes(gate, drawn, gated.gates, events, panel)
        members = gated.masks[gate.population]
        parent = np.ones(len(events), dtype=np.bool_) if gate.parent == ROOT else gated.masks[gate.parent]
        pictures.append(_picture(gate, drawn, events, parent, members, channels=(x, y), scale=scale, bins=bins))
    return tuple(pictures)


def _drawn(gate: Gate, shapes: dict[str, Shape]) -> list[Shape]:
    """The shapes whose outlines show a gate: its own, or those of the populations that a boolean names."""
    if not isinstance(gate.shape, Boolean):
        return [gate.shape]
    named = (shapes[name] for name in sorted(names(gate.shape.expression)) if name in shapes)
    return [shape for shape in named if not isinstance(shape, Boolean)]


def _channels(shape: Shape) -> tuple[str, ...]:
    match shape:
        case Windows(channel=channel):
            return (channel,)
        case Rectangle(channels=channels) | Polygon(channels=channels) | Ellipse(channels=channels):
            return channels
        case Boolean():
            return ()


def _axes(gate: Gate, drawn: Sequence[Shape], gates: Sequence[Gate], events: Events, panel: Panel) -> tuple[str, str]:
    """The gate's channels, filled up with side scatter, the channels of later gates, and whatever the panel has."""
    own = [channel for shape in drawn for channel in _channels(shape)]
    later = [channel for other in _below(gate, gates) for channel in _channels(other.shape)]
    scatter = [d.marker for d in panel.of_kind(Kind.SCATTER) if marker_key(d.marker).startswith("ssc")]
    others = [d.marker for d in panel.used if d.kind is not Kind.TIME]
    time = [d.marker for d in panel.of_kind(Kind.TIME)]
    candidates = dict.fromkeys(c for c in (*own, *scatter[:1], *later, *others, *time) if c in events)
    x, *rest = candidates
    return x, rest[0] if rest else x


def _below(gate: Gate, gates: Sequence[Gate]) -> list[Gate]:
    return [other for other in gates if other.parent in (gate.population, gate.parent)]


def _picture(
    gate: Gate,
    drawn: Sequence[Shape],
    events: Events,
    parent: Mask,
    members: Mask,
    *,
    channels: tuple[str, str],
    scale: Scale | None,
    bins: int,
) -> Picture:
    rows = np.flatnonzero(parent)
    rows = rows[:: max(1, -(-rows.shape[0] // _MOST_EVENTS))]
    x, y = (events.column(channel)[rows] for channel in channels)
    ranges = (_range(x, _bounds(drawn, channels[0])), _range(y, _bounds(drawn, channels[1])))
    position = _bin(x, ranges[0], bins) * bins + _bin(y, ranges[1], bins)
    counts = np.bincount(position, minlength=bins * bins).reshape(bins, bins).astype(np.uint32)
    lines = [
        line for shape in drawn for line in outline(shape, channels=channels, x_range=ranges[0], y_range=ranges[1])
    ]
    return Picture(
        population=gate.population,
        parent=gate.parent,
        channels=channels,
        x_range=ranges[0],
        y_range=ranges[1],
        counts=counts,
        outlines=tuple(lines),
        parent_events=int(np.count_nonzero(parent)),
        events=int(np.count_nonzero(members)),
        x_ticks=ticks(scale, channels[0], ranges[0]),
        y_ticks=ticks(scale, channels[1], ranges[1]),
        expression=gate.shape.expression if isinstance(gate.shape, Boolean) else "",
    )


def ticks(scale: Scale | None, channel: str, limits: Range) -> Ticks:
    """Zero and every multiple of a power of ten within the picture, where the channel is transformed."""
    transform: Transform = Linear() if scale is None else scale.transforms.get(channel, Linear())
    if isinstance(transform, Linear):
        return ()
    multiples = np.array([m * 10.0**power for power in range(-1, 8) for m in range(1, 10)])
    values = np.concatenate([-multiples[::-1], [0.0], multiples])
    positions = exact(values, transform)
    apart = np.abs(positions - positions[multiples.size]) >= _LEAST_TICK * (limits[1] - limits[0])
    shown = (apart | (values == 0)) & (positions >= limits[0]) & (positions <= limits[1])
    return tuple(zip(positions[shown].tolist(), values[shown].tolist(), strict=True))


def _bounds(shapes: Sequence[Shape], channel: str) -> list[float]:
    """The finite bounds of rectangles on a channel: a cut is always in its picture."""
    found = []
    for shape in shapes:
        if isinstance(shape, Rectangle) and channel in shape.channels:
            i = shape.channels.index(channel)
            found += [bound for bound in (shape.low[i], shape.high[i]) if abs(bound) < np.finfo(np.float32).max]
    return found


def _range(values: FloatArray, bounds: Sequence[float]) -> Range:
    """The central 99.8 % of the values and every cut near them, with some room."""
    low, high = (float(q) for q in np.quantile(values, (0.001, 0.999))) if values.shape[0] else (0.0, 1.0)
    span = (high - low) or abs(high) or 1.0
    near = [bound for bound in bounds if low - span < bound < high + span]
    low, high = min([low, *near]), max([high, *near])
    room = ((high - low) or span) * _MARGIN
    return low - room, high + room


def _bin(values: FloatArray, limits: Range, bins: int) -> NDArray[np.int64]:
    scaled = (values.astype(np.float64) - limits[0]) * (bins / (limits[1] - limits[0]))
    return np.clip(np.nan_to_num(scaled), 0, bins - 1).astype(np.int64)


def outline(shape: Shape, *, channels: tuple[str, str], x_range: Range, y_range: Range) -> list[Line]:
    """The lines of a shape on two axes, cut off at the picture's edge; none where its channels are not the axes."""
    match shape:
        case Windows(channel=channel, intervals=intervals) if channel == channels[0]:
            edges = sorted({min(max(t, x_range[0]), x_range[1]) for interval in intervals for t in interval})
            return [np.array([[t, y_range[0]], [t, y_range[1]]]) for t in edges]
        case Rectangle():
            return _box(shape, channels, x_range, y_range)
        case Polygon(channels=own, vertices=vertices) if own == channels:
            closed = np.array([*vertices, vertices[0]], dtype=np.float64)
            low, high = (x_range[0], y_range[0]), (x_range[1], y_range[1])
            # Corners far outside would flatten nothing, as the axes are fixed, but keep the file's numbers sane.
            far = 1e3 * np.subtract(high, low)
            return [np.clip(closed, low - far, high + far)]
        case Ellipse(channels=own, mean=mean, covariance=covariance, distance_square=square) if own == channels:
            root = np.linalg.cholesky(np.array(covariance) * square)
            circle = np.stack([np.cos(_CURVE), np.sin(_CURVE)])
            return [np.asarray((np.array(mean)[:, None] + root @ circle).T, dtype=np.float64)]
        case _:
            return []


def _box(shape: Rectangle, channels: tuple[str, str], x_range: Range, y_range: Range) -> list[Line]:
    if not set(shape.channels) & set(channels):
        return []
    sides = []
    for channel, limits in zip(channels, (x_range, y_range), strict=True):
        low, high = limits
        if channel in shape.channels:
            i = shape.channels.index(channel)
            low, high = (min(max(bound, low), high) for bound in (shape.low[i], shape.high[i]))
        sides.append((low, high))
    (left, right), (bottom, top) = sides
    return [np.array([[left, bottom], [right, bottom], [right, top], [left, top], [left, bottom]])]
