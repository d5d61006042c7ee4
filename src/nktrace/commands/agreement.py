"""`nktrace agreement`: over the cohort, how far flow and the other methods of chimerism agree."""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nktrace.files.choices import from_json
from nktrace.files.stacking import stack_tables
from nktrace.files.tables import read_table, write_table
from nktrace.model.external import Comparability, measured_by

if TYPE_CHECKING:
    from nktrace.science.agreement import Pair

Row = Mapping[str, Any]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("tables", nargs="+", type=Path, help="external_chimerism.tsv of each patient who has one")
    parser.add_argument("--settings", required=True, type=from_json, metavar="JSON")
    parser.add_argument("--output-dir", required=True, type=Path, help="results/cohort")


def run(args: argparse.Namespace) -> int:
    """Write external_chimerism.tsv of the cohort and external_agreement.tsv."""
    stacked = args.output_dir / "external_chimerism.tsv"
    stack_tables(args.tables, "external_chimerism", stacked)
    rows = _agreement(read_table(stacked, "external_chimerism"), args.settings.level)
    write_table(args.output_dir / "external_agreement.tsv", "external_agreement", rows)
    return 0


def _agreement(comparisons: Sequence[Row], level: float) -> Iterator[dict[str, Any]]:
    from nktrace.science.agreement import agreement

    kinds = defaultdict(list)
    for row in comparisons:
        kinds[row["method"], row["population"]].append(row)
    for (method, population), rows in kinds.items():
        used = [row for row in rows if row["status"] in (Comparability.OK, Comparability.CENSORED)]
        pairs = [pair for pair in map(_pair, used) if pair.known]
        for found in agreement(pairs, level=level):
            yield {
                "method": method,
                "population": population,
                "quantity": found.quantity,
                "value": found.value.value,
                "ci_low": found.value.low,
                "ci_high": found.value.high,
                "n_pairs": len(pairs),
                "n_patients": len({pair.patient for pair in pairs}),
                "n_censored": sum(not pair.measured for pair in pairs),
                "n_left_out": len(rows) - len(pairs),
                "note": found.note,
            }


def _pair(row: Row) -> Pair:
    from nktrace.science.agreement import Pair

    return Pair(patient=row["patient"], flow=measured_by("flow", row).told, other=measured_by("external", row).told)
