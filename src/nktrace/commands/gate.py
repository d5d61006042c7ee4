"""`nktrace gate`: gates, populations and quality of one sample, and what later steps need of its events."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nktrace.commands.fit_gates import estimation
from nktrace.commands.survey import add_tube_arguments
from nktrace.files.acquisition import Acquisition, read_acquisition
from nktrace.files.compensation_report import read_controls
from nktrace.files.gate_reference import PANEL, GateReference, read_gate_reference
from nktrace.files.gated import Exported, Gating, Rows, exported_of, write_gating
from nktrace.files.gating_table import read_gating_table
from nktrace.files.overrides import Hierarchy, load_overrides
from nktrace.files.panels import read_panel
from nktrace.files.survey import Survey, read_survey
from nktrace.model.control_drift import BatchControl
from nktrace.model.errors import CompensationError, GatingError, NktraceError, PanelMismatch, UnreadableFcs
from nktrace.model.events import Events
from nktrace.model.gates import ROOT, Boolean, ExcessSettings, Gate, GatedSample, GatingRow
from nktrace.model.lineages import Lineages, gates_below_nk
from nktrace.model.overrides import Override
from nktrace.model.panel import Kind, Panel
from nktrace.model.quality import Check, Verdict
from nktrace.model.quality_pictures import QualityPictures
from nktrace.model.shifts import Shift
from nktrace.model.study import Role, Sample
from nktrace.science.compensation_controls import controls_check
from nktrace.science.control_drift import control_check, places
from nktrace.science.counting import vol_to_ul
from nktrace.science.doubt import doubts
from nktrace.science.drawing import generator
from nktrace.science.gating.settle import settle
from nktrace.science.gating.shifts import shifts
from nktrace.science.gating.tree import expanded, gate_sample, resolve
from nktrace.science.import_checks import import_checks
from nktrace.science.intervals import normal_quantile
from nktrace.science.patient_priors import cuts_of_baseline, of_patient, without_based
from nktrace.science.pictures import take_pictures, ticks
from nktrace.science.quality import checks, judged_rows
from nktrace.science.rescaling import rescaled
from nktrace.science.spill_residual import spill_pairs
from nktrace.science.transforms import to_exact_scale, to_scale

if TYPE_CHECKING:
    from nktrace.files.settings import Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_tube_arguments(parser)
    parser.add_argument("--gating", required=True, help="gating table")
    parser.add_argument("--reference", required=True, metavar="DIR", help="gate reference of the panel")
    parser.add_argument("--overrides", default="[]", metavar="JSON", help="what an analyst made of the sample's gates")
    parser.add_argument("--controls", nargs="?", help="report of the controls that the matrix comes from")
    parser.add_argument("--imported", nargs=2, metavar=("GATES", "NAMES"), help="gates drawn elsewhere, and our names")
    parser.add_argument("--baseline", nargs="?", metavar="SURVEY", help="survey.parquet of the patient's baseline")
    parser.add_argument("--gates-sample", default="", help="name of the sample in an imported workspace")
    parser.add_argument("--output-dir", required=True, type=Path, metavar="DIR", help="results/samples/SAMPLE")


def run(args: argparse.Namespace) -> int:
    """Write all of a sample's gating; a file that cannot be read gives tables without rows, and says why."""
    panel = read_panel(args.panel)
    reference = read_gate_reference(args.reference)
    rows, skipped = resolve(read_gating_table(args.gating), panel)
    overrides = load_overrides(args.overrides, Hierarchy(panel, rows, skipped))
    sample: Sample = args.sample
    try:
        tube = read_acquisition(
            args.fcs, sample, panel, matrix=args.matrix, max_condition=args.settings.compensation.max_condition
        )
    except (UnreadableFcs, CompensationError, PanelMismatch) as error:
        write_gating(args.output_dir, _unreadable(sample, panel, rows, error), level=args.settings.level)
        return 0
    scale = reference.scale(sample.batch)
    events = to_scale(tube.events, scale)
    if args.imported:
        return _run_imported(args, panel, rows, tube, events, reference)
    if args.baseline:
        reference = beside_baseline(reference, read_survey(args.baseline), rows, sample, panel, args.settings)
    gate = partial(gate_tube, tube, events, sample=sample, panel=panel, reference=reference, settings=args.settings)
    gated = replace(gate(rows, overrides=overrides), skipped=skipped)
    found, drawn = _checks(gated, tube, events, panel, reference, sample, args.settings)
    quality = [
        Check(check="readable", value=float(len(events)), status=Verdict.PASS),
        *_tube_checks(tube, args.settings.counts.volume_unit),
        *([controls_check(read_controls(args.controls))] if args.controls else []),
        *found,
    ]
    gating = Gating(
        sample=sample.sample,
        gated=gated,
        shifts=shifts_of(gated, tube, events, rows, overrides=overrides, level=args.settings.level),
        overridden=_overridden(sample, gated, rows, overrides, gate),
        checks=quality,
        exported=Exported(gates=gated.gates, scale=scale, detectors=tube.detectors, spillover=tube.spillover),
        lineages=lineages_of(sample, panel, tube, events, gated, rows),
        pictures=take_pictures(events, gated, panel=panel, scale=scale),
        quality_pictures=drawn,
    )
    write_gating(args.output_dir, gating, level=args.settings.level)
    return 0


def _run_imported(
    args: argparse.Namespace,
    panel: Panel,
    rows: tuple[GatingRow, ...],
    tube: Acquisition,
    events: Events,
    reference: GateReference,
) -> int:
    """The same files from gates that were drawn elsewhere; gates that cannot be read are as a file that cannot be."""
    from nktrace.files.gates_of_import import gate_by_import  # with FlowKit, which takes longer to load than a gate

    sample: Sample = args.sample
    scale = reference.scale(sample.batch)
    gates, names = args.imported
    try:
        done = gate_by_import(tube, events, scale, gates=gates, names=names, gates_sample=args.gates_sample)
    except (UnreadableFcs, CompensationError, GatingError) as error:
        write_gating(args.output_dir, _unreadable(sample, panel, rows, error), level=args.settings.level)
        return 0
    gated, imported = done.gated, done.imported
    found, drawn = _checks(gated, tube, events, panel, reference, sample, args.settings)
    quality = [
        Check(check="readable", value=float(len(events)), status=Verdict.PASS),
        *_tube_checks(tube, args.settings.counts.volume_unit),
        *([controls_check(read_controls(args.controls))] if args.controls else []),
        *import_checks(imported, spillover=tube.spillover),
        *found,
    ]
    # all rows of the table: a gate drawn elsewhere does without the markers that our own rule would need
    known = tuple(row for row in read_gating_table(args.gating).rows if row.population in gated.masks)
    gating = Gating(
        sample=sample.sample,
        gated=gated,
        checks=quality,
        exported=exported_of(imported),
        lineages=lineages_of(sample, panel, tube, events, gated, known),
        pictures=take_pictures(done.events, gated, panel=panel, scale=done.scale),
        quality_pictures=drawn,
    )
    write_gating(args.output_dir, gating, level=args.settings.level)
    return 0


def beside_baseline(
    reference: GateReference,
    survey: Survey,
    rows: tuple[GatingRow, ...],
    sample: Sample,
    panel: Panel,
    settings: Settings,
) -> GateReference:
    """The reference with the priors of a patient's sample, sharpened by the draw of the patient's baseline."""
    last = max((i for i, row in enumerate(rows) if isinstance(row.settings, ExcessSettings)), default=-1)
    if survey.failure or last < 0:
        return reference
    old, new = reference.scale(survey.batch), reference.scale(sample.batch)
    gated = gate_sample(
        to_scale(survey.events, old),
        rows[: last + 1],
        panel=panel,
        priors=without_based(reference.prior(survey.batch)),
        tops=survey.tops,
        options=estimation(settings),
        rng=generator(settings.seed, survey.sample, "baseline"),
    )
    cuts = rescaled(cuts_of_baseline(gated, z=normal_quantile(settings.level)), old=old, new=new)
    priors = of_patient(reference.prior(sample.batch), cuts, name=survey.sample)
    return replace(reference, priors={**reference.priors, sample.batch: priors})


def gate_tube(
    tube: Acquisition,
    events: Events,
    rows: tuple[GatingRow, ...],
    *,
    sample: Sample,
    panel: Panel,
    reference: GateReference,
    settings: Settings,
    overrides: Mapping[str, Override] | None = None,
) -> GatedSample:
    """The gates of a tube with the priors of its batch, as memberships of all events of its file.

    Args:
        tube: as acquired.
        events: its events on the scale of its batch.
        rows: resolved for the panel.
        sample, panel, reference, settings: what the tube is gated by.
        overrides: by population what an analyst made of its gate.
    """
    scale = reference.scale(sample.batch)
    kept = np.flatnonzero(tube.finite)
    clean = events if tube.finite.all() else events.select(tube.finite)
    gated = gate_sample(
        clean,
        rows,
        panel=panel,
        priors=reference.prior(sample.batch),
        tops=tube.tops,
        options=estimation(settings),
        rng=generator(settings.seed, sample.sample, "gates"),
        without=tube.without,
        overrides=overrides,
    )
    gated = settle(gated, clean, scale=scale, reference=lambda rows: to_exact_scale(tube.exact(kept[rows]), scale))
    return expanded(gated, tube.finite)


def shifts_of(
    gated: GatedSample,
    tube: Acquisition,
    events: Events,
    rows: tuple[GatingRow, ...],
    *,
    overrides: Mapping[str, Override],
    level: float,
) -> tuple[Shift, ...]:
    """What the uncertainty of a tube's gates does to its events; arguments as of `gate_tube`, `level` that of edges."""
    made_by = [_made_by(row, overrides.get(row.population)) for row in rows]
    return shifts(gated, events, made_by, finite=tube.finite, z=normal_quantile(level))


def _made_by(row: GatingRow, override: Override | None) -> GatingRow:
    """The row that a gate was made by: the table's, or the analyst's."""
    return override.change if override is not None and isinstance(override.change, GatingRow) else row


def _overridden(
    sample: Sample,
    gated: GatedSample,
    rows: tuple[GatingRow, ...],
    overrides: Mapping[str, Override],
    gate: Callable[..., GatedSample],
) -> Rows:
    """Each overridden gate beside what it would be if this override were not there and the others were."""
    found: Rows = []
    for position, row in enumerate(rows):
        if (override := overrides.get(row.population)) is None:
            continue
        others = {name: other for name, other in overrides.items() if name != row.population}
        without = gate(rows[: position + 1], overrides=others)
        automatic = without.gates[position]
        mine = gated.masks[row.population]
        found.append(
            {
                "sample": sample.sample,
                "population": row.population,
                "scope": "sample" if override.sample else "batch",
                "method": override.method,
                "settings": override.settings,
                "gate": _in_words(gated.gates[position]),
                "automatic_gate": _in_words(automatic),
                "automatic_source": automatic.source.value,
                "events": int(np.count_nonzero(mine)),
                "automatic_events": int(np.count_nonzero(without.masks[row.population])),
                "parent_events": mine.size if row.parent == ROOT else int(np.count_nonzero(gated.masks[row.parent])),
                "who": override.who,
                "when": override.when,
                "why": override.why,
            }
        )
    return found


def _in_words(gate: Gate) -> str:
    """The numbers of a gate as gates.tsv names them, or what a boolean is."""
    if isinstance(gate.shape, Boolean):
        return gate.shape.expression
    return "; ".join(f"{edge.channel} {edge.edge}={edge.value:.7g}" for edge in gate.edges)


def _checks(
    gated: GatedSample,
    tube: Acquisition,
    events: Events,
    panel: Panel,
    reference: GateReference,
    sample: Sample,
    settings: Settings,
) -> tuple[list[Check], QualityPictures]:
    """The checks that rest on the gates, and how the batch's control stands beside those of other batches."""
    found, drawn = checks(
        gated,
        tube.events,
        events,
        panel=panel,
        off_scale=tube.off_scale,
        pairs=spill_pairs(tube.spillover, tube.detectors, panel),
        limits=settings.qc,
    )
    own, scale = None, reference.scale(PANEL)
    if sample.role is Role.BATCH_CONTROL and reference.controls:
        cells = to_scale(tube.events.select(judged_rows(gated, len(events))), scale)
        place = places(cells, reference.controls.shapes)
        own = BatchControl(sample=sample.sample, batch=sample.batch, places=place)
    drift, control = control_check(own, reference.controls, batch=sample.batch, limit=settings.qc.max_control_drift)
    if control:
        control = replace(control, ticks=ticks(scale, control.marker, (0.0, 1.0)))
    return [*found, drift], replace(drawn, control=control)


def _tube_checks(tube: Acquisition, volume_unit: str) -> list[Check]:
    """What is known of the file before any gate: compensation, values that are no numbers, acquired volume."""
    found = []
    if tube.uncompensated:
        found.append(Check(check="compensation", status=Verdict.WARN, reason=tube.uncompensated))
    strange = int(np.count_nonzero(~tube.finite))
    if strange:
        reason = "events with a value that is not a finite number are in no population"
        found.append(Check(check="not_finite", value=strange, limit=0, status=Verdict.WARN, reason=reason))
    volume = tube.fcs.keywords.get("$VOL")
    if volume:
        microlitres = vol_to_ul(volume, tube.fcs.keywords.get("$CYT") or "", volume_unit)
        acquired = microlitres.value
        found.append(Check(check="acquired_ul", value=acquired, status=Verdict.PASS, reason=microlitres.reason))
    return found


def lineages_of(
    sample: Sample, panel: Panel, tube: Acquisition, events: Events, gated: GatedSample, rows: tuple[GatingRow, ...]
) -> Lineages:
    """Events that stand in any population that is more than an exclusion."""
    chosen = [row.population for row in rows if not row.exclusion and row.method not in ("time", "margin", "singlets")]
    keep = np.zeros(len(events), dtype=np.bool_)
    for population in chosen:
        keep |= gated.masks[population]
    event = np.flatnonzero(keep).astype(np.int32)
    nk = gated.masks["nk"] if "nk" in gated.masks else np.zeros(len(events), dtype=np.bool_)
    markers = tuple(detector.marker for detector in panel.used if detector.kind is not Kind.TIME)
    return Lineages(
        sample=sample.sample,
        panel=panel.name,
        batch=sample.batch,
        event=event,
        member={population: gated.masks[population][event] for population in chosen},
        hla={d.marker: tube.events.column(d.marker)[event] for d in panel.of_kind(Kind.HLA)},
        nk_rows=np.flatnonzero(nk[event]),
        nk_markers=events.take(markers).select(nk),
        doubts=doubts(gated.gates),
        nk_gates=gates_below_nk(gated.gates),
    )


def _unreadable(sample: Sample, panel: Panel, rows: tuple[GatingRow, ...], error: NktraceError) -> Gating:
    """Nothing but the reason."""
    markers = tuple(detector.marker for detector in panel.used if detector.kind is not Kind.TIME)
    nothing = np.empty(0, np.float32)
    return Gating(
        sample=sample.sample,
        checks=[Check(check="readable", status=Verdict.FAIL, reason=str(error))],
        lineages=Lineages(
            sample=sample.sample,
            panel=panel.name,
            batch=sample.batch,
            event=np.empty(0, np.int32),
            member={row.population: np.empty(0, np.bool_) for row in rows},
            hla={detector.marker: nothing for detector in panel.of_kind(Kind.HLA)},
            nk_rows=np.empty(0, np.int64),
            nk_markers=Events(np.empty((0, len(markers)), np.float32, order="F"), markers),
            failure=str(error),
        ),
    )
