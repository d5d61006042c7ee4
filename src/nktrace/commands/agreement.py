"""`nktrace agreement`: over the cohort, how far flow and the other methods of chimerism agree."""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from nktrace.files.choices import from_json
from nktrace.files.stacking import stack_tables
from nktrace.files.tables import read_table, write_table
from nktrace.model.external import Comparability

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
        pairs = [_pair(row) for row in used]
        for found in agreement(pairs, level=level):
            yield {
                "method": method,
                "population": population,
                "quantity": found.quantity,
                "value": found.value.value,
                "ci_low": found.value.low,
                "ci_high": found.value.high,
                "n_pairs": len(used),
                "n_patients": len({row["patient"] for row in used}),
                "n_censored": sum(row["status"] == Comparability.CENSORED for row in used),
                "n_left_out": len(rows) - len(used),
                "note": found.note,
            }


def _pair(row: Row) -> Any:
    from nktrace.science.agreement import Pair

    flow = (row["flow_fraction"],) * 2
    if row["flow_censored"] or not 0 < row["flow_fraction"] < 1:
        flow = (0.0 if row["flow_censored"] else row["flow_low"], max(_numbers(row["flow_high"], row["flow_lod"])))
    other = (row["external_fraction"],) * 2
    if row["external_censored"]:
        other = (0.0, max(_numbers(row["external_high"], row["external_lod"])))
    return Pair(patient=row["patient"], flow=flow, other=other)


def _numbers(*values: float) -> list[float]:
    """Those that are numbers; nan where none is."""
    return [value for value in values if value == value] or [float("nan")]
