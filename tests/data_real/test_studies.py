"""Real files the whole way under Snakemake, each study from sheets, a panel and a gating table only."""

from __future__ import annotations

import csv
import gzip
import json
import math
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from nktrace.commands.cohort import PATIENT_TABLES, SAMPLE_TABLES
from nktrace.files.rows import PatientRow, dump_patient
from nktrace.files.settings import part
from nktrace.files.sheets import read_study
from nktrace.files.table_columns import COLUMNS
from nktrace.files.tables import read_table
from nktrace.model.events import Mask
from tests.data_real.finished import RealStudy

Studies = Callable[[str], RealStudy]
Command = Callable[..., subprocess.CompletedProcess[str]]
Plan = Callable[..., dict[str, int]]

HOME = Path(__file__).resolve().parents[2]
ALL = pytest.mark.parametrize("name", ["aurora", "mouse", "hipc"])
OF_A_SAMPLE = ("populations.tsv", "gates.tsv", "gates.xml", "qc.tsv", "nk.parquet", "subsets.tsv", "report.html")
STACKED = {name: COLUMNS[name] for name in (*SAMPLE_TABLES, *PATIENT_TABLES, "subset_change_tests", "cohort")}
OF_THE_COHORT = (*(f"{name}.tsv" for name in STACKED), "clusters.tsv", "nk.h5ad")
STATUS = {"ok", "warn", "fail"}
VOLUMES = {"INF071": 51.93, "INF149": 70.05, "INF179": 62.7, "ND050": 48.34}  # $VOL as the Aurora writes it


def f1(one: Mask, other: Mask) -> float:
    return float(2 * (one & other).sum() / (one.sum() + other.sum()))


def mouse_labels(study: RealStudy) -> np.ndarray:
    """The manual label of each event, in the order of the file."""
    lines = (study.data / "gatingResult.csv").read_text(encoding="utf-8").splitlines()
    return np.array([line.strip('"') for line in lines])


def hipc_node(study: RealStudy, node: str) -> Mask:
    """Members of a node of the reference gating, in the order of the file."""
    with gzip.open(study.data / "gates.csv.gz", "rt", encoding="utf-8") as handle:
        header, *lines = csv.reader(handle)
    column = header.index(f"root/boundary/Monocytes/{node}")
    return np.array([line[column] == "1" for line in lines])


# --- every study ------------------------------------------------------------------------------------------------------


@ALL
def test_every_file_of_the_contract_is_there(real_study: Studies, name: str) -> None:
    study = real_study(name)
    results = study.path / "results"
    for sample in study.samples:
        for file in OF_A_SAMPLE:
            assert (study.of_sample(sample.sample) / file).stat().st_size > 0, (sample.sample, file)
    for file in OF_THE_COHORT:
        assert (results / "cohort" / file).stat().st_size > 0, file
    for patient in study.sheets.patients:
        assert (results / "patients" / patient / "report.html").stat().st_size > 0
    assert (results / "report" / "index.html").stat().st_size > 0
    recorded = json.loads((results / "provenance.json").read_text(encoding="utf-8"))
    assert all(Path(sample.fcs).name in json.dumps(recorded) for sample in study.samples)


@ALL
def test_headers_are_those_of_the_contract(real_study: Studies, name: str) -> None:
    study = real_study(name)
    for table, columns in STACKED.items():
        with (study.path / "results" / "cohort" / f"{table}.tsv").open(encoding="utf-8") as handle:
            assert handle.readline().rstrip("\n").split("\t") == list(columns), table


@ALL
def test_a_finished_run_has_nothing_to_do(real_study: Studies, planned: Plan, name: str) -> None:
    assert planned(real_study(name).path) == {}


@ALL
def test_events_add_up_and_intervals_hold_their_fractions(real_study: Studies, name: str) -> None:
    rows = real_study(name).table("populations")
    assert rows
    sizes = {(row["sample"], row["population"]): row["events"] for row in rows}
    for row in rows:
        where = (row["sample"], row["population"])
        assert 0 <= row["events"] <= row["parent_events"], where
        if row["parent"] != "root":
            assert row["parent_events"] == sizes[row["sample"], row["parent"]], where
        assert row["ci_low"] <= row["fraction"] <= row["ci_high"], where
        assert row["status"] in STATUS, where
        assert row["reason"] or row["status"] == "ok", where
    for (sample, population), events in sizes.items():
        if population == "nk_dim":
            assert events + sizes[sample, "nk_bright"] == sizes[sample, "nk"]


@ALL
def test_nk_cells_are_told_the_same_everywhere(real_study: Studies, name: str) -> None:
    study = real_study(name)
    subsets = study.table("subsets")
    for sample in study.samples:
        name = sample.sample
        nk = study.population(name, "nk")["events"]
        table = pq.read_table(study.of_sample(name) / "nk.parquet")
        assert table.num_rows == nk
        np.testing.assert_array_equal(table.column("event").to_numpy(), np.flatnonzero(study.members(name, "nk")))
        own = [r for r in subsets if r["sample"] == name and not str(r["subset"]).startswith("state:")]
        assert sum(r["events"] for r in own if r["status"] == "ok") == nk
        assert all(r["reason"] for r in own if r["status"] == "not_resolvable")
        assert {r["nk_events"] for r in own} == {nk}


@ALL
def test_what_the_panel_cannot_give_is_said(real_study: Studies, name: str) -> None:
    study = real_study(name)
    rows = study.table("qc")
    assert {row["sample"] for row in rows} == {sample.sample for sample in study.samples}
    assert not [row for row in rows if row["status"] == "fail"]
    assert all(row["reason"] for row in rows if row["status"] in ("warn", "skipped"))
    checks = {row["check"]: row for row in rows}
    assert checks["readable"]["status"] == "pass"
    if name == "hipc":
        assert {checks[check]["status"] for check in ("time_removed", "doublets", "gate:time", "gate:singlets")} == {
            "skipped"
        }
    assert study.table("chimerism") == []  # no panel here has an HLA marker


# --- what each must find ----------------------------------------------------------------------------------------------


def test_mouse_cells_against_manual_gates(real_study: Studies) -> None:
    study = real_study("mouse")
    labels = mouse_labels(study)
    assert (labels == "NK cells").sum() == 312
    found = {
        population: f1(study.members("spleen", population), labels == label)
        for population, label in {
            "nk": "NK cells",
            "b_cells": "B cells",
            "nkt_like": "NK T cells",
            "cd4_t": "CD4 T cells",
            "cd8_t": "CD8 T cells",
            "gd_t": "gd T cells",
        }.items()
    }
    least = {"nk": 0.85, "b_cells": 0.93, "nkt_like": 0.85, "cd4_t": 0.94, "cd8_t": 0.9, "gd_t": 0.93}
    assert {name: value for name, value in found.items() if value < least[name]} == {}


def test_the_files_own_matrix_stands_in_the_gates_file(real_study: Studies) -> None:
    study = real_study("mouse")
    xml = (study.of_sample("spleen") / "gates.xml").read_text(encoding="utf-8")
    assert "spectrumMatrix" in xml
    assert not [row for row in study.table("qc") if row["check"] == "compensation"]


def test_hipc_cells_against_its_reference_gates(real_study: Studies) -> None:
    study = real_study("hipc")
    nk = hipc_node(study, "Live/CD14-Lineage-/CD56+")
    assert nk.sum() == 6_009
    assert f1(study.members("12828", "nk"), nk) >= 0.95
    assert f1(study.members("12828", "monocytes"), hipc_node(study, "Live/CD14+")) >= 0.95
    bright = study.population("12828", "nk_bright")["fraction"]
    assert 0.01 < bright < 0.15


def test_data_that_come_transformed_are_gated_as_they_are(real_study: Studies) -> None:
    """Cuts stand on the file's own scale of 0 to 4096."""
    cuts = {(r["population"], r["channel"]): r["value"] for r in real_study("hipc").table("gates")}
    assert 1_300 < cuts["nk", "CD56"] < 2_100
    assert "logicle" not in (real_study("hipc").of_sample("12828") / "gates.xml").read_text(encoding="utf-8")


def test_four_donors_of_two_thousand_events(real_study: Studies) -> None:
    study = real_study("aurora")
    assert len(study.samples) == 4
    for sample in study.samples:
        shares = {p: study.population(sample.sample, p) for p in ("lymphocytes", "cd3", "cd4_t", "cd8_t", "nk")}
        lymphocytes = shares["lymphocytes"]["events"]
        assert lymphocytes > 500
        assert 0.3 < shares["cd3"]["fraction"] < 0.9
        assert shares["cd4_t"]["fraction"] + shares["cd8_t"]["fraction"] > 0.85
        assert 0.02 < shares["nk"]["events"] / lymphocytes < 0.3, sample.sample
    borrowed = [row for row in study.table("populations") if row["gate_source"] == "cohort"]
    assert borrowed
    assert all("taken from" in str(row["reason"]) for row in borrowed if row["reason"])


def test_like_tubes_have_like_cuts(real_study: Studies) -> None:
    """One experiment, one day, one instrument: what a tube lacks in events the others lend it."""
    cuts: dict[tuple[str, str], list[float]] = {}
    for row in real_study("aurora").table("gates"):
        cuts.setdefault((row["population"], row["channel"]), []).append(row["value"])
    for population, channel in (("cd3", "CD3"), ("nk", "CD56"), ("cd4_t", "CD4"), ("cd8_t", "CD8")):
        values = cuts[population, channel]
        assert len(values) == 4
        assert max(values) - min(values) < 0.1, (population, values)


def test_unstimulated_nk_cells_are_not_all_activated(real_study: Studies) -> None:
    """No tube takes debris beside its cells for the border of CD69."""
    rows = [row for row in real_study("aurora").table("subsets") if row["subset"] == "state:activated"]
    assert len(rows) == 4
    assert all(row["fraction_of_nk"] < 0.5 for row in rows)


def test_cells_from_a_freezer_have_no_count_per_microlitre_of_blood(real_study: Studies) -> None:
    rows = real_study("aurora").table("counts")
    assert {row["patient"] for row in rows} == set(real_study("aurora").sheets.patients)
    assert all(math.isnan(row["cells_per_ul"]) and "pbmc_cryo" in str(row["reason"]) for row in rows)


def test_this_instruments_volume_is_in_microlitres(real_study: Studies, tmp_path: Path, nktrace: Command) -> None:
    """Had these tubes held whole blood, cells per µL would be events over $VOL, and stand in the trajectories."""
    study = real_study("aurora")
    sheets, settings = read_study(study.path)
    settings = settings.model_copy(update={"counts": settings.counts.model_copy(update={"doublets": "leave_out"})})
    for patient in study.sheets.patients:
        blood = tuple(replace(sample, material="whole_blood") for sample in sheets.samples_of(patient))
        row = dump_patient(PatientRow(patient=sheets.patients[patient], samples=blood))
        (sample,) = (study.of_sample(sample.sample) for sample in blood)
        common = ("--patient", row, "--settings")
        knowledge = (
            "--ranges",
            HOME / "resources" / "reference_ranges.tsv",
            "--grades",
            HOME / "resources" / "grades.tsv",
        )
        counts = tmp_path / patient / "counts.tsv"
        counts.parent.mkdir()
        written = ("--output", counts, "--checks", counts.parent / "count_checks.tsv")
        made = nktrace("counts", *common, part(settings, "counts"), *knowledge, *written, sample)
        assert made.returncode == 0, made.stderr
        rows = {r["population"]: r for r in read_table(counts, "counts")}
        expected = study.population(sample.name, "nk")["events"] / VOLUMES[sample.name]
        kept = study.population(sample.name, "time")["fraction"]
        assert rows["nk"]["platform"] == "volumetric"
        assert rows["nk"]["cells_per_ul"] == pytest.approx(expected / kept, rel=1e-5)
        assert "unwashed" in rows["nk"]["reason"]
        chimerism = study.path / "results" / "patients" / patient / "chimerism.tsv"
        words = ("--counts", counts, "--chimerism", chimerism, "--output-dir", counts.parent, sample)
        made = nktrace("trajectories", *common, part(settings, "kinetics", "trajectories"), *words)
        assert made.returncode == 0, made.stderr
        observed = {r["measure"]: r["observed"] for r in read_table(counts.parent / "trajectories.tsv", "trajectories")}
        assert observed["nk"] == pytest.approx(rows["nk"]["cells_per_ul"], rel=1e-5)
