"""Whether a patient's counts hold together: lineages that make up the lymphocytes, CD3 in two tubes, two platforms.

A deviation is said only where it is more than the limit and more than its own error.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TypeVar

import numpy as np

from nktrace.model.counting import CheckName, CountCheck, CountStatus, Platform
from nktrace.model.intervals import UNKNOWN, Interval
from nktrace.science.counted_tubes import LYMPHOCYTES, Tube
from nktrace.science.counting import LYMPHOSUM, LYMPHOSUM_WARN, exceeds, lymphosum, ratio
from nktrace.science.gate_error import ratio_variance, share

T = TypeVar("T")

CD3 = "cd3"
LYMPHOSUM_PARTS = (CD3, "b_cells", "nk")
SEVERITY = [CountStatus.OK, CountStatus.WARN, CountStatus.FAIL, CountStatus.NOT_AVAILABLE]
FAILS_AT = 2  # times the limit of CD3 in two tubes
DAYS_FOR_AN_INTERVAL = 3
_PLATFORMS = (Platform.BEADS, Platform.VOLUMETRIC, Platform.DUAL)


@dataclass(frozen=True, slots=True)
class Counted:
    """A population's count from its own tube, by one of the platforms that the sheet gives it."""

    tube: Tube
    population: str
    platform: Platform
    value: Interval


def tubes_checked(tubes: Sequence[Tube], *, level: float, max_cd3_difference: float) -> list[CountCheck]:
    """Lymphosum of every tube, and CD3 of every two tubes of one specimen.

    Args:
        tubes: of one patient.
        level: of the intervals.
        max_cd3_difference: between the shares of CD3+ lymphocytes in two tubes; twice as much fails.
    """
    found = [check for tube in tubes if (check := _lymphosum(tube, level=level)) is not None]
    for one, other in _pairs(tubes, key=lambda tube: tube.sample.specimen):
        if (check := _duplicate_cd3(one, other, level=level, limit=max_cd3_difference)) is not None:
            found.append(check)
    return found


def platforms_compared(counted: Sequence[Counted], *, level: float, limit: float) -> list[CountCheck]:
    """The ratio of two platforms' counts of one population on one day, and over all days where there are several.

    Over days it is the geometric mean, with Student's interval from three days on.

    Args:
        counted: of one patient, none of them taken over from another tube.
        level: of the intervals.
        limit: a ratio that is further from 1, either way, is a warning.
    """
    found: list[CountCheck] = []
    for population in dict.fromkeys(one.population for one in counted):
        mine = [one for one in counted if one.population == population and one.value.value > 0]
        pairs = [
            sorted(pair, key=lambda one: _PLATFORMS.index(one.platform))
            for pair in _pairs(mine, key=lambda one: one.tube.sample.day)
            if pair[0].platform is not pair[1].platform
        ]
        found += [_two_platforms(one, other, limit=limit) for one, other in pairs]
        for platforms in dict.fromkeys((one.platform, other.platform) for one, other in pairs):
            same = [(one, other) for one, other in pairs if (one.platform, other.platform) == platforms]
            found += _over_days(same, level=level, limit=limit)
    return found


def _lymphosum(tube: Tube, *, level: float) -> CountCheck | None:
    parts = [tube.gated.get(name) for name in (*LYMPHOSUM_PARTS, LYMPHOCYTES)]
    *lineages, lymphocytes = (0 if part is None else part.events for part in parts)
    if None in parts or lymphocytes == 0:
        return None
    named = sum(lineages)
    variance = ratio_variance(
        CheckName.LYMPHOSUM,
        LYMPHOCYTES,
        {CheckName.LYMPHOSUM: named, LYMPHOCYTES: lymphocytes},
        [replace(shift, low=_with_sum(shift.low), high=_with_sum(shift.high)) for shift in tube.shifts],
    )
    found, status = lymphosum(named, lymphocytes, gate_variance=variance, level=level)
    reason = ""
    if exceeds(abs(found.value - LYMPHOSUM), LYMPHOSUM_WARN):
        reason = f"lymphosum {found.value:.1%}, expected {LYMPHOSUM:.0%} ± 5 %"
        if status is CountStatus.OK:
            reason += ", but not by more than its error"
    return CountCheck(
        patient=tube.sample.patient or "",
        day=tube.sample.day,
        check=CheckName.LYMPHOSUM,
        population=LYMPHOCYTES,
        sample=tube.sample.sample,
        platform=tube.declared[0].value,
        value=found,
        limit=LYMPHOSUM_WARN,
        status=status,
        reason=reason,
    )


def _with_sum(moved: Mapping[str, int]) -> dict[str, int]:
    """What a moved gate does to the lineages, with what it does to their sum."""
    return {**moved, CheckName.LYMPHOSUM: sum(moved.get(name, 0) for name in LYMPHOSUM_PARTS)}


def _duplicate_cd3(one: Tube, other: Tube, *, level: float, limit: float) -> CountCheck | None:
    shares = [_cd3(tube, level=level) for tube in (one, other)]
    if not all(found.known for found in shares):
        return None
    first, second = shares
    gap = first.value - second.value
    down = math.hypot(first.value - first.low, second.high - second.value)  # Newcombe 1998, method 10
    up = math.hypot(first.high - first.value, second.value - second.low)
    names = f"{one.sample.sample} and {other.sample.sample}"
    separated = _separated(one, other)
    status, reason = CountStatus.OK, ""
    if exceeds(abs(gap), limit):
        reason = f"CD3+ lymphocytes of {names} differ by {abs(gap):.1%}, more than {limit:.1%}"
        if gap - down <= 0 <= gap + up:
            reason += ", but not by more than their error"
        else:
            # separation may take lineages unequally: no fault of a tube
            status = CountStatus.FAIL if exceeds(abs(gap), FAILS_AT * limit) and not separated else CountStatus.WARN
    return CountCheck(
        patient=one.sample.patient or "",
        day=one.sample.day,
        check=CheckName.DUPLICATE_CD3,
        population=CD3,
        sample=one.sample.sample,
        platform=one.declared[0].value,
        other_sample=other.sample.sample,
        other_platform=other.declared[0].value,
        value=Interval(gap, gap - down, gap + up),
        limit=limit,
        status=status,
        reason="; ".join(part for part in (reason, separated) if part),
    )


def _cd3(tube: Tube, *, level: float) -> Interval:
    """Share of lymphocytes that are CD3+, with the error of counting and of the gates."""
    if CD3 not in tube.gated or LYMPHOCYTES not in tube.ancestry(CD3):
        return UNKNOWN
    events = {name: gate.events for name, gate in tube.gated.items()}
    return share(CD3, LYMPHOCYTES, events, tube.shifts, level=level)


def _two_platforms(one: Counted, other: Counted, *, limit: float) -> CountCheck:
    value = ratio(one.value, other.value)
    status, reason = _agreement(value, limit, f"{one.platform} and {other.platform}")
    return CountCheck(
        patient=one.tube.sample.patient or "",
        day=one.tube.sample.day,
        check=CheckName.PLATFORMS,
        population=one.population,
        sample=one.tube.sample.sample,
        platform=one.platform.value,
        other_sample=other.tube.sample.sample,
        other_platform=other.platform.value,
        value=value,
        limit=limit,
        status=status,
        reason="; ".join(part for part in (reason, *_unlike(one, other)) if part),
    )


def _unlike(one: Counted, other: Counted) -> list[str]:
    """In what two tubes differ beside their platform."""
    if one.population == LYMPHOCYTES and other.platform is Platform.DUAL:
        return []  # the analyser's own, of whole blood, whatever is gated
    notes = (one.tube.defined_as(one.population, other.tube), _separated(one.tube, other.tube))
    return [note for note in notes if note]


def _over_days(pairs: Sequence[Sequence[Counted]], *, level: float, limit: float) -> Iterator[CountCheck]:
    from scipy.special import stdtrit

    by_day: dict[float, list[float]] = {}
    for one, other in pairs:
        by_day.setdefault(one.tube.sample.day, []).append(math.log(one.value.value / other.value.value))
    days = len(by_day)
    if days < 2:
        return
    first, second = pairs[0]
    logs = np.array([np.mean(ratios) for ratios in by_day.values()])
    mean = float(logs.mean())
    value, reason = Interval(math.exp(mean), math.nan, math.nan), f"geometric mean of {days} days"
    status, why = CountStatus.OK, ""
    if days >= DAYS_FOR_AN_INTERVAL:
        half = float(stdtrit(days - 1, 0.5 + level / 2) * logs.std(ddof=1) / math.sqrt(days))
        value = Interval(value.value, math.exp(mean - half), math.exp(mean + half))
        status, why = _agreement(value, limit, f"{first.platform} and {second.platform}")
    notes = dict.fromkeys(note for pair in pairs for note in _unlike(*pair))
    yield CountCheck(
        patient=first.tube.sample.patient or "",
        day=math.nan,
        check=CheckName.PLATFORMS,
        population=first.population,
        platform=first.platform.value,
        other_platform=second.platform.value,
        value=value,
        limit=limit,
        status=status,
        reason="; ".join(part for part in (reason, why, *notes) if part),
    )


def _agreement(value: Interval, limit: float, names: str) -> tuple[CountStatus, str]:
    """Whether two platforms agree: by their ratio, the limit, and the ratio's own interval."""
    if not (value.known and exceeds(max(value.value, 1 / value.value), limit)):
        return CountStatus.OK, ""
    reason = f"{names} differ by more than x {limit:g}"
    if value.low <= 1 <= value.high:
        return CountStatus.OK, f"{reason}, but not by more than their error"
    return CountStatus.WARN, reason


def _separated(one: Tube, other: Tube) -> str:
    here, there = one.sample.material, other.sample.material
    return "" if here == there else f"{here} beside {there}: separation may shift the shares"


def _pairs(things: Sequence[T], *, key: Callable[[T], object]) -> Iterator[tuple[T, T]]:
    """Every two things that share a key which is not empty."""
    for one, other in combinations(things, 2):
        if key(one) == key(other) != "":
            yield one, other
