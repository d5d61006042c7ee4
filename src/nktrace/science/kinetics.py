"""What is read off a patient's series: height, timing, exposure, decay of donor cells; nadir, change of the others.

The estimands are those of the true curve *at the visit days*. Values and intervals come from the same draws as the
trajectory: of the fitted curve, or of each visit by itself where no curve is identified.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from nktrace.model.intervals import UNKNOWN, Interval
from nktrace.model.trajectories import FRACTION, Curve, Quantity, Series, Visit
from nktrace.science.intervals import tails
from nktrace.science.visits import DONOR

Array = NDArray[np.float64]

DAYS = "days"
POINTS_FOR_HALF_LIFE = 3


def kinetics(
    series: Series, curve: Curve, *, baseline: Array | None, level: float, days: Sequence[float], window: float
) -> tuple[Quantity, ...]:
    """All quantities of one series but the times to thresholds, which are in `nktrace.science.reconstitution`.

    Args:
        curve: its draws, which cover the visits after the infusion.
        baseline: draws of the baseline's true value; None where no baseline was measured.
        level: of the intervals.
        days: of the values `day_7` …; the nearest visit at most `window` days away stands for each.
    """
    after = series.after
    measured = tuple(visit for visit in after if visit.measured)
    shared = [_baseline(series, baseline, level), *(_value_at(series, curve, day, window, level) for day in days)]
    if not measured:
        return (*shared, *_never_measured(series))
    shared.append(_auc(series, curve, level))
    if series.measure != DONOR:
        return (*shared, *_nadir(series, curve, level), _fold_change(series, curve, baseline, level))
    own = [*_peak(series, curve, level), _tlast(after), _first_below(after), half_life(series, curve, level=level)]
    if baseline is not None and series.baseline is not None and series.baseline.measured:
        own += _net(series, curve, baseline, level)
    return (*shared, *own)


def area(days: Array, values: Array) -> Array:
    """Area under each row of `values` (draw, day): trapezoids where it rises, their logarithmic form where it falls.

    Linear up, log down: between a > b the curve is taken as exponential, (a - b) Δt / ln(a / b). Where a value is not
    above zero (net of a baseline), the trapezoid stands.
    """
    a, b, step = values[:, :-1], values[:, 1:], np.diff(days)
    falls = (a > b * (1 + 1e-9)) & (b > 0)
    ratio = np.where(falls, a, np.e) / np.where(falls, b, 1.0)
    return np.asarray((np.where(falls, (a - b) / np.log(ratio), (a + b) / 2) * step).sum(axis=1))


def half_life(series: Series, curve: Curve, *, level: float) -> Quantity:
    """ln 2 / λ, λ the slope of log value on day over the quantifiable visits after the peak.

    Refused with fewer than three such days, where the values do not decline, and where they span less than one
    half-life. Its upper bound is infinite where the interval of λ holds zero.
    """
    result = partial(Quantity, name="half_life_days", unit=DAYS)
    measured = [visit for visit in series.after if visit.measured]
    observed_peak = max(measured, key=lambda visit: visit.observed.value).day
    peak = max(_highest(curve, _days(measured)), observed_peak)
    decline = [visit for visit in measured if visit.quantified and visit.day > peak]
    days = _days(decline)
    if days.size < POINTS_FOR_HALF_LIFE:
        why = f"{days.size} quantifiable day(s) after the peak on day {peak:g}, {POINTS_FOR_HALF_LIFE} are needed"
        return result(n_points=days.size, status="not_estimable", reason=why)
    centred = days - days.mean()
    decay = -np.log(curve.at(days)) @ centred / (centred @ centred)
    rate = _interval(decay, level)
    if rate.value <= 0:
        return result(n_points=days.size, status="not_estimable", reason="no decline after the peak")
    low, high = np.log(2) / rate.high, np.log(2) / rate.low if rate.low > 0 else np.inf
    value = Interval(float(np.log(2) / rate.value), float(low), float(high))
    span = f"day {days[0]:g} to {days[-1]:g}"
    if days[-1] - days[0] < value.value:
        why = f"{span} is shorter than one half-life ({value.value:.3g} days)"
        return result(n_points=days.size, status="not_estimable", reason=why)
    return result(value=value, n_points=days.size, reason=_remarks(span, _of_what(series)))


def _peak(series: Series, curve: Curve, level: float) -> list[Quantity]:
    days = _days(series.after)
    draws = curve.at(days)
    count = _count(series.after)
    low, high = np.quantile(days[draws.argmax(axis=1)], tails(level), method="inverted_cdf")
    return [
        Quantity(name="cmax", value=_interval(draws.max(axis=1), level), unit=series.unit, n_points=count),
        Quantity(
            name="tmax", value=Interval(_highest(curve, days), float(low), float(high)), unit=DAYS, n_points=count
        ),
    ]


def _tlast(after: Sequence[Visit]) -> Quantity:
    last = max(visit.day for visit in after if visit.measured)
    open_end = last == after[-1].day
    return Quantity(
        name="tlast",
        value=Interval(last, np.nan, np.nan),
        unit=DAYS,
        n_points=_count(after),
        status="censored" if open_end else "ok",
        reason="still detected at the last visit" if open_end else "",
    )


def _first_below(after: Sequence[Visit]) -> Quantity:
    """First visit under its limit after the first one with cells; it happened since the visit before."""
    result = partial(Quantity, name="first_below", unit=DAYS, n_points=_count(after))
    first = next(visit.day for visit in after if visit.measured)
    seen = {visit.day for visit in after if visit.measured}
    below = next((v.day for v in after if v.day > first and v.censored and v.day not in seen), None)
    if below is None:
        last = after[-1].day
        return result(value=Interval(np.nan, last, np.inf), status="censored", reason=f"not by day {last:g}")
    again = next((visit.day for visit in after if visit.measured and visit.day > below), None)
    before = max(visit.day for visit in after if visit.day < below)
    reason = "" if again is None else f"detected again on day {again:g}"
    return result(value=Interval(below, before, below), reason=reason)


def _auc(series: Series, curve: Curve, level: float) -> Quantity:
    result = partial(Quantity, name="auc", unit=f"{series.unit}·days", n_points=_count(series.after))
    days = _until_last(series.after)
    if days.size < 2:
        return result(status="not_estimable", reason="one visit only up to the last measured value")
    reason = _remarks(_span(days), curve.reason)
    return result(value=_interval(area(days, curve.at(days)), level), reason=reason)


def _net(series: Series, curve: Curve, baseline: Array, level: float) -> list[Quantity]:
    """Height and exposure above a baseline that is not zero: change, not attribution."""
    after, count = series.after, _count(series.after)
    highest = (curve.at(_days(after)) - baseline[:, None]).max(axis=1)
    why = "above the baseline: change, not attribution to the infusion"
    quantities = [
        Quantity(name="cmax_net", value=_interval(highest, level), unit=series.unit, n_points=count, reason=why)
    ]
    days = _until_last(after)
    if days.size >= 2:
        exposure = area(days, curve.at(days) - baseline[:, None])
        unit = f"{series.unit}·days"
        value = _interval(exposure, level)
        reason = _remarks(_span(days), why)
        quantities.append(Quantity(name="auc_net", value=value, unit=unit, n_points=count, reason=reason))
    return quantities


def _baseline(series: Series, baseline: Array | None, level: float) -> Quantity:
    visit = series.baseline
    result = partial(Quantity, name="baseline", unit=series.unit)
    if visit is None or baseline is None:
        return result(status="not_estimable", reason="no baseline or blank sample has a value")
    if visit.censored:
        return result(value=_under(visit), status="censored", reason=f"day {visit.day:g}: under the limit of detection")
    return result(value=_interval(baseline, level), n_points=1, reason=f"day {visit.day:g}")


def _value_at(series: Series, curve: Curve, day: float, window: float, level: float) -> Quantity:
    result = partial(Quantity, name=f"day_{day:g}", unit=series.unit)
    near = [visit for visit in series.after if abs(visit.day - day) <= window]
    if not near:
        return result(status="not_estimable", reason=f"no visit within {window:g} days of day {day:g}")
    nearest = min(near, key=lambda visit: (abs(visit.day - day), visit.day))
    return _read(result, series, curve, nearest.day, level, why="" if nearest.day == day else f"day {nearest.day:g}")


def _nadir(series: Series, curve: Curve, level: float) -> list[Quantity]:
    days = _days(series.after)
    draws = curve.at(days)
    lowest = float(days[np.median(draws, axis=0).argmin()])
    low, high = np.quantile(days[draws.argmin(axis=1)], tails(level), method="inverted_cdf")
    count = _count(series.after)
    result = partial(Quantity, name="nadir", unit=series.unit)
    nadir = _read(result, series, curve, lowest, level, why="", draws=draws.min(axis=1))
    return [
        nadir,
        Quantity(name="nadir_day", value=Interval(lowest, float(low), float(high)), unit=DAYS, n_points=count),
    ]


def _fold_change(series: Series, curve: Curve, baseline: Array | None, level: float) -> Quantity:
    result = partial(Quantity, name="fold_change", unit="ratio", n_points=_count(series.after))
    before, last = series.baseline, series.after[-1]
    if before is None or baseline is None:
        return result(status="not_estimable", reason="no baseline or blank sample has a value")
    if before.censored:
        return result(status="not_estimable", reason="the baseline is under its limit of detection")
    ratio = curve.at([last.day])[:, 0] / baseline
    why = f"day {last.day:g} over day {before.day:g}"
    if not any(visit.measured for visit in series.after if visit.day == last.day):
        bound = Interval(np.nan, 0.0, float(np.quantile(ratio, level)))
        return result(value=bound, status="censored", reason=f"{why}, where it is under the limit of detection")
    return result(value=_interval(ratio, level), reason=why)


def _never_measured(series: Series) -> list[Quantity]:
    """A patient in whom nothing was ever found, or looked for, after the infusion."""
    after = series.after
    why = "under the limit of detection at every visit" if after else "no visit after the infusion has a value"
    refused = partial(Quantity, status="not_estimable", reason=why)
    auc = refused(name="auc", unit=f"{series.unit}·days")
    if series.measure != DONOR:
        others = (("nadir", series.unit), ("nadir_day", DAYS), ("fold_change", "ratio"))
        return [auc, *(refused(name=name, unit=unit) for name, unit in others)]
    cmax = refused(name="cmax", unit=series.unit)
    if after:
        bound = Interval(np.nan, 0.0, max(visit.observed.high for visit in after))
        cmax = Quantity(name="cmax", value=bound, unit=series.unit, status="censored", reason=why)
    times = ("tmax", "tlast", "first_below", "half_life_days")
    return [auc, cmax, *(refused(name=name, unit=DAYS) for name in times)]


def _read(
    result: Callable[..., Quantity],
    series: Series,
    curve: Curve,
    day: float,
    level: float,
    *,
    why: str,
    draws: Array | None = None,
) -> Quantity:
    """A value at one visit day; under the limit of detection the limit stands for it."""
    there = [visit for visit in series.after if visit.day == day]
    count = _count(there)
    if not count:
        limit = min(there, key=lambda visit: visit.observed.high)
        return result(value=_under(limit), status="censored", reason=_remarks(why, "under the limit of detection"))
    return result(value=_interval(curve.at([day])[:, 0] if draws is None else draws, level), n_points=count, reason=why)


def _under(visit: Visit) -> Interval:
    return Interval(np.nan, 0.0, visit.observed.high)


def _interval(draws: Array, level: float) -> Interval:
    if not draws.size:
        return UNKNOWN
    low, value, high = np.quantile(draws, [tails(level)[0], 0.5, tails(level)[1]])
    return Interval(float(value), float(low), float(high))


def _days(visits: Sequence[Visit]) -> Array:
    return np.unique(np.array([visit.day for visit in visits], dtype=np.float64))


def _until_last(after: Sequence[Visit]) -> Array:
    """Visit days up to the last measured value: no exposure is made up beyond it."""
    days = _days(after)
    return days[days <= max(visit.day for visit in after if visit.measured)]


def _highest(curve: Curve, days: Array) -> float:
    return float(days[np.median(curve.at(days), axis=0).argmax()])


def _count(visits: Sequence[Visit]) -> int:
    return sum(visit.measured for visit in visits)


def _span(days: Array) -> str:
    return f"day {days[0]:g} to {days[-1]:g}"


def _of_what(series: Series) -> str:
    return "of the donor fraction, not of cells" if series.unit == FRACTION else ""


def _remarks(*parts: str) -> str:
    return "; ".join(part for part in parts if part)
