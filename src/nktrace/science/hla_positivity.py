"""Where an HLA marker counts as positive: the cut between blank and donor reference, never from the sample itself.

Values are compensated linear units, since a cut is carried from the controls' batch to the sample's. The cut is
searched on an asinh axis scaled by the negative cells' spread, on which both peaks have about the same width.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nktrace.model.events import FloatArray, Mask
from nktrace.model.hla import Direction
from nktrace.model.intervals import Interval

WORKING_FRACTION = 0.01  # donor fraction at which the cut has the least error
TOLERANCE = 0.02  # cuts that are this little worse are as good: the middle of them is taken
SURE = 2.0  # standard errors of counting by which a cut must be worse than that, or it is as good
BINS = 1024
SPREADS = 5.0  # from the blank's peak to the cut, where there is no donor reference


def looks_donor(values: FloatArray, cut: float, direction: Direction) -> Mask:
    """Which events look like donor cells: at or above the cut for a donor-positive marker, below it otherwise."""
    exact = np.float64(cut)  # a plain float would be rounded to the values' float32 first
    return values >= exact if direction is Direction.DONOR_POSITIVE else values < exact


def best_cut(
    blank: FloatArray,
    donor: FloatArray,
    *,
    direction: Direction,
    level: float,
    bootstrap: int,
    rng: np.random.Generator,
) -> Interval:
    """The cut at which a donor fraction of 1 % has the least relative error, with its bootstrap interval.

    With a and b the shares of blank and donor that look like donor, the error goes with sqrt(a + f b) / (b - a).
    Between well separated peaks many cuts are equally good: the middle of those is taken. A cut is worse than another
    only if the events between them, as few as they are, show it by two standard errors: a cut that dodged single events
    of the blank would make the false-positive rate, which is counted in the same events, too low.

    Args:
        blank, donor: marker values of one population, shapes (n,) and (m,), at least one event each, linear units.
    """
    sign = 1.0 if direction is Direction.DONOR_POSITIVE else -1.0
    negative = blank if direction is Direction.DONOR_POSITIVE else donor
    cofactor = _spread(negative)
    low_side = np.arcsinh(sign * blank.astype(np.float64) / cofactor)
    high_side = np.arcsinh(sign * donor.astype(np.float64) / cofactor)
    edges = np.linspace(min(low_side.min(), high_side.min()), max(low_side.max(), high_side.max()) + 1e-9, BINS + 1)
    counts = np.histogram(low_side, edges)[0], np.histogram(high_side, edges)[0]
    value = _search(counts[0], counts[1], edges)
    resampled = [_search(_resampled(counts[0], rng), _resampled(counts[1], rng), edges) for _ in range(bootstrap)]
    tails = np.quantile(resampled, [(1 - level) / 2, (1 + level) / 2])
    cuts = sign * cofactor * np.sinh(np.array([value, min(tails[0], value), max(tails[1], value)]))
    return Interval(float(cuts[0]), float(cuts.min()), float(cuts.max()))


def peak_cut(
    blank: FloatArray, *, direction: Direction, level: float, bootstrap: int, rng: np.random.Generator
) -> Interval:
    """The cut five robust standard deviations from the middle of the blank's peak, where there is no donor reference.

    The blank's own false positives, few or many, hardly move median and median deviation, so they stay beyond the cut
    and are counted there: a quantile would run into them and cut donor cells off. Dark cells (donor-positive marker)
    scatter by additive noise and are measured in linear units; bright ones (recipient-positive) in logarithms.

    Five, as tails are heavier than the normal one: a cut at three stands in them, where a peak that is a little wider
    in the next tube gives several times the false positives; one at eight loses dim donor cells (docs/methods.md).
    """
    dark = direction is Direction.DONOR_POSITIVE
    scaled = blank.astype(np.float64)
    if not dark:  # what stains below zero is far from a bright peak, whatever its logarithm
        scaled = -np.log(np.maximum(scaled, np.finfo(np.float32).tiny))
    resampled = [_beyond_peak(rng.choice(scaled, scaled.size)) for _ in range(bootstrap)]
    tails = np.quantile(resampled, [(1 - level) / 2, (1 + level) / 2])
    value = _beyond_peak(scaled)
    cuts = np.array([value, min(tails[0], value), max(tails[1], value)])
    cuts = cuts if dark else np.exp(-cuts)
    return Interval(float(cuts[0]), float(cuts.min()), float(cuts.max()))


def _beyond_peak(values: NDArray[np.float64]) -> float:
    return float(np.median(values)) + SPREADS * _spread(values)


def _search(blank: NDArray[np.int64], donor: NDArray[np.int64], edges: NDArray[np.float64]) -> float:
    """The middle of the best cuts on the axis of `edges`; donor-like cells lie above."""
    above_blank, above_donor = (np.append(np.cumsum(counts[::-1])[::-1], 0) for counts in (blank, donor))
    a = (above_blank + 0.5) / (blank.sum() + 1)
    b = above_donor / donor.sum()
    gap = np.maximum(b - a, 1e-6)
    square = a + WORKING_FRACTION * b
    loss = np.sqrt(square) / gap
    best = int(np.argmin(loss))
    # d ln(loss) by the events between a cut and the best one, which are Poisson
    by_blank = (0.5 / square[best] + 1 / gap[best]) / blank.sum()
    by_donor = (0.5 * WORKING_FRACTION / square[best] - 1 / gap[best]) / donor.sum()
    between = np.abs(above_blank - above_blank[best]), np.abs(above_donor - above_donor[best])
    error = np.sqrt(by_blank**2 * between[0] + by_donor**2 * between[1])
    good = loss <= loss[best] * (1 + TOLERANCE + SURE * error)
    low = high = best
    while low > 0 and good[low - 1]:
        low -= 1
    while high + 1 < good.size and good[high + 1]:
        high += 1
    return float(edges[low] + edges[high]) / 2


def _resampled(counts: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    return rng.multinomial(counts.sum(), counts / counts.sum())


def _spread(values: FloatArray) -> float:
    """Robust standard deviation, never zero."""
    centre = np.median(values)
    spread = 1.4826 * float(np.median(np.abs(values - centre)))
    return spread if spread > 0 else max(float(np.std(values)), 1e-6)
