"""Stacked tables keep order and refuse what is not the contract's."""

from __future__ import annotations

from pathlib import Path

import pytest

from nktrace.files.stacking import stack_tables
from nktrace.files.tables import read_table, write_table
from nktrace.model.errors import NktraceError


def check(sample: str) -> dict[str, object]:
    return {"sample": sample, "check": "events", "value": 5.0, "limit": None, "status": "pass", "reason": None}


def test_rows_stand_in_the_order_given(tmp_path: Path) -> None:
    paths = []
    for name, rows in (("b", [check("b"), check("b")]), ("empty", []), ("a", [check("a")])):
        paths.append(tmp_path / f"{name}.tsv")
        write_table(paths[-1], "qc", rows)
    stack_tables(paths, "qc", tmp_path / "stacked.tsv")
    assert [row["sample"] for row in read_table(tmp_path / "stacked.tsv", "qc")] == ["b", "b", "a"]


def test_no_tables_give_a_header(tmp_path: Path) -> None:
    stack_tables([], "qc", tmp_path / "stacked.tsv")
    assert read_table(tmp_path / "stacked.tsv", "qc") == []


def test_another_header_is_refused_and_nothing_written(tmp_path: Path) -> None:
    write_table(tmp_path / "wrong.tsv", "kinetics", [])
    with pytest.raises(NktraceError, match=r"not that of qc\.tsv"):
        stack_tables([tmp_path / "wrong.tsv"], "qc", tmp_path / "stacked.tsv")
    assert not (tmp_path / "stacked.tsv").exists()


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(NktraceError, match="there is no such table"):
        stack_tables([tmp_path / "absent.tsv"], "qc", tmp_path / "stacked.tsv")
