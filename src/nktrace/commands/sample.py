"""`nktrace sample`: one sample to its page, and only what that needs."""

from __future__ import annotations

import argparse
import difflib
from pathlib import Path

from nktrace.commands.run import add_execution_arguments, unreadable
from nktrace.engine import snakemake
from nktrace.files.sheets import read_study
from nktrace.model.errors import NktraceError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("study", type=Path, help="directory that holds config/")
    parser.add_argument("sample", help="id of the sample")
    add_execution_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Run one sample and name its page."""
    study, _ = read_study(args.study)
    if args.sample not in study.samples:
        near = difflib.get_close_matches(args.sample, study.samples, n=1)
        raise NktraceError(
            f"there is no sample '{args.sample}'",
            where=str(args.study / "config" / "samples.tsv"),
            mend=f"Did you mean {near[0]}?" if near else "",
        )
    directory = Path("results") / "samples" / args.sample
    page, quality = ((directory / name).as_posix() for name in ("report.html", "qc.tsv"))
    code = snakemake(args.study, [page, quality], cores=args.cores, profile=args.profile, dry_run=args.dry_run)
    if code or args.dry_run:
        return 2 if code else 0
    if reason := unreadable(args.study, args.sample):
        raise NktraceError(reason, where=args.sample)
    print(f"\nOpen {args.study / page}")
    return 0
