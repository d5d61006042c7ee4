"""`nktrace trajectories` and `nktrace cohort` over files of two made-up patients."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from nktrace.cli import main
from nktrace.files.rows import PatientRow, dump_patient, dump_rows
from nktrace.files.settings import Settings, part
from nktrace.files.shifts import write_gate_error
from nktrace.files.table_columns import COLUMNS
from nktrace.files.tables import read_rows, read_table, write_table
from nktrace.model.shifts import NetShift
from nktrace.model.study import Patient, Role, Sample

SETTINGS = part(Settings(data_dir="data"), "kinetics", "trajectories")
DAYS = (-1.0, 0.1, 1.0, 3.0, 7.0, 14.0, 21.0, 28.0)
NK = (60.0, 30.0, 25.0, 40.0, 70.0, 120.0, 140.0, 160.0)
DONOR = (None, 0.1, 0.2, 0.25, 0.1, 0.02, 0.004, None)
SUBSETS = {"bright": 0.1, "adaptive": 0.3}


def empty(table: str) -> dict[str, Any]:
    return {column: math.nan if kind is float else None for column, kind in COLUMNS[table].items()}


def write_patient(results: Path, patient: str) -> list[str]:
    """Tables as the earlier steps write them; returns the command line of `nktrace trajectories`."""
    directory = results / "patients" / patient
    roles = [Role.BASELINE, *[Role.TIMEPOINT] * (len(DAYS) - 1)]
    samples = tuple(
        Sample(sample=f"{patient}.{i}", patient=patient, day=day, role=role, panel="p", batch="b", fcs="x.fcs")
        for i, (day, role) in enumerate(zip(DAYS, roles, strict=True))
    )
    counts, chimerism = [], []
    for sample, nk, donor in zip(samples, NK, DONOR, strict=True):
        who = {"sample": sample.sample, "patient": patient, "day": sample.day, "population": "nk"}
        number = {"cells_per_ul": nk, "ci_low": nk * 0.9, "ci_high": nk * 1.1, "platform": "beads", "status": "ok"}
        counts.append(empty("counts") | who | number)
        found: dict[str, Any] = {"lod": 0.002, "status": "not_detected", "donor_fraction": 0.0005}
        if donor is not None:
            bounds = {"donor_cells_ci_low": donor * nk * 0.8, "donor_cells_ci_high": donor * nk * 1.25}
            found |= {"status": "quantified", "donor_fraction": donor, "donor_cells_per_ul": donor * nk} | bounds
        chimerism.append(empty("chimerism") | who | found)
        shares = [
            empty("subsets")
            | {"sample": sample.sample, "subset": subset, "cl_id": None, "nk_events": 500}
            | {"events": int(500 * share) + (5 if sample.day >= 7 else 0)}
            | {"fraction_of_nk": share, "ci_low": share - 0.04, "ci_high": share + 0.04, "status": "ok", "reason": None}
            for subset, share in SUBSETS.items()
        ]
        write_table(results / "samples" / sample.sample / "subsets.tsv", "subsets", shares)
        for table in ("populations", "gates", "qc", "overrides", "nk_drift"):
            write_table(results / "samples" / sample.sample / f"{table}.tsv", table, [])
    write_table(directory / "counts.tsv", "counts", counts)
    write_table(directory / "count_checks.tsv", "count_checks", [])
    write_table(directory / "chimerism.tsv", "chimerism", chimerism)
    write_table(directory / "chimerism_by_antibody.tsv", "chimerism_by_antibody", [])
    options = {
        "--patient": dump_patient(PatientRow(Patient(patient=patient), samples)),
        "--settings": SETTINGS,
        "--counts": str(directory / "counts.tsv"),
        "--chimerism": str(directory / "chimerism.tsv"),
        "--output-dir": str(directory),
    }
    directories = [str(results / "samples" / sample.sample) for sample in samples]
    return ["trajectories", *(word for option in options.items() for word in option), *directories]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("study") / "results"
    for patient in ("P1", "P2"):
        assert main(write_patient(directory, patient)) == 0
    return directory


def test_one_row_per_visit_with_its_fit(results: Path) -> None:
    rows = read_table(results / "patients" / "P1" / "trajectories.tsv", "trajectories")
    donor = [row for row in rows if row["measure"] == "donor_nk"]
    assert [row["day"] for row in donor] == list(DAYS)
    assert [row["censored"] for row in donor] == [True, *[False] * 6, True]
    assert math.isnan(donor[0]["fitted"])
    assert donor[0]["reason"] == "before the infusion: not part of the curve"
    assert (donor[-1]["observed"], donor[-1]["observed_low"]) == (pytest.approx(0.002 * 160), 0)
    for row in donor[1:]:
        assert row["fitted_low"] <= row["fitted"] <= row["fitted_high"]
    assert {row["measure"] for row in rows} == {"nk", "donor_nk", "fraction:bright", "fraction:adaptive"}


def test_curves_are_denser_than_the_visits(results: Path) -> None:
    rows = read_rows(results / "patients" / "P1" / "curves.tsv")
    days = [float(row["day"]) for row in rows if row["measure"] == "nk"]
    assert len(days) > 50
    assert days == sorted(set(days))
    assert (days[0], days[-1]) == (DAYS[0], DAYS[-1])


def test_kinetics_read_off_the_same_curve(results: Path) -> None:
    rows = read_table(results / "patients" / "P1" / "kinetics.tsv", "kinetics")
    found = {(row["measure"], row["quantity"]): row for row in rows}
    assert found["donor_nk", "tlast"]["value"] == 21
    assert found["donor_nk", "first_below"]["value"] == 28
    assert found["donor_nk", "half_life_days"]["status"] == "ok"
    reached = found["nk", "time_to_threshold:100"]
    assert (reached["ci_low"], reached["ci_high"]) == (7, 21)
    assert "day 7 to 14 by the values, with probability 0." in reached["reason"]
    fitted = read_table(results / "patients" / "P1" / "trajectories.tsv", "trajectories")
    week = next(row for row in fitted if row["measure"] == "donor_nk" and row["day"] == 7)
    assert found["donor_nk", "day_7"]["value"] == pytest.approx(week["fitted"], rel=1e-6)


def test_changes_are_those_from_the_baseline_with_the_error_of_gates_and_what_failed(tmp_path: Path) -> None:
    command = write_patient(tmp_path, "P1")
    assert main(command) == 0
    path = tmp_path / "patients" / "P1" / "subset_change.tsv"
    plain = read_table(path, "subset_change")
    assert [(row["sample"], row["subset"]) for row in plain[:3]] == [
        ("P1.1", "bright"),
        ("P1.1", "adaptive"),
        ("P1.2", "bright"),
    ]
    assert {row["baseline_sample"] for row in plain} == {"P1.0"}
    assert [row["log_ratio"] > 0 for row in plain] == [row["day"] >= 7 for row in plain]
    sample = tmp_path / "samples" / "P1.1"
    shift = NetShift("nk_bright", "CD56", "min", {"bright": 20}, {"bright": -20})
    write_gate_error(sample / "subset_error.tsv", "P1.1", [shift])
    failed = empty("qc") | {"sample": "P1.1", "check": "dead", "status": "fail", "reason": "60 % dead; half of them T"}
    write_table(sample / "qc.tsv", "qc", [failed])
    assert main(command) == 0
    wider = read_table(path, "subset_change")
    assert wider[0]["ci_high"] > 1.5 * plain[0]["ci_high"]
    assert wider[0]["reason"] == "qc_failed: dead (60 % dead, half of them T)"
    assert wider[2:] == plain[2:]


def test_a_file_that_could_not_be_read_is_a_gap_with_the_reason(tmp_path: Path) -> None:
    command = write_patient(tmp_path, "P1")
    for table, directory in (("counts", "patients/P1"), ("chimerism", "patients/P1"), ("subsets", "samples/P1.4")):
        path = tmp_path / directory / f"{table}.tsv"
        write_table(path, table, [row for row in read_table(path, table) if row["sample"] != "P1.4"])
    failed = empty("qc") | {"sample": "P1.4", "check": "readable", "status": "fail", "reason": "it ends too early"}
    write_table(tmp_path / "samples" / "P1.4" / "qc.tsv", "qc", [failed])
    assert main(command) == 0
    rows = read_table(tmp_path / "patients" / "P1" / "trajectories.tsv", "trajectories")
    for measure in ("nk", "donor_nk", "fraction:bright"):
        (gap,) = [row for row in rows if row["measure"] == measure and row["day"] == DAYS[4]]
        assert math.isnan(gap["observed"])
        assert math.isnan(gap["fitted"])
        assert gap["reason"].startswith("P1.4 could not be read: it ends too early")
        assert [row["day"] for row in rows if row["measure"] == measure] == list(DAYS)


def test_the_same_input_gives_the_same_bytes(results: Path, tmp_path: Path) -> None:
    assert main(write_patient(tmp_path, "P1")) == 0
    for table in ("trajectories", "curves", "kinetics", "subset_change"):
        again = (tmp_path / "patients" / "P1" / f"{table}.tsv").read_bytes()
        assert again == (results / "patients" / "P1" / f"{table}.tsv").read_bytes()


def test_a_patient_without_counts_or_cells_gets_tables_with_reasons(tmp_path: Path) -> None:
    command = write_patient(tmp_path, "P1")
    directory = tmp_path / "patients" / "P1"
    write_table(directory / "counts.tsv", "counts", [])
    rows = read_table(directory / "chimerism.tsv", "chimerism")
    refused = [row | {"status": "uninformative", "donor_fraction": math.nan, "reason": "no antibody"} for row in rows]
    write_table(directory / "chimerism.tsv", "chimerism", refused)
    assert main(command) == 0
    found = read_table(directory / "kinetics.tsv", "kinetics")
    donor = [row for row in found if row["measure"] == "donor_nk"]
    assert {row["status"] for row in donor} == {"not_estimable"}
    assert all(row["reason"] for row in donor)


def test_the_cohort_stacks_and_sums_up(results: Path) -> None:
    samples = [{"sample": f"{patient}.{i}", "panel": "p"} for patient in ("P2", "P1") for i in range(len(DAYS))]
    patients = [{"patient": "P2", "arm": "high", "death_day": None}, {"patient": "P1", "arm": "low", "death_day": 90}]
    command = ["cohort", "--samples", dump_rows(samples), "--patients", dump_rows(patients)]
    assert main([*command, "--settings", SETTINGS, "--results", str(results)]) == 0
    cohort = results / "cohort"
    assert [row["patient"] for row in read_rows(cohort / "counts.tsv")][:: len(DAYS)] == ["P2", "P1"]
    assert len(read_rows(cohort / "subsets.tsv")) == 2 * len(DAYS) * len(SUBSETS)
    summary = read_table(cohort / "cohort.tsv", "cohort")
    tests = read_table(cohort / "subset_change_tests.tsv", "subset_change_tests")
    assert {(row["subset"], row["day"], row["n"]) for row in tests if row["group"] == "all"} == {
        (subset, day, 2) for subset in SUBSETS for day in (7.0, 14.0, 28.0)
    }
    assert all("n = 2: no two-sided p under 0.5" in row["note"] for row in tests if row["group"] == "all")
    changes = [row for row in summary if row["quantity"] == "log_ratio_change"]
    assert len(changes) == len(tests)
    assert all(math.isnan(row["ci_low"]) and "no 95% interval" in row["note"] for row in changes)
    assert {row["group"] for row in summary} == {"all", "arm:high", "arm:low"}
    assert all(row["method"] for row in summary)
    assert (cohort / "clusters.tsv").read_text().split("\t")[:3] == ["panel", "cluster", "subset"]


def test_a_missing_table_is_one_line_and_code_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    patients = dump_rows([{"patient": "P1", "arm": "", "death_day": None}])
    command = ["cohort", "--samples", "[]", "--patients", patients, "--settings", SETTINGS, "--results", str(tmp_path)]
    assert main(command) == 2
    error = capsys.readouterr().err
    assert error.startswith("ERROR: ")
    assert "counts.tsv" in error
    assert error.count("\n") == 1
