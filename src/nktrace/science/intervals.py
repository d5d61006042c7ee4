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
    return wilson_of(x / n if n else math.nan, n, level)


def wilson_of(p: float, n: float, level: float, *, variance: float = 0.0) -> Interval:
    """Wilson's interval of a proportion that varies beyond its counting: as if it came from fewer trials.

    The trials are those whose counting variance, at the proportion that Wilson's interval is centred on, equals the
    whole variance: the design effect of survey statistics (Kish 1965; Korn & Graubard 1998).

    Args:
        p: the proportion.
        n: trials; unknown for 0.
        level: two-sided, e.g. 0.95.
        variance: of p, beside that of the counting.
    """
    if n <= 0:
        return UNKNOWN
    z2 = normal_quantile(level) ** 2
    trials = effective_trials(p, n, level, variance=variance)
    centre = (p + z2 / (2 * trials)) / (1 + z2 / trials)
    half = math.sqrt(z2 * (p * (1 - p) / trials + z2 / (4 * trials * trials))) / (1 + z2 / trials)
    return Interval(p, 0.0 if p == 0 else max(centre - half, 0.0), 1.0 if p == 1 else min(centre + half, 1.0))


def effective_trials(p: float, n: float, level: float, *, variance: float) -> float:
    """How many trials of counting alone vary as much as n trials that also have this `variance`; see `wilson_of`."""
    z2 = normal_quantile(level) ** 2
    shrunken = (p * n + z2 / 2) / (n + z2)
    counted = shrunken * (1 - shrunken)
    return counted / (counted / n + variance)


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


def poisson_mid_p(events: int, level: float) -> Interval:
    """Mid-p interval of a Poisson mean (Lancaster 1961; Cohen & Yang 1994): near its level at small counts too.

    The exact one covers too often there, Jeffreys' at some means too seldom (0.90 for 95 %).
    """
    from scipy.optimize import brentq
    from scipy.special import gammainc, gammaincinv

    def confidence(mean: float) -> float:
        return float(gammainc(events, mean) + gammainc(events + 1, mean)) / 2 if events else 1 - math.exp(-mean) / 2

    def quantile(q: float) -> float:
        least, most = (float(gammaincinv(shape, q)) if shape else 0.0 for shape in (events, events + 1))
        return float(brentq(lambda mean: confidence(mean) - q, least, most, xtol=1e-12 * max(most, 1.0)))

    low, high = tails(level)
    return Interval(events, quantile(low) if events else 0.0, quantile(high))


def tails(level: float) -> tuple[float, float]:
    """The two quantiles between which an interval of this level lies."""
    return (1 - level) / 2, (1 + level) / 2
