"""Intervals of proportions and the normal quantile, without scipy where a step in a hurry needs them."""

from __future__ import annotations

import math
from statistics import NormalDist

from nktrace.model.intervals import UNKNOWN, Interval


def normal_quantile(level: float) -> float:
    """The two-sided standard normal quantile: 1.96 for level 0.95."""
    return NormalDist().inv_cdf(0.5 + level / 2)


def _checked(x: int, n: int) -> None:
    if not 0 <= x <= n:
        raise ValueError(f"{x} of {n} is no proportion")


def wilson(x: int, n: int, level: float) -> Interval:
    """Score interval of a proportion, Wilson 1927; unknown for n = 0.

    Args:
        x: successes.
        n: trials.
        level: two-sided, e.g. 0.95.
    """
    _checked(x, n)
    if n == 0:
        return UNKNOWN
    z2 = normal_quantile(level) ** 2
    p = x / n
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = math.sqrt(z2 * (p * (1 - p) / n + z2 / (4 * n * n))) / (1 + z2 / n)
    return Interval(p, 0.0 if x == 0 else centre - half, 1.0 if x == n else centre + half)


def clopper_pearson(x: int, n: int, level: float) -> Interval:
    """Exact interval of a proportion, Clopper & Pearson 1934; unknown for n = 0."""
    from scipy.stats import beta

    _checked(x, n)
    if n == 0:
        return UNKNOWN
    tail = (1 - level) / 2
    low = 0.0 if x == 0 else float(beta.ppf(tail, x, n - x + 1))
    high = 1.0 if x == n else float(beta.ppf(1 - tail, x + 1, n - x))
    return Interval(x / n, low, high)


def jeffreys(x: int, n: int, level: float) -> Interval:
    """Equal-tailed interval of the posterior under Jeffreys' prior (Brown, Cai & DasGupta 2001); unknown for n = 0.

    The bound is 0 for no successes and 1 for no failures, as these authors modify it.
    """
    from scipy.stats import beta

    _checked(x, n)
    if n == 0:
        return UNKNOWN
    tail = (1 - level) / 2
    low = 0.0 if x == 0 else float(beta.ppf(tail, x + 0.5, n - x + 0.5))
    high = 1.0 if x == n else float(beta.ppf(1 - tail, x + 0.5, n - x + 0.5))
    return Interval(x / n, low, high)


def tails(level: float) -> tuple[float, float]:
    """The two quantiles between which an interval of this level lies."""
    return (1 - level) / 2, (1 + level) / 2
