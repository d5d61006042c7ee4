"""Pictures of single stains: the detector that sees most of the fluorochrome, before and after compensation."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nktrace.model.pictures import Picture
from nktrace.model.spillover import ControlTube, SpilloverEstimate
from nktrace.model.transforms import Asinh, Scale
from nktrace.science.pictures import BINS, ticks

Array = NDArray[np.float64]

_OF_TOP = 2_000  # the cofactor of the scale is the detector's top over this: 131 for 18 bits
_MOST_EVENTS = 50_000


def control_pictures(tube: ControlTube, found: SpilloverEstimate) -> tuple[Picture, Picture] | None:
    """A control before and after compensation, the regression drawn over it; None for one that is not used."""
    pairs = [pair for pair in found.pairs if pair.sample == tube.sample]
    if not pairs:
        return None
    most = max(pairs, key=lambda pair: pair.spillover)
    channels = found.spillover.detectors
    step = max(1, -(-len(tube.events) // _MOST_EVENTS))
    measured = tube.events.take(channels).values[::step].astype(np.float64)
    inverse = np.linalg.inv(found.spillover.matrix)
    places = channels.index(most.source), channels.index(most.receiver)
    markers = most.source, most.receiver
    before = _picture(tube, markers, measured[:, places], most.spillover)
    return before, _picture(tube, markers, (measured @ inverse)[:, places], most.residual)


def _picture(tube: ControlTube, markers: tuple[str, str], points: Array, slope: float) -> Picture:
    scale = Scale({marker: Asinh(_cofactor(tube, marker, points)) for marker in markers})
    cofactors = np.array([_cofactor(tube, marker, points) for marker in markers])
    places = np.arcsinh(points / cofactors)
    low, high = np.quantile(places, (0.001, 0.999), axis=0)
    room = 0.04 * np.maximum(high - low, 1e-6)
    edges = [(float(a), float(b)) for a, b in zip(low - room, high + room, strict=True)]
    clipped = np.clip(places, low - room, high + room)
    counts, _, _ = np.histogram2d(clipped[:, 0], clipped[:, 1], bins=BINS, range=edges)
    dark = points[points[:, 0] <= np.quantile(points[:, 0], 0.2)]
    x = np.linspace(*edges[0], 60)
    y = np.median(dark[:, 1]) + slope * (np.sinh(x) * cofactors[0] - np.median(dark[:, 0]))
    return Picture(
        population=markers[0],
        parent=tube.sample,
        channels=markers,
        x_range=edges[0],
        y_range=edges[1],
        counts=counts.astype(np.uint32),
        outlines=(np.stack([x, np.arcsinh(y / cofactors[1])], axis=1),),
        parent_events=len(points),
        events=len(points),
        x_ticks=ticks(scale, markers[0], edges[0]),
        y_ticks=ticks(scale, markers[1], edges[1]),
    )


def _cofactor(tube: ControlTube, marker: str, points: Array) -> float:
    top = tube.tops.get(marker, math.nan)
    return (top if top > 0 else max(float(np.abs(points).max()), 1.0)) / _OF_TOP


def spread_matrix(found: SpilloverEstimate) -> Array:
    """Spread of each pair, shape (markers, markers); nan where there is none."""
    markers: Sequence[str] = found.spillover.detectors
    spread = np.full((len(markers), len(markers)), np.nan)
    for pair in found.pairs:
        spread[markers.index(pair.source), markers.index(pair.receiver)] = pair.spread
    return spread
