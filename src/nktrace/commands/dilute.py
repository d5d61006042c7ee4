"""`nktrace dilute`: in-silico dilution of a study's own controls, and only what that needs."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any

from nktrace.commands.run import add_execution_arguments
from nktrace.engine import snakemake
from nktrace.files.dilution import ALL_PAIRS
from nktrace.files.dilution_pairs import dilution_pairs
from nktrace.files.sheets import read_study
from nktrace.files.tables import read_table
from nktrace.model.errors import NktraceError
from nktrace.model.subsets import NK

VALIDATION = Path("results") / "validation"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("study", nargs="?", default=".", type=Path, help="directory that holds config/ (default: here)")
    add_execution_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Run the dilution series, print what they show of NK cells, and name the page."""
    study, settings = read_study(args.study)
    if not dilution_pairs(study, patients=settings.dilution.patients, directory=args.study):
        raise NktraceError(
            "no patient has an own blank and a donor reference of one panel with an HLA marker",
            where=str(args.study / "config" / "samples.tsv"),
            mend="A dilution mixes the one into the other; samples whose gates are imported don't serve",
        )
    page = VALIDATION / "dilution.html"
    code = snakemake(args.study, [page.as_posix()], cores=args.cores, profile=args.profile, dry_run=args.dry_run)
    if code or args.dry_run:
        return 2 if code else 0
    for row in read_table(args.study / VALIDATION / "dilution_summary.tsv", "dilution_summary"):
        if row["population"] == NK:
            print(_line(row))
    print(f"\nOpen {args.study / page}")
    return 0


def _line(row: dict[str, Any]) -> str:
    """What the files of a patient, or of all, show of one antibody."""
    who = "all" if row["patient"] == ALL_PAIRS else row["patient"]
    limits = {"found": row["lod_found"], "by counts": row["lod_by_counts"], "stated": row["lod"]}
    lods = ", ".join(f"{name} {'NA' if math.isnan(lod) else format(lod, '.2%')}" for name, lod in limits.items())
    return (
        f"{who:8}{row['antibody']:18}recovery {row['recovery']:.3f}  slope {row['slope']:.3f}  "
        f"LoD {lods}  goal {row['goal']}"
    )
