"""When a count comes back: the time to a threshold of one patient as an interval.

A threshold is reached somewhere between two visits, or, where values lie so near it that their error leaves open when,
between visits farther apart. So visit dates are never taken for event times (Kaplan-Meier at visit dates is biased
late); `nktrace.science.incidence` takes the intervals. Death before the threshold means never reached: such a patient
stays in the denominator for good (subdistribution). Never is said at once of those whom a visit shortly before the
death showed below; who died long after the last visit may have reached it unseen between the two.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from nktrace.model.intervals import UNKNOWN, Interval
from nktrace.model.trajectories import DAYS, TIME_TO_THRESHOLD, Curve, Quantity, Series, Visit, Waiting
from nktrace.science.intervals import normal_quantile, tails

Array = NDArray[np.float64]

WATCHED_DAYS = 14.0  # a death at most so long after the last visit leaves no time to have reached a threshold unseen


def time_to_threshold(
    series: Series,
    threshold: float,
    *,
    curve: Curve | None,
    level: float,
    confirm: bool,
    last_followup_day: float,
    death_day: float,
) -> Quantity:
    """Days from the infusion until `threshold` is reached: in (`low`, `high`], the value read between the two visits.

    Which two visits these are is taken from the measured values. Where by the curve, which knows that blood differs
    from draw to draw, the crossing may lie between others, the interval is widened to the visits that hold the central
    `level` of the probability, and the reason gives the probability of the measured two. Without an identified curve
    it is that by the counting errors alone.

    Args:
        threshold: in the unit of the series.
        curve: its draws at the visits; None for none.
        confirm: whether the next visit must be at or above it, too.
        last_followup_day, death_day: nan where unknown or alive.

    Status is `censored` where it was not reached, or not surely: `high` is then infinite, `low` the last day known to
    be below. Death within `WATCHED_DAYS` of a last visit surely below means never: the value is infinite and `low` the
    day of death. Above at baseline is not at risk, thus `not_estimable`, and so is a first visit above without a
    baseline: it may never have been below. A limit of detection at or above the threshold does not tell the side.
    """
    alive = [visit for visit in series.after if np.isnan(death_day) or visit.day <= death_day]
    after = [visit for visit in alive if _tells(visit, threshold)]
    days = sorted({visit.day for visit in after})

    def result(value: Interval, status: str, reason: str) -> Quantity:
        name = f"{TIME_TO_THRESHOLD}{threshold:g}"
        return Quantity(name=name, value=value, unit=DAYS, n_points=len(days), status=status, reason=reason)

    baseline = series.baseline if series.baseline is not None and _tells(series.baseline, threshold) else None
    if baseline is not None and _mean([baseline]) >= threshold:
        why = f"already above at baseline (day {baseline.day:g}): not at risk"
        return result(UNKNOWN, "not_estimable", why)
    if not days:
        why = "a limit above the threshold at every visit" if alive else "no visit after the infusion has a value"
        return result(UNKNOWN, "not_estimable", why)
    replicates = [[visit for visit in after if visit.day == day] for day in days]
    above = [_mean(visits) >= threshold for visits in replicates]
    edges = np.array([0.0, *days, np.inf])  # reached at the visit k: after edges[k], by edges[k + 1]
    index = int(_crossings(list(map(float, above)), confirm=confirm).argmax())
    chances = _crossings([_chance(visits, threshold, level) for visits in replicates], confirm=confirm)
    source = "their error"
    if index < len(days) and curve is not None and curve.identified:
        chances, source = _first_above(curve, np.array(days), threshold, confirm=confirm), "the curve"
    soonest, latest = np.searchsorted(np.cumsum(chances), [tail - 1e-9 for tail in tails(level)]).tolist()
    if index < len(days):
        before, day = edges[index : index + 2].tolist()
        if baseline is None and not index:
            return result(UNKNOWN, "not_estimable", f"no baseline: above on day {day:g}, and perhaps before")
        low, high = float(edges[min(soonest, index)]), float(edges[max(latest, index) + 1])
        reasons = ["no baseline"] if baseline is None else []
        if (low, high) != (before, day):
            reasons.append(
                f"day {before:g} to {day:g} by the values, with probability {chances[index]:.2g} by {source}"
            )
        if np.isinf(high):
            return result(Interval(np.nan, low, high), "censored", "; ".join(reasons))
        crossing = _crossing(after, threshold, before, day) if index else (before + day) / 2
        return result(Interval(crossing, low, high), "ok", "; ".join(reasons))
    below = max((day for day, reached in zip(days, above, strict=True) if not reached), default=0.0)
    below = min(below, float(edges[soonest]))
    waiting = f"reached on day {days[-1]:g}, without a later sample to confirm it" if above[-1] else ""
    if np.isnan(death_day):
        end = days[-1] if np.isnan(last_followup_day) else max(last_followup_day, days[-1])
        reason = waiting or f"not reached by day {days[-1]:g} (end of follow-up: day {end:g})"
    elif not waiting and soonest == index and death_day - days[-1] <= WATCHED_DAYS:
        reason = f"death on day {death_day:g}: never reached"
        return result(Interval(np.inf, death_day, np.inf), "censored", reason)
    else:
        reason = waiting or f"not reached by day {days[-1]:g}"
        reason += f"; not known from then to the death on day {death_day:g}"
    if soonest < index:
        reason += f"; by the error of the values reached with probability {1 - chances[-1]:.2g}"
    return result(Interval(np.nan, below, np.inf), "censored", reason)


def waiting(time: Interval, *, death_day: float) -> Waiting:
    """The interval in which a patient's time lies, from value and bounds as `time_to_threshold` gives them.

    Args:
        death_day: of the patient; nan where alive or unknown.
    """
    if np.isposinf(time.value):
        return Waiting(time.low, np.inf, death=time.low)
    unseen = np.isposinf(time.high) and not np.isnan(death_day)
    return Waiting(time.low, time.high, death=death_day if unseen else np.inf)


def _tells(visit: Visit, threshold: float) -> bool:
    """Whether a visit tells on which side of the threshold it lies: under a limit above that it may be on either."""
    return not visit.censored or visit.observed.high < threshold


def _mean(visits: Sequence[Visit]) -> float:
    """Of the replicates of a day; a value under its limit of detection, which lies below the threshold, is below it."""
    return float(np.mean([0.0 if visit.censored else visit.observed.value for visit in visits]))


def _chance(visits: Sequence[Visit], threshold: float, level: float) -> float:
    """Probability that the true mean of the replicates of a day is at or above, by their counting errors alone."""
    mean = _mean(visits)
    if mean <= 0:
        return 0.0
    measured = [visit.observed for visit in visits if visit.measured]
    with np.errstate(divide="ignore"):
        sides = [np.log(one.value / one.low if mean >= threshold else one.high / one.value) for one in measured]
    error = float(np.hypot.reduce(sides)) / len(sides) / normal_quantile(level)
    return float(ndtr(np.log(mean / threshold) / error)) if error > 0 else float(mean >= threshold)


def _crossings(above: Sequence[float], *, confirm: bool) -> Array:
    """Probability (day + 1,) that each day is the first at or above, of two in a row to `confirm`; last, that none is.

    Args:
        above: probability of each day by itself, the days being independent.
    """
    chances = []
    pending, below = 0.0, 1.0  # not yet reached; the day before at or above, or not
    for chance in above:
        if confirm:
            chances.append(pending * chance)
            pending, below = below * chance, (pending + below) * (1 - chance)
        else:
            chances.append(below * chance)
            below *= 1 - chance
    return np.array([*chances[1 if confirm else 0 :], *([0.0] if confirm else []), pending + below])


def _first_above(curve: Curve, days: Array, threshold: float, *, confirm: bool) -> Array:
    """Probability (day + 1,) that each day is the first with the true curve at or above; last, that none is.

    To `confirm`, the next day must be at or above it too: the last day can't be the first of two.
    """
    above = curve.at(days) >= threshold
    if confirm:
        above &= np.pad(above[:, 1:], ((0, 0), (0, 1)))
    first = np.where(above.any(axis=1), above.argmax(axis=1), days.size)
    return np.bincount(first, minlength=days.size + 1) / first.size


def _crossing(visits: Sequence[Visit], threshold: float, before: float, day: float) -> float:
    """Where the straight line between the log values of two visits meets the threshold; halfway where one has none."""

    def value(at: float) -> float:
        values = [visit.observed.value for visit in visits if visit.day == at and visit.measured]
        return float(np.mean(values)) if values else np.nan

    low, high = value(before), value(day)
    if not (0 < low < threshold):
        return (before + day) / 2
    share = np.log(threshold / low) / np.log(high / low)
    return float(before + share * (day - before))
