"""Cells per microlitre of one patient's samples: by their own platform, or by the counting tube of the specimen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from nktrace.model.counting import (
    TAKEN_OVER,
    CheckName,
    CountCheck,
    CountRow,
    CountStatus,
    GradeBand,
    Platform,
    ReferenceRange,
    undeclared,
)
from nktrace.model.study import EX_VIVO, ON_THE_TIMELINE, Patient
from nktrace.science.count_checks import LYMPHOSUM_PARTS, SEVERITY, Counted, platforms_compared, tubes_checked
from nktrace.science.counted_tubes import COUNTED, LYMPHOCYTES, Tube
from nktrace.science.counting import grade_of, no_limit, reference_range, share_of
from nktrace.science.doubt import failed, together
from nktrace.science.tube_counts import Choices, Count, count_by, no_count, own_count

Analysed = tuple[str, float, float]
"""A specimen and the analyser's two numbers of it: leucocytes, and the share of lymphocytes."""


def patient_counts(
    patient: Patient,
    tubes: Sequence[Tube],
    *,
    ranges: Sequence[ReferenceRange],
    grades: Sequence[GradeBand],
    choices: Choices,
) -> tuple[list[CountRow], list[CountCheck]]:
    """The rows of counts.tsv: every counted population of every ex vivo sample on the timeline that could be read.

    A tube for which the sheet names no platform takes the count of a shared population from a tube of the same specimen
    for which it does, times its own share of that population; of several the one whose checks hold. A count that rests
    on a doubtful gate is a warning and has no grade; of a gate that failed there is no count. The second list are the
    rows of count_checks.tsv; a check of tubes that does not hold is said by the counts that it bears on.

    Args:
        patient: whose sex and age the ranges need.
        tubes: all of the sheet; one without populations could not be read, but may be the one that counts a specimen.
        ranges, grades: of any population.
        choices: settings.
    """
    mine = sorted(
        (tube for tube in tubes if tube.sample.patient == patient.patient and tube.sample.role in ON_THE_TIMELINE),
        key=lambda tube: (tube.sample.day, tube.sample.sample),
    )
    read = [tube for tube in mine if tube.gated and tube.sample.condition == EX_VIVO]
    checks = tubes_checked(read, level=choices.level, max_cd3_difference=choices.max_cd3_difference)
    rows, counted = [], []
    analysed: dict[Analysed, str] = {}
    for tube in read:
        partners = _sound_first(_counting_tubes(tube, mine), checks)
        for population in (*COUNTED, *tube.subsets):
            if population not in tube.gated:
                continue
            if failed(tube.flags(population)):
                count = no_count("; ".join(tube.flags(population)))
            elif partners:
                count = _joined(tube, partners, population, checks, choices)
            else:
                count = _analysed_once(own_count(tube, population, choices), tube, population, analysed)
            count = _with_checks(tube, population, count, checks)
            rows.append(_row(patient, tube, population, count, ranges, grades))
            if count.value.known and not partners:
                counted.append(Counted(tube, population, count.platform, count.value))
                for platform in tube.platforms[1:]:
                    beside = count_by(platform, tube, population, choices)
                    counted.append(Counted(tube, population, platform, beside.value))
    compared = platforms_compared(_once(counted), level=choices.level, limit=choices.max_platform_ratio)
    return rows, [*checks, *compared]


def _counting_tubes(tube: Tube, tubes: Sequence[Tube]) -> list[Tube]:
    """Those of its specimen for which the sheet names a platform; none where the tube can be counted by its own."""
    if tube.declared[0] is not Platform.NONE or not tube.sample.specimen:
        return []
    return [
        other for other in tubes if other is not tube and other.sample.specimen == tube.sample.specimen and other.named
    ]


def _sound_first(partners: Sequence[Tube], checks: Sequence[CountCheck]) -> list[Tube]:
    """Those that fail the fewest checks first: of several tubes the one that errs disagrees with all others.

    The order is one for all populations, so that a population and its parent are counted in the same tube.
    """

    def faults(tube: Tube) -> tuple[int, ...]:
        mine = [check.status for check in checks if tube.sample.sample in (check.sample, check.other_sample)]
        return mine.count(CountStatus.FAIL), mine.count(CountStatus.WARN)

    return sorted(partners, key=faults)


def _analysers(tube: Tube, population: str, platform: Platform) -> Analysed | None:
    """What tells the analyser's own lymphocytes of a specimen, which are one number for all its tubes; else None."""
    sample = tube.sample
    if platform is not Platform.DUAL or population != LYMPHOCYTES or not sample.specimen:
        return None
    return sample.specimen, sample.wbc_per_ul, sample.lymphocyte_fraction


def _analysed_once(count: Count, tube: Tube, population: str, analysed: dict[Analysed, str]) -> Count:
    """The analyser's lymphocytes count in the first tube that has them; in others they are said to be taken over.

    Args:
        count: of the population in the tube.
        tube: any.
        population: any.
        analysed: the first tube; gets this one.
    """
    number = _analysers(tube, population, count.platform)
    first = tube.sample.sample if number is None else analysed.setdefault(number, tube.sample.sample)
    return count if first == tube.sample.sample else replace(count, reasons=(f"{TAKEN_OVER}{first}", *count.reasons))


def _once(counted: Sequence[Counted]) -> list[Counted]:
    """Without the analyser's lymphocytes of a specimen where another of its tubes has them, be it beside its own."""
    numbers = [_analysers(one.tube, one.population, one.platform) for one in counted]
    return [
        one
        for i, (one, number) in enumerate(zip(counted, numbers, strict=True))
        if not number or number not in numbers[:i]
    ]


def _joined(
    tube: Tube, partners: Sequence[Tube], population: str, checks: Sequence[CountCheck], choices: Choices
) -> Count:
    """By the first counting tube that gives a count; none with the reasons of all.

    Args:
        partners: the best first.
    """
    reasons: list[str] = []
    for partner in partners:
        count = _joined_to(partner, tube, population, checks, choices)
        if count.value.known:
            return count
        reasons += count.reasons
    return no_count("; ".join(dict.fromkeys(reasons)))


def _joined_to(partner: Tube, tube: Tube, population: str, checks: Sequence[CountCheck], choices: Choices) -> Count:
    """The partner's count of the nearest population that both tubes have, times this tube's share of it.

    A population that the partner itself counts is taken over as it is; one by a gate that failed there is passed over.
    """
    there = partner.sample
    if not partner.gated:
        return no_count(f"counting tube {there.sample} could not be read")
    if there.condition != EX_VIVO:
        return no_count(f"{there.sample} is of condition {there.condition}, which gives no counts")
    common = [name for name in tube.ancestry(population) if name in partner.gated and name in COUNTED]
    sound = [name for name in common if not failed(partner.flags(name))]
    if not sound:
        failures = together(*map(partner.flags, common))
        why = "; ".join(f"{flag} in {there.sample}" for flag in failures)
        return no_count(why or f"no population shared with {there.sample}")
    shared = sound[0]
    whole = _with_checks(partner, shared, own_count(partner, shared, choices), checks)
    if not whole.value.known:
        return no_count("; ".join((f"no count of {shared} in {there.sample}", *whole.reasons)))
    copied = population == shared
    value = whole.value
    if not copied:
        cells, others = tube.gated[population].events, tube.gated[shared].events
        gate_cv = tube.gate_cv(population, shared)
        value = share_of(whole.value, cells, others, gate_cv=gate_cv, level=choices.level)
    if not value.known:
        return no_count(f"no events in {shared}, which is counted in {there.sample}")
    how = f"{TAKEN_OVER}{there.sample}" if copied else f"joined ({shared} counted in {there.sample})"
    reasons = [how, *whole.reasons, tube.defined_as(shared, partner)]
    there_too = tuple(f"{flag} in {there.sample}" for flag in whole.flags)
    flags = there_too if copied else together(tube.flags(population), there_too)
    return Count(value, whole.platform, whole.status, tuple(filter(None, reasons)), flags)


def _with_checks(tube: Tube, population: str, count: Count, checks: Sequence[CountCheck]) -> Count:
    """A count says which checks of its tube it does not stand up to."""
    for check in checks:
        mine = tube.sample.sample in (check.sample, check.other_sample)
        if (
            mine
            and check.status is not CountStatus.OK
            and count.value.known
            and _bears_on(check, tube, population, count)
        ):
            worst = max(count.status, check.status, key=SEVERITY.index)
            count = replace(count, status=worst, reasons=tuple(dict.fromkeys((*count.reasons, check.reason))))
    return count


def _bears_on(check: CountCheck, tube: Tube, population: str, count: Count) -> bool:
    """The lineages and their sum; all that is counted as a share of that sum; T cells and what is gated within them.

    The analyser's own lymphocytes rest on no gate.
    """
    line = tube.ancestry(population)
    if check.check is CheckName.DUPLICATE_CD3:
        return check.population in line
    if count.platform is Platform.DUAL:
        return LYMPHOCYTES in line[1:]
    return population in (*LYMPHOSUM_PARTS, LYMPHOCYTES)


def _not_to_be_graded(count: Count) -> str:
    """What forbids a grade, which is read alone; empty where nothing does."""
    if count.flags:
        return "a gate it rests on is doubtful"
    if count.status is CountStatus.FAIL:
        return "the count fails its check"
    if undeclared("; ".join(count.reasons)):
        return "acquired_ul of the sheet would say that the tube was not washed"
    return ""


def _row(
    patient: Patient,
    tube: Tube,
    population: str,
    count: Count,
    ranges: Sequence[ReferenceRange],
    grades: Sequence[GradeBand],
) -> CountRow:
    reference = reference_range(population, ranges, sex=patient.sex, age_years=patient.age_years)
    status = max(count.status, CountStatus.WARN, key=SEVERITY.index) if count.flags else count.status
    reasons = [*count.flags, *count.reasons]
    grade = ""
    if count.value.known:
        limit = reference.low if reference else math.nan
        grade = grade_of(count.value.value, population, grades, lower_limit=limit)
        graded = any(band.population == population for band in grades)
        if graded and (why := _not_to_be_graded(count)):
            grade = ""
            reasons.append(f"no grade: {why}")
        elif graded and not grade:
            reasons.append(f"no grade: {no_limit(sex=patient.sex, age_years=patient.age_years)}")
        if grade not in ("", "0") and count.value.value >= limit:
            reasons.append(f"grade {grade} by its absolute threshold, although within the reference range")
    return CountRow(
        sample=tube.sample.sample,
        patient=patient.patient,
        day=tube.sample.day,
        population=population,
        cells_per_ul=count.value,
        platform=count.platform,
        reference=reference,
        grade=grade,
        status=status,
        reason="; ".join(reasons),
    )
