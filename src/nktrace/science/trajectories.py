"""A smooth curve through the few visits of one patient, with an interval that knows each point's own error.

On the log scale (logit for fractions) the true curve is a straight line in time plus a Gaussian process, Matérn 3/2 on
a time axis that is stretched early and compressed late; a value is the curve plus the noise of the visit plus its own
counting error. A value under its limit of detection enters by the probability of not being detected (Tobit; Beal's M3,
J Pharmacokinet Pharmacodyn 2001), never as a number. Length, amplitude and visit noise are not chosen but integrated
over a small grid. The censored values are drawn by sequential importance sampling (Geweke-Hajivassiliou-Keane; Genz
1992), which gives their likelihood at the same time, so that no approximation but the number of draws is left.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_ndtr, logit, ndtr, ndtri

from nktrace.model.trajectories import FRACTION, Curve, Visit

Array = NDArray[np.float64]

EARLY_DAYS = 7.0  # days around which the time axis turns from linear to logarithmic
JUMP_SD = 1.0  # prior of what conditioning and infusion change at once, in log units
LENGTHS = (0.5, 1.0, 2.0, 4.0)  # of the process, on the warped axis, where the first month is 1.6 long
AMPLITUDES = (0.15, 0.4, 1.0, 2.5)  # of the process, in log units
VISIT_NOISE = (0.01, 0.1, 0.2, 0.35, 0.5)  # what a blood draw differs from the smooth curve, in log units
LEVEL_SD = 3.0  # prior of the line's height around the mean of the points, in log units
SLOPE_SD = 4.0  # prior of the line's change over the whole span, in log units
DETECTION_SD = (
    0.5  # log units from 50 % to 84 % detection: Poisson counts with 0.5 to 20 background events give 0.45-0.6
)
DETECTED_AT_LIMIT = 0.95  # by definition of the limit of detection (CLSI EP17)
CELL_DRAWS = 128  # importance draws per cell of the grid
OUTLYING = 0.01  # two-sided tail of the prediction from all other points below which a point is called outlying


@dataclass(frozen=True, slots=True)
class Points:
    """Visits on the scale of the fit: `value` ± `sd`, or, where `censored`, a soft upper limit ± `sd`.

    `visit` is the place of each among the visits.
    """

    visit: NDArray[np.intp]
    day: Array
    value: Array
    sd: Array
    censored: NDArray[np.bool_]


def fit_curve(
    visits: Sequence[Visit],
    *,
    unit: str,
    level: float,
    min_points: int,
    grid_points: int,
    draws: int,
    rng: np.random.Generator,
) -> Curve:
    """Draws of the true curve at the visits, and at `grid_points` days between the first and the last one.

    Fewer than `min_points` measured days do not identify a curve: then each visit is drawn on its own, from its own
    error and the prior of the visit noise (under a limit of detection: evenly between 0 and the limit), and the reason
    says why.
    """
    points = on_scale(visits, unit=unit, level=level)
    used = np.unique(points.day)
    measured = np.unique(points.day[~points.censored]).size
    if measured < min_points:
        reason = f"no curve: {measured} day(s) with a measured value, {min_points} are needed"
        alone = _each_visit(points, used, unit=unit, size=draws, rng=rng)
        bounded = np.isin(used, points.day[~points.censored])
        ceiling = _ceiling(visits, used, bounded)
        return Curve(days=used, draws=alone, identified=False, bounded_below=bounded, ceiling=ceiling, reason=reason)
    days = np.union1d(used, _between(used[0], used[-1], grid_points))
    scaled, tails = _draw(points, days, size=draws, rng=rng)
    above = [visit.day for visit in visits if visit.measured and visit.observed.low > 0]
    bounded = (days >= min(above, default=np.inf)) & (days <= max(above, default=-np.inf))
    return Curve(
        days=days,
        draws=_natural(scaled, unit),
        identified=True,
        bounded_below=bounded,
        ceiling=_ceiling(visits, days, bounded),
        outlying={int(points.visit[i]): tail for i, tail in enumerate(tails.tolist()) if tail < OUTLYING},
    )


def _ceiling(visits: Sequence[Visit], days: Array, bounded: NDArray[np.bool_]) -> Array:
    """Limits of detection of the samples around, between them interpolated; 0 where measured values bound the curve."""
    under = sorted((visit.day, visit.observed.high) for visit in visits if visit.censored and visit.observed.known)
    if not under:
        return np.zeros(days.size)
    at, limits = zip(*under, strict=True)
    return np.where(bounded, 0.0, np.interp(days, at, limits))


def summarise(curve: Curve, *, level: float) -> tuple[Array, Array, Array]:
    """Median and interval of a curve at its days.

    Before the first and after the last measured value there are only limits of detection: nothing but the prior would
    bound the curve from below, so there the interval goes from 0 to the one-sided upper bound of the same level, and
    not below the limit of detection.
    """
    median, low, two_sided, one_sided = np.quantile(curve.draws, [0.5, (1 - level) / 2, (1 + level) / 2, level], axis=0)
    high = np.where(curve.bounded_below, two_sided, np.maximum(one_sided, curve.ceiling))
    return median, np.where(curve.bounded_below, low, 0.0), high


def draw_visit(visit: Visit, *, unit: str, level: float, size: int, rng: np.random.Generator) -> Array:
    """Draws (size,) of the true value of one visit from its own error."""
    points = on_scale([visit], unit=unit, level=level)
    return _each_visit(points, points.day, unit=unit, size=size, rng=rng)[:, 0]


def on_scale(visits: Sequence[Visit], *, unit: str, level: float) -> Points:
    """Visits that say something, on the log (fractions: logit) scale.

    The error is half the width of the interval in units of the normal quantile. Near zero the lower bound runs off to
    minus infinity, so the lower side counts at most twice the upper one.
    """
    z = float(ndtri(0.5 + level / 2))
    place = np.array([i for i, v in enumerate(visits) if v.observed.known and v.observed.value > 0], dtype=np.intp)
    known = [visits[i] for i in place]
    day = np.array([v.day for v in known], dtype=np.float64)
    censored = np.array([v.censored for v in known], dtype=bool)
    value, sd = np.empty(day.size), np.empty(day.size)
    for i, visit in enumerate(known):
        if visit.censored:
            limit = float(_scaled(visit.observed.high, unit))
            value[i], sd[i] = limit - float(ndtri(DETECTED_AT_LIMIT)) * DETECTION_SD, DETECTION_SD
            continue
        low, point, high = visit.observed.low, visit.observed.value, visit.observed.high
        if unit == FRACTION:  # 1 has no logit: halfway to it, from the bound below
            point = min(point, (1 + max(low, 0.0)) / 2)
            high = min(high, (1 + point) / 2)
        value[i] = _scaled(point, unit)
        upper = float(_scaled(high, unit)) - value[i]
        lower = value[i] - float(_scaled(low, unit)) if low > 0 else np.inf
        sd[i] = (max(upper, 0.0) + (min(lower, 2 * upper) if upper > 0 else lower)) / (2 * z)
    usable = np.isfinite(value) & np.isfinite(sd)
    return Points(place[usable], day[usable], value[usable], sd[usable], censored[usable])


def warp(day: Array) -> Array:
    """Days on an axis that is linear before the infusion and logarithmic after it."""
    return np.where(day < 0, day / EARLY_DAYS, np.log1p(np.maximum(day, 0) / EARLY_DAYS))


def _draw(points: Points, days: Array, *, size: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Posterior draws (size, days) of the curve on its scale, and how far in the tail each point lies (points,)."""
    order = np.argsort(points.censored, kind="stable")  # measured points first: their density is exact
    day, value, sd = points.day[order], points.value[order], points.sd[order]
    known = int(np.count_nonzero(~points.censored))
    height = float(np.average(value[:known], weights=1 / (sd[:known] ** 2 + 0.2**2)))
    same_visit = day[:, None] == day[None, :]
    every = np.concatenate([day, days])
    cells = np.array(list(itertools.product(LENGTHS, AMPLITUDES, VISIT_NOISE)))
    prior = _covariance(every, cells[:, 0], cells[:, 1])  # (cell, points + days, points + days)
    n = day.size
    noise = cells[:, 2, None, None] ** 2 * same_visit + np.diag(sd**2)
    root = np.linalg.cholesky(prior[:, :n, :n] + noise)

    # innovations e with value = height + root @ e: given for measured points, drawn below the limit for censored ones
    each = CELL_DRAWS if known < n else 1
    innovation = np.zeros((len(cells), each, n))
    weight = np.zeros((len(cells), each))  # log
    uniform = rng.uniform(size=(len(cells), each, n - known))
    for i in range(n):
        ahead = np.einsum("cdj,cj->cd", innovation[:, :, :i], root[:, i, :i])
        bound = (value[i] - height - ahead) / root[:, i, i, None]
        if i < known:
            innovation[:, :, i] = bound
            weight -= 0.5 * bound**2 + np.log(root[:, i, i, None])
        else:
            weight += log_ndtr(bound)
            innovation[:, :, i] = _below(bound, uniform[:, :, i - known])

    chosen = _resample(weight.ravel(), size, rng)
    cell, draw = np.divmod(chosen, each)
    scaled = np.empty((size, days.size))
    for c in np.unique(cell):
        rows = np.flatnonzero(cell == c)
        gain = np.linalg.solve(root[c], prior[c, :n, n:]).T  # (days, points)
        left = prior[c, n:, n:] - gain @ gain.T
        left[np.diag_indices_from(left)] += 1e-8 * (1 + np.trace(left) / days.size)
        spread = rng.standard_normal((rows.size, days.size)) @ np.linalg.cholesky(left).T
        scaled[rows] = height + innovation[c, draw[rows]] @ gain.T + spread
    tails = np.ones(n)
    tails[order[:known]] = _left_out(root, innovation, weight)[:known]
    return scaled, tails


def _left_out(root: Array, innovation: Array, weight: Array) -> Array:
    """Two-sided tail of each point (points,) in what all others predict of it.

    With K = root rootᵀ the prediction of point i from the others is off by (K⁻¹ y)ᵢ / (K⁻¹)ᵢᵢ and has the variance
    1 / (K⁻¹)ᵢᵢ (Rasmussen & Williams 2006, eq. 5.12); dividing the weights by its density takes the point out of them.
    """
    inverse = np.linalg.inv(root)
    precision = (inverse**2).sum(axis=1)[:, None, :]
    off = innovation @ inverse / np.sqrt(precision)  # in units of the prediction's sd
    without = weight[:, :, None] + 0.5 * off**2 - 0.5 * np.log(precision)
    share = np.exp(without - without.max(axis=(0, 1)))
    share /= share.sum(axis=(0, 1))
    below, above = (share * ndtr(off)).sum(axis=(0, 1)), (share * ndtr(-off)).sum(axis=(0, 1))
    return np.asarray(2 * np.minimum(below, above))


def _covariance(day: Array, length: Array, amplitude: Array) -> Array:
    """Prior covariance (cell, day, day) of a line in time, a step at the infusion and a Matérn 3/2 process."""
    centred = (day - (day.min() + day.max()) / 2) / max(float(np.ptp(day)), 1.0)
    line = LEVEL_SD**2 + SLOPE_SD**2 * np.outer(centred, centred)
    before = (day <= 0).astype(np.float64)
    line += JUMP_SD**2 * np.outer(before, before)
    time = warp(day)
    far = np.sqrt(3) * np.abs(time[:, None] - time[None, :])[None] / length[:, None, None]
    return np.asarray(line + amplitude[:, None, None] ** 2 * (1 + far) * np.exp(-far))


def _below(bound: Array, uniform: Array) -> Array:
    """Standard normal draws under `bound`; far out in the tail by its exponential limit, where the quantile fails."""
    exact = ndtri(uniform * ndtr(bound))
    tail = bound + np.log(uniform) / np.maximum(-bound, 1.0)
    return np.asarray(np.where(bound < -30, tail, exact))


def _resample(log_weight: Array, size: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Systematic resampling: indices in proportion to their weights."""
    weight = np.exp(log_weight - log_weight.max())
    steps = (np.arange(size) + rng.uniform()) / size
    found = np.searchsorted(np.cumsum(weight) / weight.sum(), steps)
    return np.asarray(np.minimum(found, weight.size - 1), dtype=np.int64)


def _each_visit(points: Points, days: Array, *, unit: str, size: int, rng: np.random.Generator) -> Array:
    """Draws (size, days) of each visit from its own error and the visit noise; replicates of a day are averaged."""
    own = points.value + points.sd * rng.standard_normal((size, points.day.size))
    top = _natural(points.value + ndtri(DETECTED_AT_LIMIT) * DETECTION_SD, unit)
    flat = _scaled((1 - rng.uniform(size=own.shape)) * top, unit)
    noise = rng.choice(VISIT_NOISE, (size, 1)) * rng.standard_normal((size, days.size))
    scaled = np.empty((size, days.size))
    for column, day in enumerate(days):
        there = points.day == day
        drawn = np.where(points.censored, flat, own + noise[:, column, None])[:, there]
        scaled[:, column] = drawn.mean(axis=1)
    return _natural(scaled, unit)


def _between(first: float, last: float, count: int) -> Array:
    """Days evenly spread on the warped axis."""
    ends = warp(np.array([first, last]))
    steps = np.linspace(ends[0], ends[1], count + 2)[1:-1]
    return np.where(steps < 0, steps * EARLY_DAYS, np.expm1(np.maximum(steps, 0)) * EARLY_DAYS)


def _scaled(value: Array | float, unit: str) -> Array:
    return np.asarray(logit(value) if unit == FRACTION else np.log(value))


def _natural(value: Array, unit: str) -> Array:
    return np.asarray(expit(value) if unit == FRACTION else np.exp(value))
