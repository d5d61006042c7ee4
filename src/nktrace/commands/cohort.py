"""`nktrace cohort`: the tables of all samples and patients below each other, and what the cohort shows."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nktrace.files.choices import from_json
from nktrace.files.rows import load_rows
from nktrace.files.stacking import stack_tables
from nktrace.files.tables import read_table, write_table
from nktrace.model.study import Role

SAMPLE_TABLES = ("populations", "gates", "overrides", "qc", "nk_drift", "subsets")
PATIENT_TABLES = (
    *("counts", "count_checks", "chimerism", "chimerism_by_antibody", "trajectories", "kinetics"),
    "subset_change",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--samples", required=True, metavar="JSON", help="a list of {sample, panel, role}, in order")
    parser.add_argument(
        "--patients", required=True, metavar="JSON", help="a list of {patient, arm, death_day}, in order"
    )
    parser.add_argument("--settings", required=True, type=from_json, metavar="JSON")
    parser.add_argument("--results", required=True, type=Path, help="has samples/ and patients/, gets cohort/")
    parser.add_argument("--references", nargs="*", type=Path, default=[], help="clusters/reference.json of each panel")


def run(args: argparse.Namespace) -> int:
    """Write results/cohort/: the stacked tables, subset_change_tests.tsv, cohort.tsv and clusters.tsv."""
    from nktrace.science.subset_change_cohort import cohort_rows, compare_changes
    from nktrace.science.summaries import summarise_cohort

    samples = load_rows(args.samples, "--samples")
    patients = load_rows(args.patients, "--patients")
    cohort = args.results / "cohort"
    for names, tables, where in (
        ([row["sample"] for row in samples], SAMPLE_TABLES, "samples"),
        ([row["patient"] for row in patients], PATIENT_TABLES, "patients"),
    ):
        for table in tables:
            paths = [args.results / where / name / f"{table}.tsv" for name in names]
            stack_tables(paths, table, cohort / f"{table}.tsv")
    level, kinetics = args.settings.level, args.settings.kinetics
    summary = summarise_cohort(
        patients,
        read_table(cohort / "trajectories.tsv", "trajectories"),
        read_table(cohort / "kinetics.tsv", "kinetics"),
        days=kinetics.days,
        window=kinetics.window,
        level=level,
        seed=args.settings.seed,
    )
    changes = read_table(cohort / "subset_change.tsv", "subset_change")
    tests = list(compare_changes(patients, changes, days=kinetics.days, window=kinetics.window, level=level))
    write_table(cohort / "subset_change_tests.tsv", "subset_change_tests", (test.as_row() for test in tests))
    write_table(cohort / "cohort.tsv", "cohort", (*summary, *cohort_rows(tests, level=level)))
    _write_clusters(cohort / "clusters.tsv", args.references, samples, args.results / "samples")
    return 0


def _write_clusters(path: Path, references: Sequence[Path], samples: Sequence[dict[str, Any]], results: Path) -> None:
    """The clusters of every panel, with their share of the NK cells of all samples; FMO controls lack a marker."""
    from nktrace.files.clusters import read_reference, write_clusters_table
    from nktrace.files.nk import read_clusters
    from nktrace.science.clustering import mean_fractions

    with_fractions = []
    for reference in (read_reference(file.parent) for file in references):
        of_panel = [row["sample"] for row in samples if row["panel"] == reference.panel and row["role"] != Role.FMO]
        clusters = {sample: read_clusters(results / sample / "nk.parquet") for sample in of_panel}
        with_fractions.append((reference, mean_fractions(reference, clusters)))
    write_clusters_table(path, with_fractions)
