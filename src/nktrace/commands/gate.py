"""`nktrace gate`: gates, populations and quality of one sample, and what later steps need of its events."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from nktrace.commands.fit_gates import estimation
from nktrace.commands.survey import add_tube_arguments
from nktrace.files.acquisition import Acquisition, read_acquisition
from nktrace.files.gate_reference import read_gate_reference
from nktrace.files.gating_table import read_gating_table
from nktrace.files.gatingml import write_gating_ml
from nktrace.files.lineages import write_lineages
from nktrace.files.panels import read_panel
from nktrace.files.pictures import write_pictures
from nktrace.files.tables import write_table
from nktrace.model.errors import CompensationError, NktraceError, PanelMismatch, UnreadableFcs
from nktrace.model.events import Events
from nktrace.model.gates import ROOT, GatedSample, GatingRow
from nktrace.model.lineages import Lineages
from nktrace.model.panel import Kind, Panel
from nktrace.model.quality import Check, Verdict
from nktrace.model.study import Sample
from nktrace.model.transforms import Scale
from nktrace.science.counting import vol_to_ul
from nktrace.science.doubt import doubts
from nktrace.science.drawing import generator
from nktrace.science.gating.settle import settle
from nktrace.science.gating.tree import expanded, gate_sample, resolve
from nktrace.science.intervals import wilson
from nktrace.science.pictures import take_pictures
from nktrace.science.quality import checks
from nktrace.science.transforms import to_exact_scale, to_scale

Rows = list[dict[str, object]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_tube_arguments(parser)
    parser.add_argument("--gating", required=True, help="gating table")
    parser.add_argument("--reference", required=True, metavar="DIR", help="gate reference of the panel")
    parser.add_argument("--output-dir", required=True, type=Path, metavar="DIR", help="results/samples/SAMPLE")


def run(args: argparse.Namespace) -> int:
    """Write all of a sample's gating; a file that cannot be read gives tables without rows, and says why."""
    panel = read_panel(args.panel)
    reference = read_gate_reference(args.reference)
    rows, skipped = resolve(read_gating_table(args.gating), panel)
    sample: Sample = args.sample
    try:
        tube = read_acquisition(
            args.fcs, sample, panel, matrix=args.matrix, max_condition=args.settings.compensation.max_condition
        )
    except (UnreadableFcs, CompensationError, PanelMismatch) as error:
        _write_failure(args.output_dir, sample, panel, rows, error)
        return 0
    scale = reference.scale(sample.batch)
    events = to_scale(tube.events, scale)
    kept = np.flatnonzero(tube.finite)
    clean = events if tube.finite.all() else events.select(tube.finite)
    gated = gate_sample(
        clean,
        rows,
        panel=panel,
        priors=reference.prior(sample.batch),
        tops=tube.tops,
        options=estimation(args.settings),
        rng=generator(args.settings.seed, sample.sample, "gates"),
        skipped=skipped,
        without=sample.stain or "",
    )
    gated = settle(gated, clean, scale=scale, reference=lambda rows: to_exact_scale(tube.exact(kept[rows]), scale))
    gated = expanded(gated, tube.finite)
    quality = [
        Check(check="readable", value=float(len(events)), status=Verdict.PASS),
        *_tube_checks(tube, args.settings.counts.volume_unit),
        *checks(gated, tube.events, panel=panel, off_scale=tube.off_scale, limits=args.settings.qc),
    ]
    output: Path = args.output_dir
    write_table(output / "populations.tsv", "populations", _populations(sample, gated, args.settings.level))
    write_table(output / "gates.tsv", "gates", _cuts(sample, gated))
    write_table(output / "qc.tsv", "qc", _quality(sample, quality))
    write_gating_ml(output / "gates.xml", gated.gates, scale=scale, detectors=tube.detectors, spillover=tube.spillover)
    write_lineages(output / "lineages.parquet", _lineages(sample, panel, tube, events, gated, rows))
    write_pictures(output / "pictures.npz", take_pictures(events, gated, panel=panel, scale=scale))
    return 0


def _populations(sample: Sample, gated: GatedSample, level: float) -> Rows:
    rows: Rows = []
    sizes = {name: int(np.count_nonzero(mask)) for name, mask in gated.masks.items()}
    sizes[ROOT] = next(iter(gated.masks.values())).size if gated.masks else 0
    for gate in gated.gates:
        share = wilson(sizes[gate.population], sizes[gate.parent], level=level)
        empty = sizes[gate.parent] == 0
        rows.append(
            {
                "sample": sample.sample,
                "population": gate.population,
                "parent": gate.parent,
                "events": sizes[gate.population],
                "parent_events": sizes[gate.parent],
                "fraction": share.value,
                "ci_low": share.low,
                "ci_high": share.high,
                "gate_source": gate.source.value,
                "status": gate.status.value,
                "reason": "; ".join(filter(None, (gate.reason, "the parent has no events" if empty else ""))),
            }
        )
    return rows


def _cuts(sample: Sample, gated: GatedSample) -> Rows:
    return [
        {
            "sample": sample.sample,
            "population": gate.population,
            "channel": edge.channel,
            "edge": edge.edge,
            "value": edge.value,
            "ci_low": edge.low,
            "ci_high": edge.high,
            "prior": edge.prior,
            "gate_source": edge.source.value,
            "distance": edge.distance,
        }
        for gate in gated.gates
        for edge in gate.edges
    ]


def _quality(sample: Sample, quality: list[Check]) -> Rows:
    return [
        {
            "sample": sample.sample,
            "check": check.check,
            "value": check.value,
            "limit": check.limit,
            "status": check.status.value,
            "reason": check.reason,
        }
        for check in quality
    ]


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


def _lineages(
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
    )


def _write_failure(
    output: Path, sample: Sample, panel: Panel, rows: tuple[GatingRow, ...], error: NktraceError
) -> None:
    write_table(output / "populations.tsv", "populations", [])
    write_table(output / "gates.tsv", "gates", [])
    failure = Check(check="readable", status=Verdict.FAIL, reason=str(error))
    write_table(output / "qc.tsv", "qc", _quality(sample, [failure]))
    write_gating_ml(output / "gates.xml", (), scale=Scale({}), detectors={}, spillover=None)
    markers = tuple(detector.marker for detector in panel.used if detector.kind is not Kind.TIME)
    nothing = np.empty(0, np.float32)
    write_lineages(
        output / "lineages.parquet",
        Lineages(
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
    write_pictures(output / "pictures.npz", [])
