"""What a dilution series shows: recovery, linearity, limits of blank and detection, repeatability, coverage.

Terms of CLSI EP06 (linearity), EP17 (detection capability) and H62 (flow cytometry). Draws are new halves of the same
two files: intervals tell how well the mean over such draws is known, not how another pair of files would do.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_ndtr, ndtri
from scipy.stats import t as student

from nktrace.model.dilution import Goal, LevelFinding, Series, SeriesFinding
from nktrace.model.intervals import UNKNOWN, Interval
from nktrace.science.intervals import clopper_pearson

HIT_RATE = 0.95  # at the limit of detection (EP17)
Values = NDArray[np.float64]


def findings(series: Series, *, level: float, goal: float, goal_from: float) -> SeriesFinding:
    """Everything of one antibody in one population.

    Args:
        level: of the intervals.
        goal: largest bias of the recovery and deviation from the line that is allowed, as a share.
        goal_from: donor fraction of NK cells from which these are judged.
    """
    known = ~np.isnan(series.estimate)
    lines = _lines(series)
    each = [_at_level(series, i, lines, level) for i in range(series.levels.size)]
    judged = series.levels >= goal_from
    blank = series.detected[0][known[0]]
    deviations = [found.deviation.value for found in each if found.level >= goal_from and found.deviation.known]
    held = _held(series, series.expected)
    recovery = _mean_of_ratios(series.estimate[judged], series.true[judged], level)
    max_deviation = max(deviations, key=abs, default=math.nan)
    return SeriesFinding(
        pairs=1,
        draws=int(known.sum(axis=1).max(initial=0)),
        events=_mean(series.events[known]),
        recovery=recovery,
        gate_recovery=_mean_of_ratios(series.true[judged], series.expected[judged], level),
        slope=mean_interval(lines[:, 0], level),
        intercept=mean_interval(lines[:, 1], level),
        max_deviation=max_deviation,
        false_positives=clopper_pearson(int(blank.sum()), int(blank.size), level),
        lob=_median(series.lob[0]),
        lob_found=percentile_95(series.estimate[0]),
        lod=_median(series.lod),
        lod_by_counts=_median(series.lod_by_counts),
        lod_found=lod_of_hits(series.expected[known], series.detected[known] > 0, level=level),
        hit_rate_at_lod=next((f.hit_rate for f in each if f.draws and f.expected >= _median(series.lod)), UNKNOWN),
        coverage=clopper_pearson(int(held[known].sum()), int(known.sum()), level),
        goal=_goal(recovery.value, max_deviation, goal),
        levels=tuple(each),
    )


def over_pairs(found: Sequence[SeriesFinding], *, level: float, goal: float) -> SeriesFinding:
    """Several pairs of files together: each is one value, so the intervals tell how another pair would do.

    Blanks, hits and intervals are pooled; limits are medians.
    """

    def mean(name: str) -> Interval:
        return mean_interval(np.array([getattr(one, name).value for one in found]), level)

    def median(values: Sequence[float]) -> float:
        return _median(np.array(values))

    def pooled(name: str) -> Interval:
        """Of a share whose trials are all draws, or all blanks, of each pair."""
        shares = [(getattr(one, name).value, _trials(one, name)) for one in found]
        known = [(share, trials) for share, trials in shares if trials and not math.isnan(share)]
        trials = sum(trials for _, trials in known)
        return clopper_pearson(round(sum(share * trials for share, trials in known)), trials, level)

    recovery = mean("recovery")
    max_deviation = max((one.max_deviation for one in found), key=lambda v: -1.0 if math.isnan(v) else abs(v))
    lods = np.array([one.lod_found.value for one in found])
    known = lods[~np.isnan(lods)]
    return SeriesFinding(
        pairs=len(found),
        draws=sum(one.draws for one in found),
        events=median([one.events for one in found]),
        recovery=recovery,
        gate_recovery=mean("gate_recovery"),
        slope=mean("slope"),
        intercept=mean("intercept"),
        max_deviation=max_deviation,
        false_positives=pooled("false_positives"),
        lob=median([one.lob for one in found]),
        lob_found=median([one.lob_found for one in found]),
        lod=median([one.lod for one in found]),
        lod_by_counts=median([one.lod_by_counts for one in found]),
        lod_found=Interval(float(np.median(known)), float(known.min()), float(known.max())) if known.size else UNKNOWN,
        hit_rate_at_lod=pooled("hit_rate_at_lod"),
        coverage=pooled("coverage"),
        goal=_goal(recovery.value, max_deviation, goal),
    )


def _trials(found: SeriesFinding, name: str) -> int:
    """How many draws a share of a series rests on."""
    if name == "coverage":
        return sum(each.draws for each in found.levels)
    if name == "false_positives":
        return found.levels[0].draws
    return next((each.draws for each in found.levels if each.draws and each.expected >= found.lod), 0)


def _at_level(series: Series, i: int, lines: Values, level: float) -> LevelFinding:
    known = ~np.isnan(series.estimate[i])
    estimate, true, expected = (values[i][known] for values in (series.estimate, series.true, series.expected))
    draws = int(known.sum())
    line = (lines[:, 0] * series.true[i] + lines[:, 1])[known]
    mean = mean_interval(estimate, level)
    sd = float(estimate.std(ddof=1)) if draws > 1 else math.nan
    above = series.levels[i] > 0
    hits = int(np.nansum(series.detected[i][known]))
    return LevelFinding(
        level=float(series.levels[i]),
        draws=draws,
        events=_mean(series.events[i][known]),
        expected=_mean(expected),
        true=_mean(true),
        estimate=mean,
        recovery=ratio_interval(estimate, true, level) if above else UNKNOWN,
        gate_recovery=ratio_interval(true, expected, level) if above else UNKNOWN,
        deviation=_less_one(ratio_interval(estimate, line, level)) if above else UNKNOWN,
        sd=sd,
        cv=sd / mean.value if above and mean.value > 0 else math.nan,
        hit_rate=clopper_pearson(hits, draws, level),
        coverage=clopper_pearson(int(_held(series, series.expected)[i][known].sum()), draws, level),
        coverage_gated=clopper_pearson(int(_held(series, series.true)[i][known].sum()), draws, level),
    )


def mean_interval(values: Values, level: float) -> Interval:
    """Mean with Student's interval; nan are left out, no interval for a single value."""
    values = values[~np.isnan(values)]
    if not values.size:
        return UNKNOWN
    mean = float(values.mean())
    if values.size == 1:
        return Interval(mean, math.nan, math.nan)
    half = float(student.ppf((1 + level) / 2, values.size - 1) * values.std(ddof=1)) / math.sqrt(values.size)
    return Interval(mean, mean - half, mean + half)


def ratio_interval(over: Values, under: Values, level: float) -> Interval:
    """Mean of `over` by mean of `under`, with the interval of a ratio estimator (Cochran 1977, chapter 6).

    Args:
        over, under: of the same draws, shape (draws,).
    """
    known = ~(np.isnan(over) | np.isnan(under))
    over, under = over[known], under[known]
    if not over.size or under.mean() <= 0:
        return UNKNOWN
    ratio = float(over.mean() / under.mean())
    error = mean_interval((over - ratio * under) / under.mean(), level)
    return Interval(ratio, ratio + error.low, ratio + error.high)


def percentile_95(values: Values) -> float:
    """The 95th percentile by rank 0.5 + 0.95 n, as EP17 takes the limit of blank of measured blanks."""
    values = values[~np.isnan(values)]
    return float(np.quantile(values, 0.95, method="hazen")) if values.size else math.nan


def lod_of_hits(fractions: Values, hits: NDArray[np.bool_], *, level: float) -> Interval:
    """The donor fraction that is detected with probability 0.95: probit on its logarithm (EP17, probit approach).

    Where every level is detected always or never there is no slope: then the point is the geometric middle of the two
    levels between which the step lies, and the interval is these two. Unknown where it would lie beyond all levels.

    Args:
        fractions, hits: of every mixture above 0, shape (n,); fractions of 0 are left out.
    """
    above = fractions > 0
    x, hit = np.log(fractions[above]), hits[above]
    if hit.all() or not hit.any():
        return UNKNOWN
    if x[~hit].max() < x[hit].min():
        ends = float(np.exp(x[~hit].max())), float(np.exp(x[hit].min()))
        return Interval(math.sqrt(ends[0] * ends[1]), *ends)
    fitted = _probit(x, hit)
    if fitted is None:
        return UNKNOWN
    (start, slope), covariance = fitted
    place = (ndtri(HIT_RATE) - start) / slope
    if not x.min() <= place <= x.max():
        return UNKNOWN
    gradient = np.array([-1 / slope, -place / slope])
    half = ndtri((1 + level) / 2) * math.sqrt(gradient @ covariance @ gradient)
    with np.errstate(over="ignore", under="ignore"):  # a slope that is not known gives 0 to infinity
        value, low, high = np.exp([place, place - half, place + half])
    return Interval(float(value), float(low), min(1.0, float(high)))


def _probit(x: Values, hit: NDArray[np.bool_]) -> tuple[Values, Values] | None:
    """Coefficients and covariance of a probit regression, with Jeffreys' prior (Firth 1993); None if none rises.

    The prior is worth half an event or so; without it the slope is infinite wherever only one level is partly detected.
    """
    centre, scale = float(x.mean()), float(x.std())
    design = np.column_stack([np.ones_like(x), (x - centre) / scale])
    sign = np.where(hit, 1.0, -1.0)

    def information(beta: Values) -> Values:
        eta = np.clip(design @ beta, -8, 8)
        weight = np.exp(-(eta**2) - log_ndtr(eta) - log_ndtr(-eta)) / (2 * math.pi)
        return np.asarray((design * weight[:, None]).T @ design)

    def loss(beta: Values) -> float:
        _, logarithm = np.linalg.slogdet(information(beta))
        return -float(log_ndtr(sign * (design @ beta)).sum() + logarithm / 2)

    beta = minimize(loss, np.array([0.0, 1.0]), method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-10}).x
    if beta[1] <= 0:
        return None
    back = np.array([[1.0, -centre / scale], [0.0, 1 / scale]])  # to the axis as it was given
    return back @ beta, back @ np.linalg.inv(information(beta)) @ back.T


def _lines(series: Series) -> Values:
    """Slope and intercept of each draw, a weighted line through its levels; nan with fewer than three, (draws, 2).

    A draw is one dilution series: its levels share the controls and so their error, which the spread between draws
    then holds. Weights are the inverse of the counting variance at the truth, not at the estimate.
    """
    lines = np.full((series.estimate.shape[1], 2), np.nan)
    for draw in range(lines.shape[0]):
        known = ~np.isnan(series.estimate[:, draw])
        x, y, n = (values[known, draw] for values in (series.true, series.estimate, series.events))
        if x.size < 3 or np.ptp(x) == 0:
            continue
        floor = np.maximum(x, np.maximum(series.lob[known, draw], 1 / n))  # a blank's counts scatter too
        weight = n / (floor * (1 - np.minimum(floor, 0.99)))
        centre = np.average(x, weights=weight)
        slope = float((weight * (x - centre) * y).sum() / (weight * (x - centre) ** 2).sum())
        lines[draw] = slope, float(np.average(y, weights=weight)) - slope * centre
    return lines


def _held(series: Series, truth: Values) -> NDArray[np.bool_]:
    """Whether the interval holds the truth, to the digits that a table keeps."""
    return (series.low <= truth + 1e-9) & (truth - 1e-9 <= series.high)


def _mean_of_ratios(over: Values, under: Values, level: float) -> Interval:
    """Per draw the mean over levels of over by under, then its mean over draws: no level outweighs another."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = over / under
    ratios[~np.isfinite(ratios)] = np.nan
    complete = ~np.isnan(ratios).any(axis=0)
    return mean_interval(ratios[:, complete].mean(axis=0), level) if complete.any() and ratios.size else UNKNOWN


def _less_one(ratio: Interval) -> Interval:
    return Interval(ratio.value - 1, ratio.low - 1, ratio.high - 1)


def _mean(values: Values) -> float:
    return float(values.mean()) if values.size else math.nan


def _median(values: Values) -> float:
    values = values[~np.isnan(values)]
    return float(np.median(values)) if values.size else math.nan


def _goal(recovery: float, max_deviation: float, goal: float) -> Goal:
    if math.isnan(recovery) or math.isnan(max_deviation):
        return Goal.UNKNOWN
    return Goal.MET if max(abs(recovery - 1), abs(max_deviation)) <= goal else Goal.MISSED
