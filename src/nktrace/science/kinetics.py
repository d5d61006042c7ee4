"""What is read off a patient's series: height, timing, exposure, decay of donor cells; nadir, change of the others.

The estimands are those of the true curve *at the visit days*. Values and intervals come from the same draws as the
trajectory: of the fitted curve, or of each visit by itself where no curve is identified. When donor cells were last and
no longer found is a fact of their marker, and read from all visits, counted or not, on whatever platform.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from nktrace.model.intervals import Interval
from nktrace.model.trajectories import CELLS, DAYS, Curve, Quantity, Series, Visit
from nktrace.science.extremes import highest_of, lowest_of
from nktrace.science.intervals import tails
from nktrace.science.rates import (
    PER_WEEK,
    days_of,
    doubling_time,
    half_life,
    highest_day,
    interval_of,
    lowest_day,
    recovery_slope,
    span_of,
)
from nktrace.science.visits import of_donor

Array = NDArray[np.float64]


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
    if not of_donor(series.measure):
        own = [*_nadir(series, curve, level), _fold_change(series, curve, baseline, level)]
        if series.unit == CELLS:
            own.append(recovery_slope(series, curve, level=level))
        return (*shared, *own)
    own = [*_peak(series, curve, level), *_presence(series.sightings)]
    own += [half_life(series, curve, level=level), doubling_time(series, curve, level=level)]
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


def _peak(series: Series, curve: Curve, level: float) -> list[Quantity]:
    """Height and day of the peak. Without a curve a limit of detection is no value: it bounds the peak from above."""
    days = days_of(series.after)
    draws = curve.at(days)
    count = _count(series.after)
    low, high = np.quantile(days[draws.argmax(axis=1)], tails(level), method="inverted_cdf")
    seen = days if curve.identified else days_of([visit for visit in series.after if visit.measured])
    peak = highest_of(curve.at(seen), level)
    hidden = highest_of(draws, level).high
    hides = "a higher one may hide under a limit of detection" if hidden > peak.high else ""
    reason = _remarks(hides, _uncounted(series))
    day = highest_day(curve, seen)
    result = partial(Quantity, n_points=count, reason=reason)
    return [
        result(name="cmax", value=replace(peak, high=max(peak.high, hidden)), unit=series.unit),
        result(name="tmax", value=Interval(day, min(day, float(low)), max(day, float(high))), unit=DAYS),
    ]


def _presence(sightings: Mapping[float, bool | None]) -> list[Quantity]:
    """When cells were last found, and when first no more; both rest on all days that tell, which are `n_points`."""
    told = [day for day, found in sightings.items() if found is not None]
    result = partial(Quantity, unit=DAYS, n_points=len(told))
    seen = [day for day in told if sightings[day]]
    if not seen:
        refused = partial(result, status="not_estimable", reason=_nothing_found(sightings))
        return [refused(name="tlast"), refused(name="first_below")]
    silent = [day for day in sightings if day > told[-1]]
    at, without = (f" that tells (day {told[-1]:g})", f"no finding on {_days(silent)}") if silent else ("", "")
    last = Interval(seen[-1], np.nan, np.nan)
    if seen[-1] < told[-1]:
        tlast = result(name="tlast", value=last)
    else:
        reason = _remarks(f"still detected at the last visit{at}", without)
        tlast = result(name="tlast", value=last, status="censored", reason=reason)
    below = next((day for day in told if day > seen[0] and not sightings[day]), None)
    if below is None:
        open_end, reason = Interval(np.nan, told[-1], np.inf), _remarks(f"not by day {told[-1]:g}", without)
        return [tlast, result(name="first_below", value=open_end, status="censored", reason=reason)]
    again = next((day for day in seen if day > below), None)
    before = max(day for day in told if day < below)
    reason = "" if again is None else f"detected again on day {again:g}"
    return [tlast, result(name="first_below", value=Interval(below, before, below), reason=reason)]


def _nothing_found(sightings: Mapping[float, bool | None]) -> str:
    looked = any(found is not None for found in sightings.values())
    return "under the limit of detection at every visit" if looked else "no visit after the infusion has a value"


def _uncounted(series: Series) -> str:
    """On which days cells were found that no value stands for: they have no part in height and exposure."""
    counted = {visit.day for visit in series.after if visit.measured}
    if not of_donor(series.measure):
        return ""
    days = [day for day, found in series.sightings.items() if found and day not in counted]
    return f"detected on {_days(days)} without a usable count on this platform" if days else ""


def _days(days: Sequence[float]) -> str:
    return f"day {', '.join(f'{day:g}' for day in days)}"


def _auc(series: Series, curve: Curve, level: float) -> Quantity:
    result = partial(Quantity, name="auc", unit=f"{series.unit}·days", n_points=_count(series.after))
    days = _until_last(series.after)
    if days.size < 2:
        why = _remarks("one visit only up to the last measured value", _uncounted(series))
        return result(status="not_estimable", reason=why)
    reason = _remarks(span_of(days), curve.reason, _uncounted(series))
    return result(value=interval_of(area(days, curve.at(days)), level), reason=reason)


def _net(series: Series, curve: Curve, baseline: Array, level: float) -> list[Quantity]:
    """Height and exposure above a baseline that is not zero: change, not attribution."""
    after, count = series.after, _count(series.after)
    highest = highest_of(curve.at(days_of(after)) - baseline[:, None], level)
    why = _remarks("above the baseline: change, not attribution to the infusion", _uncounted(series))
    quantities = [Quantity(name="cmax_net", value=highest, unit=series.unit, n_points=count, reason=why)]
    days = _until_last(after)
    if days.size >= 2:
        exposure = area(days, curve.at(days) - baseline[:, None])
        unit = f"{series.unit}·days"
        value = interval_of(exposure, level)
        reason = _remarks(span_of(days), why)
        quantities.append(Quantity(name="auc_net", value=value, unit=unit, n_points=count, reason=reason))
    return quantities


def _baseline(series: Series, baseline: Array | None, level: float) -> Quantity:
    visit = series.baseline
    result = partial(Quantity, name="baseline", unit=series.unit)
    if visit is None or baseline is None:
        return result(status="not_estimable", reason="no baseline or blank sample has a value")
    if visit.censored:
        return result(value=_under(visit), status="censored", reason=f"day {visit.day:g}: under the limit of detection")
    return result(value=interval_of(baseline, level), n_points=1, reason=f"day {visit.day:g}")


def _value_at(series: Series, curve: Curve, day: float, window: float, level: float) -> Quantity:
    result = partial(Quantity, name=f"day_{day:g}", unit=series.unit)
    near = [visit for visit in series.after if abs(visit.day - day) <= window]
    if not near:
        why = f"no visit with a value within {window:g} days of day {day:g}"
        return result(status="not_estimable", reason=why)
    nearest = min(near, key=lambda visit: (abs(visit.day - day), visit.day))
    return _read(result, series, curve, nearest.day, level, why="" if nearest.day == day else f"day {nearest.day:g}")


def _nadir(series: Series, curve: Curve, level: float) -> list[Quantity]:
    days = days_of(series.after)
    draws = curve.at(days)
    lowest = lowest_day(curve, days)
    low, high = np.quantile(days[draws.argmin(axis=1)], tails(level), method="inverted_cdf")
    count = _count(series.after)
    result = partial(Quantity, name="nadir", unit=series.unit)
    nadir = _read(result, series, curve, lowest, level, why="", value=lowest_of(draws, level))
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
    return result(value=interval_of(ratio, level), reason=why)


def _never_measured(series: Series) -> list[Quantity]:
    """A patient in whom nothing was ever found, or looked for, after the infusion."""
    after, donors = series.after, of_donor(series.measure)
    why = (_uncounted(series) if donors else "") or _nothing_found(
        series.sightings if donors else {visit.day: False for visit in after}
    )
    refused = partial(Quantity, status="not_estimable", reason=why)
    auc = refused(name="auc", unit=f"{series.unit}·days")
    if not donors:
        others = [("nadir", series.unit), ("nadir_day", DAYS), ("fold_change", "ratio")]
        others += [("recovery_slope", PER_WEEK)] if series.unit == CELLS else []
        return [auc, *(refused(name=name, unit=unit) for name, unit in others)]
    cmax = refused(name="cmax", unit=series.unit)
    if after and not _uncounted(series):
        bound = Interval(np.nan, 0.0, max(visit.observed.high for visit in after))
        cmax = Quantity(name="cmax", value=bound, unit=series.unit, status="censored", reason=why)
    times = (refused(name=name, unit=DAYS) for name in ("tmax", "half_life_days", "doubling_time_days"))
    return [auc, cmax, *times, *_presence(series.sightings)]


def _read(
    result: Callable[..., Quantity],
    series: Series,
    curve: Curve,
    day: float,
    level: float,
    *,
    why: str,
    value: Interval | None = None,
) -> Quantity:
    """A value at one visit day, by default the curve's; under the limit of detection the limit stands for it."""
    there = [visit for visit in series.after if visit.day == day]
    count = _count(there)
    if not count:
        limit = min(there, key=lambda visit: visit.observed.high)
        return result(value=_under(limit), status="censored", reason=_remarks(why, "under the limit of detection"))
    return result(value=value or interval_of(curve.at([day])[:, 0], level), n_points=count, reason=why)


def _under(visit: Visit) -> Interval:
    return Interval(np.nan, 0.0, visit.observed.high)


def _until_last(after: Sequence[Visit]) -> Array:
    """Visit days up to the last measured value: no exposure is made up beyond it."""
    days = days_of(after)
    return days[days <= max(visit.day for visit in after if visit.measured)]


def _count(visits: Sequence[Visit]) -> int:
    return sum(visit.measured for visit in visits)


def _remarks(*parts: str) -> str:
    return "; ".join(part for part in parts if part)
