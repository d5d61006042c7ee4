"""`nktrace page-patient`: the page of one patient."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any

from nktrace.files.atomic import replacing
from nktrace.files.choices import from_json
from nktrace.files.rows import load_patient
from nktrace.files.tables import NA, read_rows, read_table
from nktrace.model.chimerism import of_all_donors, of_one_donor
from nktrace.pages.patient import patient_page

CURVE_NUMBERS = ("day", "fitted", "fitted_low", "fitted_high")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("samples", nargs="*", type=Path, help="results/samples/SAMPLE of the patient's timeline")
    parser.add_argument("--patient", required=True, type=load_patient, metavar="ROW", help="the patient as JSON")
    parser.add_argument("--settings", required=True, type=from_json, metavar="JSON")
    parser.add_argument("--results", required=True, type=Path, help="results/patients/PATIENT")
    parser.add_argument("--external", nargs="*", default=[], help="external_chimerism.tsv, where the patient has one")
    parser.add_argument("--output", required=True, help="report.html")


def run(args: argparse.Namespace) -> int:
    """Read the patient's tables and those of its samples, write its page."""
    tables = {
        name: read_table(args.results / f"{name}.tsv", name)
        for name in ("counts", "count_checks", "chimerism", "trajectories", "kinetics", "subset_change")
    }
    every = tables["chimerism"]
    tables["chimerism"] = of_all_donors(every)
    here = {directory.name for directory in args.samples}
    html = patient_page(
        args.patient.patient,
        samples=[sample for sample in args.patient.samples if sample.sample in here],
        **tables,
        by_donor=of_one_donor(every),
        curves=[_curve_row(row) for row in read_rows(args.results / "curves.tsv")],
        cuts=read_rows(args.results / "hla_cuts.tsv"),
        subsets=[row for directory in args.samples for row in read_table(directory / "subsets.tsv", "subsets")],
        checks=[row for directory in args.samples for row in read_table(directory / "qc.tsv", "qc")],
        thresholds=args.settings.kinetics.thresholds,
        events=args.patient.events,
        infusions=args.patient.infusions,
        external=[row for path in args.external for row in read_table(path, "external_chimerism")],
        overrides=[row for directory in args.samples for row in read_table(directory / "overrides.tsv", "overrides")],
    )
    with replacing(args.output) as draft:
        draft.write_text(html, encoding="utf-8")
    return 0


def _curve_row(row: dict[str, str]) -> dict[str, Any]:
    numbers = {name: math.nan if row[name] == NA else float(row[name]) for name in CURVE_NUMBERS}
    return {name: None if value == NA else value for name, value in row.items()} | numbers
