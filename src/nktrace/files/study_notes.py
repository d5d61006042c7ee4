"""What a study that has no faults can nevertheless not give, or gives only with a flag: said before it runs."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping

from nktrace.files.nearest import suggestion
from nktrace.model.gates import GatingTable
from nktrace.model.panel import Kind, Panel
from nktrace.model.study import ON_THE_TIMELINE, Role, Sample, Study
from nktrace.science.gating.tree import resolve

# populations whose names later steps rely on
RELIED_ON = (
    *("beads", "singlets", "live", "leukocytes", "lymphocytes", "cd3", "cd4_t", "cd8_t", "t_cells", "nkt_like"),
    *("b_cells", "nk", "nk_bright", "nk_dim"),
)
_SHOWN = 5
_LEAST_WBC = 100  # per µL; a lower one was most likely written in 10⁹/L


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
    uncounted = [s.sample for s in timeline if s.condition == "ex_vivo" and not _countable(s, with_volume)]
    yield from _line("no counts without wbc_per_ul and lymphocyte_fraction, beads and blood_ul, or a volume", uncounted)
    small = [s.sample for s in timeline if s.wbc_per_ul < _LEAST_WBC]
    yield from _line(f"wbc_per_ul under {_LEAST_WBC}: is it in 10⁹/L? Cells per µL are a thousand times that", small)
    yield from _line("sex is NA, so no reference ranges", [p for p in followed if not study.patients[p].sex])
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
    for column in ("recipient_hla", "donor_hla"):
        untyped = [p for p in followed if not getattr(study.patients[p], column)]
        yield from _line(f"{column} is NA, so chimerism is indeterminate", untyped)
    other = {
        r["patient"] for r in study.infusions if r["donor_hla"] not in ("", study.patients[r["patient"]].donor_hla)
    }
    what = "infusions.tsv has another donor_hla than patients.tsv, and chimerism goes by the latter alone"
    yield from _line(what, sorted(other & set(followed)))
    lone = [p for p in followed if not study.own_blanks(p)]
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
