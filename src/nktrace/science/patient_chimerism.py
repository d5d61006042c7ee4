"""Donor chimerism of one patient: every sample on the timeline and population, each antibody and all together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np

from nktrace.model.chimerism import ChimerismRow, ChimerismStatus, HlaCut
from nktrace.model.hla import Direction
from nktrace.model.intervals import Interval
from nktrace.model.study import ON_THE_TIMELINE, Patient
from nktrace.science.doubt import Flags, failed
from nktrace.science.hla_controls import EX_VIVO, LINEAGE_OF, Tube, joined
from nktrace.science.population_chimerism import Choices, Markers, Population


def patient_chimerism(
    patient: Patient,
    tubes: Sequence[Tube],
    cuts: Sequence[HlaCut],
    *,
    cells_per_ul: Mapping[tuple[str, str], Interval],
    dose_per_kg: float,
    choices: Choices,
    doubts: Mapping[tuple[str, str], Flags] = MappingProxyType({}),
) -> tuple[list[ChimerismRow], list[ChimerismRow]]:
    """The rows of chimerism.tsv and of chimerism_by_antibody.tsv.

    Where a donor-positive and a recipient-positive antibody both inform, a cell counts as donor if both say so: what
    is positive for both (doublets, membrane picked up) or for neither (dropout) is in no class, and its share stands
    in `reason`. The blank and the donor reference are counted by the same rule, so the one formula holds.

    Args:
        tubes: the patient's tubes, its donor references, and other patients' blanks where they serve.
        cuts: rows of hla_cuts.tsv.
        cells_per_ul: counts by (sample, population).
        dose_per_kg: infused cells per kg; nan if not known.
        doubts: flags of doubtful gates by (sample, population), for the reasons; without an estimate if one failed.
    """
    by_sample = {tube.sample.sample: tube for tube in tubes}
    subsets = sorted({str(name) for tube in tubes for name in np.unique(tube.subset) if name})
    mine = [t for t in tubes if t.sample.patient == patient.patient and t.sample.role in ON_THE_TIMELINE]
    timeline = [
        tube
        for tube in sorted(mine, key=lambda tube: (tube.sample.day, tube.sample.sample))
        if tube.sample.condition == EX_VIVO and not tube.lineages.failure and tube.lineages.hla
    ]
    together: list[ChimerismRow] = []
    alone: list[ChimerismRow] = []
    for tube in timeline:
        markers = _markers_of(cuts, tube)
        for population in [*LINEAGE_OF, *subsets]:
            mask = tube.mask(population)
            if mask is None:
                continue
            flags = doubts.get((tube.sample.sample, population), ())
            work = Population(patient, tube, population, mask, by_sample, cells_per_ul, dose_per_kg, choices, flags)
            rows = [work.row(Markers((marker,))) for marker in markers]
            alone += rows
            together.append(_best(work, markers, rows))
    return together, alone


def _markers_of(cuts: Sequence[HlaCut], tube: Tube) -> list[dict[str, HlaCut]]:
    """Cuts by lineage for each HLA marker of a tube's panel."""
    return [
        {cut.population: cut for cut in cuts if cut.panel == tube.lineages.panel and cut.marker == marker}
        for marker in tube.lineages.hla
        if any(cut.panel == tube.lineages.panel and cut.marker == marker for cut in cuts)
    ]


def _best(work: Population, markers: Sequence[Mapping[str, HlaCut]], rows: Sequence[ChimerismRow]) -> ChimerismRow:
    """The row of all antibodies together: two of opposite direction where both inform, else the best one alone."""
    if not rows:
        return work.without("no HLA marker of this panel has a row in hla_cuts.tsv")
    if failed(work.flags):
        return work.without("", ChimerismStatus.INDETERMINATE)
    informing = [
        (row.controls.separation, number, row)
        for number, row in enumerate(rows)
        if row.controls is not None and row.estimate.status is not ChimerismStatus.INDETERMINATE
    ]
    best: dict[str, tuple[float, int, ChimerismRow]] = {}
    for separation, number, row in informing:
        if row.direction not in best or separation > best[row.direction][0]:
            best[row.direction] = (separation, number, row)
    if len(best) == 2:
        first, second = (best[d.value][1] for d in (Direction.DONOR_POSITIVE, Direction.RECIPIENT_POSITIVE))
        both = work.row(Markers((markers[first], markers[second])))
        if both.estimate.status is not ChimerismStatus.INDETERMINATE:
            return both
    if best:
        return max(best.values(), key=lambda one: one[0])[2]
    indeterminate = [row for row in rows if row.estimate.status is ChimerismStatus.INDETERMINATE]
    chosen = (indeterminate or list(rows))[0]
    if len(rows) == 1:
        return chosen
    return ChimerismRow(
        sample=chosen.sample,
        patient=chosen.patient,
        day=chosen.day,
        population=chosen.population,
        counts=chosen.counts,
        direction=chosen.direction,
        antibody=chosen.antibody,
        estimate=chosen.estimate,
        reason=joined([f"{row.antibody}: {row.reason}" for row in rows]),
    )


def infused_dose(patient: Patient, infusions: Sequence[Mapping[str, str]]) -> float:
    """Infused cells per kg, over all infusions where these are listed; nan where one is not known."""
    if not infusions:
        return patient.dose_per_kg
    doses = [infusion.get("cells_per_kg", "NA") for infusion in infusions]
    return sum(math.nan if dose == "NA" else float(dose) for dose in doses)
