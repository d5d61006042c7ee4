"""What stands beside a matrix that was computed from controls: a row per control, and a row per pair of detectors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nktrace.files.tables import read_table, write_table
from nktrace.model.spillover import ControlReport, PairReport, Usability

_SAME = (
    *("marker", "sample", "negative", "events", "positive_events", "negative_events"),
    *("signal", "stain_index", "saturated", "brightest", "rounds", "residual"),
)


def write_controls(path: Path | str, controls: Sequence[ControlReport], *, batch: str, panel: str) -> None:
    """Write the report of the controls: the table `compensation`."""
    rows = [
        {"batch": batch, "panel": panel}
        | {name: getattr(control, name) for name in _SAME}
        | {"status": control.status.value, "reason": control.reason}
        for control in controls
    ]
    write_table(path, "compensation", rows)


def read_controls(path: Path | str) -> list[ControlReport]:
    """The controls of a report.

    Raises:
        NktraceError: the table is missing, or not of this kind.
    """
    return [
        ControlReport(
            **{name: row[name] for name in _SAME}, status=Usability(row["status"]), reason=row["reason"] or ""
        )
        for row in read_table(path, "compensation")
    ]


def write_pairs(path: Path | str, pairs: Sequence[PairReport], *, z: float, batch: str, panel: str) -> None:
    """Write every coefficient with its interval: the table `compensation_pairs`.

    Args:
        z: half the interval's width in standard errors.
    """
    rows = [
        {
            "batch": batch,
            "panel": panel,
            "source": pair.source,
            "receiver": pair.receiver,
            "sample": pair.sample,
            "spillover": pair.spillover,
            "se": pair.se,
            "ci_low": pair.spillover - z * pair.se,
            "ci_high": pair.spillover + z * pair.se,
            "residual": pair.residual,
            "spread": pair.spread,
        }
        for pair in pairs
    ]
    write_table(path, "compensation_pairs", rows)
