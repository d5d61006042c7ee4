"""Gates on the scale of a panel and batch that were drawn on another: for tables and pictures, beside all others."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nktrace.model.gates import Boolean, Edge, Ellipse, Gate, Polygon, Rectangle, Shape, Source, Windows
from nktrace.model.transforms import Transform
from nktrace.science.gating.conversion import along_edges
from nktrace.science.transforms import exact, inverse

_PIECES = 8  # of an edge that is curved where it is shown
_BORDER = 2 * math.pi * np.arange(60) / 60


@dataclass(frozen=True, slots=True)
class Shown:
    """Where an axis is shown: the channel, the scale that its gates stand on, the scale of the channel."""

    channel: str
    drawn: Transform
    shown: Transform


def shown_gate(gate: Gate, axes: Mapping[str, Shown]) -> Gate:
    """The same gate with shape and cuts on the scale where it is shown.

    An edge between two corners may be curved there and is followed by points; the cuts are those of the corners.

    Args:
        gate: its shape stands on the names of `axes`.
        axes: every axis of the shape.
    """
    shape, cuts = _shown(gate.shape, axes)
    edges = tuple(Edge(channel=channel, edge=edge, value=value, source=Source.IMPORT) for channel, edge, value in cuts)
    return replace(gate, shape=shape, edges=edges)


def _shown(shape: Shape, axes: Mapping[str, Shown]) -> tuple[Shape, list[tuple[str, str, float]]]:
    match shape:
        case Boolean() | Windows():
            return shape, []
        case Rectangle(channels, low, high):
            at = [axes[channel] for channel in channels]
            bounds = [
                (_bound(least, axis), _bound(most, axis)) for least, most, axis in zip(low, high, at, strict=True)
            ]
            cuts = [
                (axis.channel, edge, value)
                for axis, pair in zip(at, bounds, strict=True)
                for edge, value in zip(("min", "max"), pair, strict=True)
                if not math.isinf(value)
            ]
            lows, highs = zip(*bounds, strict=True)
            return Rectangle(tuple(axis.channel for axis in at), lows, highs), cuts
        case Polygon(channels, vertices):
            return _line(np.array(vertices), (axes[channels[0]], axes[channels[1]]))
        case Ellipse(channels, mean, covariance, distance_square):
            root = np.linalg.cholesky(np.array(covariance) * distance_square)
            border = np.column_stack([np.cos(_BORDER), np.sin(_BORDER)]) @ root.T + np.array(mean)
            x, y = axes[channels[0]], axes[channels[1]]
            line, _ = _line(border, (x, y), pieces=1)
            centre = [
                (axis.channel, f"mean_{name}", _bound(m, axis))
                for axis, name, m in zip((x, y), "xy", mean, strict=True)
            ]
            return line, centre


def _line(
    corners: NDArray[np.float64], at: tuple[Shown, Shown], *, pieces: int = _PIECES
) -> tuple[Polygon, list[tuple[str, str, float]]]:
    channels = (at[0].channel, at[1].channel)
    if any(axis.drawn != axis.shown for axis in at):
        cuts = _moved(corners, at)
        line = _moved(along_edges(corners, pieces), at)
    else:
        cuts = line = corners
    named = [
        (channel, f"{axis}{number}", float(value))
        for number, corner in enumerate(cuts)
        for channel, axis, value in zip(channels, "xy", corner, strict=True)
    ]
    return Polygon(channels, tuple((x, y) for x, y in line.tolist())), named


def _moved(points: NDArray[np.float64], at: tuple[Shown, Shown]) -> NDArray[np.float64]:
    return np.column_stack([_move(points[:, axis], at[axis]) for axis in (0, 1)])


def _move(positions: NDArray[np.float64], axis: Shown) -> NDArray[np.float64]:
    if axis.drawn == axis.shown:
        return positions
    return exact(inverse(positions, axis.drawn), axis.shown)


def _bound(position: float, axis: Shown) -> float:
    return position if math.isinf(position) else float(_move(np.array([position]), axis)[0])
