"""`nktrace page-cohort`: the page that people open first."""

from __future__ import annotations

import argparse
from pathlib import Path

from nktrace.files.atomic import replacing
from nktrace.files.embedding import read_embeddings
from nktrace.files.rows import load_rows
from nktrace.files.tables import read_rows, read_table
from nktrace.model.chimerism import of_all_donors, of_one_donor
from nktrace.pages.cohort import cohort_page


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("directory", type=Path, help="results/cohort")
    parser.add_argument("--samples", required=True, type=load_rows, metavar="JSON", help="who the samples are")
    parser.add_argument("--patients", required=True, type=load_rows, metavar="JSON", help="who the patients are")
    parser.add_argument(
        "--external",
        nargs="*",
        default=[],
        help="external_chimerism.tsv and external_agreement.tsv, where another method told chimerism too",
    )
    parser.add_argument("--output", required=True, help="index.html")


def run(args: argparse.Namespace) -> int:
    """Read the cohort's tables, write the page."""
    tables = {
        name: read_table(args.directory / f"{name}.tsv", name)
        for name in (
            "trajectories",
            "kinetics",
            "chimerism",
            "subsets",
            "overrides",
            "subset_change",
            "subset_change_tests",
        )
    }
    every = tables["chimerism"]
    tables["chimerism"] = of_all_donors(every)
    html = cohort_page(
        samples=args.samples,
        patients=args.patients,
        checks=read_table(args.directory / "qc.tsv", "qc"),
        **tables,
        by_donor=of_one_donor(every),
        summary=read_table(args.directory / "cohort.tsv", "cohort"),
        clusters=read_rows(args.directory / "clusters.tsv"),
        embeddings=read_embeddings(args.directory / "embedding.npz"),
        **{Path(path).stem: read_table(path, Path(path).stem) for path in args.external},
    )
    with replacing(args.output) as draft:
        draft.write_text(html, encoding="utf-8")
    return 0
