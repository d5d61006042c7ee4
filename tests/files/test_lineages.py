"""Gated events there and back, and files of before doubts were written."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from nktrace.files.lineages import read_lineages, write_lineages
from nktrace.model.events import Events
from nktrace.model.gates import Boolean, Edge, Gate, Rectangle
from nktrace.model.lineages import Lineages, NkGate, gates_below_nk

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
    nk_gates=(
        NkGate(
            population="nk_cd57",
            parent="nk",
            edges=(
                Edge(channel="CD57", edge="min", value=0.1 + 0.2, low=0.25, high=0.35),
                Edge(channel="CD57", edge="max", value=0.9),
            ),
        ),
        NkGate(population="nk_rest", parent="nk_cd57", expression="!nk_cd57"),
    ),
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


def test_gates_below_nk_come_back_with_cuts_that_have_no_interval(tmp_path: Path) -> None:
    write_lineages(tmp_path / "l.parquet", GATED)
    cut, rest = read_lineages(tmp_path / "l.parquet").nk_gates
    assert rest == GATED.nk_gates[1]
    assert (cut.population, cut.parent, cut.edges[0]) == ("nk_cd57", "nk", GATED.nk_gates[0].edges[0])
    assert (cut.edges[1].edge, cut.edges[1].value) == ("max", 0.9)
    assert math.isnan(cut.edges[1].low)


def test_the_gates_below_nk_are_found_through_their_parents() -> None:
    def gate(population: str, parent: str) -> Gate:
        edge = Edge(channel="CD57", edge="min", value=0.5)
        return Gate(
            population=population,
            parent=parent,
            method="valley",
            shape=Rectangle(("CD57",), (0.5,), (math.inf,)),
            edges=(edge,),
        )

    dim = Gate(population="nk_dim", parent="nk", method="boolean", shape=Boolean("!nk_bright"))
    gates = (gate("cd3", "root"), gate("nk", "root"), gate("nk_bright", "nk"), dim, gate("nk_cd57", "nk_dim"))
    found = gates_below_nk(gates)
    assert [(g.population, g.parent, g.expression) for g in found] == [
        ("nk_bright", "nk", ""),
        ("nk_dim", "nk", "!nk_bright"),
        ("nk_cd57", "nk_dim", ""),
    ]
    assert found[0].edges == gates[2].edges
