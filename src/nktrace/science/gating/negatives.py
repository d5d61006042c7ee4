"""Where the cells that lack a marker end: those of an FMO tube, or a negative population of the same sample."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from nktrace.model.events import FloatArray
from nktrace.model.gates import Edge, Source, Status
from nktrace.science.density import Counts, Histogram, histogram, resample
from nktrace.science.gating.parent import Parent

MIN_NEGATIVES = 30
FMO_QUANTILE = 0.995
_TAIL = 0.1  # share of the negatives whose mean excess tells how fast the tail falls, and the least number of them
_LEAST_TAIL = 10
_ONE_SD = 0.8413  # quantile of a normal one sd above its median
_SDS = 3.0  # where a normal population keeps 99.9 %


def left_out_edge(parent: Parent, channel: str, *, edge: str, quantile: float = FMO_QUANTILE) -> Edge | None:
    """The cut of an FMO control on the channel that it lacks: a quantile of its events, none of which is positive.

    None for other channels and samples, and where the parent is too small or was itself cut on this channel: what is
    left of it are outliers. The gate fails, since the population that it stands for is not in this tube.
    """
    if parent.without != channel or any(above == channel for above, _ in parent.inherited):
        return None
    values = parent.values(channel)
    values = values[np.isfinite(values)]
    if values.shape[0] < MIN_NEGATIVES:
        return None
    found = quantile_edge(values, channel, edge=edge, quantile=quantile, level=parent.options.level)
    reason = f"{channel} is left out of this tube: cut at its {quantile:g} quantile"
    return replace(found, left_out=True, status=Status.FAIL, reason=reason)


def quantile_edge(values: FloatArray, channel: str, *, edge: str, quantile: float, level: float) -> Edge:
    """A high quantile of negative events, with its interval from order statistics (no distribution assumed).

    The number of events above the true quantile is binomial, so two order statistics bound it (David & Nagaraja, Order
    Statistics, 7.1). Where there are too few events for the quantile to lie below the largest one, the tail beyond is
    taken to fall exponentially, as fast as the upper tenth of the events does.

    Args:
        values: finite, shape (n,), n >= 1.
        channel, edge: of the cut.
        quantile: between 0.5 and 1.
        level: of the interval.
    """
    falling = np.sort(values)[::-1].astype(np.float64)
    n = falling.shape[0]
    expected = n * (1 - quantile)
    tail = falling[: min(n, max(_LEAST_TAIL, math.ceil(_TAIL * n)))]
    decay = float(np.mean(tail - tail[-1])) * tail.shape[0] / max(tail.shape[0] - 1, 1)
    slowest = decay * (1 + 2 / math.sqrt(tail.shape[0]))  # two standard errors more: a mean of exponentials
    alpha = (1 - level) / 2

    def beyond(probability: float, decay: float) -> float:
        """What the true quantile exceeds with this probability, if no event lies above it."""
        return float(falling[0]) + decay * math.log(-math.log(probability) / expected)

    few, many = _above(n, 1 - quantile, alpha)
    high = float(falling[few - 1]) if few else beyond(alpha, slowest)
    value = (
        float(np.quantile(values, quantile, method="median_unbiased")) if expected > math.log(2) else beyond(0.5, decay)
    )
    low = float(falling[min(many, n - 1)])
    low, high = min(low, value), max(high, value)
    return Edge(channel=channel, edge=edge, value=value, low=low, high=high, source=Source.CONTROL)


def _above(n: int, share: float, alpha: float) -> tuple[int, int]:
    """How few and how many of n events may lie above a quantile: binomial tails of at most alpha on either side."""
    most = min(n, int(n * share + 10 * math.sqrt(n * share) + 30))
    numbers = np.arange(most)
    steps = np.log((n - numbers) / (numbers + 1.0)) + math.log(share / (1 - share))
    cumulative = np.cumsum(np.exp(n * math.log1p(-share) + np.concatenate([[0.0], np.cumsum(steps)])))
    return int(np.searchsorted(cumulative, alpha, side="right")), int(np.searchsorted(cumulative, 1 - alpha))


def negative_edge(parent: Parent, channel: str, *, edge: str, population: str, why: str) -> Edge | None:
    """Three sd above a population of the same sample that lacks the marker; None where the sample has too few of it.

    The sd is read from its median to its 84th percentile, the side of the cut, so that a few doublets or members that
    do carry the marker move nothing.

    Args:
        parent: what is to be cut.
        channel, edge: of the cut.
        population: the negative one.
        why: the parent's own events give no cut.
    """
    counts = _negatives(parent, channel, population)
    if counts is None:
        return None
    draws = resample(counts.counts, times=parent.options.bootstrap, rng=parent.rng)
    places = _upper_tail(draws[draws.sum(axis=1) > 0])
    value = counts.low + float(_upper_tail(counts.counts[None])[0]) * counts.width
    half = parent.z * counts.error(float(np.std(places, ddof=1)))
    return Edge(
        channel=channel,
        edge=edge,
        value=value,
        low=value - half,
        high=value + half,
        source=Source.CONTROL,
        clear=False,
        status=Status.WARN,
        reason=f"{why}: cut {_SDS:g} sd above {population}, which lacks {channel}",
    )


def end_of_negatives(parent: Parent, channel: str, population: str) -> float:
    """Three upper sd above the median of a negative population; infinity where the sample has too few of it."""
    counts = _negatives(parent, channel, population)
    return math.inf if counts is None else counts.low + float(_upper_tail(counts.counts[None])[0]) * counts.width


def _negatives(parent: Parent, channel: str, population: str) -> Histogram | None:
    if population not in parent.masks:
        return None
    values = parent.values(channel, population)
    return histogram(values) if values.shape[0] >= MIN_NEGATIVES else None


def _upper_tail(counts: Counts) -> Counts:
    """Three upper sd above the median, in bins from the low end of the grid; shape (times, bins) to (times)."""
    cumulative = np.cumsum(counts, axis=1)
    shares = cumulative / cumulative[:, -1:]

    def place(quantile: float) -> Counts:
        """Within the bin that holds the quantile, its events taken to be spread evenly."""
        bins = np.argmax(shares >= quantile, axis=1)
        rows = np.arange(counts.shape[0])
        inside = counts[rows, bins] / cumulative[:, -1]
        found: Counts = bins + 1 - (shares[rows, bins] - quantile) / inside
        return found

    median = place(0.5)
    tail: Counts = median + _SDS * (place(_ONE_SD) - median)
    return tail
