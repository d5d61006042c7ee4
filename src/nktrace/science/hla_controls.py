"""A patient's HLA controls: which tubes are blank and donor reference, and of which populations they tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from nktrace.model.chimerism import ALL_DONORS
from nktrace.model.events import Mask
from nktrace.model.hla import Antibody, Direction, Information, Verdict
from nktrace.model.lineages import Lineages
from nktrace.model.shifts import Shift
from nktrace.model.study import EX_VIVO, Donor, Patient, Role, Sample
from nktrace.science.hla import informs, informs_of, marks
from nktrace.science.hla_typing import parse_typing

POOLED = "pooled_blank"  # flag of a row of hla_cuts.tsv: the blank is of other patients
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
    """A sample of the sheet with its gated events; `subset` per NK event, in the order of `lineages.nk_rows`.

    `shifts` say what the uncertainty of the gates does to the events; none where that is not asked for.
    """

    sample: Sample
    lineages: Lineages
    subset: NDArray[np.str_] = field(default_factory=lambda: np.empty(0, dtype=np.str_))
    shifts: tuple[Shift, ...] = ()

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


def target_of(patient: Patient, antibody: Antibody, donors: Sequence[Donor]) -> tuple[str, Verdict]:
    """Of which donor's cells an antibody tells: of one (its id), or of `all` that a patient met, if they stain alike.

    With several donors it must mark the one and neither the recipient, a prior graft nor another donor, or the reverse.
    One that marks some of three donors tells of none.

    Raises:
        TypingError: a typing is written wrongly.
    """
    if len(donors) < 2:
        (only,) = donors
        return only.donor, verdict_of(replace(patient, donor_hla=only.hla), antibody)
    typed = {f"donor {one.donor}": parse_typing(one.hla) if one.hla else None for one in donors}
    rest = {"recipient": parse_typing(patient.recipient_hla) if patient.recipient_hla else None}
    if patient.prior_graft_hla:
        rest["prior graft"] = parse_typing(patient.prior_graft_hla)
    verdicts = {ALL_DONORS: informs_of(antibody, wanted=typed, others=rest)}
    for one, who in zip(donors, typed, strict=True):
        others = {other: typing for other, typing in typed.items() if other != who}
        verdicts[one.donor] = informs_of(antibody, wanted={who: typed[who]}, others=rest | others)
    clear = [(name, verdict) for name, verdict in verdicts.items() if verdict.direction is not None]
    unclear = [v for v in verdicts.values() if v.information is Information.INDETERMINATE]
    return clear[0] if clear else (ALL_DONORS, unclear[0] if unclear else verdicts[ALL_DONORS])


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
    return pooled, POOLED if pooled else "no_blank"


def donors_of(patient: Patient, tubes: Sequence[Tube], wanted: Sequence[Donor], *, of: int) -> list[Tube]:
    """The references of the wanted ones of so many donors: by id, and the patient's own, whose it is without an id."""
    names = {one.donor for one in wanted if one.donor}

    def serves(sample: Sample) -> bool:
        if sample.patient is None or (sample.donor and of > 1):
            return sample.donor in names
        return sample.patient == patient.patient and (of == 1 or patient.donor in names)

    return [tube for tube in tubes if tube.sample.role is Role.DONOR and serves(tube.sample)]


def joined(reasons: Sequence[str]) -> str:
    """Reasons of a row, each once, in order."""
    return "; ".join(dict.fromkeys(reason for reason in reasons if reason))


def usable(tube: Tube, panel: str, marker: str) -> bool:
    """Whether a tube tells of a marker: of this panel, stained with it, ex vivo, readable, with cells in its gates."""
    lineages = tube.lineages
    if lineages.panel != panel or marker not in lineages.hla or tube.sample.condition != EX_VIVO:
        return False
    everything = tube.mask(ALL)
    return not lineages.failure and everything is not None and bool(everything.any())
