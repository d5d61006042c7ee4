"""Quality checks as tables: those of the gates in gate_checks.tsv, then all of a sample in qc.tsv."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from nktrace.files.tables import write_table
from nktrace.model.quality import Check


def write_checks(
    path: Path | str, sample: str, checks: Iterable[Check], *, before: Iterable[Mapping[str, Any]] = ()
) -> None:
    """Write gate_checks.tsv or qc.tsv, which have the same columns.

    Args:
        path: the table.
        sample: its id.
        checks: in order.
        before: rows that stand before them.
    """
    write_table(path, "qc", [*before, *(_row(sample, check) for check in checks)])


def _row(sample: str, check: Check) -> dict[str, object]:
    return {
        "sample": sample,
        "check": check.check,
        "value": check.value,
        "limit": check.limit,
        "status": check.status.value,
        "reason": check.reason,
    }
