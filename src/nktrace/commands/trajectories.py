"""`nktrace trajectories`: curves over time, kinetics, and changes of NK subsets of one patient."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nktrace.files.choices import from_json, values_of
from nktrace.files.knowledge import read_grades
from nktrace.files.rows import PatientRow, load_patient
from nktrace.files.shifts import read_gate_error
from nktrace.files.tables import read_table, write_table
from nktrace.model.chimerism import of_all_donors
from nktrace.model.study import Sample, donors_met

if TYPE_CHECKING:
    from nktrace.model.trajectories import Quantity, Series
    from nktrace.science.following import Followed
    from nktrace.science.subset_change import Tube
    from nktrace.science.visits import Timeline

READABLE = "readable"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("samples", nargs="*", type=Path, metavar="SAMPLE_DIR", help="results/samples/SAMPLE")
    parser.add_argument("--patient", required=True, type=load_patient, metavar="ROW", help="the patient's row as JSON")
    parser.add_argument("--settings", required=True, type=from_json, metavar="JSON")
    parser.add_argument("--counts", required=True, help="counts.tsv of the patient")
    parser.add_argument("--chimerism", required=True, help="chimerism.tsv of the patient")
    parser.add_argument("--grades", help="grades.tsv; without it no days in each grade")
    parser.add_argument("--output-dir", required=True, type=Path, help="results/patients/PATIENT")


def run(args: argparse.Namespace) -> int:
    """Write trajectories.tsv (the visits), curves.tsv (a fine grid of days), kinetics.tsv and subset_change.tsv."""
    from nktrace.science.following import follow
    from nktrace.science.grade_days import grade_days
    from nktrace.science.subset_change import subset_changes
    from nktrace.science.visits import Timeline, counted, donor, fractions

    patient, settings = args.patient.patient, args.settings
    timeline = Timeline(args.patient.samples, unreadable=_unreadable(args.samples))
    counts = read_table(args.counts, "counts")
    chimerism = read_table(args.chimerism, "chimerism")
    of_patient = {sample.sample: sample for sample in args.patient.samples}
    tubes = [_tube(path, of_patient[path.name]) for path in args.samples if path.name in of_patient]
    subsets = [row for tube in tubes for row in tube.subsets]
    series = [
        *counted(patient.patient, timeline, counts),
        *donor(patient.patient, timeline, of_all_donors(chimerism), counts),
        *_of_each_donor(args.patient, timeline, chimerism, counts),
        *fractions(patient.patient, timeline, subsets),
    ]
    followed = follow(
        series,
        patient,
        seed=settings.seed,
        level=settings.level,
        **values_of(settings.trajectories),
        **values_of(settings.kinetics),
    )
    write_table(args.output_dir / "trajectories.tsv", "trajectories", (row for one in followed for row in _visits(one)))
    write_table(args.output_dir / "curves.tsv", "curves", (row for one in followed for row in _grid(one)))
    graded = grade_days(timeline, counts, read_grades(args.grades), patient=patient) if args.grades else ()
    quantities = [row for one in followed for row in _quantities(one)]
    quantities += [_quantity(patient.patient, measure, quantity) for measure, quantity in graded]
    write_table(args.output_dir / "kinetics.tsv", "kinetics", quantities)
    changes = subset_changes(patient.patient, tubes, level=settings.level)
    write_table(args.output_dir / "subset_change.tsv", "subset_change", changes)
    return 0


def _of_each_donor(
    row: PatientRow, timeline: Timeline, chimerism: Sequence[Mapping[str, Any]], counts: Sequence[Mapping[str, Any]]
) -> Iterator[Series]:
    """Where there are several donors: those that an antibody tells apart, each from its first cells on."""
    from nktrace.science.visits import DONOR, donor

    donors = donors_met(row.patient, row.infusions)
    for one in donors if len(donors) > 1 else ():
        mine = [r for r in chimerism if r["donor"] == one.donor and r["day"] >= one.first_day]
        if mine:
            measure = f"{DONOR}:{one.donor}"
            yield from donor(row.patient.patient, timeline, mine, counts, measure=measure, first_day=one.first_day)


def _unreadable(directories: Sequence[Path]) -> dict[str, str]:
    """Samples whose file, gates or panel let nothing be counted, and why."""
    checks = [(path.name, row) for path in directories for row in read_table(path / "qc.tsv", "qc")]
    return {
        sample: row["reason"] or "no reason given"
        for sample, row in checks
        if row["check"] == READABLE and row["status"] == "fail"
    }


def _tube(directory: Path, sample: Sample) -> Tube:
    from nktrace.science.subset_change import Tube

    failed = [row for row in read_table(directory / "qc.tsv", "qc") if row["status"] == "fail"]
    return Tube(
        sample=sample,
        subsets=read_table(directory / "subsets.tsv", "subsets"),
        shifts=read_gate_error(directory / "subset_error.tsv"),
        failures=[f"{row['check']} ({row['reason'] or row['value']})".replace("; ", ", ") for row in failed],
    )


def _visits(one: Followed) -> Iterator[dict[str, Any]]:
    for visit, fitted, remark in zip(one.series.visits, one.fitted, one.remarks, strict=True):
        yield {
            "patient": one.series.patient,
            "measure": one.series.measure,
            "day": visit.day,
            "unit": one.series.unit,
            "platform": one.series.platform,
            "observed": visit.observed.value,
            "observed_low": visit.observed.low,
            "observed_high": visit.observed.high,
            "fitted": fitted.value,
            "fitted_low": fitted.low,
            "fitted_high": fitted.high,
            "censored": visit.censored,
            "reason": "; ".join(part for part in (visit.reason, one.series.reason, remark) if part),
        }


def _grid(one: Followed) -> Iterator[dict[str, Any]]:
    who = {"patient": one.series.patient, "measure": one.series.measure, "platform": one.series.platform}
    for day, fitted in one.grid:
        yield who | {"day": day, "fitted": fitted.value, "fitted_low": fitted.low, "fitted_high": fitted.high}


def _quantities(one: Followed) -> Iterator[dict[str, Any]]:
    for quantity in one.quantities:
        row = _quantity(one.series.patient, one.series.measure, quantity)
        yield row | {"reason": "; ".join(part for part in (quantity.reason, one.left_out) if part)}


def _quantity(patient: str, measure: str, quantity: Quantity) -> dict[str, Any]:
    return {
        "patient": patient,
        "measure": measure,
        "quantity": quantity.name,
        "value": quantity.value.value,
        "ci_low": quantity.value.low,
        "ci_high": quantity.value.high,
        "unit": quantity.unit,
        "n_points": quantity.n_points,
        "status": quantity.status,
        "reason": quantity.reason,
    }
