"""The line across forward and side scatter: dead cells and debris on one side, live cells on the other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nktrace.model.events import Events
from nktrace.model.gates import Gate, GatingRow, Polygon, ScatterSettings, Status
from nktrace.science.gating import REGISTRY
from nktrace.science.gating.masks import mask
from tests.science.gating.tube import events_of, root_of

ROW = GatingRow(
    population="lymphocytes",
    parent="root",
    channels=(("FSC-A",), ("SSC-A",)),
    method="scatter",
    settings=ScatterSettings(),
)


def cells(rng: np.random.Generator, size: int, forward: float, side: float) -> np.ndarray:
    """Scatter of a population: spread by shares, larger cells higher in both."""
    size_of = 0.07 * rng.standard_normal(size)
    return np.exp(
        np.stack(
            [
                np.log(forward) + size_of + 0.11 * rng.standard_normal(size),
                np.log(side) + size_of + 0.20 * rng.standard_normal(size),
            ],
            axis=1,
        )
    )


def tube(seed: int, *, live: int, dead: int, debris: int = 0) -> tuple[Events, np.ndarray]:
    """Lymphocytes, and who of them is alive."""
    rng = np.random.default_rng(seed)
    parts = [
        cells(rng, live, 80_000, 24_000),
        cells(rng, dead, 54_000, 30_000),
        cells(rng, debris, 20_000, 8_000),
    ]
    values = np.concatenate(parts)
    return events_of(FSC_A=values[:, 0], SSC_A=values[:, 1]), np.arange(len(values)) < live


def estimated(events: Events, *, row: GatingRow = ROW) -> Gate:
    return REGISTRY["scatter"].estimate(root_of(events), row)


def wrong(gate: Gate, events: Events, alive: np.ndarray) -> tuple[float, float]:
    """Shares of the live that are lost, and of the dead that are kept."""
    kept = mask(gate.shape, events, {})
    return float((~kept & alive).sum() / alive.sum()), float((kept & ~alive).sum() / max(1, (~alive).sum()))


@pytest.mark.parametrize(("live", "dead", "debris"), [(700, 1_300, 60), (4_000, 4_000, 300), (3_000, 900, 0)])
def test_dead_cells_are_left_out_where_forward_scatter_alone_shows_no_clear_valley(
    live: int, dead: int, debris: int
) -> None:
    events, alive = tube(1, live=live, dead=dead, debris=debris)
    gate = estimated(events)
    lost, kept = wrong(gate, events, alive)
    assert lost < 0.12
    assert kept < 0.12
    assert (gate.status, gate.reason) == (Status.OK, "")
    factor, exponent, pivot = gate.edges
    assert factor.low < factor.value < factor.high
    assert exponent.low <= exponent.value <= exponent.high
    assert exponent.value > 0, "more side scatter counts against a cell"
    assert np.isnan(pivot.low)


def test_of_one_peak_nothing_is_lost_and_nothing_is_doubted() -> None:
    events, alive = tube(2, live=6_000, dead=0)
    gate = estimated(events)
    assert wrong(gate, events, alive)[0] < 0.001
    assert gate.status is Status.OK
    assert not any(edge.clear for edge in gate.edges), "no evidence for a prior"
    assert "only peak" in gate.reason


def test_debris_is_left_out_beside_one_peak() -> None:
    events, alive = tube(3, live=5_000, dead=0, debris=600)
    lost, kept = wrong(estimated(events), events, alive)
    assert lost < 0.005
    assert kept < 0.05


def test_resting_cells_are_not_left_out_beside_expanded_ones() -> None:
    rng = np.random.default_rng(7)
    values = np.concatenate([cells(rng, 3_000, 80_000, 24_000), cells(rng, 3_000, 150_000, 60_000)])
    events = events_of(FSC_A=values[:, 0], SSC_A=values[:, 1])
    assert mask(estimated(events).shape, events, {}).mean() > 0.99


def test_dead_cells_come_before_debris() -> None:
    events, alive = tube(8, live=1_500, dead=1_800, debris=1_500)
    lost, kept = wrong(estimated(events), events, alive)
    assert lost < 0.12
    assert kept < 0.12


@pytest.mark.parametrize("live", [0, 1, 40])
def test_too_few_events_are_all_kept_and_said_so(live: int) -> None:
    events, _ = tube(4, live=live, dead=0)
    gate = estimated(events)
    assert mask(gate.shape, events, {}).sum() == live
    assert gate.status is Status.WARN
    assert f"{live} events in root" in gate.reason


def test_the_drawn_line_is_the_curve() -> None:
    events, _ = tube(5, live=2_000, dead=2_000)
    gate = estimated(events)
    assert isinstance(gate.shape, Polygon)
    factor, exponent, pivot = (edge.value for edge in gate.edges)
    x, y = (events.column(channel).astype(float) for channel in ("FSC-A", "SSC-A"))
    ratio = x / (factor * (y / pivot) ** exponent)
    inside = mask(gate.shape, events, {})
    assert inside[ratio > 1.01].all()
    assert not inside[ratio < 0.99].any()


def test_nothing_is_kept_without_scatter() -> None:
    events, _ = tube(6, live=2_000, dead=2_000)
    values = events.values.copy(order="F")
    values[0], values[1], values[2] = (np.nan, 20_000), (90_000, -5), (0, 20_000)
    odd = replace(events, values=values)
    assert not mask(estimated(odd).shape, odd, {})[:3].any()
