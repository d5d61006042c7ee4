"""`nktrace counts`: cells per microlitre of one patient's samples, and whether they hold together."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nktrace.files.choices import from_json, values_of
from nktrace.files.knowledge import read_grades, read_ranges
from nktrace.files.rows import load_patient
from nktrace.files.shifts import read_gate_error
from nktrace.files.tables import read_table, write_table
from nktrace.model.counting import CountCheck, CountRow, Gated
from nktrace.model.gates import Status
from nktrace.model.study import Sample
from nktrace.science.doubt import flags_in

if TYPE_CHECKING:
    from nktrace.science.counted_tubes import Tube

VOLUME_CHECK = "acquired_ul"
TIME = "time"
STATE = "state:"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("samples", nargs="*", type=Path, metavar="SAMPLE_DIR", help="results/samples/SAMPLE")
    parser.add_argument("--patient", required=True, type=load_patient, metavar="ROW", help="the patient's row as JSON")
    parser.add_argument("--settings", required=True, type=from_json, metavar="JSON")
    parser.add_argument("--ranges", required=True, help="reference_ranges.tsv")
    parser.add_argument("--grades", required=True, help="grades.tsv")
    parser.add_argument("--output", required=True, help="counts.tsv")
    parser.add_argument("--checks", required=True, help="count_checks.tsv")


def run(args: argparse.Namespace) -> int:
    """Write counts.tsv and count_checks.tsv."""
    from nktrace.science.patient_counts import patient_counts
    from nktrace.science.tube_counts import Choices

    directories = {directory.name: directory for directory in args.samples}
    rows, checks = patient_counts(
        args.patient.patient,
        [_tube(directories.get(sample.sample), sample) for sample in args.patient.samples],
        ranges=read_ranges(args.ranges),
        grades=read_grades(args.grades),
        choices=Choices(level=args.settings.level, **values_of(args.settings.counts, without="volume_unit")),
    )
    write_table(args.output, "counts", map(_row, rows))
    write_table(args.checks, "count_checks", map(_check, checks))
    return 0


def _tube(directory: Path | None, sample: Sample) -> Tube:
    from nktrace.science.counted_tubes import Tube

    if directory is None:
        return Tube(sample=sample, gated={})
    channels = _channels(directory)
    gated = {
        row["population"]: Gated(
            population=row["population"],
            parent=row["parent"],
            events=row["events"],
            parent_events=row["parent_events"],
            channels=channels.get(row["population"], ()),
            over_time=TIME in (row["population"], *(c.casefold() for c in channels.get(row["population"], ()))),
            status=Status(row["status"]),
            reason=row["reason"] or "",
        )
        for row in read_table(directory / "populations.tsv", "populations")
    }
    subsets = _subsets(directory, gated) if gated else {}
    return Tube(
        sample=sample,
        gated=gated | subsets,
        subsets=tuple(sorted(subsets)),
        shifts=read_gate_error(directory / "gate_error.tsv", directory / "subset_error.tsv"),
        file_ul=_file_volume(directory),
    )


def _subsets(directory: Path, gated: dict[str, Gated]) -> dict[str, Gated]:
    """Exclusive NK subsets that the panel resolves, as populations within `nk`."""
    path = directory / "subsets.tsv"
    return {
        row["subset"]: Gated(
            population=row["subset"],
            parent="nk",
            events=row["events"],
            parent_events=row["nk_events"],
            status=Status.WARN if flags_in(row["reason"]) else Status.OK,
            reason="; ".join(flags_in(row["reason"])),
        )
        for row in (read_table(path, "subsets") if path.is_file() else ())
        if row["events"] is not None and row["subset"] not in gated and not row["subset"].startswith(STATE)
    }


def _channels(directory: Path) -> dict[str, tuple[str, ...]]:
    """The markers of each population's gate, sorted."""
    path = directory / "gates.tsv"
    found: dict[str, set[str]] = {}
    for row in read_table(path, "gates") if path.is_file() else ():
        if row["channel"] is not None:
            found.setdefault(row["population"], set()).add(row["channel"])
    return {population: tuple(sorted(channels)) for population, channels in found.items()}


def _file_volume(directory: Path) -> float:
    """The file's $VOL in µL, as `nktrace gate` wrote it down; nan if there is none."""
    path = directory / "qc.tsv"
    rows = read_table(path, "qc") if path.is_file() else []
    return next((float(row["value"]) for row in rows if row["check"] == VOLUME_CHECK), math.nan)


def _row(row: CountRow) -> dict[str, Any]:
    return {
        "sample": row.sample,
        "patient": row.patient,
        "day": row.day,
        "population": row.population,
        "cells_per_ul": row.cells_per_ul.value,
        "ci_low": row.cells_per_ul.low,
        "ci_high": row.cells_per_ul.high,
        "platform": row.platform.value,
        "reference_low": row.reference.low if row.reference else None,
        "reference_high": row.reference.high if row.reference else None,
        "grade": row.grade or None,
        "status": row.status.value,
        "reason": row.reason,
    }


def _check(check: CountCheck) -> dict[str, Any]:
    return {
        "patient": check.patient,
        "day": check.day,
        "check": check.check.value,
        "population": check.population,
        "sample": check.sample or None,
        "platform": check.platform or None,
        "other_sample": check.other_sample or None,
        "other_platform": check.other_platform or None,
        "value": check.value.value,
        "ci_low": check.value.low,
        "ci_high": check.value.high,
        "limit": check.limit,
        "status": check.status.value,
        "reason": check.reason,
    }
