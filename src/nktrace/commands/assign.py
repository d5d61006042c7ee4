"""`nktrace assign`: cluster, subset and HLA calls of one sample's NK cells."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nktrace.files.blanks import read_blanks
from nktrace.files.checks import write_checks
from nktrace.files.choices import from_json
from nktrace.files.clusters import read_reference
from nktrace.files.hla_cuts import read_hla_cuts
from nktrace.files.lineages import read_lineages
from nktrace.files.nk import NkTable, write_nk
from nktrace.files.panels import read_panel
from nktrace.files.rows import load_sample
from nktrace.files.shifts import read_shifts, write_gate_error
from nktrace.files.subset_rules import read_subset_rules
from nktrace.files.tables import read_table, write_table
from nktrace.model.chimerism import MarkerCuts, cuts_by_marker
from nktrace.model.clusters import NOT_ALIGNED, ClusterReference
from nktrace.model.errors import ReferenceUnusable
from nktrace.model.events import Events, Mask
from nktrace.model.lineages import Lineages
from nktrace.model.nk_drift import MarkerShift
from nktrace.model.panel import Kind, Panel
from nktrace.model.quality import Check
from nktrace.model.subsets import NK, SubsetCount
from nktrace.science.drawing import generator
from nktrace.science.mapping import map_events, reference_values
from nktrace.science.nk_alignment import aligned, alignment_check, control_quantiles
from nktrace.science.nk_checks import shift_checks, unassigned_check
from nktrace.science.nk_drift import marker_shifts
from nktrace.science.product_check import donor_t_cells
from nktrace.science.subset_error import subset_shifts
from nktrace.science.subset_probability import subset_probabilities
from nktrace.science.subsets import call_subsets, nk_members


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("lineages", help="lineages.parquet of the sample")
    parser.add_argument("--shifts", required=True, help="shifts.parquet of the sample")
    parser.add_argument("--sample", required=True, type=load_sample, metavar="ROW", help="the sample's row as JSON")
    parser.add_argument("--panel", required=True, help="panel sheet")
    parser.add_argument("--subsets", required=True, help="nk_subsets.tsv")
    parser.add_argument("--settings", required=True, type=from_json, metavar="JSON")
    parser.add_argument("--reference", required=True, metavar="DIR", help="cluster reference of the panel")
    parser.add_argument("--cuts", nargs="?", help="hla_cuts.tsv of the patient; without it there are no HLA calls")
    parser.add_argument("--product-cd3", type=float, help="largest share of T cells of the products so far, or nan")
    parser.add_argument("--blanks", nargs="*", default=[], help="blanks.tsv of the panel's reference, beside products")
    parser.add_argument("--checks", required=True, help="gate_checks.tsv of the sample")
    parser.add_argument("--controls", nargs="*", default=[], help="lineages.parquet of the batch's controls")
    parser.add_argument("--output-dir", required=True, metavar="DIR", help="results/samples/SAMPLE")


def run(args: argparse.Namespace) -> int:
    """Write nk.parquet, subsets.tsv and its gate error, qc.tsv and nk_drift.tsv.

    A sample that could not be read gives all without rows, but for the checks that say so.
    """
    panel = read_panel(args.panel)
    rules = read_subset_rules(args.subsets)
    reference = read_reference(args.reference)
    lineages = read_lineages(args.lineages)
    gate_checks = read_table(args.checks, "qc")
    sample, output = args.sample.sample, Path(args.output_dir)
    for name, of_panel in (("the cluster reference", reference.panel), ("the sample", lineages.panel)):
        if of_panel != panel.name:
            raise ReferenceUnusable(f"{name} is of panel {of_panel}, not of {panel.name}", where=args.reference)
    if lineages.failure:
        write_nk(output / "nk.parquet", _nothing(sample, panel))
        write_table(output / "subsets.tsv", "subsets", [])
        write_gate_error(output / "subset_error.tsv", sample, [])
        write_table(output / "nk_drift.tsv", "nk_drift", [])
        write_checks(output / "qc.tsv", sample, [], before=gate_checks)
        return 0
    error = subset_shifts(rules, lineages, read_shifts(args.shifts))
    calls = call_subsets(
        rules,
        nk_members(lineages),
        markers=panel.markers,
        level=args.settings.level,
        doubts=lineages.doubts,
        shifts=error,
    )
    sure = subset_probabilities(rules, lineages, calls, level=args.settings.level)
    mapped = _mapped(args, lineages, reference, panel)
    rows = read_hla_cuts(args.cuts) if args.cuts else []
    cuts = cuts_by_marker(rows, panel=panel.name, batch=args.sample.batch)
    nk = NkTable(
        sample=sample,
        panel=panel.name,
        event=lineages.event[lineages.nk_rows],
        markers=lineages.nk_markers,
        cluster=mapped.cluster,
        subset=calls.labels,
        subset_probability=sure.called,
        novelty=mapped.novelty,
        hla=_hla_calls(lineages, panel, _nk_cuts(cuts)),
    )
    write_nk(output / "nk.parquet", nk)
    write_table(output / "subsets.tsv", "subsets", [_row(sample, count) for count in sure.counts])
    write_gate_error(output / "subset_error.tsv", sample, error)
    write_table(output / "nk_drift.tsv", "nk_drift", [_drift_row(sample, shift) for shift in mapped.shifts])
    write_checks(output / "qc.tsv", sample, (*mapped.checks, *_of_product(args, lineages, cuts)), before=gate_checks)
    return 0


@dataclass(frozen=True, slots=True)
class _Mapped:
    """NK events on the clusters of the reference, shape (nk events,) each, and how far they stand from them."""

    cluster: NDArray[np.int32]
    novelty: NDArray[np.float32]
    shifts: tuple[MarkerShift, ...]
    checks: tuple[Check, ...]


def _mapped(args: argparse.Namespace, lineages: Lineages, reference: ClusterReference, panel: Panel) -> _Mapped:
    """Map the NK events, aligned where that is asked for, and hold them against the reference."""
    clustering, sample = args.settings.clustering, args.sample
    if reference.align != clustering.align:
        raise ReferenceUnusable(
            f"was fitted with clustering.align: {reference.align}, and is used with {clustering.align}",
            where=args.reference,
            mend="Set it back, or raise reference_version to fit a new one",
        )
    values = reference_values(lineages.nk_markers, reference)
    own = None
    checks: list[Check] = []
    if clustering.align != NOT_ALIGNED:
        if reference.clusters:
            controls = map(read_lineages, args.controls)
            by_batch = control_quantiles(controls, panel=reference.panel, markers=reference.markers)
            own = by_batch.get(lineages.batch)
        checks.append(alignment_check(own, reference, batch=lineages.batch))
    moved = aligned(values, own, reference.quantiles)
    cluster, novelty = map_events(Events(moved, reference.markers), reference, max_novelty=clustering.max_novelty)
    left_out = sample.left_out(panel)
    shifts = marker_shifts(
        values,
        reference,
        level=args.settings.level,
        rng=generator(args.settings.seed, sample.sample, "drift"),
        aligned=None if moved is values else moved,
        left_out=left_out,
    )
    checks.append(
        unassigned_check(
            cluster,
            novelty,
            reference,
            max_novelty=clustering.max_novelty,
            limit=clustering.max_unassigned,
            level=args.settings.level,
            left_out=left_out,
        )
    )
    between = dict(zip(reference.markers, reference.between.tolist(), strict=False))  # empty without places
    checks += shift_checks(shifts, limit=clustering.max_shift, between=between)
    return _Mapped(cluster, novelty, shifts, tuple(checks))


def _of_product(args: argparse.Namespace, lineages: Lineages, cuts: Mapping[str, MarkerCuts]) -> Iterator[Check]:
    """Donor T cells where the rule tells of a product."""
    if args.product_cd3 is None:
        return
    settings = args.settings.chimerism
    yield donor_t_cells(
        lineages,
        cuts.values(),
        product_cd3=args.product_cd3,
        most_cd3=args.settings.qc.nk_product_cd3,
        min_events=settings.min_events,
        blank_cv=settings.assumed_blank_cv if settings.blank_cv is None else settings.blank_cv,
        blanks=read_blanks(args.blanks) if settings.blank_cv is None else None,
        level=args.settings.level,
    )


def _nk_cuts(cuts: Mapping[str, MarkerCuts]) -> dict[str, float]:
    """The cut of each HLA marker for NK cells of the sample's batch."""
    found = {marker: own.at(NK).cut for marker, own in cuts.items()}
    return {marker: cut for marker, cut in found.items() if not math.isnan(cut)}


def _hla_calls(lineages: Lineages, panel: Panel, cuts: Mapping[str, float]) -> dict[str, Mask | None]:
    """Which NK events lie at or above each marker's cut; None where there is no usable cut."""
    markers = [detector.marker for detector in panel.of_kind(Kind.HLA)]
    return {
        marker: lineages.hla[marker][lineages.nk_rows] >= cuts[marker]
        if marker in cuts and marker in lineages.hla
        else None
        for marker in markers
    }


def _nothing(sample: str, panel: Panel) -> NkTable:
    """No events, with the columns that the panel gives."""
    markers = tuple(detector.marker for detector in panel.used if detector.kind is not Kind.TIME)
    return NkTable(
        sample=sample,
        panel=panel.name,
        event=np.empty(0, np.int32),
        markers=Events(np.empty((0, len(markers)), np.float32, order="F"), markers),
        cluster=np.empty(0, np.int32),
        subset=np.empty(0, np.str_),
        subset_probability=np.empty(0, np.float32),
        novelty=np.empty(0, np.float32),
        hla={detector.marker: None for detector in panel.of_kind(Kind.HLA)},
    )


def _drift_row(sample: str, found: MarkerShift) -> dict[str, object]:
    return {
        "sample": sample,
        "marker": found.marker,
        "shift": found.shift.value,
        "ci_low": found.shift.low,
        "ci_high": found.shift.high,
        "aligned_shift": found.aligned.value,
    }


def _row(sample: str, count: SubsetCount) -> dict[str, object]:
    return {
        "sample": sample,
        "subset": count.subset,
        "cl_id": count.cl_id or None,
        "events": count.events,
        "nk_events": count.nk_events,
        "fraction_of_nk": count.fraction.value,
        "ci_low": count.fraction.low,
        "ci_high": count.fraction.high,
        "status": count.status.value,
        "reason": count.reason or None,
        "probability": count.probability,
        "expected_events": count.expected_events,
        "support": count.support,
    }
