"""NK subsets by marker signs."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nktrace.files.subset_rules import read_subset_rules
from nktrace.model.events import Events
from nktrace.model.lineages import Lineages
from nktrace.model.subsets import SubsetCount, SubsetKind, SubsetRule, SubsetStatus
from nktrace.science.subsets import call_subsets, nk_members, population_of

RULES = read_subset_rules(Path(__file__).resolve().parents[2] / "resources" / "nk_subsets.tsv")
MARKERS = ("CD56", "CD16", "CD57", "NKG2A", "NKG2C", "CD69", "HLA-DR")
POPULATIONS = ("nk_bright", "nk_dim", "nk_cd57", "nk_nkg2a", "nk_nkg2c", "nk_cd69", "nk_hla_dr", "nk_cd16")

# bright, adaptive, terminal, early dim, other dim, and a dim cell with NKG2C but not CD57
CELLS = {
    "nk": [1, 1, 1, 1, 1, 1],
    "nk_bright": [1, 0, 0, 0, 0, 0],
    "nk_dim": [0, 1, 1, 1, 1, 1],
    "nk_cd57": [0, 1, 1, 0, 0, 0],
    "nk_nkg2a": [1, 0, 0, 1, 0, 0],
    "nk_nkg2c": [0, 1, 0, 0, 0, 1],
    "nk_cd69": [1, 0, 0, 1, 0, 0],
    "nk_hla_dr": [0, 0, 0, 1, 0, 0],
}


def members(*without: str) -> dict[str, np.ndarray]:
    return {name: np.array(mask, dtype=bool) for name, mask in CELLS.items() if name not in without}


def called(*without: str) -> tuple[list[str], dict[str, SubsetCount]]:
    calls = call_subsets(RULES, members(*without), markers=MARKERS, level=0.95)
    return calls.labels.tolist(), {count.subset: count for count in calls.counts}


def test_each_cell_gets_the_first_subset_that_it_meets() -> None:
    labels, counts = called()
    assert labels == ["bright", "adaptive", "terminal", "early_dim", "other_dim", "other_dim"]
    assert counts["other_dim"].events == 2
    assert counts["other_nk"].fraction.value == 0
    assert counts["adaptive"].fraction.value == pytest.approx(1 / 6)
    assert counts["adaptive"].fraction.low < 1 / 6 < counts["adaptive"].fraction.high


def test_what_the_panel_cannot_resolve_is_not_available_and_its_cells_go_to_the_next_match() -> None:
    labels, counts = called("nk_nkg2c")
    assert labels == ["bright", "terminal", "terminal", "early_dim", "other_dim", "other_dim"]
    adaptive = counts["adaptive"]
    assert adaptive.status is SubsetStatus.NOT_RESOLVABLE
    assert adaptive.events is None
    assert adaptive.nk_events == 6
    assert math.isnan(adaptive.fraction.value)
    assert counts["terminal"].fraction.value == pytest.approx(2 / 6)


def test_a_reason_tells_a_marker_that_is_missing_from_one_that_has_no_gate() -> None:
    member = members("nk_cd57")
    lacking = call_subsets(RULES, member, markers=("CD56", "CD16", "NKG2A", "NKG2C"), level=0.95)
    ungated = call_subsets(RULES, member, markers=MARKERS, level=0.95)
    reasons = [{c.subset: c.reason for c in calls.counts}["terminal"] for calls in (lacking, ungated)]
    assert reasons == ["CD57+: not in the panel", "CD57+: in the panel, but no gate (nk_cd57)"]


def test_where_bright_and_dim_are_not_told_apart_no_cell_is_called_either() -> None:
    labels, counts = called("nk_bright", "nk_dim")
    assert set(labels) == {"other_nk"}
    assert counts["other_nk"].fraction.value == 1
    unresolved = {name for name, count in counts.items() if count.status is SubsetStatus.NOT_RESOLVABLE}
    assert {"bright", "adaptive", "terminal", "early_dim", "other_dim"} <= unresolved


def test_states_overlap_and_say_which_markers_they_rest_on() -> None:
    _, counts = called()
    activated = counts["state:activated"]
    assert (activated.events, activated.fraction.value) == (2, pytest.approx(2 / 6))
    assert "by CD69+/HLA-DR+ of" in activated.reason
    assert counts["state:proliferating"].status is SubsetStatus.NOT_RESOLVABLE
    resident = counts["state:tissue_resident_like"]
    assert resident.status is SubsetStatus.NOT_RESOLVABLE, "CD69 alone is not residency"
    assert "CD103+/CD49a+" in resident.reason


def test_supporting_signs_are_reported_and_decide_nothing() -> None:
    _, counts = called()
    assert "NKG2A+ 1.00" in counts["bright"].reason
    assert "CD57- 1.00" in counts["bright"].reason


def test_no_nk_cells_have_no_fractions() -> None:
    member = {name: mask[:0] for name, mask in members().items()}
    calls = call_subsets(RULES, member, markers=MARKERS, level=0.95)
    assert calls.labels.size == 0
    for count in calls.counts:
        assert math.isnan(count.fraction.value)
        assert count.status is SubsetStatus.NOT_RESOLVABLE
        assert count.reason
        assert count.nk_events == 0


def test_where_nk_was_not_gated_nothing_is_available() -> None:
    calls = call_subsets(RULES, {}, markers=MARKERS, level=0.95)
    assert {count.reason for count in calls.counts} == {"the population nk was not gated"}
    assert all(count.events is None and count.nk_events is None for count in calls.counts)


@pytest.mark.parametrize(
    ("marker", "population"),
    [("HLA-DR", "nk_hla_dr"), ("CD57", "nk_cd57"), ("Ki-67", "nk_ki_67"), ("CD49a ", "nk_cd49a")],
)
def test_the_population_of_a_marker(marker: str, population: str) -> None:
    assert population_of(marker) == population


def slow_call(rules: list[SubsetRule], member: dict[str, np.ndarray], event: int) -> str:
    """The readable twin: one cell, rule by rule."""
    for rule in rules:
        verdicts = []
        for clause in rule.required:
            signs = [
                bool(member[population][event]) == sign.positive
                for sign in clause
                for population in [p for p in sign.populations if p in member][:1]
            ]
            verdicts.append(any(signs) if signs else None)
        if None not in verdicts and all(verdicts):
            return rule.subset
    return ""


@given(data=st.data())
def test_resolvable_fractions_sum_to_one_whatever_was_gated(data: st.DataObject) -> None:
    gated = data.draw(st.sets(st.sampled_from(POPULATIONS)))
    events = data.draw(st.integers(1, 40))
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    member = {"nk": np.ones(events, dtype=bool)} | {name: rng.random(events) < 0.5 for name in sorted(gated)}
    calls = call_subsets(RULES, member, markers=MARKERS, level=0.95)
    exclusive = [c for c in calls.counts if not c.subset.startswith("state:") and c.status is SubsetStatus.OK]
    assert sum(count.events or 0 for count in exclusive) == events
    assert sum(count.fraction.value for count in exclusive) == pytest.approx(1)
    ordered = sorted((rule for rule in RULES if rule.kind is SubsetKind.EXCLUSIVE), key=lambda rule: rule.priority or 0)
    assert calls.labels.tolist() == [slow_call(ordered, member, event) for event in range(events)]


DOUBT = "gate_doubtful: {} (one peak)"


def doubted(*names: str) -> dict[str, SubsetCount]:
    doubts = {name: (DOUBT.format(name),) for name in names}
    calls = call_subsets(RULES, members(), markers=MARKERS, level=0.95, doubts=doubts)
    return {count.subset: count for count in calls.counts}


def test_a_subset_by_a_doubtful_gate_says_so_as_do_those_that_get_the_rest() -> None:
    counts = doubted("nk_cd57")
    flagged = {name for name, count in counts.items() if DOUBT.format("nk_cd57") in count.reason}
    assert {"adaptive", "terminal", "early_dim", "other_dim", "other_nk"} <= flagged
    assert not flagged & {"bright", "state:activated"}
    assert counts["terminal"].status is SubsetStatus.OK
    assert counts["terminal"].events == 1
    assert "gate_doubtful" in doubted("nk_cd69")["state:activated"].reason
    assert all("gate_doubtful" in c.reason for c in doubted("nk").values() if c.status is SubsetStatus.OK)


def test_where_a_gate_failed_its_subsets_are_not_resolvable() -> None:
    flag = "gate_failed: nk_cd57 (20 events)"
    mask = np.ones(6, dtype=bool)
    lineages = Lineages(
        sample="S",
        panel="p",
        batch="b",
        event=np.arange(6, dtype=np.int32),
        member={"nk": mask} | members("nk"),
        hla={},
        nk_rows=np.arange(6),
        nk_markers=Events(np.empty((6, 0), np.float32, order="F"), ()),
        doubts={"nk_cd57": (flag,)},
    )
    member = nk_members(lineages)
    assert "nk_cd57" not in member
    calls = call_subsets(RULES, member, markers=MARKERS, level=0.95, doubts=lineages.doubts)
    terminal = {count.subset: count for count in calls.counts}["terminal"]
    assert (terminal.status, terminal.events) == (SubsetStatus.NOT_RESOLVABLE, None)
    assert terminal.reason == f"CD57+: no gate that holds; {flag}"


def test_where_the_gate_of_nk_failed_nothing_is_resolvable() -> None:
    flag = "gate_failed: nk (3 events)"
    calls = call_subsets(RULES, members(), markers=MARKERS, level=0.95, doubts={"nk": (flag,)})
    assert {(count.status, count.reason) for count in calls.counts} == {(SubsetStatus.NOT_RESOLVABLE, flag)}
