"""How many days a patient spent in each grade of lymphopenia, from the visits alone.

Between two visits the count is taken to run from the one to the other without a detour. Then a stretch surely belongs
to a grade if all that its two visits can be, by their intervals, lies in it, and possibly if any of it does: these are
the bounds. The value is where the straight line between the log counts lies.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from nktrace.model.counting import GradeBand, taken_over, undeclared
from nktrace.model.intervals import Interval
from nktrace.model.study import Patient
from nktrace.model.trajectories import Quantity
from nktrace.science.counting import no_limit
from nktrace.science.doubt import flags_in
from nktrace.science.visits import NO_PLATFORM, Timeline

Row = Mapping[str, Any]

DAYS = "days"
NOT_ESTIMABLE = "not_estimable"
_LEAST = 1e-3  # cells/µL: no cells have no logarithm


@dataclass(frozen=True, slots=True)
class _Visit:
    day: float
    count: Interval


def grade_days(
    timeline: Timeline, counts: Sequence[Row], bands: Sequence[GradeBand], *, patient: Patient
) -> Iterator[tuple[str, Quantity]]:
    """Population and days in each of its grades after the infusion, up to the last visit; `0` is no lymphopenia.

    Args:
        timeline: the samples that show the patient's blood, of which the latest before the infusion gives the count on
            day 0.
        counts: rows of counts.tsv; a count without a grade because of its quality is left out, and one that is taken
            over from another tube is that tube's.
        bands: all grades.
        patient: whose sex and age the lower limit of normal needs.
    """
    for population in dict.fromkeys(band.population for band in bands):
        rows = timeline.of(row for row in counts if row["population"] == population and not taken_over(row["reason"]))
        if not rows:
            continue
        platforms = [row["platform"] for row in rows if row["platform"] != NO_PLATFORM] or [NO_PLATFORM]
        platform = max(dict.fromkeys(platforms), key=platforms.count)
        mine = [row for row in rows if row["platform"] == platform]
        usable = [row for row in mine if _sound(row)]
        visits = _visits(usable)
        limit = next((row["reference_low"] for row in mine if not math.isnan(row["reference_low"])), math.nan)
        left_out = len(mine) - len(usable)
        remarks = [f"platform {platform}"] if len(set(platforms)) > 1 else []
        remarks += [f"{left_out} count(s) of doubtful quality left out"] if left_out else []
        for grade, low, high in _grades(population, bands, limit):
            yield population, _quantity(grade, low, high, visits, remarks, patient)


def _sound(row: Row) -> bool:
    """Whether the quality of a count lets it have a grade."""
    return row["status"] != "fail" and not flags_in(row["reason"]) and not undeclared(row["reason"])


def days_within(visits: Sequence[tuple[float, Interval]], low: float, high: float) -> Interval:
    """Days of low <= x < high between the first and the last visit, with the days that are certain and possible.

    Args:
        visits: day and count with its interval, by day.
        low, high: cells/µL.
    """
    if low >= high:
        return Interval(0.0, 0.0, 0.0)
    value = least = most = 0.0
    for (start, before), (end, after) in pairwise(visits):
        days = end - start
        bottom, top = min(before.low, after.low), max(before.high, after.high)
        value += days * _share_of_line(before.value, after.value, low, high)
        least += days * (low <= bottom and top < high)
        most += days * (bottom < high and top >= low)
    return Interval(value, least, most)


def _share_of_line(before: float, after: float, low: float, high: float) -> float:
    """Share of the way from one count to the other, straight on the log scale, that lies in low <= x < high."""
    a, b = (math.log(max(count, _LEAST)) for count in (before, after))
    floor = math.log(low) if low > 0 else -math.inf
    ceiling = math.log(high) if high < math.inf else math.inf
    if a == b:
        return float(floor <= a < ceiling)
    inside = min(max(a, b), ceiling) - max(min(a, b), floor)
    return max(inside, 0.0) / abs(b - a)


def _grades(population: str, bands: Sequence[GradeBand], limit: float) -> Iterator[tuple[str, float, float]]:
    """Each grade's band, from no lymphopenia down; nan where the lower limit of normal is needed and not known."""
    mine = sorted((band for band in bands if band.population == population), key=lambda band: -band.low)
    # a threshold above the limit of normal has its grade within the normal range, too
    fixed = [band.below for band in mine if band.below is not None]
    yield "0", math.nan if math.isnan(limit) else max(limit, *fixed), math.inf
    for band in mine:
        yield band.grade, band.low, limit if band.below is None else band.below


def _visits(rows: Sequence[Row]) -> list[_Visit]:
    """One a day: of replicates the mean, between the lowest and the highest bound."""
    known = [row for row in rows if not math.isnan(row["cells_per_ul"])]
    visits = []
    for day in sorted({row["day"] for row in known}):
        same = [row for row in known if row["day"] == day]
        value = sum(row["cells_per_ul"] for row in same) / len(same)
        low, high = min(row["ci_low"] for row in same), max(row["ci_high"] for row in same)
        visits.append(_Visit(day, Interval(value, low, high)))
    return visits


def _quantity(
    grade: str, low: float, high: float, visits: Sequence[_Visit], remarks: Sequence[str], patient: Patient
) -> Quantity:
    name = f"days_in_grade:{grade}"
    after = _from_the_infusion(visits)
    measured = sum(visit.day >= 0 for visit in visits)

    def refused(why: str) -> Quantity:
        reason = "; ".join((why, *remarks))
        return Quantity(name=name, unit=DAYS, n_points=measured, status=NOT_ESTIMABLE, reason=reason)

    if math.isnan(low) or math.isnan(high):
        return refused(no_limit(sex=patient.sex, age_years=patient.age_years))
    if len(after) < 2:
        return refused("fewer than two visits with a count")
    span = f"day {after[0][0]:g} to {after[-1][0]:g}"
    value = days_within(after, low, high)
    no_room = [f"no count has this grade: the lower limit of normal ({high:g}) is under its threshold ({low:g})"]
    reason = "; ".join((f"{span}, no detour between visits", *(no_room if low >= high else ()), *remarks))
    return Quantity(name=name, value=value, unit=DAYS, n_points=measured, reason=reason)


def _from_the_infusion(visits: Sequence[_Visit]) -> list[tuple[float, Interval]]:
    """Day and count from day 0 on; on that day what lies between the visits around it, as wide as both."""
    before = [visit for visit in visits if visit.day < 0]
    after = [(visit.day, visit.count) for visit in visits if visit.day >= 0]
    if not before or not after or after[0][0] == 0:
        return after
    earlier, (day, count) = before[-1], after[0]
    share = -earlier.day / (day - earlier.day)
    ends = [math.log(max(value, _LEAST)) for value in (earlier.count.value, count.value)]
    value = math.exp(ends[0] + share * (ends[1] - ends[0]))
    bounds = min(earlier.count.low, count.low), max(earlier.count.high, count.high)
    return [(0.0, Interval(value, *bounds)), *after]
