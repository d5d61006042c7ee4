"""The probability of NK subsets where markers overlap: against enumeration cell by cell, and against a known truth."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nktrace.files.subset_rules import read_subset_rules
from nktrace.model.events import Events
from nktrace.model.gates import Edge
from nktrace.model.lineages import Lineages, NkGate
from nktrace.model.subsets import SubsetCount, SubsetRule, SubsetStatus
from nktrace.science.simulation.cells import skewed
from nktrace.science.subset_probability import SubsetProbabilities, spread, subset_probabilities
from nktrace.science.subsets import call_subsets, nk_members

RULES = read_subset_rules(Path(__file__).resolve().parents[2] / "resources" / "nk_subsets.tsv")
SD, NEGATIVE, POSITIVE = 0.06, 0.3, 0.51  # 3.5 sd apart
SHARES = {"CD56": 0.1, "CD16": 0.9, "CD57": 0.5, "NKG2A": 0.4, "NKG2C": 0.04, "CD69": 0.1}
MARKERS = tuple(SHARES)


def edge(channel: str, name: str = "min", *, value: float, error: float = 0.003) -> Edge:
    return Edge(channel=channel, edge=name, value=value, low=value - 1.96 * error, high=value + 1.96 * error)


def best_cut(values: np.ndarray, positive: np.ndarray) -> float:
    """Where the fewest events lie on the wrong side; among few, in the middle."""
    if values.size < 100 or not 0 < np.count_nonzero(positive) < positive.size:
        return (NEGATIVE + POSITIVE) / 2
    order = np.argsort(values)
    return float(values[order[int(np.argmax(np.cumsum(np.where(positive[order], -1, 1))))]])


def sample(events: int = 20_000, *, seed: int = 1) -> tuple[Lineages, np.ndarray]:
    """NK cells that carry each marker or not, gated at the best cuts, and the subset that each truly is of."""
    rng = np.random.default_rng(seed)
    values = np.empty((events, len(MARKERS)), np.float32, order="F")
    cuts: dict[str, float] = {}
    truth: dict[str, np.ndarray] = {}
    for column, (marker, share) in enumerate(SHARES.items()):
        truth[marker] = rng.random(events) < share
        values[:, column] = np.where(truth[marker], POSITIVE, NEGATIVE) + SD * skewed(rng, events)
        cuts[marker] = best_cut(values[:, column], truth[marker])
    above = {marker: values[:, column] >= cuts[marker] for column, marker in enumerate(MARKERS)}
    of_cd16 = best_cut(values[above["CD16"], 0], truth["CD56"][above["CD16"]])
    beside = best_cut(values[~above["CD16"], 0], truth["CD56"][~above["CD16"]])
    lower, higher = min(of_cd16, beside), max(of_cd16, beside)
    step = (
        edge("CD56", value=lower),
        edge("CD56", "min_control", value=higher),
        edge("CD16", "control_min", value=cuts["CD16"]),
    )

    def gated(positive: dict[str, np.ndarray], bright: np.ndarray) -> dict[str, np.ndarray]:
        member = {"nk": np.ones(events, bool), "nk_bright": bright, "nk_dim": ~bright}
        return member | {f"nk_{marker.lower()}": positive[marker] for marker in MARKERS[1:]}

    gates = (
        NkGate(population="nk_bright", parent="nk", edges=step),
        NkGate(population="nk_dim", parent="nk", expression="!nk_bright"),
        *(NkGate(population=f"nk_{m.lower()}", parent="nk", edges=(edge(m, value=cuts[m]),)) for m in MARKERS[1:]),
    )
    lineages = Lineages(
        sample="S",
        panel="p",
        batch="b",
        event=np.arange(events, dtype=np.int32),
        member=gated(above, values[:, 0] >= np.where(above["CD16"], higher, lower)),
        hla={},
        nk_rows=np.arange(events),
        nk_markers=Events(values, MARKERS),
        nk_gates=gates,
    )
    true = call_subsets(RULES, gated(truth, truth["CD56"]), markers=MARKERS, level=0.95)
    return lineages, true.labels


def with_gate(lineages: Lineages, gate: NkGate) -> Lineages:
    """One gate in place of that of the same population."""
    others = (other for other in lineages.nk_gates if other.population != gate.population)
    return replace(lineages, nk_gates=(*others, gate))


def judged(
    lineages: Lineages, rules: tuple[SubsetRule, ...] = RULES
) -> tuple[SubsetProbabilities, dict[str, SubsetCount], np.ndarray]:
    calls = call_subsets(rules, nk_members(lineages), markers=MARKERS, level=0.95)
    found = subset_probabilities(rules, lineages, calls, level=0.95)
    return found, {count.subset: count for count in found.counts}, calls.labels


def test_called_subsets_are_right_as_often_as_their_probability_says() -> None:
    said, true = [], []
    for seed in range(4):
        lineages, truth = sample(seed=seed)
        found, _, labels = judged(lineages)
        said.append(found.called)
        true.append(labels == truth)
    probability, right = np.concatenate(said), np.concatenate(true)
    band = (probability >= 0.6) & (probability <= 0.7)
    assert right[band].mean() == pytest.approx(0.65, abs=0.08)
    bins = np.minimum((probability * 10).astype(int), 9)
    size, expected, observed = (np.bincount(bins, w, 10) for w in (None, probability, right.astype(float)))
    assert np.abs(expected - observed).sum() / size.sum() < 0.03


def test_a_small_subset_beside_a_large_one_is_expected_nearer_to_the_truth_than_it_is_counted() -> None:
    off = []
    for seed in range(6):
        lineages, truth = sample(seed=seed)
        _, counts, _ = judged(lineages)
        true = np.count_nonzero(truth == "bright")
        off.append((counts["bright"].events - true, counts["bright"].expected_events - true))
    counted, expected = np.abs(np.mean(off, axis=0))
    assert expected < 0.7 * counted


def test_expected_events_of_all_exclusive_subsets_are_the_nk_events() -> None:
    lineages, _ = sample(5_000)
    _, counts, labels = judged(lineages)
    exclusive = [count for title, count in counts.items() if not title.startswith("state:")]
    assert sum(count.expected_events for count in exclusive) == pytest.approx(5_000)
    assert all(
        count.events == np.count_nonzero(labels == title) for title, count in counts.items() if count in exclusive
    )
    assert counts["state:activated"].expected_events > 0


def test_what_is_not_resolvable_has_no_probability_and_its_cells_count_for_the_next_match() -> None:
    lineages, _ = sample(5_000)
    member = {name: mask for name, mask in lineages.member.items() if name != "nk_nkg2c"}
    _, counts, _ = judged(replace(lineages, member=member))
    _, whole, _ = judged(lineages)
    adaptive = counts["adaptive"]
    assert adaptive.status is SubsetStatus.NOT_RESOLVABLE
    assert math.isnan(adaptive.probability)
    assert math.isnan(adaptive.expected_events)
    both = whole["adaptive"].expected_events + whole["terminal"].expected_events
    assert counts["terminal"].expected_events == pytest.approx(both)


def test_a_gate_that_is_no_cut_is_certain_and_says_so() -> None:
    corners = tuple(Edge(channel=c, edge=e, value=0.5) for c, e in (("CD57", "x0"), ("CD16", "y0")))
    whole, _ = sample(5_000)
    lineages = with_gate(whole, NkGate(population="nk_cd57", parent="nk", edges=corners))
    found, counts, labels = judged(lineages)
    assert counts["terminal"].reason.endswith("taken as certain, not cut along single markers: nk_cd57")
    assert "certain" not in counts["bright"].reason
    _, uncertain, _ = judged(whole)
    assert counts["terminal"].probability > uncertain["terminal"].probability
    assert np.all(found.called[labels != ""] > 0)


def test_cuts_that_do_not_divide_the_events_as_the_gate_did_are_not_believed() -> None:
    """Of a gate that was drawn on another scale."""
    moved = NkGate(population="nk_cd57", parent="nk", edges=(edge("CD57", value=0.6),))
    lineages = with_gate(sample(5_000)[0], moved)
    assert "nk_cd57" in judged(lineages)[1]["terminal"].reason


def test_samples_of_before_gates_were_kept_are_as_certain_as_their_gates() -> None:
    lineages, _ = sample(2_000)
    found, counts, _ = judged(replace(lineages, nk_gates=()))
    assert np.all(found.called == 1)
    assert counts["terminal"].expected_events == counts["terminal"].events


def test_a_population_under_dim_is_as_sure_as_both() -> None:
    lineages, _ = sample(5_000)
    dim = lineages.member["nk_dim"]
    under = replace(
        lineages,
        member=lineages.member | {"nk_cd57": lineages.member["nk_cd57"] & dim},
        nk_gates=tuple(replace(g, parent="nk_dim") if g.population == "nk_cd57" else g for g in lineages.nk_gates),
    )
    _, nested, _ = judged(under)
    _, flat, _ = judged(lineages)
    assert "certain" not in nested["terminal"].reason
    # that a cell is dim is asked once and not twice
    assert nested["terminal"].expected_events == pytest.approx(flat["terminal"].expected_events, rel=0.01)


def test_rules_on_very_many_cuts_have_no_probability_but_are_counted() -> None:
    lineages, _ = sample(1_000)
    names = [f"M{number}" for number in range(20)]
    many = replace(
        lineages,
        nk_markers=Events(np.repeat(lineages.nk_markers.values[:, :1], 20, axis=1).copy(order="F"), tuple(names)),
        member={"nk": lineages.member["nk"]}
        | {f"nk_{name.lower()}": lineages.nk_markers.column("CD56") >= 0.42 for name in names},
        nk_gates=tuple(NkGate(population=f"nk_{n.lower()}", parent="nk", edges=(edge(n, value=0.42),)) for n in names),
    )
    template = next(rule for rule in RULES if rule.subset == "bright")
    signs = tuple((replace(template.required[0][0], populations=(f"nk_{n.lower()}",)),) for n in names)
    rest = next(rule for rule in RULES if rule.subset == "other_nk")
    found, counts, _ = judged(many, (replace(template, required=signs, supporting=()), rest))
    assert counts["bright"].events == np.count_nonzero(lineages.nk_markers.column("CD56") >= 0.42)
    assert math.isnan(counts["bright"].expected_events)
    assert np.isnan(found.called).all()


def test_no_nk_cells_have_no_probability() -> None:
    lineages, _ = sample(0)
    found, counts, _ = judged(lineages)
    assert found.called.size == 0
    assert all(math.isnan(count.expected_events) for count in counts.values())
    nothing = replace(lineages, member={}, nk_gates=())
    assert judged(nothing)[0].called.size == 0


@given(data=st.data())
def test_the_spread_of_outcomes_is_that_of_every_pattern(data: st.DataObject) -> None:
    cuts = data.draw(st.integers(1, 6))
    rng = np.random.default_rng(data.draw(st.integers(0, 10_000)))
    outcome = rng.integers(-1, 3, 2**cuts).astype(np.int16)
    probability = [rng.random(7) for _ in range(cuts)]
    found = spread(outcome, probability, events=7)
    for event in range(7):
        slow: dict[int, float] = {}
        for number, pattern in enumerate(itertools.product((0, 1), repeat=cuts)):
            chance = math.prod(p[event] if met else 1 - p[event] for p, met in zip(probability, pattern, strict=True))
            slow[int(outcome[number])] = slow.get(int(outcome[number]), 0.0) + chance
        assert {key: share[event] for key, share in found.items()} == pytest.approx(slow)


def test_a_subset_whose_cells_lack_the_supporting_signs_says_so_and_is_called_all_the_same() -> None:
    lineages, _ = sample(2_000)
    _, odd, _ = judged(lineages)
    bright = lineages.member["nk_bright"]
    typical = {"nk_nkg2a": bright, "nk_cd16": ~bright, "nk_cd57": ~bright}
    _, counts, _ = judged(replace(lineages, member=lineages.member | typical))
    assert odd["bright"].support < 0.5
    assert "most supporting signs are lacking" in odd["bright"].reason
    assert counts["bright"].support == 1
    assert "most supporting signs" not in counts["bright"].reason
    assert odd["bright"].events == counts["bright"].events
    assert math.isnan(counts["adaptive"].support), "the panel has none of them"
