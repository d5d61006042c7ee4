"""`nktrace external` and `nktrace agreement` over files of made-up patients."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from nktrace.cli import main
from nktrace.files.rows import PatientRow, dump_patient, dump_rows
from nktrace.files.settings import Settings, part
from nktrace.files.table_columns import COLUMNS
from nktrace.files.tables import read_table, write_table
from nktrace.model.study import Patient, Role, Sample

SETTINGS = part(Settings(data_dir=""), "external")


def row(name: str, **values: Any) -> dict[str, Any]:
    return dict.fromkeys(COLUMNS[name]) | values


def asked(patient: str, method: str, value: str, **values: str) -> dict[str, str]:
    empty = dict.fromkeys(("material", "population", "ci_low", "ci_high", "lod"), "")
    return {"patient": patient, "day": "7", "method": method, "donor_fraction": value} | empty | values


def laid(tmp_path: Path, patient: str, *rows: dict[str, str], fraction: float = 0.05) -> list[dict[str, Any]]:
    """The table of a patient with one whole-blood sample: 200 T and 50 NK cells, 5 % of these the donor's."""
    tube = Sample(sample=f"{patient}-d7", patient=patient, day=7.0, role=Role.TIMEPOINT, panel="p", batch="b", fcs="x")
    directory = tmp_path / tube.sample
    directory.mkdir(parents=True)
    events = {"leukocytes": 1000, "lymphocytes": 252, "cd3": 200, "nk": 50, "nk_dim": 45}
    gated = [row("populations", sample=tube.sample, population=p, events=n, status="ok") for p, n in events.items()]
    write_table(directory / "populations.tsv", "populations", gated)
    told = {"nk": (fraction, 0.8 * fraction, 1.2 * fraction, "quantified"), "cd3": (0.0, 0.0, 0.001, "not_detected")}
    known = {"sample": tube.sample, "patient": patient, "day": 7.0, "lod": 0.002}
    chimerism = [
        row("chimerism", population=p, donor_fraction=value, ci_low=low, ci_high=high, status=status, **known)
        for p, (value, low, high, status) in told.items()
    ]
    chimerism.append(row("chimerism", sample=tube.sample, patient=patient, population="nk_dim", status="indeterminate"))
    write_table(tmp_path / f"{patient}-chimerism.tsv", "chimerism", chimerism)
    write_table(tmp_path / f"{patient}-counts.tsv", "counts", [])
    output = tmp_path / f"{patient}.tsv"
    options = ["--chimerism", f"{tmp_path}/{patient}-chimerism.tsv", "--counts", f"{tmp_path}/{patient}-counts.tsv"]
    patient_row = dump_patient(PatientRow(patient=Patient(patient=patient), samples=(tube,)))
    command = ["external", str(directory), "--patient", patient_row, "--external", dump_rows(rows), *options]
    assert main([*command, "--settings", SETTINGS, "--output", str(output)]) == 0
    return read_table(output, "external_chimerism")


def test_every_row_of_the_sheet_has_its_comparison_or_the_reason(tmp_path: Path) -> None:
    found = laid(
        tmp_path,
        "P1",
        asked("P1", "ddPCR", "0.04", population="nk", ci_low="0.03", ci_high="0.05"),
        asked("P1", "STR", "0", lod="0.02", population="lymphocytes"),
        asked("P1", "STR", "0.01", population="leukocytes"),
        asked("P1", "STR", "0.3", population="nk_dim"),
        asked("P1", "STR", "", population="nk"),
    )
    assert [line["status"] for line in found] == ["ok", "censored", "bound", "not_comparable", "not_comparable"]
    assert found[0]["difference"] == pytest.approx(0.01)
    assert found[1]["flow_fraction"] == pytest.approx(0.05 * 50 / 252)
    assert found[1]["external_censored"] is True
    assert found[2]["covered"] == pytest.approx(0.25)
    assert found[2]["flow_high"] == pytest.approx(0.7525, abs=0.01)
    assert "nk_dim" in found[3]["reason"]
    assert found[4]["reason"] == "no value of STR"


def agreed(tmp_path: Path, tables: list[str]) -> dict[str, dict[str, Any]]:
    assert main(["agreement", *tables, "--settings", SETTINGS, "--output-dir", str(tmp_path / "cohort")]) == 0
    rows = read_table(tmp_path / "cohort" / "external_agreement.tsv", "external_agreement")
    return {line["quantity"]: line for line in rows}


@pytest.mark.parametrize(("value", "lod", "counts"), [("1", "0.01", True), ("0.995", "0.01", True), ("1", "", False)])
def test_complete_chimerism_by_str_counts_by_its_bound(tmp_path: Path, value: str, lod: str, counts: bool) -> None:
    """STR's "100 % donor" is within its limit of detection of 1; without such a limit nothing is known of it."""
    fractions = {"P0": (0.02, "0.025"), "P1": (0.1, "0.12"), "P2": (0.3, "0.31"), "P3": (0.6, "0.62")}
    for patient, (fraction, other) in fractions.items():
        laid(tmp_path, patient, asked(patient, "STR", other, population="nk"), fraction=fraction)
    laid(tmp_path, "P4", asked("P4", "STR", value, lod=lod, population="nk"), fraction=0.82)
    found = agreed(tmp_path, [f"{tmp_path}/P{number}.tsv" for number in range(5)])
    assert all(math.isfinite(found["bias"][name]) for name in ("value", "ci_low", "ci_high"))
    assert math.isfinite(found["limit_low"]["value"])
    assert [found["bias"][name] for name in ("n_pairs", "n_patients", "n_censored", "n_left_out")] == (
        [5, 5, 1, 0] if counts else [4, 4, 0, 1]
    )
    assert ("4 of 5 pairs" in (found["concordance"]["note"] or "")) is counts


@pytest.mark.parametrize(("ends", "bounds"), [(("0.955", "0.965"), 0), (("0.955", "1"), 1), (("", ""), 1)])
def test_a_value_near_one_whose_interval_excludes_one_is_a_number(
    tmp_path: Path, ends: tuple[str, str], bounds: int
) -> None:
    for number, fraction in enumerate((0.02, 0.1, 0.3)):
        laid(tmp_path, f"P{number}", asked(f"P{number}", "STR", f"{fraction}", population="nk"), fraction=fraction)
    near = asked("P3", "STR", "0.96", lod="0.05", ci_low=ends[0], ci_high=ends[1], population="nk")
    laid(tmp_path, "P3", near, fraction=0.8)
    found = agreed(tmp_path, [f"{tmp_path}/P{number}.tsv" for number in range(4)])
    assert [found["bias"][name] for name in ("n_pairs", "n_censored", "n_left_out")] == [4, bounds, 0]


def test_two_values_below_their_limits_are_no_pair(tmp_path: Path) -> None:
    """STR found nothing in the T cells, neither did flow: that tells nothing of how the methods agree."""
    laid(tmp_path, "P0", asked("P0", "STR", "0", lod="0.02", population="cd3"))
    found = agreed(tmp_path, [f"{tmp_path}/P0.tsv"])
    assert [found["bias"][name] for name in ("n_pairs", "n_patients", "n_censored", "n_left_out")] == [0, 0, 0, 1]


def test_flow_at_one_is_a_bound_too(tmp_path: Path) -> None:
    for number, fraction in enumerate((0.02, 0.1, 0.3, 1.0)):
        patient = f"P{number}"
        value = f"{0.95 * fraction:.4f}"
        laid(tmp_path, patient, asked(patient, "STR", value, population="nk"), fraction=fraction)
    found = agreed(tmp_path, [f"{tmp_path}/P{number}.tsv" for number in range(4)])
    assert found["bias"]["n_censored"] == 1
    assert found["bias"]["ci_low"] < found["bias"]["value"] < found["bias"]["ci_high"]


def test_agreement_is_over_patients(tmp_path: Path) -> None:
    for number, fraction in enumerate((0.02, 0.05, 0.1, 0.2, 0.3)):
        patient = f"P{number}"
        value = f"{fraction * (1.3 if number % 2 else 1.2):.4f}"
        laid(tmp_path, patient, asked(patient, "ddPCR", value, population="nk"), fraction=fraction)
    tables = [str(tmp_path / f"P{number}.tsv") for number in range(5)]
    found = agreed(tmp_path, tables)
    assert len(read_table(tmp_path / "cohort" / "external_chimerism.tsv", "external_chimerism")) == 5
    assert found["bias"]["ci_low"] < found["bias"]["value"] < found["bias"]["ci_high"] < 0
    assert 0.9 < found["concordance"]["value"] < 1
    assert found["bias"]["n_patients"] == 5
