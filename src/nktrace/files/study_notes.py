"""What a study that has no faults can nevertheless not give, or gives only with a flag: said before it runs."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping

from nktrace.files.nearest import suggestion
from nktrace.model.gates import GatingTable
from nktrace.model.panel import Kind, Panel
from nktrace.model.study import EX_VIVO, ON_THE_TIMELINE, Role, Sample, Study
from nktrace.science.gating.tree import resolve

# populations whose names later steps rely on
RELIED_ON = (
    *("beads", "singlets", "live", "leukocytes", "lymphocytes", "cd3", "cd4_t", "cd8_t", "t_cells", "nkt_like"),
    *("b_cells", "nk", "nk_bright", "nk_dim"),
)
_SHOWN = 5
# column, what lies beyond, least and most that is plausible, what was most likely meant
_PLAUSIBLE = (
    ("wbc_per_ul", 100, 500_000, "is it in 10⁹/L, or per litre? Cells per µL are a thousand times the former"),
    ("beads_per_tube", 1_000, 10_000_000, "is it the number in the whole tube, from the lot's certificate?"),
    ("blood_ul", 5, 2_000, "is it in µL?"),
    ("acquired_ul", 1, 10_000, "is it in µL?"),
)


def notes(study: Study, panels: Mapping[str, Panel], *, with_volume: Collection[str]) -> Iterator[str]:
    """One line for each thing that is missing or doubtful, with whom it concerns.

    Args:
        study: without faults, or the part of it that has none.
        panels: by name.
        with_volume: samples whose file says the acquired volume.
    """
    timeline = [s for s in study.samples.values() if s.role in ON_THE_TIMELINE and s.patient in study.patients]
    followed = [patient for patient in study.patients if study.samples_of(patient)]
    yield from _line("no samples on the timeline, so no patient's page", sorted(set(study.patients) - set(followed)))
    yield from _chimerism(study, followed, panels)
    uncounted = [s.sample for s in timeline if s.condition == EX_VIVO and not _countable(s, with_volume)]
    yield from _line("no counts without wbc_per_ul and lymphocyte_fraction, beads and blood_ul, or a volume", uncounted)
    yield from _units(timeline)
    yield from _line("sex is NA, so no reference ranges", [p for p in followed if not study.patients[p].sex])
    ageless = [p for p in followed if study.patients[p].sex and math.isnan(study.patients[p].age_years)]
    yield from _line("age_years is NA, so the reference ranges are those of adults", ageless)
    late = [s.sample for s in timeline if s.patient and s.day > study.patients[s.patient].death_day]
    yield from _line("the day is after the patient's death_day", late)
    for patient in followed:
        days = sorted({s.day for s in study.samples_of(patient) if s.role is Role.BASELINE})
        if len(days) > 1:
            yield f"{patient} has baselines of {len(days)} days ({', '.join(f'{day:g}' for day in days)})"
    yield from _controls(study, panels)
    yield from _shared_files(study)


def gating_notes(table: GatingTable, panel: Panel, *, own: str) -> Iterator[str]:
    """What of a gating table a panel cannot carry out.

    Args:
        table: the gating table.
        panel: the panel that it is for.
        own: the file, where the study has its own table: each row is named then, since it may be a typo.
    """
    _, skipped = resolve(table, panel)
    dropped = {row.population: row.reason for row in skipped if row.dropped}
    if own:
        for row in table.rows:
            if row.population in dropped:
                lacking = [names[0] for names in row.channels if not any(name in panel for name in names)]
                mend = f". {suggestion(lacking[0], panel.markers)}" if lacking else ""
                yield f"{own}: {row.population} is dropped, since {dropped[row.population]}{mend}"
    elif dropped:
        if "nk" in dropped:
            yield f"panel {panel.name} gives no NK cells: {dropped['nk']}"
        named = [population for population in dropped if population in RELIED_ON]
        others = [f"{len(dropped) - len(named)} others"] if len(dropped) > len(named) else []
        yield f"panel {panel.name} can't give {', '.join(named + others)}: it lacks their markers"
    if left_out := [row.population for row in skipped if not row.dropped]:
        yield f"panel {panel.name} does without {', '.join(left_out)}"


def _chimerism(study: Study, followed: list[str], panels: Mapping[str, Panel]) -> Iterator[str]:
    if not any(panel.of_kind(Kind.HLA) for panel in panels.values()):
        if followed and panels:
            yield "no panel has a detector of kind hla, so no chimerism"
        return
    untyped = [p for p in followed if not study.patients[p].recipient_hla]
    yield from _line("recipient_hla is NA, so chimerism is indeterminate", untyped)
    untyped = [p for p in followed if any(not donor.hla for donor in study.donors_of(p))]
    yield from _line("donor_hla is NA, so chimerism is indeterminate", untyped)
    yield from _donors(study, followed)
    lone = [p for p in followed if study.panels_without_blank(p)]
    pooled = [p for p in lone if study.pooled_blanks(p)]
    yield from _line("no blank of its own, so the blanks of other patients are pooled (flagged)", pooled)
    yield from _line("no blank at all, so no chimerism", [p for p in lone if p not in pooled])
    without = [p for p in followed if not study.donor_references(p)]
    yield from _line("no donor reference, so the sensitivity is assumed (flagged)", without)
    donors = {p.donor for p in study.patients.values()} | {row["donor"] for row in study.infusions}
    strays = [
        s.sample for s in study.samples.values() if s.role is Role.DONOR and not s.patient and s.donor not in donors
    ]
    yield from _line("its donor is no patient's donor, so it serves nobody", strays)


def _donors(study: Study, followed: Iterable[str]) -> Iterator[str]:
    """Patients with several donors, and donors with two typings."""
    several = {p: study.donors_of(p) for p in followed}
    for patient, donors in several.items():
        if len(donors) > 1:
            names = " and ".join(donor.donor or "one without an id" for donor in donors)
            yield (
                f"{patient} met cells of {len(donors)} donors ({names}): each is estimated where an antibody marks its "
                "cells and no others, else they are estimated together"
            )
        typings = {(donor.donor, donor.hla) for donor in donors}
        rows = [r for r in study.infusions if r["patient"] == patient and r["donor_hla"]]
        usual = donors[0].donor
        odd = sorted({r["donor"] or usual for r in rows if (r["donor"] or usual, r["donor_hla"]) not in typings})
        yield from (f"{patient}: donor {name} has two typings, and the first written is used" for name in odd)


def _units(timeline: Iterable[Sample]) -> Iterator[str]:
    """Numbers for counting that were most likely written in another unit, and beads of two lots in one batch."""
    counted = list(timeline)
    for column, least, most, mend in _PLAUSIBLE:
        odd = [s.sample for s in counted if getattr(s, column) < least or getattr(s, column) > most]
        yield from _line(f"{column} is not between {least:,} and {most:,}: {mend}", odd)
    for batch in sorted({s.batch for s in counted}):
        lots = Counter(s.beads_per_tube for s in counted if s.batch == batch and not math.isnan(s.beads_per_tube))
        if len(lots) > 1:
            (usual, _), *_ = lots.most_common()
            others = [s.sample for s in counted if s.batch == batch and s.beads_per_tube in lots.keys() - {usual}]
            what = f"beads_per_tube is not the {usual:g} of batch {batch}'s other tubes: was another lot used?"
            yield from _line(what, others)


def _countable(sample: Sample, with_volume: Collection[str]) -> bool:
    pairs = ((sample.wbc_per_ul, sample.lymphocyte_fraction), (sample.beads_per_tube, sample.blood_ul))
    return (
        any(not math.isnan(one) and not math.isnan(other) for one, other in pairs)
        or not math.isnan(sample.acquired_ul)
        or sample.sample in with_volume
    )


def _controls(study: Study, panels: Mapping[str, Panel]) -> Iterator[str]:
    """Detectors that nothing is known of where a matrix is to come from controls."""
    asked = {(s.batch, s.panel) for s in study.samples.values() if s.compensation == "controls"}
    for batch, name in sorted(asked):
        if name not in panels:
            continue
        tubes = study.controls_of(batch, name)
        stained = {found.marker for s in tubes if s.stain and (found := panels[name].stained(s.stain))}
        what = f"no single stain in batch {batch}, panel {name}, so its spillover is not taken out"
        yield from _line(what, [marker for marker in panels[name].fluorescence if marker not in stained])
        if all(s.role is not Role.UNSTAINED for s in tubes):
            yield f"batch {batch}, panel {name} has no unstained tube: controls are held against their own dark events"


def _shared_files(study: Study) -> Iterator[str]:
    users: dict[str, list[str]] = {}
    for sample in study.samples.values():
        users.setdefault(sample.fcs, []).append(sample.sample)
    for fcs, names in users.items():
        if len(names) > 1:
            yield from _line(f"the same file, {fcs}, stands in {len(names)} rows", names)


def _line(what: str, whom: Iterable[str]) -> Iterator[str]:
    names = list(whom)
    if names:
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        yield f"{', '.join(names[:_SHOWN])}{more}: {what}"
