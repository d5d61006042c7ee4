"""Tables of the contract: what is written is what is read."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nktrace.files.table_columns import COLUMNS
from nktrace.files.tables import cell, read_rows, read_table, write_rows, write_table
from nktrace.model.errors import NktraceError


def qc_row(**values: object) -> dict[str, object]:
    return {
        "sample": "S1",
        "check": "events",
        "value": 5.0,
        "limit": math.nan,
        "status": "pass",
        "reason": None,
    } | values


def test_unknown_values_are_na_and_come_back_as_unknown(tmp_path: Path) -> None:
    write_table(tmp_path / "qc.tsv", "qc", [qc_row()])
    assert (
        tmp_path / "qc.tsv"
    ).read_text() == "sample\tcheck\tvalue\tlimit\tstatus\treason\nS1\tevents\t5\tNA\tpass\tNA\n"
    (row,) = read_table(tmp_path / "qc.tsv", "qc")
    assert row["value"] == 5.0
    assert math.isnan(row["limit"])
    assert row["reason"] is None


def test_no_rows_give_a_header(tmp_path: Path) -> None:
    write_table(tmp_path / "counts.tsv", "counts", [])
    assert (tmp_path / "counts.tsv").read_text() == "\t".join(COLUMNS["counts"]) + "\n"
    assert read_table(tmp_path / "counts.tsv", "counts") == []


def test_a_forgotten_column_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    row = qc_row()
    del row["reason"]
    with pytest.raises(ValueError, match="reason"):
        write_table(tmp_path / "qc.tsv", "qc", [row])
    assert list(tmp_path.iterdir()) == []


@given(st.text())
def test_any_text_stays_one_cell(text: str) -> None:
    written = cell(text)
    assert "\t" not in written
    assert len(written.splitlines()) <= 1
    assert written


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_keep_seven_digits(value: float) -> None:
    assert float(cell(value)) == pytest.approx(value, rel=1e-6, abs=0)


@pytest.mark.parametrize(
    ("value", "text"), [(True, "true"), (0.0, "0"), (-0.0, "0"), (math.inf, "inf"), (3, "3"), ("", "NA")]
)
def test_special_values(value: object, text: str) -> None:
    assert cell(value) == text


def test_a_ragged_row_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.tsv"
    path.write_text("a\tb\n1\t2\n3\n")
    with pytest.raises(NktraceError, match="row 3"):
        read_rows(path)


def test_a_wrong_cell_is_named(tmp_path: Path) -> None:
    path = tmp_path / "qc.tsv"
    write_rows(path, list(COLUMNS["qc"]), [qc_row(value="many")])
    with pytest.raises(NktraceError, match="many"):
        read_table(path, "qc")
