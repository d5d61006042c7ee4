"""The two-step design from FCS files to pages: a patient of resources/simulation/liver.yaml."""

from __future__ import annotations

import csv
import math
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nktrace.files.hla_cuts import read_hla_cuts
from nktrace.files.sheets import read_study
from nktrace.files.table_docs import column_docs
from nktrace.files.tables import read_table
from nktrace.files.truth import Expected, read_expectations
from nktrace.model.study import Role
from tests.pages.forbidden import claims, said

Command = Callable[..., subprocess.CompletedProcess[str]]
HOME = Path(__file__).resolve().parents[2]
PATIENT = "L06"  # both antibodies inform

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def liver(tmp_path_factory: pytest.TempPathFactory, nktrace: Command) -> Path:
    """A finished run of one patient: blank, baseline, two visits, donor reference."""
    directory = tmp_path_factory.mktemp("liver")
    study = directory / "study"
    shutil.copytree(HOME / "resources" / "simulation", directory, dirs_exist_ok=True)
    spec = directory / "liver.yaml"
    text = spec.read_text(encoding="utf-8")
    spec.write_text(text.replace("visits: [1, 4, 7, 14, 28]", "visits: [1, 28]"), encoding="utf-8")
    made = nktrace("simulate", spec, "--patient", PATIENT, "--output", study)
    assert made.returncode == 0, made.stderr
    done = nktrace("run", study, "--cores", "2")
    assert done.returncode == 0, done.stderr
    return study


@pytest.fixture(scope="module")
def truth(liver: Path) -> Expected:
    return read_expectations(liver / "data" / "truth")


def rows(study: Path) -> dict[tuple[str, str], dict[str, Any]]:
    table = read_table(study / "results" / "patients" / PATIENT / "chimerism.tsv", "chimerism")
    return {(row["sample"], row["population"]): row for row in table}


def test_the_sheets_say_when_donor_cells_came(liver: Path) -> None:
    sheets, _ = read_study(liver)
    assert sheets.patients[PATIENT].first_donor_exposure_day == -3
    roles = {sample.role: sample.day for sample in sheets.samples.values() if sample.role is not Role.TIMEPOINT}
    assert roles[Role.BLANK] < -3 < roles[Role.BASELINE] < 0
    assert [event["kind"] for event in sheets.events] == []  # nothing happened to this one


def test_the_blank_is_before_transplantation(liver: Path) -> None:
    cuts = read_hla_cuts(liver / "results" / "patients" / PATIENT / "hla_cuts.tsv")
    assert {cut.blank_samples for cut in cuts if cut.direction} == {(f"{PATIENT}-blank",)}


def test_graft_cells_are_found_at_the_baseline_and_change_is_measured_from_there(liver: Path, truth: Expected) -> None:
    found = rows(liver)
    baseline = truth[f"{PATIENT}-baseline", "nk"].donor_fraction
    assert baseline > 0.02
    row = found[f"{PATIENT}-baseline", "nk"]
    assert row["status"] == "quantified"
    assert row["donor_fraction"] == pytest.approx(baseline, rel=0.3)
    visits = [(s, p) for s, p in found if p == "nk" and s.rpartition("-d")[2].isdecimal()]
    assert len(visits) == 2
    for key in visits:
        change = found[key]
        true = truth[key].donor_fraction - baseline
        assert change["change_low"] - 0.01 < true < change["change_high"] + 0.01
        assert "origin is not attributable" in change["reason"]
    assert found[f"{PATIENT}-d01", "nk"]["change_low"] > 0
    assert found[f"{PATIENT}-d28", "nk"]["change_high"] < 0
    assert math.isnan(found[f"{PATIENT}-blank", "nk"]["change_from_baseline"])
    assert "graft_cells_possible" not in found[f"{PATIENT}-blank", "nk"]["reason"]


def test_the_pages_claim_nothing_that_one_patient_cannot_show(liver: Path) -> None:
    results = liver / "results"
    cohort = said((results / "report" / "index.html").read_text(encoding="utf-8"))
    assert "n = 1. What stands here describes this patient" in cohort
    assert "In 1 of 1 donor cells were there before the infusion (a graft, from day −3 on)" in cohort
    assert claims(cohort) == []
    assert claims(said((results / "patients" / PATIENT / "report.html").read_text(encoding="utf-8"))) == []


def test_the_study_is_exported(liver: Path, nktrace: Command, tmp_path: Path) -> None:
    done = nktrace("export", liver, "--output", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    with (tmp_path / "out" / "cdisc-lb" / "lb.csv").open(encoding="utf-8", newline="") as handle:
        lb = [row for row in csv.DictReader(handle) if row["LBTESTCD"] == "DNK"]
    assert [row["LBREFID"] for row in lb] == [f"{PATIENT}-{name}" for name in ("blank", "baseline", "d01", "d28")]
    assert lb[0]["LBORRES"].startswith("<")
    assert [row["LBBLFL"] for row in lb] == ["", "Y", "", ""]
    allowed = {name: column_docs(name) for name in ("chimerism", "counts", "kinetics", "subsets", "qc")}
    for name, docs in allowed.items():
        for row in read_table(liver / "results" / "cohort" / f"{name}.tsv", name):
            for column, doc in docs.items():
                assert not doc.values or row[column] is None or row[column] in doc.values, f"{name}.{column}"


def test_the_page_attributes_nothing(liver: Path) -> None:
    page = (liver / "results" / "patients" / PATIENT / "report.html").read_text(encoding="utf-8")
    assert "no origin is attributed here" in page
    assert "change from the baseline, day 28" in page
    assert "met donor cells on day −3" in page
