"""Cells per microlitre of one tube by a platform of its own: beads, acquired volume or the analyser."""

from __future__ import annotations

import math
from dataclasses import dataclass

from nktrace.model.counting import UNDECLARED, CountStatus, Platform
from nktrace.model.intervals import UNKNOWN, Interval
from nktrace.science.counted_tubes import BEADS, LYMPHOCYTES, WHOLE_BLOOD, Tube
from nktrace.science.counting import beads_count, dual_count, left_out, volumetric_count
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
class Count:
    """A count before it is a row: with what bears on it, and the doubtful gates that it rests on (`flags`)."""

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


def own_count(tube: Tube, population: str, choices: Choices) -> Count:
    """A population's count from the tube's own platform: the sheet's, else the file's volume, which is a warning."""
    platform, reason = tube.declared
    if platform is Platform.NONE and (reason or math.isnan(tube.file_ul)):
        return no_count(reason or "no beads, volume or analyser count: fractions only")
    return count_by(platform, tube, population, choices)


def count_by(platform: Platform, tube: Tube, population: str, choices: Choices) -> Count:
    """A population's count by one platform; by the file's volume where that is none."""
    sample = tube.sample
    if platform is Platform.DUAL:
        return _dual(tube, population, choices)
    if sample.material != WHOLE_BLOOD:
        return no_count(f"{sample.material} has no volume of blood: beads and volume count whole blood only")
    cells, watched = tube.gated[population].events, tube.watched(population)
    if watched == 0:
        return no_count("the gate on time kept nothing")
    if platform is not Platform.BEADS:
        return _volumetric(tube, population, watched, platform is Platform.NONE, choices)
    beads = tube.gated[BEADS].events
    if beads == 0:
        return no_count("no bead events")
    if failed(flag_of(tube.gated[BEADS])):
        return no_count("; ".join(flag_of(tube.gated[BEADS])))
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
    return Count(value, platform, CountStatus.WARN if few else lost.status, reasons, flags)


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


def _volumetric(tube: Tube, population: str, watched: float, from_file: bool, choices: Choices) -> Count:
    lost = _doublets(tube.doublets(population), choices)
    value = volumetric_count(
        tube.gated[population].events,
        acquired_ul=(tube.file_ul if from_file else tube.sample.acquired_ul) * watched,
        dilution=tube.sample.dilution * lost.factor,
        pipette_cv=choices.pipette_cv,
        gate_cv=math.hypot(tube.gate_cv(population), lost.cv),
        level=choices.level,
    )
    status, reasons = lost.status, []
    if from_file:
        status = CountStatus.WARN
        reasons.append(f"volume {tube.file_ul:g} uL {UNDECLARED}, which holds for unwashed tubes only")
    if watched < 1:
        reasons.append(f"volume taken at {watched:.1%}: the rest of the time was cut out")
    return Count(value, Platform.VOLUMETRIC, status, (*reasons, *lost.reasons), tube.flags(population))


def _dual(tube: Tube, population: str, choices: Choices) -> Count:
    sample = tube.sample
    if sample.material not in BLOOD:
        return no_count(f"{sample.material} is not blood: the analyser's count does not apply")
    if why := tube.not_the_analysers(population):
        return no_count(why)
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
        return no_count(f"no events in {LYMPHOCYTES}")
    # the analyser's own lymphocytes, whatever is gated here
    flags = () if population == LYMPHOCYTES else tube.flags(population)
    return Count(value, Platform.DUAL, reasons=separated, flags=flags)


def no_count(reason: str) -> Count:
    """None, and why."""
    return Count(UNKNOWN, Platform.NONE, CountStatus.NOT_AVAILABLE, (reason,))
