"""Whether a patient's counts hold together, for its page: lineage sums, CD3 in two tubes, two counting platforms."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from nktrace.pages.words import day, interval, label, number, percent

Row = Mapping[str, Any]

PLATFORMS = "platforms"
_SAID = {
    "lymphosum": "T, B and NK cells make up the lymphocytes",
    "duplicate_cd3": "CD3+ lymphocytes agree between two tubes",
}


def counts_checked(rows: Sequence[Row]) -> dict[str, Any]:
    """`platforms`: one line for each population and pair of platforms; `lines`: how many checks hold; `rows`: all.

    Args:
        rows: of count_checks.tsv of a patient.
    """
    ratios = [row for row in rows if row["check"] == PLATFORMS]
    over_days = {_pair(row) for row in ratios if math.isnan(row["day"])}
    shown = [row for row in ratios if math.isnan(row["day"]) or _pair(row) not in over_days]
    lines = []
    for check, words in _SAID.items():
        mine = [row for row in rows if row["check"] == check]
        if mine:
            lines.append(f"{words}: {sum(row['status'] == 'ok' for row in mine)} of {len(mine)} hold.")
    return {"platforms": [_line(row) for row in shown], "lines": lines, "rows": [_line(row) for row in rows]}


def _pair(row: Row) -> tuple[str, ...]:
    return row["population"], row["platform"], row["other_platform"]


def _line(row: Row) -> dict[str, Any]:
    ratio = row["check"] == PLATFORMS
    return {
        "day": "all" if math.isnan(row["day"]) else day(row["day"]),
        "check": label(row["check"]),
        "population": label(row["population"]),
        "platforms": f"{row['platform']} over {row['other_platform']}",
        "tubes": " and ".join(name for name in (row["sample"], row["other_sample"]) if name),
        "value": interval(row, "value", show="number" if ratio else "percent"),
        "limit": f"× {number(row['limit'])}" if ratio else f"± {percent(row['limit'])}",
        "status": row["status"],
        "reason": row["reason"] or "",
    }
