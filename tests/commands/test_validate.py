"""`nktrace validate`: a study's results against its truth."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nktrace.cli import main
from nktrace.files.table_columns import COLUMNS
from nktrace.files.tables import read_rows, write_table
from nktrace.files.truth import read_expectations, read_nk_truth

SMALL = Path(__file__).resolve().parents[2] / "resources" / "simulation" / "small.yaml"


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("truth")
    assert main(["simulate", str(SMALL), "--patient", "S2", "--data-dir", str(data)]) == 0
    return data / "truth"


def validate(truth: Path, directory: Path) -> dict[tuple[str, str], dict[str, str]]:
    output = directory / "validation" / "demo.tsv"
    assert main(["validate", "--truth", str(truth), "--results", str(directory), "--output", str(output)]) == 0
    return {(row["measure"], row["band"]): row for row in read_rows(output)}


def row_of(table: str, **values: object) -> dict[str, object]:
    empty = {str: None, float: math.nan, int: None, bool: False}
    return {column: values.get(column, empty[kind]) for column, kind in COLUMNS[table].items()}


def test_no_results_are_no_error(truth: Path, tmp_path: Path) -> None:
    rows = validate(truth, tmp_path)
    assert rows["samples_without_result", "all"]["value"] == "5"
    assert rows["nk_f1_median", "all"]["status"] == "none"


def test_a_perfect_gate_and_a_sample_without_result(truth: Path, tmp_path: Path) -> None:
    for sample in ("S2-blank", "S2-d01"):
        is_nk, judged = read_nk_truth(truth, sample)
        found = np.flatnonzero(is_nk & judged) if sample == "S2-blank" else np.flatnonzero(is_nk)[::2]
        (tmp_path / "samples" / sample).mkdir(parents=True)
        pq.write_table(pa.table({"event": found}), tmp_path / "samples" / sample / "nk.parquet")
    rows = validate(truth, tmp_path)
    assert rows["nk_f1", "S2-blank"]["value"] == "1"
    assert rows["nk_f1", "S2-d01"]["status"] == "missed"
    assert float(rows["nk_f1", "S2-d01"]["value"]) == pytest.approx(2 / 3, abs=0.01)
    assert rows["nk_f1", "S2-d07"]["status"] == "none"
    assert rows["nk_f1_median", "all"]["n"] == "2"


def test_counts_and_donor_fractions_beside_their_truth(
    truth: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = read_expectations(truth)
    days = {"S2-d01": 1.0, "S2-d07": 7.0, "S2-d14": 14.0}
    counted, chimeric, fitted = [], [], []
    for sample, day in days.items():
        nk = expected[sample, "nk"]
        cells, f = nk.cells_per_ul, nk.donor_fraction
        common = {"sample": sample, "patient": "S2", "day": day, "population": "nk"}
        counted.append(
            row_of(
                "counts", **common, platform="dual", cells_per_ul=cells * 1.04, ci_low=cells * 0.9, ci_high=cells * 1.2
            )
        )
        chimeric.append(
            row_of("chimerism", **common, events=12_000, donor_fraction=f * 1.2, ci_low=f * 1.1, ci_high=f * 1.3,
                   status="quantified", donor_cells_per_ul=f * cells, donor_cells_ci_low=0.0, donor_cells_ci_high=99.0)
        )  # fmt: skip
        fitted.append(
            row_of(
                "trajectories", patient="S2", measure="donor_nk", day=day, fitted=1.0, fitted_low=0.0, fitted_high=99.0
            )
        )
    chimeric.append(row_of("chimerism", sample="S2-d01", population="cd3", status="uninformative"))
    chimeric.append(row_of("chimerism", sample="S2-d01", population="b_cells", status="detected", events=500))
    write_table(tmp_path / "cohort" / "counts.tsv", "counts", counted)
    write_table(tmp_path / "cohort" / "chimerism.tsv", "chimerism", chimeric)
    write_table(tmp_path / "cohort" / "trajectories.tsv", "trajectories", fitted)
    rows = validate(truth, tmp_path)
    assert float(rows["count_relative_error", "dual"]["value"]) == pytest.approx(0.04, rel=1e-5)
    assert rows["count_relative_error", "all"]["status"] == "ok"
    assert rows["coverage_count", "all"]["value"] == "1"
    fraction = rows["donor_fraction_relative_error", ">1 %, >=10000 events"]
    assert (float(fraction["value"]), fraction["status"]) == (pytest.approx(0.2, rel=1e-5), "missed")
    assert rows["coverage_donor_fraction", "all"]["value"] == "0"
    assert rows["coverage_donor_cells", "all"]["value"] == "1"
    assert rows["coverage_fitted_donor_cells", "all"]["n"] == "3"
    assert (rows["false_detection", "0"]["n"], rows["false_detection", "0"]["value"]) == ("1", "1")
    assert "count_relative_error" in capsys.readouterr().out


def test_a_count_that_repeats_another_tubes_is_counted_once(truth: Path, tmp_path: Path) -> None:
    """Donor cells that rest on it are an estimate of their own."""
    nk = read_expectations(truth)["S2-d07", "nk"]
    common = {"sample": "S2-d07", "patient": "S2", "day": 7.0, "population": "nk"}
    count = {"platform": "beads", "cells_per_ul": nk.cells_per_ul, "ci_low": 0.0, "ci_high": 9e9}
    copy = row_of("counts", **common, **count, reason="counted in tube C")
    chimeric = row_of("chimerism", **common, donor_cells_per_ul=1.0, donor_cells_ci_low=0.0, donor_cells_ci_high=9e9)
    write_table(tmp_path / "cohort" / "chimerism.tsv", "chimerism", [chimeric])
    for rows, n in (([row_of("counts", **common, **count), copy], "1"), ([copy], "0")):
        write_table(tmp_path / "cohort" / "counts.tsv", "counts", rows)
        found = validate(truth, tmp_path)
        assert found["count_relative_error", "all"]["n"] == n
        assert ("count_relative_error", "beads") in found or n == "0"
        assert found["coverage_count", "all"]["n"] == n
        assert found["coverage_donor_cells", "all"]["n"] == "1"


def test_a_directory_without_truth_is_an_error(tmp_path: Path) -> None:
    assert main(["validate", "--truth", str(tmp_path), "--results", "x", "--output", str(tmp_path / "v.tsv")]) == 2
