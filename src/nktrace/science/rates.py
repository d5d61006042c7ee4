"""How fast a series falls after its peak, rises before it, or comes back from its nadir: slopes on the log scale.

Each is the slope of the log value on day, by least squares, over stated visit days, taken for every draw of the curve;
so the estimand is the same slope of the true curve at these days. Each is refused where the days do not carry it.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from nktrace.model.intervals import UNKNOWN, Interval
from nktrace.model.trajectories import DAYS, FRACTION, Curve, Quantity, Series, Visit
from nktrace.science.intervals import tails

Array = NDArray[np.float64]

POINTS_FOR_A_RATE = 3
DAYS_FOR_A_RECOVERY = 7.0  # least span of the days that a change per week is read from
PER_WEEK = "ln/week"


def half_life(series: Series, curve: Curve, *, level: float) -> Quantity:
    """ln 2 / λ, λ the rate of the decline over the quantifiable visits after the peak.

    Refused with fewer than three such days, where the values do not decline, and where they span less than one
    half-life. Its upper bound is infinite where the interval of λ holds zero.
    """
    days = decline(series, curve)
    where = f"after the peak on day {max(_peaks(series, curve)):g}"
    return _doubling("half_life_days", series, curve, days, sign=-1, where=where, level=level)


def doubling_time(series: Series, curve: Curve, *, level: float) -> Quantity:
    """ln 2 / λ of cells that expand, λ the rate of the rise from the lowest quantifiable visit before the peak to it.

    Refused by the same rules: three days, a rise, and at least one doubling.
    """
    days = rise(series, curve)
    where = f"up to the peak on day {min(_peaks(series, curve)):g}, from the lowest before it"
    return _doubling("doubling_time_days", series, curve, days, sign=1, where=where, level=level)


def recovery_slope(series: Series, curve: Curve, *, level: float) -> Quantity:
    """Change of the natural logarithm per week over the measured days from the nadir on.

    Refused with fewer than three of these, and where they span less than a week.
    """
    nadir = lowest_day(curve, days_of(series.after))
    days = days_of(visit for visit in series.after if visit.measured and visit.day >= nadir)
    why = ""
    if days.size < POINTS_FOR_A_RATE:
        why = f"{days.size} measured day(s) from the nadir on day {nadir:g} on, {POINTS_FOR_A_RATE} are needed"
    elif days[-1] - days[0] < DAYS_FOR_A_RECOVERY:
        why = f"{span_of(days)} is shorter than a week"
    if why:
        return _refused("recovery_slope", PER_WEEK, days, why)
    value = interval_of(7 * _slopes(curve, days), level)
    return Quantity(name="recovery_slope", value=value, unit=PER_WEEK, n_points=days.size, reason=span_of(days))


def decline(series: Series, curve: Curve) -> Array:
    """Days after the peak, the later one of the curve's and the values', with a quantified value."""
    days = _quantified(series)
    return days[days > max(_peaks(series, curve))]


def rise(series: Series, curve: Curve) -> Array:
    """Days with a quantified value from the lowest one before the peak, the earlier one of the two, to it.

    Infused cells first leave the blood; what they do before they expand is no part of the rise.
    """
    days = _quantified(series)
    days = days[days <= min(_peaks(series, curve))]
    return days[days >= lowest_day(curve, days)] if days.size else days


def days_of(visits: Iterable[Visit]) -> Array:
    """The days of some visits, increasing and distinct."""
    return np.unique(np.array([visit.day for visit in visits], dtype=np.float64))


def highest_day(curve: Curve, days: Array) -> float:
    return float(days[np.median(curve.at(days), axis=0).argmax()])


def lowest_day(curve: Curve, days: Array) -> float:
    return float(days[np.median(curve.at(days), axis=0).argmin()])


def interval_of(draws: Array, level: float) -> Interval:
    """Median and central interval of draws."""
    if not draws.size:
        return UNKNOWN
    low, value, high = np.quantile(draws, [tails(level)[0], 0.5, tails(level)[1]])
    return Interval(float(value), float(low), float(high))


def span_of(days: Array) -> str:
    return f"day {days[0]:g} to {days[-1]:g}"


def _doubling(name: str, series: Series, curve: Curve, days: Array, *, sign: int, where: str, level: float) -> Quantity:
    """Days in which the values halve (`sign` = -1) or double (1)."""
    if days.size < POINTS_FOR_A_RATE:
        return _refused(name, DAYS, days, f"{days.size} quantifiable day(s) {where}, {POINTS_FOR_A_RATE} are needed")
    rate = interval_of(sign * _slopes(curve, days), level)
    if rate.value <= 0:
        return _refused(name, DAYS, days, f"no {'decline after' if sign < 0 else 'rise before'} the peak")
    high = np.log(2) / rate.low if rate.low > 0 else np.inf
    value = Interval(float(np.log(2) / rate.value), float(np.log(2) / rate.high), float(high))
    if days[-1] - days[0] < value.value:
        once = "half-life" if sign < 0 else "doubling"
        return _refused(name, DAYS, days, f"{span_of(days)} is shorter than one {once} ({value.value:.3g} days)")
    of_what = "; of the donor fraction, not of cells" if series.unit == FRACTION else ""
    return Quantity(name=name, value=value, unit=DAYS, n_points=days.size, reason=span_of(days) + of_what)


def _refused(name: str, unit: str, days: Array, why: str) -> Quantity:
    return Quantity(name=name, unit=unit, n_points=days.size, status="not_estimable", reason=why)


def _slopes(curve: Curve, days: Array) -> Array:
    """Slope of log value on day, by least squares, for each draw."""
    centred = days - days.mean()
    return np.asarray(np.log(curve.at(days)) @ centred / (centred @ centred))


def _peaks(series: Series, curve: Curve) -> tuple[float, float]:
    """The highest measured day by the curve, and by the values."""
    measured = [visit for visit in series.after if visit.measured]
    return highest_day(curve, days_of(measured)), max(measured, key=lambda visit: visit.observed.value).day


def _quantified(series: Series) -> Array:
    return days_of(visit for visit in series.after if visit.measured and visit.quantified)
