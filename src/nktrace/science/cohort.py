"""What a few patients carry: exact summaries, and the refusal of what their number does not allow.

The unit is the patient. A value under its limit of detection, or one that was still going on when observation ended, is
known by its bounds only. Order statistics take both bounds: where they agree the number stands, else it is NA and the
note tells the bounds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nktrace.model.intervals import UNKNOWN, Interval
from nktrace.model.trajectories import Waiting
from nktrace.science.incidence import turnbull, turnbull_resampled
from nktrace.science.intervals import clopper_pearson

PATIENTS_FOR_A_BAND = 10
RESAMPLES = 500
LEAST_STEP = 1e-3  # smaller ones are what is left of a place that EM empties


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """One row's worth of numbers over `n` patients; nan where `n` does not carry it, with the reason in `note`."""

    n: int
    median: float = math.nan
    q1: float = math.nan
    q3: float = math.nan
    low: float = math.nan
    high: float = math.nan
    method: str
    note: str = ""


def smallest_wilcoxon_p(n: int) -> float:
    """The smallest two-sided p that the signed-rank test can give with n pairs without ties: 2 / 2^n."""
    return min(1.0, 2.0 ** (1 - n))


def median_rank(n: int, level: float) -> int:
    """The k for which (k-th smallest, k-th largest) of n values holds the median with at least `level`; 0: none does.

    Sign test: the chance that fewer than k values lie on one side of the median is that of a fair coin.
    """
    tail, rank = 0.0, 0
    while rank < n // 2:
        tail += math.comb(n, rank) / 2**n
        if 2 * tail > 1 - level:
            break
        rank += 1
    return rank


def summarise_values(values: Sequence[tuple[float, float]], *, level: float) -> Summary:
    """Median, quartiles, range and the order-statistic interval of the median of values known as (low, high) bounds."""
    n = len(values)
    lows = sorted(low for low, _ in values)
    highs = sorted(high for _, high in values)
    notes = []
    points = []
    for share, name in ((0.5, "median"), (0.25, "q1"), (0.75, "q3")):
        low, high = _order(lows, share), _order(highs, share)
        points.append(low if low == high else math.nan)
        if low != high:
            notes.append(f"{name} between {low:.3g} and {high:.3g}")
    if n > 1:
        least = f"{lows[0]:.3g}" if lows[0] == highs[0] else f"under {highs[0]:.3g}"
        most = f"{highs[-1]:.3g}" if lows[-1] == highs[-1] else f"over {lows[-1]:.3g}"
        notes.append(f"range {least} to {most}")
    rank = median_rank(n, level)
    if not rank:
        notes.append(f"n = {n} carries no {level:.0%} interval of a median")
    return Summary(
        n=n,
        median=points[0],
        q1=points[1],
        q3=points[2],
        low=lows[rank - 1] if rank else math.nan,
        high=highs[n - rank] if rank else math.nan,
        method="order statistics" + (f", sign-test interval of ranks {rank} and {n + 1 - rank}" if rank else ""),
        note="; ".join(notes),
    )


def summarise_share(x: int, n: int, *, level: float) -> Summary:
    """A proportion of patients (in `median`) with its exact interval."""
    share = clopper_pearson(x, n, level)
    return Summary(
        n=n,
        median=share.value,
        low=share.low,
        high=share.high,
        method="proportion, Clopper-Pearson",
        note=f"{x} of {n}",
    )


def summarise_waiting(
    times: Sequence[Waiting], *, level: float, rng: np.random.Generator
) -> tuple[Summary, list[tuple[float, Summary]]]:
    """Quartiles of the time until something is reached, and the share that has reached it by each day where it changes.

    The band is a percentile interval over resampled patients, and only from ten patients on.
    """
    estimate = turnbull(times)
    n, died = len(times), sum(time.never for time in times)
    unseen = sum(math.isfinite(time.death) for time in times) - died
    method = "Turnbull, interval-censored" + (f", {died} death(s) before it as competing events" if died else "")
    method += f", {unseen} death(s) by which it may have been reached unseen" if unseen else ""
    median, q1, q3 = (estimate.quantile(share) for share in (0.5, 0.25, 0.75))
    notes = [f"median in ({median.low:g}, {median.high:g}]" if median.known else "median not reached"]
    steps = zip(estimate.right, estimate.step, strict=True)
    ends = [float(end) for end, step in steps if step > LEAST_STEP and end < math.inf]
    shares = [Summary(n=n, median=estimate.by(end), method=method) for end in ends]
    band = UNKNOWN
    if n < PATIENTS_FOR_A_BAND:
        notes.append(f"no band under n = {PATIENTS_FOR_A_BAND}")
        shares = [replace(share, note=notes[-1]) for share in shares]
    else:
        method += f", percentile interval of {RESAMPLES} resamples of patients"
        band, bands = _resampled(times, ends, level=level, rng=rng)
        shares = [replace(s, low=b.low, high=b.high, method=method) for s, b in zip(shares, bands, strict=True)]
    quartiles = {"median": median.value, "q1": q1.value, "q3": q3.value}
    summary = Summary(n=n, **quartiles, low=band.low, high=band.high, method=method, note="; ".join(notes))
    return summary, list(zip(ends, shares, strict=True))


def _resampled(
    times: Sequence[Waiting], days: Sequence[float], *, level: float, rng: np.random.Generator
) -> tuple[Interval, list[Interval]]:
    """Percentile intervals of the median time (infinite if not reached) and of the share by each day."""
    estimates = turnbull_resampled(times, size=RESAMPLES, rng=rng)
    halves = [estimate.quantile(0.5) for estimate in estimates]
    medians = np.array([half.value if half.known else math.inf for half in halves])
    shares = np.array([[estimate.by(day) for day in days] for estimate in estimates])
    return _percentiles(medians, level), [_percentiles(column, level) for column in shares.T]


def _percentiles(values: NDArray[np.float64], level: float) -> Interval:
    low, middle, high = np.quantile(values, [(1 - level) / 2, 0.5, (1 + level) / 2], method="inverted_cdf")
    return Interval(float(middle), float(low), float(high))


def _order(ordered: Sequence[float], share: float) -> float:
    """Quantile by linear interpolation between order statistics, which may be infinite."""
    place = (len(ordered) - 1) * share
    below = math.floor(place)
    rest = place - below
    if rest == 0 or ordered[below] == ordered[below + 1]:
        return ordered[below]
    return ordered[below] * (1 - rest) + ordered[below + 1] * rest
