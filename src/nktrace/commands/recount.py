"""`nktrace recount`: FlowKit as an independent second engine counts every population again, from gates.xml."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from nktrace.files.flowkit_counts import recounted
from nktrace.files.sheets import read_study
from nktrace.files.tables import write_rows
from nktrace.model.errors import NktraceError

COLUMNS = ("sample", "population", "events", "flowkit_events")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("study", nargs="?", default=".", type=Path, help="a study that has been run (default: here)")


def run(args: argparse.Namespace) -> int:
    """Print every difference, keep all counts in results/validation/recount.tsv; exit code 2 where any differs."""
    study, _ = read_study(args.study)
    rows: list[dict[str, object]] = []
    for sample in study.samples.values():
        directory = args.study / "results" / "samples" / sample.sample
        if not (directory / "populations.tsv").is_file():
            continue
        for population, (ours, theirs) in recounted(args.study / sample.fcs, directory).items():
            rows.append(dict(zip(COLUMNS, (sample.sample, population, ours, theirs), strict=True)))
            if ours != theirs:
                print(f"DIFFERS {sample.sample} {population}: {ours}, FlowKit {theirs}", file=sys.stderr)
    if not rows:
        raise NktraceError("has no gated samples", where=str(args.study), mend=f"First: nktrace run {args.study}")
    write_rows(args.study / "results" / "validation" / "recount.tsv", COLUMNS, rows)
    different = sum(row["events"] != row["flowkit_events"] for row in rows)
    samples = len({row["sample"] for row in rows})
    print(f"{len(rows)} populations of {samples} samples counted again by FlowKit: {different} differ")
    return 2 if different else 0
