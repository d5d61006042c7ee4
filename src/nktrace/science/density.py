"""One-dimensional densities on a fine grid: histogram, smoothing, peaks and the valleys between them.

Everything works on binned counts, so a resample costs a Poisson draw of some hundred bins, not of a million events.
The last axis is the grid; leading axes are resamples.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from nktrace.model.events import FloatArray

Counts = NDArray[np.float64]

BINS = 1024
_BANDWIDTHS = (1.0, 1.6, 2.5)  # tried from fine to coarse until a valley stands out of the counting noise
_END = 0.03  # of the range: a third peak so near its upper end has no flank: it is what piles up at a detector's top
_LEAST = 10  # events beside a valley: fewer are outliers, no population
_TIED = 0.5  # share of events that have the value of another one
_LOOKED_AT = 2_000  # events that tell whether values are tied
_SIGNIFICANT = 3.5  # of a dip, in standard deviations of its counting noise; about fifty dips could arise by chance


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts on a uniform grid: bin i covers low + i·width ≤ x < low + (i+1)·width. `events` is all."""

    low: float
    width: float
    counts: Counts
    events: int

    def at(self, position: float) -> float:
        """The value at a (fractional) bin number; a whole number is the middle of its bin."""
        return self.low + (position + 0.5) * self.width

    def error(self, spread: float) -> float:
        """Standard error of a place whose sd over resamples is `spread` bins: within its bin it may lie anywhere."""
        return math.hypot(spread, math.sqrt(1 / 12)) * self.width


@dataclass(frozen=True, slots=True)
class Valley:
    """A dip between two populations, in bins of its histogram.

    Attributes:
        bin: centre of the valley's floor (fractional).
        left, right: the peaks beside it (bins).
        depth: 1 - floor / lower of the highest peaks on either side.
        share: of all events, those of the smaller side.
        bandwidth: sd of the smoothing in bins.
    """

    bin: float
    left: int
    right: int
    depth: float
    share: float
    bandwidth: float

    @property
    def score(self) -> float:
        """How much a valley looks like the boundary of two real populations: deep, and neither side a handful."""
        return float(self.depth * self.share**0.25)


def histogram(values: FloatArray, *, bins: int = BINS) -> Histogram | None:
    """Bin finite values over their range, outliers beyond five times the central 98 % left out; None if all are equal.

    Args:
        values: shape (events,), any order.
        bins: number of bins.
    """
    values = values[np.isfinite(values)]
    if values.shape[0] < 2:
        return None
    step = max(1, values.shape[0] // 20_000)
    q01, q99 = (float(q) for q in np.quantile(values[::step], (0.01, 0.99)))
    least, most = float(values.min()), float(values.max())
    span = (q99 - q01) or (most - least)
    if not span > 0:
        return None
    if _tied(values):
        borders, _ = _steps(values)
        least, most = float(borders[0]), float(borders[-1])
    low, high = max(least, q01 - 5 * span), min(most, q99 + 5 * span)
    return _binned(values, low=low, width=(high - low) * (1 + 1e-6) / bins, bins=bins)


def on_grid(values: FloatArray, grid: Histogram) -> Histogram:
    """Other values on the grid of a histogram; those outside are left out."""
    return _binned(values, low=grid.low, width=grid.width, bins=grid.counts.shape[-1])


def _binned(values: FloatArray, *, low: float, width: float, bins: int) -> Histogram:
    if _tied(values):
        edges = low + width * np.arange(bins + 1)
        return Histogram(low, width, np.diff(np.interp(edges, *_steps(values))), int(values.shape[0]))
    position = np.floor((values - np.float32(low)) * np.float32(1 / width))
    inside = (position >= 0) & (position < bins)
    counts = np.bincount(position[inside].astype(np.int32), minlength=bins).astype(np.float64)
    return Histogram(low, width, counts, int(values.shape[0]))


def _tied(values: FloatArray) -> bool:
    """Whether most values occur more than once: ion counts of a mass cytometer, or a coarse converter."""
    some = np.sort(values[:: max(1, values.shape[0] // _LOOKED_AT)])
    tied = bool(np.count_nonzero(some[1:] == some[:-1]) > _TIED * some.shape[0])
    return tied and bool(some[0] < some[-1])


def _steps(values: FloatArray) -> tuple[Counts, Counts]:
    """The distribution of tied values, each taken to stand for all that is nearer to it than to the next one.

    Between the counts 0 and 1 of an ion there is no valley: nothing else can be counted. A value at the border of a
    wide gap reaches no farther into it than twice its distance from the value on its other side.

    Returns:
        Ascending borders, and how many events lie below each.
    """
    distinct, number = np.unique(values[np.isfinite(values)].astype(np.float64), return_counts=True)
    gaps = np.diff(distinct)
    before, after = np.append(gaps[:2].min(), gaps), np.append(gaps, gaps[-2:].min())
    most = 2 * np.minimum(before, after)
    borders = np.stack([distinct - np.minimum(before, most) / 2, distinct + np.minimum(after, most) / 2], axis=1)
    below = np.cumsum(number)
    return borders.ravel(), np.stack([below - number, below], axis=1).ravel().astype(np.float64)


def smooth(counts: Counts, bandwidth: float) -> Counts:
    """Gaussian smoothing along the last axis, mirrored at the ends so that no mass is lost.

    Args:
        counts: shape (…, bins).
        bandwidth: sd of the kernel in bins.
    """
    bins = counts.shape[-1]
    mirrored = np.concatenate([counts, counts[..., ::-1]], axis=-1)
    frequency = np.fft.rfftfreq(2 * bins)
    kernel = np.exp(-2 * (np.pi * frequency * bandwidth) ** 2)
    # Mirroring makes the sequence even about -1/2, so the circular convolution is the reflected one.
    smoothed = np.fft.irfft(np.fft.rfft(mirrored, axis=-1) * kernel, n=2 * bins, axis=-1)[..., :bins]
    return np.maximum(smoothed, 0.0)


def main_peak(counts: Counts) -> tuple[int, float]:
    """Mode and width of the highest peak of one histogram.

    Returns:
        Bin of the mode, and the sd in bins of the peak's narrower half at 60 % of its height (e^-1/2, where a normal
        density stands one sd from its mode); the narrower half, since a neighbour widens the other one.
    """
    few = 0.9 * math.pow(max(float(counts.sum()), 1.0), -0.2)  # Silverman's factor: among few events a spike is no peak
    pilot = max(1.0, _quantile_spread(counts) * max(0.15, few))
    for _ in range(2):  # the first width comes from all peaks together, the second from the main one alone
        smoothed = smooth(counts, pilot)
        mode = int(np.argmax(smoothed))
        below = smoothed < smoothed[mode] * math.exp(-0.5)
        right = int(np.argmax(below[mode:])) or counts.shape[-1] - mode
        left = int(np.argmax(below[mode::-1])) or mode + 1
        width = max(1.0, float(min(left, right)))
        # The smoothing itself widened the peak.
        width = max(1.0, math.sqrt(max(width**2 - pilot**2, 0.25 * width**2)))
        pilot = max(1.0, width * max(0.3, few))
    return mode, width


def _quantile_spread(counts: Counts) -> float:
    """Interquartile range of binned counts over 1.349, in bins."""
    cumulative = np.cumsum(counts)
    quarter, three = np.searchsorted(cumulative, (0.25 * cumulative[-1], 0.75 * cumulative[-1]))
    return float(int(three) - int(quarter)) / 1.349


def bandwidth_of(counts: Counts) -> float:
    """A smoothing sd in bins that keeps the main peak's shape: Silverman's factor on that peak's own width.

    The usual rule takes the spread of all events, which smooths two peaks into one (Silverman 1986, eq. 3.31).
    """
    _, width = main_peak(counts)
    silverman = 1.06 * math.pow(float(counts.sum()), -0.2)
    return max(1.5, width * max(0.12, silverman))


def valleys(histogram: Histogram, *, min_depth: float, min_share: float, piled: bool = True) -> list[Valley]:
    """Every valley that stands out of the counting noise, from left to right; empty for a density with one peak.

    A dip counts if it is deeper than `min_depth` of the lower peak beside it, deeper than 3.5 sd of its counting
    noise, and if both sides hold at least `min_share` of the events, and ten. Where events may be `piled` up at the top
    of the detector, a peak at the upper end beyond two others is no population. Counts are compared as square roots
    (variance 1/4); a Gaussian kernel of sd h averages 2·sqrt(pi)·h bins.
    """
    base = bandwidth_of(histogram.counts)
    for factor in _BANDWIDTHS:
        found = _valleys_at(histogram.counts, base * factor, min_depth=min_depth, min_share=min_share, piled=piled)
        if found:
            return found
    return []


def _valleys_at(counts: Counts, bandwidth: float, *, min_depth: float, min_share: float, piled: bool) -> list[Valley]:
    smoothed = smooth(counts, bandwidth)
    window = 2 * math.sqrt(math.pi) * bandwidth
    peaks = _real_peaks(smoothed, window=window, min_depth=min_depth)
    if piled and len(peaks) > 2 and peaks[-1] >= (1 - _END) * counts.shape[-1]:
        peaks.pop()
    cumulative = np.cumsum(counts)
    highest_left = np.maximum.accumulate(smoothed)
    highest_right = np.maximum.accumulate(smoothed[::-1])[::-1]
    found = []
    for left, right in pairwise(peaks):
        centre = floor_between(smoothed, left, right, window=window)
        floor = smoothed[left : right + 1].min()
        lower = min(highest_left[left], highest_right[right])
        below = cumulative[int(centre)] / cumulative[-1]
        share = float(min(below, 1 - below))
        if share >= max(min_share, _LEAST / cumulative[-1]):
            depth = float(1 - floor / lower)
            found.append(Valley(float(centre), left, right, depth, share, bandwidth))
    return found


def _real_peaks(smoothed: Counts, *, window: float, min_depth: float) -> list[int]:
    """Bins of the peaks that remain once every dip that is shallow or within noise is filled, the smaller peak lost."""
    rise = np.diff(np.concatenate([[-1.0], smoothed, [-1.0]]))
    tops = np.flatnonzero((rise[:-1] > 0) & (rise[1:] <= 0) & (smoothed * window >= 1))
    peaks: list[int] = tops.tolist()
    heights: list[float] = smoothed[tops].tolist()
    floors: list[float] = np.minimum.reduceat(smoothed, tops)[:-1].tolist() if peaks else []
    strengths = [_strength(f, *pair, window, min_depth) for f, pair in zip(floors, pairwise(heights), strict=True)]
    while strengths and min(strengths) < 1:
        dip = strengths.index(min(strengths))
        lost = dip if heights[dip] < heights[dip + 1] else dip + 1
        del peaks[lost], heights[lost], strengths[dip]
        filled = floors.pop(dip)
        beside = dip - 1 if lost == dip else dip  # the dip on the lost peak's other side now reaches to the next peak
        if 0 <= beside < len(floors):
            floors[beside] = min(floors[beside], filled)
        for i in (dip - 1, dip):
            if 0 <= i < len(floors):
                strengths[i] = _strength(floors[i], heights[i], heights[i + 1], window, min_depth)
    return peaks


def _strength(floor: float, left: float, right: float, window: float, min_depth: float) -> float:
    """How far a dip exceeds both the counting noise and the least depth; below 1 it is none."""
    lower = min(left, right)
    z = (math.sqrt(lower * window) - math.sqrt(floor * window)) * math.sqrt(2)
    return min(z / _SIGNIFICANT, (1 - floor / lower) / min_depth)


def floor_between(smoothed: Counts, left: int, right: int, *, window: float) -> Counts:
    """Centre of a valley's floor, in bins (fractional), for each resample.

    The floor is every bin between the peaks within 5 % of the lower peak, or one sd of counting noise, above the
    minimum: in a wide empty gap the minimum itself is arbitrary, the middle of the gap is not.

    Args:
        smoothed: shape (…, bins).
        left, right: bins of the peaks.
        window: how many bins' counts the kernel averages.

    Returns:
        Shape (…).
    """
    between = smoothed[..., left : right + 1]
    least = between.min(axis=-1, keepdims=True)
    lower = np.minimum(between[..., :1], between[..., -1:])
    noise = np.sqrt(np.maximum(least, 1 / window) / window)
    floor = between <= least + np.minimum(np.maximum(0.05 * (lower - least), noise), 0.25 * (lower - least))
    position = np.arange(left, right + 1) + 0.0
    centre: Counts = (floor * position).sum(axis=-1) / np.maximum(floor.sum(axis=-1), 1)
    return centre


def resample(counts: Counts, *, times: int, rng: np.random.Generator) -> Counts:
    """Poisson resamples of binned counts (the bootstrap of events with a random total), shape (times, bins)."""
    return rng.poisson(counts, size=(times, counts.shape[-1])).astype(np.float64)
