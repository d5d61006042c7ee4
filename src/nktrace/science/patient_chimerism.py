"""Donor chimerism of one patient: every sample on the timeline and population, each antibody and all together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from nktrace.model.chimerism import (
    ALL_DONORS,
    ChimerismRow,
    ChimerismStatus,
    Estimate,
    HlaCut,
    MarkerCounts,
    MarkerCuts,
    cuts_by_marker,
)
from nktrace.model.hla import Direction
from nktrace.model.intervals import UNKNOWN, Interval
from nktrace.model.study import EX_VIVO, ON_THE_TIMELINE, Donor, Patient
from nktrace.science.doubt import Flags, failed
from nktrace.science.hla_controls import ALL, LINEAGE_OF, Tube, joined
from nktrace.science.marker_classes import Markers
from nktrace.science.population_chimerism import Population
from nktrace.science.population_controls import Choices
from nktrace.science.stain_checks import STAIN_FAILED, STAIN_UNLIKE


def patient_chimerism(
    patient: Patient,
    tubes: Sequence[Tube],
    cuts: Sequence[HlaCut],
    *,
    cells_per_ul: Mapping[tuple[str, str], Interval],
    doses: Sequence[tuple[float, float]],
    choices: Choices,
    donors: Sequence[Donor] = (),
    doubts: Mapping[tuple[str, str], Flags] = MappingProxyType({}),
    blanks: Mapping[tuple[str, str, str, str], tuple[MarkerCounts, ...]] = MappingProxyType({}),
) -> tuple[list[ChimerismRow], list[ChimerismRow]]:
    """The rows of chimerism.tsv and of chimerism_by_antibody.tsv.

    Where a donor-positive and a recipient-positive antibody both inform, a cell counts as donor if both say so: what
    is positive for both (doublets, membrane picked up) or for neither (dropout) is in no class, and its share stands
    in `reason`. The same antibodies serve at all visits of a population, as far as they can (`_chosen`).

    Args:
        tubes: the patient's tubes, its donor references, and other patients' blanks where they serve.
        cuts: rows of hla_cuts.tsv.
        cells_per_ul: counts by (sample, population).
        doses: day and cells per kg of each infusion (`infused_doses`); nan where a dose is not known.
        blanks: of the reference's patients, by panel, marker, direction and lineage: how much tubes differ.
        donors: whose cells the patient met. With several there are rows of `all`, and of each that an antibody tells
            from the others.
        doubts: flags of doubtful gates by (sample, population), for the reasons; without an estimate if one failed.
    """
    by_sample = {tube.sample.sample: tube for tube in tubes}
    whose = (patient.patient, None)  # other patients' blanks are given too: what they have, this one need not
    related = [tube for tube in tubes if tube.sample.patient in whose]
    subsets = sorted({str(name) for tube in related for name in np.unique(tube.subset) if name})
    mine = [t for t in tubes if t.sample.patient == patient.patient and t.sample.role in ON_THE_TIMELINE]
    timeline = [
        tube
        for tube in sorted(mine, key=lambda tube: (tube.sample.day, tube.sample.sample))
        if tube.sample.condition == EX_VIVO and not tube.lineages.failure and tube.lineages.hla
    ]
    found: dict[tuple[str, str, str], list[_Visit]] = {}
    for tube in timeline:
        by_marker = cuts_by_marker(cuts, panel=tube.lineages.panel, batch=tube.sample.batch)
        markers = {marker: by_marker[marker] for marker in tube.lineages.hla if marker in by_marker}
        for population in [*LINEAGE_OF, *subsets]:
            mask = tube.mask(population)
            if mask is None:
                continue
            flags = doubts.get((tube.sample.sample, population), ())
            work = Population(
                patient, tube, population, mask, by_sample, cells_per_ul, doses, choices, blanks, doubts, flags
            )
            for donor in _told(donors, cuts):
                of_donor = markers if len(donors) < 2 else _about(markers, donor)
                rows: dict[tuple[str, ...], ChimerismRow] = {
                    (name,): work.row(Markers((cut,))) for name, cut in of_donor.items()
                }
                visit = _Visit(work, of_donor, rows, donor)
                found.setdefault((tube.lineages.panel, population, donor), []).append(visit)
    chosen = {id(visit): row for visits in found.values() for visit, row in zip(visits, _chosen(visits), strict=True)}
    order = {tube.sample.sample: place for place, tube in enumerate(timeline)}
    in_order = sorted((visit for visits in found.values() for visit in visits), key=lambda visit: order[visit.sample])
    days = {one.donor: one.first_day for one in donors} if len(donors) > 1 else {}
    together = [_of_donor(chosen[id(visit)], visit.donor, days) for visit in in_order]
    alone = [
        _of_donor(row, visit.donor, days) for visit in in_order for name, row in visit.rows.items() if len(name) == 1
    ]
    return together, alone


def _told(donors: Sequence[Donor], cuts: Sequence[HlaCut]) -> list[str]:
    """Whose cells there are rows about: the only donor's, or those of all and of each that an antibody tells apart."""
    if len(donors) < 2:
        return [donors[0].donor if donors else ""]
    apart = {cut.whose for cut in cuts if cut.direction}
    return [ALL_DONORS, *(one.donor for one in donors if one.donor in apart)]


def _about(markers: Mapping[str, MarkerCuts], donor: str) -> dict[str, MarkerCuts]:
    """The markers that tell of a donor, or of all."""
    return {name: cuts for name, cuts in markers.items() if cuts.at(ALL).whose == donor}


def _of_donor(row: ChimerismRow, donor: str, first_days: Mapping[str, float]) -> ChimerismRow:
    """The row with its donor; before a donor's first cells it is a control, which the reason says."""
    early = "before_the_first_cells_of_this_donor" if row.day < first_days.get(donor, -math.inf) else ""
    return replace(row, donor=donor, reason=joined([row.reason, early]))


_NO_ROW = "no HLA marker of this panel has a row in hla_cuts.tsv for this donor"
_NO_MARKER = {ALL_DONORS: "no antibody of this panel marks the cells of all donors alike: see the rows of each donor"}


@dataclass(frozen=True, slots=True)
class _Visit:
    """One population of one sample; `rows` by the markers that each rests on, one or two of opposite direction."""

    work: Population
    markers: Mapping[str, MarkerCuts]
    rows: dict[tuple[str, ...], ChimerismRow]
    donor: str = ""

    @property
    def sample(self) -> str:
        return self.work.tube.sample.sample

    def separation(self, names: tuple[str, ...]) -> float:
        """How far blank and donor reference lie apart by these markers; nan where they do not serve."""
        row = self.rows.get(names)
        apart = row.controls.told_apart if row and row.controls else math.nan
        return apart if apart >= self.work.choices.min_separation else math.nan


def _chosen(visits: Sequence[_Visit]) -> list[ChimerismRow]:
    """The row of all antibodies together, for each visit of one population and panel.

    The same antibodies serve at all visits, since another one has another bias. Of those that serve at more than half
    of the visits: two of opposite direction before one; those that serve at most visits; then those with the greatest
    distance between blank and donor reference where it is least. Only the controls decide. A visit where they do not
    serve takes the next, and says so.
    """

    def rank(names: tuple[str, ...]) -> tuple[bool, int, int, float]:
        apart = [one for visit in visits if not math.isnan(one := visit.separation(names))]
        return 2 * len(apart) > len(visits), len(names), len(apart), min(apart, default=0.0)

    def best(direction: Direction) -> tuple[str, ...]:
        those = dict.fromkeys(n for v in visits for n, row in v.rows.items() if row.direction == direction)
        return max(those, key=rank, default=())

    pair = best(Direction.DONOR_POSITIVE) + best(Direction.RECIPIENT_POSITIVE)
    if len(pair) == 2:
        for visit in visits:
            if all(name in visit.markers for name in pair):
                both = visit.work.row(Markers(tuple(visit.markers[name] for name in pair)))
                visit.rows[pair] = both
                for name in pair:  # one antibody alone does not show it
                    visit.rows[name,] = _beside(both, visit.rows[name,])
    candidates = sorted(dict.fromkeys(names for visit in visits for names in visit.rows), key=rank, reverse=True)
    rows = []
    for visit in visits:
        serving = [names for names in candidates if not math.isnan(visit.separation(names))]
        if not visit.markers:
            rows.append(visit.work.without(_NO_MARKER.get(visit.donor, _NO_ROW)))
        elif failed(visit.work.flags):
            rows.append(visit.work.without("", ChimerismStatus.INDETERMINATE))
        elif not serving:
            rows.append(_uninformed([row for names, row in visit.rows.items() if len(names) == 1]))
        else:
            row = visit.rows[serving[0]]
            if serving[0] != candidates[0]:
                usual = next(v.rows[candidates[0]].antibody for v in visits if candidates[0] in v.rows)
                row = replace(row, reason=joined([row.reason, f"antibody_differs ({usual} at other visits)"]))
            rows.append(row)
    return rows


def _beside(both: ChimerismRow, alone: ChimerismRow) -> ChimerismRow:
    """The row of one antibody, after what two together tell of the stain.

    Where that leaves the two without an answer the one has none either: which of them failed is not known.
    """
    stain = [part for part in both.reason.split("; ") if part.startswith((STAIN_FAILED, STAIN_UNLIKE))]
    row = replace(alone, reason=joined([alone.reason, *stain]))
    if not stain or both.estimate.status is not ChimerismStatus.INDETERMINATE:
        return row
    indeterminate = Estimate(status=ChimerismStatus.INDETERMINATE)
    return replace(row, estimate=indeterminate, donor_cells=UNKNOWN, change=UNKNOWN)


def _uninformed(rows: Sequence[ChimerismRow]) -> ChimerismRow:
    """The row where no antibody serves, with what is against each."""
    indeterminate = [row for row in rows if row.estimate.status is ChimerismStatus.INDETERMINATE]
    chosen = (indeterminate or list(rows))[0]
    if len(rows) == 1:
        return chosen
    return replace(
        chosen,
        controls=None,
        donor_cells=UNKNOWN,
        change=UNKNOWN,
        reason=joined([f"{row.antibody}: {row.reason}" for row in rows]),
    )


def infused_doses(patient: Patient, infusions: Sequence[Mapping[str, str]]) -> list[tuple[float, float]]:
    """Day and infused cells per kg of each infusion; nan where one is not known."""
    if not infusions:
        return [(0.0, patient.dose_per_kg)]
    doses = [(row["day"], row.get("cells_per_kg", "")) for row in infusions]
    return [(float(day), math.nan if dose in ("", "NA") else float(dose)) for day, dose in doses]
