"""`nktrace sample`: one sample to its page, and only what that needs."""

from __future__ import annotations

import argparse
from pathlib import Path

from nktrace.commands.run import add_execution_arguments, unreadable
from nktrace.engine import snakemake
from nktrace.files.nearest import suggestion
from nktrace.files.sheets import read_study
from nktrace.model.errors import NktraceError
from nktrace.model.study import GATED_ROLES, Study


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("study", type=Path, help="directory that holds config/")
    parser.add_argument("sample", help="id of the sample")
    add_execution_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Run one sample and name its page."""
    study, _ = read_study(args.study)
    expect_gated(args.sample, study, args.study)
    directory = Path("results") / "samples" / args.sample
    page, quality = ((directory / name).as_posix() for name in ("report.html", "qc.tsv"))
    code = snakemake(args.study, [page, quality], cores=args.cores, profile=args.profile, dry_run=args.dry_run)
    if code or args.dry_run:
        return 2 if code else 0
    if reason := unreadable(args.study, args.sample):
        raise NktraceError(reason, where=args.sample)
    print(f"\nOpen {args.study / page}")
    return 0


def expect_gated(name: str, study: Study, directory: Path) -> None:
    """A sample that a person names must be in the sheet and of a role that is gated.

    Raises:
        NktraceError: it is not.
    """
    where = str(directory / "config" / "samples.tsv")
    if name not in study.samples:
        raise NktraceError(f"there is no sample '{name}'", where=where, mend=suggestion(name, study.samples))
    sample = study.samples[name]
    if sample.role not in GATED_ROLES:
        mend = f"Where it serves for compensation, it is on results/compensation/{sample.batch}.{sample.panel}.html"
        raise NktraceError(f"'{name}' is {sample.role.value}, which is not gated", where=where, mend=mend)
