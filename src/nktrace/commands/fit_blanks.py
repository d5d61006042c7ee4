"""`nktrace fit-blanks`: the blanks of the reference, for how much the false-positive rate differs between tubes."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from nktrace.files.blanks import write_blanks
from nktrace.files.hla_cuts import read_hla_cuts
from nktrace.science.hla_controls import POOLED


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("cuts", nargs="*", type=Path, help="hla_cuts.tsv of the patients of the reference")
    parser.add_argument("--panel", required=True, help="name of the panel")
    parser.add_argument("--output", required=True, help="blanks.tsv")


def run(args: argparse.Namespace) -> int:
    """Write blanks.tsv: the patients whose own blank was there, each marker and lineage.

    A cut that was placed without a donor reference follows the blank's own peak, so that the tail of that peak is the
    same share of every blank: such rows would tell of less scatter than there is.
    """
    write_blanks(args.output, (row for path in args.cuts for row in _rows(path, args.panel)))
    return 0


def _rows(path: Path, panel: str) -> Iterator[dict[str, object]]:
    for cut in read_hla_cuts(path):
        own = POOLED not in cut.reason.split("; ")
        if cut.panel == panel and cut.status == "ok" and not cut.batch and own and cut.blank.events:
            counts = cut.like_donor(cut.blank)
            yield {
                "patient": path.parent.name,
                "panel": panel,
                "marker": cut.marker,
                "direction": cut.direction,
                "population": cut.population,
                "events": counts.events,
                "marker_events": counts.positive,
            }
