"""A patient's HLA controls: which tubes are blank and donor reference, and where each lineage's markers are cut."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from nktrace.model.chimerism import HlaCut, MarkerCounts
from nktrace.model.events import FloatArray, Mask
from nktrace.model.hla import Antibody, Direction, Information, Verdict
from nktrace.model.intervals import UNKNOWN, Interval
from nktrace.model.lineages import Lineages
from nktrace.model.study import Patient, Role, Sample
from nktrace.science.hla import informs, marks
from nktrace.science.hla_positivity import best_cut, tail_cut
from nktrace.science.hla_typing import parse_typing

EX_VIVO = "ex_vivo"
ALL = "all"
NK = "nk"
T = "cd3"
# Populations of the contract in the order of the tables, and the lineage whose cut each one uses.
LINEAGE_OF: dict[str, str] = {
    "leukocytes": ALL,
    "lymphocytes": ALL,
    "monocytes": "monocytes",
    T: T,
    "t_cells": T,
    "cd4_t": T,
    "cd8_t": T,
    "nkt_like": T,
    "b_cells": "b_cells",
    NK: NK,
    "nk_bright": NK,
    "nk_dim": NK,
}
CUT_LINEAGES = (NK, T, "b_cells", "monocytes", ALL)


@dataclass(frozen=True, slots=True)
class Tube:
    """A sample of the sheet with its gated events; `subset` per NK event, in the order of `lineages.nk_rows`."""

    sample: Sample
    lineages: Lineages
    subset: NDArray[np.str_] = field(default_factory=lambda: np.empty(0, dtype=np.str_))

    def mask(self, population: str) -> Mask | None:
        """Members of a gated population, of `all` lymphocytes, or of an NK subset; None where it was not gated."""
        member = self.lineages.member
        if population in member:
            return member[population]
        if population == ALL:
            return lymphoid(member, len(self.lineages))
        if population in LINEAGE_OF or self.subset.size != self.lineages.nk_rows.size:
            return None
        found = np.zeros(len(self.lineages), dtype=bool)
        found[self.lineages.nk_rows] = self.subset == population
        return found


def lymphoid(member: Mapping[str, Mask], events: int) -> Mask:
    """Lymphocytes where they were gated, else what lineages there are together."""
    if "lymphocytes" in member:
        return member["lymphocytes"]
    found = np.zeros(events, dtype=bool)
    for population in (NK, T, "t_cells", "nkt_like", "b_cells"):
        if population in member:
            found |= member[population]
    return found


def verdict_of(patient: Patient, antibody: Antibody) -> Verdict:
    """Whether an antibody tells this patient's cells from the donor's.

    Raises:
        TypingError: a typing is written wrongly.
    """
    return informs(
        antibody,
        donor=parse_typing(patient.donor_hla) if patient.donor_hla else None,
        recipient=parse_typing(patient.recipient_hla) if patient.recipient_hla else None,
        prior_graft=parse_typing(patient.prior_graft_hla) if patient.prior_graft_hla else None,
    )


def blanks_of(
    patient: Patient, tubes: Sequence[Tube], *, others: Sequence[Patient], antibody: Antibody, direction: Direction
) -> tuple[list[Tube], str]:
    """The blank: the patient's own, else its baseline from before any exposure, else other patients' (flagged).

    Other patients' blanks serve only where their typing says that they stain as this patient's would.

    Returns:
        The tubes, and what to say about them; no tubes where there is no blank.
    """
    exposure = patient.first_donor_exposure_day
    mine = [tube for tube in tubes if tube.sample.patient == patient.patient]
    own = [tube for tube in mine if tube.sample.role is Role.BLANK and not tube.sample.day > exposure]
    if own:
        return own, ""
    baseline = [tube for tube in mine if tube.sample.role is Role.BASELINE and tube.sample.day < exposure]
    if baseline:
        return baseline, ""
    expected = direction is Direction.RECIPIENT_POSITIVE
    typed = {
        other.patient: marks(antibody, parse_typing(other.recipient_hla)) for other in others if other.recipient_hla
    }
    pooled = [
        tube
        for tube in tubes
        if tube.sample.role is Role.BLANK
        and tube.sample.patient not in (None, patient.patient)
        and typed.get(str(tube.sample.patient)) is expected
    ]
    return pooled, "pooled_blank" if pooled else "no_blank"


def donors_of(patient: Patient, tubes: Sequence[Tube]) -> list[Tube]:
    """The donor references of a patient: its own, or those of its donor."""
    return [
        tube
        for tube in tubes
        if tube.sample.role is Role.DONOR
        and (
            tube.sample.patient == patient.patient
            or (tube.sample.patient is None and patient.donor and tube.sample.donor == patient.donor)
        )
    ]


def hla_cuts(
    patient: Patient,
    tubes: Sequence[Tube],
    *,
    others: Sequence[Patient],
    antibodies: Mapping[tuple[str, str], Antibody],
    min_separation: float,
    min_events: int,
    assumed_sensitivity: float,
    assumed_events: int,
    level: float,
    bootstrap: int,
    seed: int,
) -> list[HlaCut]:
    """Where each HLA marker of each panel is positive, per lineage and over all lymphocytes.

    Args:
        tubes: the patient's tubes, donor references and other patients' blanks.
        others: the patients of those other blanks, for their typings.
        antibodies: the antibody of each (panel, marker) of kind `hla`.
        min_events: a lineage with fewer events in blank or donor reference borrows from a larger one.
        assumed_sensitivity, assumed_events: what stands for a missing donor reference, and what it is worth.
    """
    cuts = []
    for number, ((panel, marker), antibody) in enumerate(sorted(antibodies.items(), key=lambda item: item[0])):
        verdict = verdict_of(patient, antibody)
        usable = [tube for tube in tubes if _usable(tube, panel, marker)]
        if verdict.direction is None:
            cuts.append(_without(panel, marker, verdict))
            continue
        blanks, flag = blanks_of(patient, usable, others=others, antibody=antibody, direction=verdict.direction)
        donors = donors_of(patient, usable)
        for place, population in enumerate(CUT_LINEAGES):
            if population != ALL and not any(population in tube.lineages.member for tube in usable):
                continue
            blank, blank_note = _side(blanks, marker, population, min_events, fallback=(ALL,), name="cut_blank")
            donor, donor_note = _side(donors, marker, population, min_events, fallback=(NK, ALL), name="cut_donor")
            rng = np.random.default_rng([seed, number, place])
            cut, status, note = _cut(blank, donor, verdict.direction, level, bootstrap, rng)
            counted = [_positive(side, cut.value) for side in (blank, donor)]
            if not donors and blank.size:
                like_donor = round(assumed_events * assumed_sensitivity)
                positive = like_donor if verdict.direction is Direction.DONOR_POSITIVE else assumed_events - like_donor
                counted[1] = MarkerCounts(events=assumed_events, positive=positive)
            if status == "ok" and abs(counted[1].rate - counted[0].rate) < min_separation:
                gap = abs(counted[1].rate - counted[0].rate)
                status, note = "indeterminate", f"no_separation ({gap:.3g} < {min_separation:g})"
            cuts.append(
                HlaCut(
                    panel=panel,
                    marker=marker,
                    antibody=antibody.antibody,
                    population=population,
                    direction=verdict.direction.value,
                    blank_samples=tuple(tube.sample.sample for tube in blanks),
                    donor_samples=tuple(tube.sample.sample for tube in donors),
                    cut=cut.value,
                    cut_low=cut.low,
                    cut_high=cut.high,
                    blank=counted[0],
                    donor=counted[1],
                    status=status,
                    reason=joined([flag, note, blank_note, donor_note, verdict.caution]),
                )
            )
    return cuts


def joined(reasons: Sequence[str]) -> str:
    """Reasons of a row, each once, in order."""
    return "; ".join(dict.fromkeys(reason for reason in reasons if reason))


def _usable(tube: Tube, panel: str, marker: str) -> bool:
    lineages = tube.lineages
    stained = lineages.panel == panel and marker in lineages.hla
    return stained and not lineages.failure and tube.sample.condition == EX_VIVO


def _without(panel: str, marker: str, verdict: Verdict) -> HlaCut:
    none = MarkerCounts(events=0, positive=0)
    return HlaCut(
        panel=panel,
        marker=marker,
        antibody=verdict.antibody,
        population=ALL,
        direction="",
        blank_samples=(),
        donor_samples=(),
        cut=math.nan,
        cut_low=math.nan,
        cut_high=math.nan,
        blank=none,
        donor=none,
        status=verdict.information.value,
        reason=f"{verdict.information.value}: {', '.join(verdict.deciding)}",
    )


def _side(
    tubes: Sequence[Tube], marker: str, population: str, min_events: int, *, fallback: Sequence[str], name: str
) -> tuple[FloatArray, str]:
    """Marker values of a lineage over some tubes; of a larger one where it has too few, and which that was."""
    for place in dict.fromkeys((population, *fallback)):
        values = _values(tubes, marker, place)
        if values.size >= min_events:
            return values, "" if place == population else f"{name}_from_{place}"
    values = _values(tubes, marker, population)
    return (values, "") if values.size else (_values(tubes, marker, ALL), f"{name}_from_{ALL}" if tubes else "")


def _values(tubes: Sequence[Tube], marker: str, population: str) -> FloatArray:
    parts = []
    for tube in tubes:
        mask = tube.mask(population) if population == ALL or population in tube.lineages.member else None
        if mask is not None:
            parts.append(tube.lineages.hla[marker][mask])
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.float32)


def _cut(
    blank: FloatArray,
    donor: FloatArray,
    direction: Direction,
    level: float,
    bootstrap: int,
    rng: np.random.Generator,
) -> tuple[Interval, str, str]:
    if not blank.size:
        return UNKNOWN, Information.INDETERMINATE.value, "no_blank"
    if not donor.size:
        cut = tail_cut(blank, direction=direction, level=level, bootstrap=bootstrap, rng=rng)
        return cut, "assumed", "no_donor_reference"
    return best_cut(blank, donor, direction=direction, level=level, bootstrap=bootstrap, rng=rng), "ok", ""


def _positive(values: FloatArray, cut: float) -> MarkerCounts:
    return MarkerCounts(events=int(values.size), positive=int(np.count_nonzero(values >= np.float64(cut))))
