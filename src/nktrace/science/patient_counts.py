"""Cells per microlitre of one patient's samples: which platform each tube carries, and which tubes are joined."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from nktrace.model.counting import CountRow, CountStatus, Gated, GradeBand, Platform, ReferenceRange
from nktrace.model.gates import ROOT
from nktrace.model.intervals import UNKNOWN, Interval
from nktrace.model.shifts import NetShift
from nktrace.model.study import ON_THE_TIMELINE, Patient, Sample
from nktrace.science.counting import (
    beads_count,
    dual_count,
    grade_of,
    lymphosum,
    reference_range,
    share_of,
    volumetric_count,
)
from nktrace.science.doubt import Flags, doubts, failed, flag_of, together
from nktrace.science.gate_error import relative_sd

BEADS = "beads"
LYMPHOCYTES = "lymphocytes"
COUNTED = (
    LYMPHOCYTES,
    "monocytes",
    "cd3",
    "t_cells",
    "cd4_t",
    "cd8_t",
    "nkt_like",
    "b_cells",
    "nk",
    "nk_bright",
    "nk_dim",
)
LYMPHOSUM_PARTS = ("cd3", "b_cells", "nk")
EX_VIVO = "ex_vivo"
WHOLE_BLOOD = "whole_blood"
BLOOD = (WHOLE_BLOOD, "pbmc_fresh", "pbmc_cryo")
_SEVERITY = [CountStatus.OK, CountStatus.WARN, CountStatus.FAIL, CountStatus.NOT_AVAILABLE]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tube:
    """A sample with what was gated in it.

    Attributes:
        gated: by population; NK subsets stand among them with parent `nk`.
        subsets: the names of these subsets.
        shifts: what the error of the gates does to the events of populations and subsets.
        file_ul: the file's $VOL in µL; nan if it has none. Instruments write it for washed tubes too, so it counts
            only where the sheet names no platform for the specimen.
    """

    sample: Sample
    gated: Mapping[str, Gated]
    subsets: tuple[str, ...] = ()
    shifts: tuple[NetShift, ...] = ()
    file_ul: float = math.nan

    def ancestry(self, population: str) -> list[str]:
        """The population and its ancestors, nearest first."""
        line = []
        while population in self.gated and population not in line:
            line.append(population)
            population = self.gated[population].parent
        return line

    def flags(self, population: str) -> Flags:
        """Of the doubtful gates that a population rests on."""
        return doubts(self.gated.values()).get(population, ())

    def gate_cv(self, population: str, denominator: str = ROOT) -> float:
        """Relative error of a population's events, or of their ratio to another's, from the place of the gates."""
        events = {name: gate.events for name, gate in self.gated.items()} | {ROOT: 1}
        return relative_sd(population, events, self.shifts, whole=denominator)

    def watched(self, population: str) -> float:
        """Share of the tube's events that the gates on time above a population have kept."""
        share = 1.0
        for name in self.ancestry(population):
            gate = self.gated[name]
            if gate.over_time and gate.parent_events:
                share *= gate.events / gate.parent_events
        return share


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """The settings that bear on counts (files/settings.py says what each means)."""

    level: float
    pipette_cv: float
    analyser_cv: float
    min_beads: int


@dataclass(frozen=True, slots=True)
class _Count:
    value: Interval
    platform: Platform
    status: CountStatus = CountStatus.OK
    reasons: tuple[str, ...] = ()
    flags: Flags = ()


def patient_counts(
    patient: Patient,
    tubes: Sequence[Tube],
    *,
    ranges: Sequence[ReferenceRange],
    grades: Sequence[GradeBand],
    choices: Choices,
) -> list[CountRow]:
    """The rows of counts.tsv: every counted population of every ex vivo sample on the timeline that could be read.

    A tube without a platform of its own takes the count of a shared population from a tube of the same specimen, times
    its own share of that population. A count that rests on a doubtful gate is a warning and has no grade; of a gate
    that failed there is no count.
    """
    timeline = [
        tube
        for tube in sorted(tubes, key=lambda tube: (tube.sample.day, tube.sample.sample))
        if tube.sample.patient == patient.patient
        and tube.sample.role in ON_THE_TIMELINE
        and tube.sample.condition == EX_VIVO
        and tube.gated
    ]
    rows = []
    for tube in timeline:
        siblings = [
            other
            for other in timeline
            if other is not tube
            and other.sample.specimen
            and other.sample.specimen == tube.sample.specimen
            and _declared(other)[0] is not Platform.NONE
        ]
        for population in (*COUNTED, *tube.subsets):
            if population not in tube.gated:
                continue
            if failed(tube.flags(population)):
                count = _none("; ".join(tube.flags(population)))
            elif siblings and _declared(tube)[0] is Platform.NONE:
                count = _joined(tube, siblings[0], population, choices)
            else:
                count = _own(tube, population, choices)
            rows.append(_row(patient, tube, population, _with_lymphosum(tube, population, count), ranges, grades))
    return rows


def _declared(tube: Tube) -> tuple[Platform, str]:
    """The platform that the sheet names for a tube, and why there is none; beads before volume before the analyser."""
    sample = tube.sample
    if not math.isnan(sample.beads_per_tube):
        if math.isnan(sample.blood_ul):
            return Platform.NONE, "beads_per_tube without blood_ul"
        if BEADS not in tube.gated:
            return Platform.NONE, "beads_per_tube without a population `beads`"
        return Platform.BEADS, ""
    if not math.isnan(sample.acquired_ul):
        return Platform.VOLUMETRIC, ""
    if not math.isnan(sample.wbc_per_ul):
        if math.isnan(sample.lymphocyte_fraction):
            return Platform.NONE, "wbc_per_ul without lymphocyte_fraction"
        return Platform.DUAL, ""
    return Platform.NONE, ""


def _own(tube: Tube, population: str, choices: Choices) -> _Count:
    """A population's count from the tube's own platform."""
    platform, reason = _declared(tube)
    sample = tube.sample
    from_file = platform is Platform.NONE and not reason and not math.isnan(tube.file_ul)
    if platform is Platform.NONE and not from_file:
        return _none(reason or "no beads, volume or analyser count: fractions only")
    if platform is Platform.DUAL:
        return _dual(tube, population, choices)
    if sample.material != WHOLE_BLOOD:
        return _none(f"{sample.material} has no volume of blood: beads and volume count whole blood only")
    cells, watched = tube.gated[population].events, tube.watched(population)
    if watched == 0:
        return _none("the gate on time kept nothing")
    if platform is not Platform.BEADS:
        return _volumetric(tube, population, watched, from_file, choices)
    beads = tube.gated[BEADS].events
    if beads == 0:
        return _none("no bead events")
    value = beads_count(
        cells,
        beads,
        beads_per_tube=sample.beads_per_tube,
        blood_ul=sample.blood_ul,
        dilution=sample.dilution * tube.watched(BEADS) / watched,
        pipette_cv=choices.pipette_cv,
        gate_cv=tube.gate_cv(population, BEADS),
        level=choices.level,
    )
    few = beads < choices.min_beads
    reasons = (f"few_beads ({beads} < {choices.min_beads})",) if few else ()
    flags = together(tube.flags(population), flag_of(tube.gated[BEADS]))
    return _Count(value, platform, CountStatus.WARN if few else CountStatus.OK, reasons, flags)


def _volumetric(tube: Tube, population: str, watched: float, from_file: bool, choices: Choices) -> _Count:
    value = volumetric_count(
        tube.gated[population].events,
        acquired_ul=(tube.file_ul if from_file else tube.sample.acquired_ul) * watched,
        dilution=tube.sample.dilution,
        pipette_cv=choices.pipette_cv,
        gate_cv=tube.gate_cv(population),
        level=choices.level,
    )
    reasons = []
    if from_file:
        reasons.append(f"volume {tube.file_ul:g} uL by the file's $VOL, which holds for unwashed tubes only")
    if watched < 1:
        reasons.append(f"volume taken at {watched:.1%}: the rest of the time was cut out")
    return _Count(value, Platform.VOLUMETRIC, reasons=tuple(reasons), flags=tube.flags(population))


def _dual(tube: Tube, population: str, choices: Choices) -> _Count:
    sample = tube.sample
    if sample.material not in BLOOD:
        return _none(f"{sample.material} is not blood: the analyser's count does not apply")
    if LYMPHOCYTES not in tube.ancestry(population):
        return _none("denominator_differs (not gated within `lymphocytes`, which the analyser counts)")
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
    here, there = tube.gated[shared].channels, sibling.gated[shared].channels
    if here and there and here != there:
        reasons.append(f"definition_differs ({shared} by {'+'.join(here)} here, by {'+'.join(there)} there)")
    there_too = tuple(f"{flag} in {sibling.sample.sample}" for flag in whole.flags)
    flags = there_too if population == shared else together(tube.flags(population), there_too)
    return _Count(value, whole.platform, whole.status, tuple(reasons), flags)


def _with_lymphosum(tube: Tube, population: str, count: _Count) -> _Count:
    """Lymphocytes and the lineages that make them up carry the check of their sum."""
    parts = [tube.gated.get(name) for name in (*LYMPHOSUM_PARTS, LYMPHOCYTES)]
    known = [part.events for part in parts if part is not None]
    if population not in (*LYMPHOSUM_PARTS, LYMPHOCYTES) or len(known) < len(parts) or known[-1] == 0:
        return count
    share, status = lymphosum(t_cells=known[0], b_cells=known[1], nk=known[2], lymphocytes=known[3])
    if status is CountStatus.OK:
        return count
    worst = max(count.status, status, key=_SEVERITY.index)
    reasons = (*count.reasons, f"lymphosum {share:.1%}, expected 95 ± 5 %")
    return replace(count, status=worst, reasons=reasons)


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
    status = max(count.status, CountStatus.WARN, key=_SEVERITY.index) if count.flags else count.status
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
