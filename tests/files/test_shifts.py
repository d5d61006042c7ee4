"""Moved gates there and back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nktrace.files.shifts import read_gate_error, read_shifts, write_gate_error, write_shifts
from nktrace.model.errors import NktraceError
from nktrace.model.shifts import Moved, NetShift, Shift

INT8, ROWS = np.int8, np.intp
SHIFTS = (
    Shift(
        "nk",
        "CD56",
        "min",
        Moved(np.array([3, 8], ROWS), {"nk": np.array([1, 1], INT8), "nk_dim": np.array([1, 0], INT8)}),
        Moved(np.array([5], ROWS), {"nk": np.array([-1], INT8)}),
    ),
    Shift("cd3", "CD3", "max", Moved(np.empty(0, ROWS), {}), Moved(np.array([9], ROWS), {"cd3": np.array([1], INT8)})),
)


def test_events_and_their_changes_come_back(tmp_path: Path) -> None:
    write_shifts(tmp_path / "shifts.parquet", SHIFTS)
    found = read_shifts(tmp_path / "shifts.parquet")
    for mine, other in zip(SHIFTS, found, strict=True):
        assert (mine.population, mine.channel, mine.edge) == (other.population, other.channel, other.edge)
        for side, back in ((mine.low, other.low), (mine.high, other.high)):
            assert back.events.tolist() == side.events.tolist()
            assert {name: change.tolist() for name, change in back.change.items()} == {
                name: change.tolist() for name, change in side.change.items()
            }


def test_no_uncertain_gate_is_an_empty_file(tmp_path: Path) -> None:
    write_shifts(tmp_path / "shifts.parquet", ())
    assert read_shifts(tmp_path / "shifts.parquet") == ()


def test_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "shifts.parquet").write_bytes(b"no parquet")
    with pytest.raises(NktraceError, match=r"shifts\.parquet"):
        read_shifts(tmp_path / "shifts.parquet")


def test_tables_of_one_sample_are_read_as_one(tmp_path: Path) -> None:
    net = [shift.net() for shift in SHIFTS]
    write_gate_error(tmp_path / "gate_error.tsv", "S", net)
    write_gate_error(tmp_path / "subset_error.tsv", "S", [NetShift("nk", "CD56", "min", {"adaptive": 1}, {})])
    found = read_gate_error(tmp_path / "gate_error.tsv", tmp_path / "subset_error.tsv", tmp_path / "none.tsv")
    assert found == (
        NetShift("nk", "CD56", "min", {"nk": 2, "nk_dim": 1, "adaptive": 1}, {"nk": -1, "nk_dim": 0, "adaptive": 0}),
        NetShift("cd3", "CD3", "max", {"cd3": 0}, {"cd3": 1}),
    )
