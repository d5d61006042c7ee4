"""Gated events there and back, and files of before doubts were written."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from nktrace.files.lineages import read_lineages, write_lineages
from nktrace.model.events import Events
from nktrace.model.lineages import Lineages

NK = np.array([True, False, True])
GATED = Lineages(
    sample="S",
    panel="p",
    batch="b",
    event=np.array([2, 5, 7], dtype=np.int32),
    member={"nk": NK, "cd3": ~NK},
    hla={"HLA-A2": np.array([1.0, 2.0, 3.0], dtype=np.float32)},
    nk_rows=np.flatnonzero(NK),
    nk_markers=Events(np.array([[0.5], [0.7]], dtype=np.float32, order="F"), ("CD56",)),
    doubts={"nk": ("gate_doubtful: nk (one peak)", "gate_doubtful: lymphocytes (one peak)")},
)


def test_events_and_doubts_come_back(tmp_path: Path) -> None:
    write_lineages(tmp_path / "l.parquet", GATED)
    found = read_lineages(tmp_path / "l.parquet")
    assert found.doubts == GATED.doubts
    assert (found.sample, found.panel, found.batch, found.failure) == ("S", "p", "b", "")
    assert found.event.tolist() == [2, 5, 7]
    assert found.nk_rows.tolist() == [0, 2]
    assert found.nk_markers.column("CD56").tolist() == GATED.nk_markers.column("CD56").tolist()


def test_a_file_without_doubts_has_none(tmp_path: Path) -> None:
    path = tmp_path / "old.parquet"
    write_lineages(path, replace(GATED, doubts={}))
    table = pq.read_table(path)
    note = json.loads(table.schema.metadata[b"nktrace"])
    del note["doubts"]
    pq.write_table(table.replace_schema_metadata({"nktrace": json.dumps(note)}), path)
    assert read_lineages(path).doubts == {}
