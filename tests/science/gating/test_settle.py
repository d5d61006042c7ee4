"""Cuts through dense data: what float32 leaves open is decided as float64 decides it."""

from __future__ import annotations

import numpy as np
import pytest

from nktrace.model.compensation import Spillover
from nktrace.model.events import Events
from nktrace.model.gates import ROOT, Boolean, Ellipse, Gate, GatedSample, Polygon, Rectangle, Shape, Windows
from nktrace.model.transforms import Asinh, Linear, Logicle, Scale
from nktrace.science.compensation import compensate
from nktrace.science.gating.masks import mask
from nktrace.science.gating.settle import on_an_edge, settle
from nktrace.science.transforms import exact, to_scale

N = 300_000
SCALE = Scale(
    {
        "Time": Linear(),
        "CD3": Logicle(262144.0, 0.8, 4.5, 0.0),
        "CD56": Logicle(262144.0, 0.8, 4.5, 0.0),
        "CD16": Asinh(5.0),
    }
)
MATRIX = Spillover(("CD3", "CD56"), np.array([[1, 0.4], [0.3, 1]]))


def gate(population: str, parent: str, shape: Shape) -> Gate:
    return Gate(population=population, parent=parent, method="x", shape=shape)


# Cuts every 0.002 through the densest part of the data; bounds that no float32 is equal to
CUTS = [gate(f"cut{i}", ROOT, Rectangle(("CD3",), (0.1 + i / 500 + 1e-9,), (np.inf,))) for i in range(100)]
GATES = [
    *CUTS,
    gate("time", ROOT, Windows("Time", ((0.1, 0.4), (0.7, 9.3)))),
    gate("square", "time", Rectangle(("CD3", "CD56"), (0.05, 0.05), (0.3, 0.3))),
    gate("polygon", "square", Polygon(("CD3", "CD56"), ((0.1, 0.1), (0.3, 0.12), (0.2, 0.29)))),
    gate("ellipse", "square", Ellipse(("CD56", "CD16"), (0.2, 3.0), ((0.002, 0.01), (0.01, 2.0)), 1.5)),
    gate("both", "square", Boolean("polygon & !ellipse | cut50")),
]


def gated(events: Events) -> GatedSample:
    masks = {ROOT: np.ones(len(events), dtype=bool)}
    for each in GATES:
        masks[each.population] = masks[each.parent] & mask(each.shape, events, masks)
    del masks[ROOT]
    return GatedSample(tuple(GATES), masks)


@pytest.fixture(scope="module")
def raw() -> Events:
    rng = np.random.default_rng(2)
    columns = [rng.uniform(0, 10, N), *(rng.normal(150, 150, N) for _ in range(3))]
    return Events(np.asfortranarray(np.column_stack(columns).astype(np.float32)), ("Time", "CD3", "CD56", "CD16"))


def in_float64(raw: Events) -> Events:
    events = compensate(Events(raw.values.astype(np.float64), raw.channels), MATRIX, max_condition=10)
    scaled = [exact(events.column(channel), SCALE.transforms[channel]) for channel in events.channels]
    return Events(np.asfortranarray(np.column_stack(scaled)), events.channels)


def test_every_event_ends_where_float64_puts_it(raw):
    events = to_scale(compensate(raw, MATRIX, max_condition=10), SCALE)
    fast = gated(events)
    settled = settle(fast, events, scale=SCALE, reference=lambda rows: in_float64(raw.select(rows)))
    truth = gated(in_float64(raw))
    flips = sum(int((fast.masks[name] != truth.masks[name]).sum()) for name in truth.masks)
    assert flips > 0  # else the cuts do not pass through dense data
    for name in truth.masks:
        np.testing.assert_array_equal(settled.masks[name], truth.masks[name], err_msg=name)


def test_few_events_are_in_doubt(raw):
    events = to_scale(compensate(raw, MATRIX, max_condition=10), SCALE)
    assert on_an_edge(gated(events), events, scale=SCALE).size < N / 1000


def test_without_doubt_nothing_is_computed_again(raw):
    events = to_scale(raw, SCALE)
    sample = GatedSample((gate("all", ROOT, Rectangle(("CD3",), (-9.0,), (9.0,))),), {"all": np.ones(N, dtype=bool)})

    def never(rows: np.ndarray) -> Events:
        raise AssertionError

    assert settle(sample, events, scale=SCALE, reference=never) is sample
