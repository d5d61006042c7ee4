"""The brighter part of a population: what moves dim cells must not make them bright."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from nktrace.model.gates import (
    Edge,
    EdgePrior,
    ExcessSettings,
    Gate,
    GatingRow,
    Polygon,
    Rectangle,
    Source,
    Status,
)
from nktrace.science.gating import REGISTRY, excess
from nktrace.science.gating.masks import mask
from nktrace.science.gating.parent import Parent
from nktrace.science.priors import combine
from tests.science.gating.tube import events_of, f1, level, root_of

ROW = GatingRow(
    population="nk_bright",
    parent="root",
    channels=(("CD56",),),
    method="excess",
    settings=ExcessSettings(of="nk_cd16"),
)
CD16_CUT = 0.45


def nk(
    seed: int,
    *,
    dim: int = 2_000,
    bright: int = 120,
    shed: float = 0.04,
    activated: float = 0.0,
    bright_with_cd16: float = 0.1,
    stain: float = 0.0,
    step: bool = True,
    **more: object,
) -> tuple[Parent, np.ndarray]:
    """NK cells cut at CD16, and which are bright. Activation moves CD56 up by a decade's sixth on some of the dim."""
    rng = np.random.default_rng(seed)
    is_bright = np.arange(dim + bright) >= dim
    cd56 = np.concatenate([level(rng, dim, 0.5, 0.05), level(rng, bright, 0.72, 0.045)]) + stain
    cd56 += 0.04 * (~is_bright & (rng.random(dim + bright) < activated))
    bears = np.where(is_bright, rng.random(dim + bright) < bright_with_cd16, rng.random(dim + bright) >= shed)
    cd16 = np.where(bears, level(rng, dim + bright, 0.7), level(rng, dim + bright, 0.2))
    edge = Edge(channel="CD16", edge="min", value=CD16_CUT, low=0.44, high=0.46, source=Source.DATA)
    cut = Rectangle(("CD16",), (CD16_CUT,), (math.inf,))
    gates = {"nk_cd16": Gate(population="nk_cd16", parent="root", method="valley", shape=cut, edges=(edge,))}
    parent = root_of(
        events_of(CD56=cd56, CD16=cd16),
        seed=seed,
        masks={"nk_cd16": cd16.astype(np.float32) >= CD16_CUT},
        gates=gates if step else {},
        **more,
    )
    return parent, is_bright


def bright_of(parent: Parent) -> tuple[Gate, np.ndarray]:
    gate = REGISTRY["excess"].estimate(parent, ROW)
    return gate, mask(gate.shape, parent.events, dict(parent.masks))


def best_of_one_cut(parent: Parent, is_bright: np.ndarray) -> float:
    cd56 = parent.events.column("CD56")
    return max(f1(cd56 >= cut, is_bright) for cut in np.linspace(0.4, 1.0, 300))


@pytest.mark.parametrize(
    "made",
    [
        {},
        {"shed": 0.5},
        {"activated": 0.5},
        {"shed": 0.6, "activated": 0.6},
        {"bright": 30},
        {"bright": 1_500},
        {"stain": 0.1},
    ],
    ids=str,
)
def test_no_single_cut_on_cd56_does_much_better(made: dict[str, float]) -> None:
    """Not even the one chosen by who truly is bright: the step keeps CD16+ cells out that a single cut lets in."""
    tubes = [nk(seed, **made) for seed in range(4)]  # type: ignore[arg-type]
    found = [bright_of(parent) for parent, _ in tubes]
    assert {gate.status for gate, _ in found} == {Status.OK}
    scores = [f1(members, is_bright) for (_, members), (_, is_bright) in zip(found, tubes, strict=True)]
    assert np.mean(scores) > np.mean([best_of_one_cut(*tube) for tube in tubes]) - (0.04 if "shed" in made else 0)


def test_a_control_that_holds_most_bright_cells_still_serves() -> None:
    """Such as a CD16 cut below cells that bear a little of it."""
    tubes = [nk(seed, bright_with_cd16=0.7) for seed in range(4)]
    scores = [f1(bright_of(parent)[1], is_bright) for parent, is_bright in tubes]
    assert np.mean(scores) > np.mean([best_of_one_cut(*tube) for tube in tubes]) - 0.06


def test_shedding_and_activation_turn_few_dim_cells_bright() -> None:
    calm, _ = nk(4)
    moved, is_bright = nk(4, shed=0.5, activated=0.5)
    shares = [bright_of(parent)[1].mean() for parent in (calm, moved)]
    assert shares[1] == pytest.approx(shares[0], rel=0.15)
    assert shares[1] == pytest.approx(is_bright.mean(), rel=0.15)


def test_members_of_the_control_are_cut_higher() -> None:
    gate, _ = bright_of(nk(5)[0])
    number = {edge.edge: edge for edge in gate.edges}
    assert list(number) == ["min", "min_control", "control_min"]
    assert number["min_control"].value > number["min"].value
    assert number["control_min"].value == CD16_CUT
    assert all(edge.low < edge.value < edge.high for edge in gate.edges)
    assert gate.source is Source.CONTROL
    assert isinstance(gate.shape, Polygon)


def test_where_the_step_lies_the_upper_cut_begins() -> None:
    """On the step itself an event is a member of the control, as the control's own gate has it."""
    numbers = {"min": 0.6, "min_control": 0.8, "control_min": 0.45}
    edges = tuple(Edge(channel="CD16" if e == "control_min" else "CD56", edge=e, value=v) for e, v in numbers.items())
    points = events_of(CD56=np.array([0.7, 0.7, 0.9, 0.5, 0.9]), CD16=np.array([0.4, 0.5, 0.5, 0.1, -90.0]))
    assert mask(excess.shape(ROW, edges), points, {}).tolist() == [True, False, True, False, True]
    below = tuple(Edge(channel=e.channel, edge=e.edge.replace("l_min", "l_max"), value=e.value) for e in edges)
    assert mask(excess.shape(ROW, below), points, {}).tolist() == [False, True, True, False, True]


def test_a_borrowed_cut_of_the_controls_members_is_never_the_lower_one() -> None:
    gate, _ = bright_of(nk(8)[0])
    own, within, step = gate.edges
    lent = excess.shape(ROW, (replace(own, value=0.7), replace(within, value=0.6), step))
    assert isinstance(lent, Polygon)
    cells = events_of(CD56=np.array([0.65, 0.65, 0.75]), CD16=np.array([0.2, 0.7, 0.7]))
    assert mask(lent, cells, {}).tolist() == [False, False, True]


def test_a_control_that_is_no_cut_of_the_parent_gives_one_cut() -> None:
    parent, is_bright = nk(6, step=False)
    gate, found = bright_of(parent)
    assert [edge.edge for edge in gate.edges] == ["min"]
    assert f1(found, is_bright) > best_of_one_cut(parent, is_bright) - 0.025


def test_without_bright_cells_hardly_any_are_found() -> None:
    parent, _ = nk(7, bright=0, shed=0.3, activated=0.3)
    gate, found = bright_of(parent)
    assert gate.status is Status.WARN
    assert "no population above nk_cd16" in gate.reason or "stand out" in gate.reason
    assert found.mean() < 0.012


def test_few_cells_borrow_their_distance_from_the_control() -> None:
    """A cohort stained a tenth of the scale lower still tells how far bright cells are from dim ones."""
    parent, is_bright = nk(8, dim=150, bright=9, stain=0.1)
    assert bright_of(parent)[0].edges[0].base == pytest.approx(0.6, abs=0.02)
    cohort, _ = bright_of(nk(9)[0])
    own, _ = bright_of(nk(8, dim=150, bright=4, stain=0.1)[0])
    prior = EdgePrior(mean=cohort.edges[0].value, sd=0.01, n=8, source=Source.COHORT, base=cohort.edges[0].base)
    lent = combine(own.edges[0], prior, max_distance=3.0, z=1.96)
    assert lent.value == pytest.approx(cohort.edges[0].value + 0.1, abs=0.03)
    assert (parent.events.column("CD56")[is_bright] >= lent.value).mean() > 0.6


def test_a_missing_or_tiny_control_is_named() -> None:
    for made, why in (({"shed": 1.0, "bright_with_cd16": 0.0}, "events in the control nk_cd16"), ({}, "no nk_cd16")):
        parent, _ = nk(10, **made)  # type: ignore[arg-type]
        if not made:
            parent = root_of(parent.events)
        gate, _ = bright_of(parent)
        assert gate.status is Status.WARN
        assert why in gate.reason


def test_a_control_that_lies_elsewhere_is_named() -> None:
    """CD56 of T cells ends below the NK cells: there is nothing to compare with, and no resample of it has an event."""
    parent, _ = nk(10, step=False)
    t_cells = np.arange(1_000)
    cd56 = np.concatenate([np.full(t_cells.size, 0.05), parent.events.column("CD56")])
    is_nk = np.arange(cd56.size) >= t_cells.size
    events = events_of(CD56=cd56, CD16=np.full(cd56.size, 0.2))
    parent = replace(root_of(events, masks={"nk": is_nk, "nk_cd16": ~is_nk}), population="nk")
    gate, members = bright_of(parent)
    assert gate.status is Status.WARN
    assert "lies outside of nk" in gate.reason
    assert 0 < np.count_nonzero(members & is_nk) < np.count_nonzero(is_nk) / 2
    assert excess.parted(np.ones(100), np.zeros(100)) is None


def test_two_mixtures_are_parted_whatever_their_proportions() -> None:
    """Expected counts, no noise: the cut is where dim and bright densities cross, by arithmetic."""
    place = np.arange(400)
    dim, bright = (np.exp(-0.5 * ((place - centre) / 20) ** 2) for centre in (120, 220))
    crossing = 170  # of equal heights; each cut shifts by ln(ratio) * sd² / distance = 4 ln(ratio) bins
    for inside, outside in ((1_000.0, 50.0), (600.0, 600.0), (600.0, 900.0)):
        found = excess.parted(outside * dim + 100.0 * bright, inside * dim + 20.0 * bright)
        assert found is not None
        assert found.outside == pytest.approx(crossing + 4 * math.log(outside / 100.0), abs=2)
        assert found.within == pytest.approx(crossing + 4 * math.log(inside / 20.0), abs=2)
        assert found.anywhere == pytest.approx(crossing + 4 * math.log((inside + outside) / 120.0), abs=2)
