"""Cells per microlitre of one patient's samples: which platform each tube carries, and which tubes are joined."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from nktrace.model.counting import CheckName, CountCheck, CountRow, CountStatus, GradeBand, Platform, ReferenceRange
from nktrace.model.intervals import UNKNOWN, Interval
from nktrace.model.study import EX_VIVO, ON_THE_TIMELINE, Patient
from nktrace.science.count_checks import LYMPHOSUM_PARTS, SEVERITY, Counted, platforms_compared, tubes_checked
from nktrace.science.counted_tubes import BEADS, COUNTED, LYMPHOCYTES, WHOLE_BLOOD, Tube
from nktrace.science.counting import (
    beads_count,
    dual_count,
    grade_of,
    left_out,
    reference_range,
    share_of,
    volumetric_count,
)
from nktrace.science.doubt import Flags, failed, flag_of, together

BLOOD = (WHOLE_BLOOD, "pbmc_fresh", "pbmc_cryo")
ADD_BACK = "add_back"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """The settings that bear on counts (files/settings.py says what each means)."""

    level: float
    pipette_cv: float
    analyser_cv: float
    min_beads: int
    doublets: str
    max_cd3_difference: float
    max_platform_ratio: float


@dataclass(frozen=True, slots=True)
class _Count:
    value: Interval
    platform: Platform
    status: CountStatus = CountStatus.OK
    reasons: tuple[str, ...] = ()
    flags: Flags = ()


@dataclass(frozen=True, slots=True)
class _Doublets:
    """What a count is multiplied by for the cells that met in one event, and the relative error of that."""

    factor: float = 1.0
    cv: float = 0.0
    status: CountStatus = CountStatus.OK
    reasons: tuple[str, ...] = ()


def patient_counts(
    patient: Patient,
    tubes: Sequence[Tube],
    *,
    ranges: Sequence[ReferenceRange],
    grades: Sequence[GradeBand],
    choices: Choices,
) -> tuple[list[CountRow], list[CountCheck]]:
    """The rows of counts.tsv: every counted population of every ex vivo sample on the timeline that could be read.

    A tube without a platform of its own takes the count of a shared population from a tube of the same specimen, times
    its own share of that population. A count that rests on a doubtful gate is a warning and has no grade; of a gate
    that failed there is no count. The second list are the rows of count_checks.tsv; a check of tubes that does not
    hold is said by the counts that it bears on.
    """
    timeline = [
        tube
        for tube in sorted(tubes, key=lambda tube: (tube.sample.day, tube.sample.sample))
        if tube.sample.patient == patient.patient
        and tube.sample.role in ON_THE_TIMELINE
        and tube.sample.condition == EX_VIVO
        and tube.gated
    ]
    checks = tubes_checked(timeline, level=choices.level, max_cd3_difference=choices.max_cd3_difference)
    rows, counted = [], []
    for tube in timeline:
        siblings = [
            other
            for other in timeline
            if other is not tube
            and other.sample.specimen
            and other.sample.specimen == tube.sample.specimen
            and other.declared[0] is not Platform.NONE
        ]
        joins = bool(siblings) and tube.declared[0] is Platform.NONE
        for population in (*COUNTED, *tube.subsets):
            if population not in tube.gated:
                continue
            if failed(tube.flags(population)):
                count = _none("; ".join(tube.flags(population)))
            elif joins:
                count = _joined(tube, siblings[0], population, choices)
            else:
                count = _own(tube, population, choices)
            count = _with_checks(tube, population, count, checks)
            rows.append(_row(patient, tube, population, count, ranges, grades))
            if count.value.known and not joins:
                counted.append(Counted(tube, population, count.platform, count.value))
                for platform in tube.platforms[1:]:
                    beside = _by(platform, tube, population, choices)
                    counted.append(Counted(tube, population, platform, beside.value))
    compared = platforms_compared(counted, level=choices.level, limit=choices.max_platform_ratio)
    return rows, [*checks, *compared]


def _own(tube: Tube, population: str, choices: Choices) -> _Count:
    """A population's count from the tube's own platform: the sheet's, else the file's volume."""
    platform, reason = tube.declared
    if platform is Platform.NONE and (reason or math.isnan(tube.file_ul)):
        return _none(reason or "no beads, volume or analyser count: fractions only")
    return _by(platform, tube, population, choices)


def _by(platform: Platform, tube: Tube, population: str, choices: Choices) -> _Count:
    """A population's count by one platform; by the file's volume where that is none."""
    sample = tube.sample
    if platform is Platform.DUAL:
        return _dual(tube, population, choices)
    if sample.material != WHOLE_BLOOD:
        return _none(f"{sample.material} has no volume of blood: beads and volume count whole blood only")
    cells, watched = tube.gated[population].events, tube.watched(population)
    if watched == 0:
        return _none("the gate on time kept nothing")
    if platform is not Platform.BEADS:
        return _volumetric(tube, population, watched, platform is Platform.NONE, choices)
    beads = tube.gated[BEADS].events
    if beads == 0:
        return _none("no bead events")
    lost = _doublets(tube.doublets(population, BEADS), choices)
    value = beads_count(
        cells,
        beads,
        beads_per_tube=sample.beads_per_tube,
        blood_ul=sample.blood_ul,
        dilution=sample.dilution * tube.watched(BEADS) / watched * lost.factor,
        pipette_cv=choices.pipette_cv,
        gate_cv=math.hypot(tube.gate_cv(population, BEADS), lost.cv),
        level=choices.level,
    )
    few = beads < choices.min_beads
    reasons = (*((f"few_beads ({beads} < {choices.min_beads})",) if few else ()), *lost.reasons)
    flags = together(tube.flags(population), flag_of(tube.gated[BEADS]))
    return _Count(value, platform, CountStatus.WARN if few else lost.status, reasons, flags)


def _doublets(events: tuple[int, int], choices: Choices) -> _Doublets:
    """What the gate `singlets` has taken from a population, although beads and volume stand for the whole tube.

    Args:
        events: that it removed and kept.
        choices: whether they are counted back in.
    """
    removed, kept = events
    if not removed or choices.doublets != ADD_BACK:
        return _Doublets()
    factor, cv = left_out(removed, kept)
    share = removed / (removed + kept)
    if factor == 1:
        why = f"doublets: {share:.1%} of events lie outside singlets, too many for coincidence: the count may be low"
        return _Doublets(status=CountStatus.WARN, reasons=(why,))
    why = f"doublets added back ({share:.1%} of events lie outside singlets): x {factor:.3f}"
    return _Doublets(factor, cv, reasons=(why,))


def _volumetric(tube: Tube, population: str, watched: float, from_file: bool, choices: Choices) -> _Count:
    lost = _doublets(tube.doublets(population), choices)
    value = volumetric_count(
        tube.gated[population].events,
        acquired_ul=(tube.file_ul if from_file else tube.sample.acquired_ul) * watched,
        dilution=tube.sample.dilution * lost.factor,
        pipette_cv=choices.pipette_cv,
        gate_cv=math.hypot(tube.gate_cv(population), lost.cv),
        level=choices.level,
    )
    reasons = []
    if from_file:
        reasons.append(f"volume {tube.file_ul:g} uL by the file's $VOL, which holds for unwashed tubes only")
    if watched < 1:
        reasons.append(f"volume taken at {watched:.1%}: the rest of the time was cut out")
    return _Count(value, Platform.VOLUMETRIC, lost.status, (*reasons, *lost.reasons), tube.flags(population))


def _dual(tube: Tube, population: str, choices: Choices) -> _Count:
    sample = tube.sample
    if sample.material not in BLOOD:
        return _none(f"{sample.material} is not blood: the analyser's count does not apply")
    if why := tube.not_the_analysers(population):
        return _none(why)
    value = dual_count(
        tube.gated[population].events,
        tube.gated[LYMPHOCYTES].events,
        wbc_per_ul=sample.wbc_per_ul,
        lymphocyte_fraction=sample.lymphocyte_fraction,
        analyser_cv=choices.analyser_cv,
        gate_cv=tube.gate_cv(population, LYMPHOCYTES),
        level=choices.level,
    )
    separated = () if sample.material == WHOLE_BLOOD else (f"{sample.material}: separation may shift the shares",)
    if not value.known:
        return _none(f"no events in {LYMPHOCYTES}")
    # the analyser's own lymphocytes, whatever is gated here
    flags = () if population == LYMPHOCYTES else tube.flags(population)
    return _Count(value, Platform.DUAL, reasons=separated, flags=flags)


def _joined(tube: Tube, sibling: Tube, population: str, choices: Choices) -> _Count:
    """The sibling's count of the nearest population that both tubes have, times this tube's share of it."""
    for shared in tube.ancestry(population):
        if shared in sibling.gated and shared in COUNTED:
            break
    else:
        return _none(f"no population shared with {sibling.sample.sample}")
    whole = _own(sibling, shared, choices)
    value = share_of(
        whole.value,
        tube.gated[population].events,
        tube.gated[shared].events,
        gate_cv=tube.gate_cv(population, shared),
        level=choices.level,
    )
    if not value.known:
        return _none("; ".join((f"no count of {shared} in {sibling.sample.sample}, or none here", *whole.reasons)))
    reasons = [f"joined ({shared} counted in {sibling.sample.sample})", *whole.reasons]
    if differs := tube.defined_as(shared, sibling):
        reasons.append(differs)
    there_too = tuple(f"{flag} in {sibling.sample.sample}" for flag in whole.flags)
    flags = there_too if population == shared else together(tube.flags(population), there_too)
    return _Count(value, whole.platform, whole.status, tuple(reasons), flags)


def _with_checks(tube: Tube, population: str, count: _Count, checks: Sequence[CountCheck]) -> _Count:
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
            count = replace(count, status=worst, reasons=(*count.reasons, check.reason))
    return count


def _bears_on(check: CountCheck, tube: Tube, population: str, count: _Count) -> bool:
    """The lineages and their sum; all that is counted as a share of that sum; T cells and what is gated within them.

    The analyser's own lymphocytes rest on no gate.
    """
    line = tube.ancestry(population)
    if check.check is CheckName.DUPLICATE_CD3:
        return check.population in line
    if count.platform is Platform.DUAL:
        return LYMPHOCYTES in line[1:]
    return population in (*LYMPHOSUM_PARTS, LYMPHOCYTES)


def _none(reason: str) -> _Count:
    return _Count(UNKNOWN, Platform.NONE, CountStatus.NOT_AVAILABLE, (reason,))


def _row(
    patient: Patient,
    tube: Tube,
    population: str,
    count: _Count,
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
        if graded and (count.flags or status is CountStatus.FAIL):
            grade = ""
            why = "a gate it rests on is doubtful" if count.flags else "the count fails its check"
            reasons.append(f"no grade: {why}")
        elif graded and not grade:
            reasons.append("no grade: the lower limit of normal needs sex and age")
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
