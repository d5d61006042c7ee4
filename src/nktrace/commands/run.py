"""`nktrace run`: a study from FCS files to pages, by Snakemake, with visible progress."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from nktrace.engine import snakemake
from nktrace.files.sheets import read_study
from nktrace.files.tables import read_table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("study", nargs="?", default=".", type=Path, help="directory that holds config/ (default: here)")
    add_execution_arguments(parser)


def add_execution_arguments(parser: argparse.ArgumentParser) -> None:
    """What `run` and `sample` have in common: how, not what."""
    parser.add_argument(
        "--cores", type=_cores, default=os.cpu_count() or 1, help="processes at once (default: all cores)"
    )
    parser.add_argument("--profile", default="local", help="a directory of workflow/profiles/, or any path")
    parser.add_argument("--dry-run", "-n", action="store_true", help="say what would be done, and do nothing")


def _cores(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of processes (1 or more)")
    return int(text)


def run(args: argparse.Namespace) -> int:
    """Check the sheets, run what is missing or out of date, name the page to open and the samples that failed."""
    study = args.study
    sheets, _ = read_study(study)
    code = snakemake(study, [], cores=args.cores, profile=args.profile, dry_run=args.dry_run)
    if args.dry_run:
        return code
    index = study / "results" / "report" / "index.html"
    failed = [(sample, reason) for sample in sheets.samples if (reason := unreadable(study, sample))]
    for sample, reason in failed:
        print(f"FAILED {sample}: {reason}", file=sys.stderr)
    if index.is_file():
        print(f"\nOpen {index}" if code == 0 else f"\nNot all is up to date; what there is: {index}")
    return 2 if code or failed else 0


def unreadable(study: Path, sample: str) -> str:
    """Why a sample's file could not be read; empty where it could, or where it was not tried yet."""
    table = study / "results" / "samples" / sample / "gate_checks.tsv"
    if not table.is_file():
        return ""
    rows = read_table(table, "qc")
    return next((row["reason"] for row in rows if row["check"] == "readable" and row["status"] == "fail"), "")
