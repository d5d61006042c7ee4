"""`singlets`: a band around the line on which height (or width) follows area.

Two cells that pass together double the area, not the height: doublets lie below the line of area against height and
above that of area against width. The band's half-width comes from the clean side of the line.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nktrace.model.gates import Edge, Gate, GatingRow, Polygon, SingletsSettings, Source, Status
from nktrace.model.panel import marker_key
from nktrace.science.density import Histogram, histogram, main_peak, resample, valleys
from nktrace.science.gating.parent import Parent, gate_of, settings_of

_EVENTS = 50_000
_SLICES = 16
_BINS = 256
_RESAMPLES = 20  # the band is sharp: its interval needs no more
_LEAST = 0.1  # a tenth off the line is no doublet: two cells one behind the other are off by a quarter and more
Array = NDArray[np.float64]
_NUMBERS = ("x_min", "x_max", "intercept", "slope", "lower", "upper")


@dataclass(frozen=True, slots=True)
class Line:
    """y = intercept + slope·x."""

    intercept: float
    slope: float

    def at(self, x: Array) -> Array:
        return self.intercept + self.slope * x


def shape(row: GatingRow, edges: tuple[Edge, ...]) -> Polygon:
    """Four corners: at x_min and x_max, the line times 1 + lower and 1 + upper."""
    number = {edge.edge: edge.value for edge in edges}
    line = Line(number["intercept"], number["slope"])
    corners = [
        (number["x_min"], "lower"),
        (number["x_max"], "lower"),
        (number["x_max"], "upper"),
        (number["x_min"], "upper"),
    ]
    x, y = row.markers
    return Polygon(
        (x, y),
        tuple((place, float(line.at(np.array(place)) * (1 + number[side]))) for place, side in corners),
    )


def estimate(parent: Parent, row: GatingRow) -> Gate:
    """The band around the ridge of the parent's events; `lower` and `upper` are shares of the line's height."""
    settings = settings_of(row, SingletsSettings)
    x_channel, y_channel = row.markers
    x, y = (parent.values(channel).astype(np.float64) for channel in row.markers)
    keep = np.flatnonzero(np.isfinite(x) & np.isfinite(y) & (x > 0) & (y > 0))
    keep = keep[:: max(1, keep.shape[0] // _EVENTS)]
    x, y = x[keep], y[keep]
    line = ridge(x, y) if x.shape[0] >= parent.options.min_events else None
    residual = None if line is None else _residual(line, x, y)
    if line is None or residual is None:
        return _everything(parent, row, f"{x.shape[0]} events in {parent.population} show no line of singlets")
    sd, doublets_above = settings.sd, marker_key(y_channel).endswith(("w", "width"))
    lower, upper = band(residual, sd=sd, doublets_above=doublets_above)
    draws = resample(residual.counts, times=min(parent.options.bootstrap, _RESAMPLES), rng=parent.rng)
    bands = [band(replace(residual, counts=draw), sd=sd, doublets_above=doublets_above) for draw in draws]
    half = parent.z * np.hypot(np.std(bands, axis=0, ddof=1), residual.width * math.sqrt(1 / 12))
    low_x, high_x = _reach(line, x, top=parent.tops.get(x_channel, math.nan))
    intervals = {"lower": (lower - half[0], lower + half[0]), "upper": (upper - half[1], upper + half[1])}
    numbers = dict(zip(_NUMBERS, (low_x, high_x, line.intercept, line.slope, lower, upper), strict=True))
    return _gate(row, numbers, intervals)


def _residual(line: Line, x: Array, y: Array) -> Histogram | None:
    """Relative distance from the line, of the events where the line is above zero and that are less than it away."""
    height = line.at(x)
    above = height > 0
    distance = y[above] / height[above] - 1
    return histogram(distance[np.abs(distance) < 1], bins=_BINS)


def _gate(
    row: GatingRow,
    numbers: dict[str, float],
    intervals: dict[str, tuple[float, float]],
    *,
    clear: bool = True,
    reason: str = "",
) -> Gate:
    x_channel, y_channel = row.markers
    edges = tuple(
        Edge(
            channel=x_channel if name.startswith("x_") else y_channel,
            edge=name,
            value=value,
            low=intervals.get(name, (math.nan, math.nan))[0],
            high=intervals.get(name, (math.nan, math.nan))[1],
            source=Source.DATA,
            clear=clear,
            status=Status.OK if clear else Status.WARN,
            reason=reason,
        )
        for name, value in numbers.items()
    )
    return gate_of(row, shape(row, edges), edges)


def _everything(parent: Parent, row: GatingRow, reason: str) -> Gate:
    """A band that holds every event of the parent: nothing is removed that cannot be judged."""
    reach = []
    for channel in row.markers:
        values = parent.values(channel)
        values = values[np.isfinite(values)]
        reach.append((float(values.min()), float(values.max())) if values.shape[0] else (0.0, 1.0))
    (x_low, x_high), (y_low, y_high) = reach
    room_x, room_y = (x_high - x_low) or 1.0, (y_high - y_low) or 1.0
    middle, half = (y_low + y_high) / 2, room_y
    centre = middle if abs(middle) > 0 else 1.0
    values_of = (x_low - room_x, x_high + room_x, centre, 0.0, -half / abs(centre), half / abs(centre))
    return _gate(row, dict(zip(_NUMBERS, values_of, strict=True)), {}, clear=False, reason=reason)


def ridge(x: Array, y: Array) -> Line | None:
    """The line through the modes of y in slices of x (Theil 1950, Sen 1968); None where it does not rise above zero.

    Modes, since doublets are up to a third of a slice, and slices from the central 85 % of x, since at its upper end
    most events are doublets.
    """
    borders = np.quantile(x, np.linspace(0.05, 0.9, _SLICES + 1))
    slice_of = np.searchsorted(borders, x, side="right") - 1
    points = []
    for number in range(_SLICES):
        inside = slice_of == number
        if np.count_nonzero(inside) >= 10:
            points.append((float(np.median(x[inside])), half_sample_mode(y[inside])))
    if len(points) < 4:
        return None
    px, py = np.array(points).T
    first, second = np.triu_indices(len(points), 1)
    apart = px[second] - px[first] > 0
    if not apart.any():
        return None
    slope = float(np.median((py[second] - py[first])[apart] / (px[second] - px[first])[apart]))
    line = Line(float(np.median(py - slope * px)), slope)
    return line if bool(np.all(line.at(px) > 0)) else None


def half_sample_mode(values: Array) -> float:
    """The mode by repeatedly taking the half of the sample that is densest (Bickel & Frühwirth 2006)."""
    values = np.sort(values)
    while values.shape[0] > 3:
        half = (values.shape[0] + 1) // 2
        start = int(np.argmin(values[half - 1 :] - values[: values.shape[0] - half + 1]))
        values = values[start : start + half]
    return float(values.mean())


def band(residual: Histogram, *, sd: float, doublets_above: bool) -> tuple[float, float]:
    """Lower and upper border of the singlets' relative distance from their line.

    The sd is that of the clean side; the border is never nearer than a tenth, since ridges are slightly bent. On the
    doublets' side it is a valley between singlets and doublets where there is one within `sd` robust sd.
    """
    mode, _ = main_peak(residual.counts)
    centre = residual.at(mode)
    clean = residual.counts[mode::-1] if doublets_above else residual.counts[mode:]
    cumulative = np.cumsum(clean)
    width = max(1.0, float(np.searchsorted(cumulative, 0.6827 * cumulative[-1]))) * residual.width
    reach = max(sd * width, _LEAST)
    dirty = reach
    for valley in valleys(residual, min_depth=0.2, min_share=0.002):
        place = residual.at(valley.bin) - centre
        distance = place if doublets_above else -place
        if max(0.5 * reach, _LEAST) <= distance < dirty:
            dirty = distance
    return (centre - reach, centre + dirty) if doublets_above else (centre - dirty, centre + reach)


def _reach(line: Line, x: Array, *, top: float) -> tuple[float, float]:
    """From where on the line is above zero, up to the top of the detector (or the largest event)."""
    high = float(np.nanmax([top, float(x.max())])) * 1.01
    zero = -line.intercept / line.slope if line.slope > 0 else -math.inf
    low = max(0.0, zero + 0.01 * (high - zero)) if line.intercept < 0 else 0.0
    if line.slope < 0:
        high = min(high, -line.intercept / line.slope * 0.99)
    return low, high
