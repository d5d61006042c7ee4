"""`nktrace recount`: FlowKit as an independent second engine counts every population again, from gates.xml."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from nktrace.commands.page_sample import write_page
from nktrace.commands.sample import expect_gated
from nktrace.files.flowkit_counts import recounted
from nktrace.files.recounts import write_recount
from nktrace.files.sheets import read_study
from nktrace.files.tables import read_rows, write_rows
from nktrace.model.errors import GatingError, NktraceError

COLUMNS = ("sample", "population", "events", "flowkit_events")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("study", nargs="?", default=".", type=Path, help="a study that has been run (default: here)")
    parser.add_argument("--sample", action="append", metavar="ID", help="only this sample; may stand several times")


def run(args: argparse.Namespace) -> int:
    """Print every difference, keep all counts in results/validation/recount.tsv; exit code 2 where any differs.

    Each sample's page is written anew, and says when and by what its populations were counted.
    """
    study, _ = read_study(args.study)
    for name in args.sample or ():
        expect_gated(name, study, args.study)
    rows: list[dict[str, object]] = []
    failed = 0
    for sample in study.samples.values():
        directory = args.study / "results" / "samples" / sample.sample
        if (args.sample and sample.sample not in args.sample) or not (directory / "populations.tsv").is_file():
            continue
        try:
            counts = recounted(args.study / sample.fcs, directory)
        except GatingError as error:
            print(f"NOT COUNTED {sample.sample}: {error}", file=sys.stderr)
            failed += 1
            continue
        for population, (ours, theirs) in counts.items():
            rows.append(dict(zip(COLUMNS, (sample.sample, population, ours, theirs), strict=True)))
            if ours != theirs:
                print(f"DIFFERS {sample.sample} {population}: {ours}, FlowKit {theirs}", file=sys.stderr)
        if counts:
            write_recount(directory, counts)
        if (directory / "report.html").is_file():
            write_page(sample, directory, directory / "report.html")
    if not rows and not failed:
        raise NktraceError("has no gated samples", where=str(args.study), mend=f"First: nktrace run {args.study}")
    table = args.study / "results" / "validation" / "recount.tsv"
    write_rows(table, COLUMNS, [*_others(table, {str(row["sample"]) for row in rows}, args.sample), *rows])
    different = sum(row["events"] != row["flowkit_events"] for row in rows)
    samples = len({row["sample"] for row in rows})
    of = "1 sample" if samples == 1 else f"{samples} samples"
    print(f"{len(rows)} populations of {of} counted again by FlowKit: {different} differ")
    return 2 if different or failed else 0


def _others(table: Path, counted: set[str], only: list[str] | None) -> list[dict[str, str]]:
    """What the table holds of other samples, where only some are counted again."""
    if not only or not table.is_file():
        return []
    return [row for row in read_rows(table) if row["sample"] not in counted]
