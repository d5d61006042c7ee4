"""Gates moved by one standard error: the events that change are those of the whole tree gated again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nktrace.model.events import Events
from nktrace.model.gates import (
    ROOT,
    BooleanSettings,
    Edge,
    Gate,
    GatedSample,
    GatingRow,
    SingletsSettings,
    ValleySettings,
)
from nktrace.model.shifts import Shift
from nktrace.science.gating import REGISTRY
from nktrace.science.gating.masks import mask
from nktrace.science.gating.parent import gate_of
from nktrace.science.gating.shifts import shifts
from nktrace.science.intervals import normal_quantile

Z = normal_quantile(0.95)
N = 4_000


def row(population: str, parent: str, *channels: str, settings: object) -> GatingRow:
    method = {ValleySettings: "valley", BooleanSettings: "boolean", SingletsSettings: "singlets"}[type(settings)]
    return GatingRow(
        population=population,
        parent=parent,
        channels=tuple((channel,) for channel in channels),
        method=method,
        settings=settings,  # type: ignore[arg-type]
    )


ROWS = (
    row("singlets", "root", "FSC-A", "FSC-H", settings=SingletsSettings()),
    row("live", "singlets", "dye", settings=ValleySettings(sign="-")),
    row("nk", "live", "CD56", settings=ValleySettings()),
    row("bright", "nk", "CD56", settings=ValleySettings()),
    row("dim", "nk", settings=BooleanSettings("!bright")),
    row("marked", "live", "CD57", settings=ValleySettings()),
    row("both", "live", settings=BooleanSettings("marked & dim")),
)
BAND = {"x_min": 0.0, "x_max": 10.0, "intercept": 0.0, "slope": 1.0, "lower": -0.2, "upper": 0.2}


def edges_of(row: GatingRow) -> tuple[Edge, ...]:
    if row.method == "singlets":
        x, y = row.markers
        return tuple(
            Edge(
                channel=x if name.startswith("x_") else y,
                edge=name,
                value=value,
                low=value - Z * 0.05 if name in ("lower", "upper") else np.nan,
                high=value + Z * 0.05 if name in ("lower", "upper") else np.nan,
            )
            for name, value in BAND.items()
        )
    if row.method == "boolean":
        return ()
    value = {"live": 0.8, "nk": 0.3, "bright": 0.7, "marked": 0.5}[row.population]
    edge = "max" if row.population == "live" else "min"
    return (Edge(channel=row.markers[0], edge=edge, value=value, low=value - Z * 0.04, high=value + Z * 0.04),)


def tree(events: Events, moved: dict[tuple[str, str], float]) -> GatedSample:
    """The whole tree, with some numbers moved: the slow twin."""
    masks = {ROOT: np.ones(len(events), dtype=np.bool_)}
    gates: list[Gate] = []
    for line in ROWS:
        edges = tuple(replace(e, value=e.value + moved.get((line.population, e.edge), 0.0)) for e in edges_of(line))
        shape = REGISTRY[line.method].shape(line, edges)
        gates.append(
            gate_of(line, shape, edges)
            if edges
            else Gate(population=line.population, parent=line.parent, method=line.method, shape=shape)
        )
        masks[line.population] = masks[line.parent] & mask(shape, events, masks)
    del masks[ROOT]
    return GatedSample(tuple(gates), masks)


@pytest.fixture
def events() -> Events:
    rng = np.random.default_rng(3)
    values = np.asfortranarray(rng.random((N, 5)), dtype=np.float32)
    values[:, 0] = 1 + 8 * values[:, 0]
    values[:, 1] = values[:, 0] * rng.normal(1, 0.15, N)
    return Events(values, ("FSC-A", "FSC-H", "dye", "CD56", "CD57"))


def found(events: Events) -> dict[tuple[str, str], Shift]:
    moves = shifts(tree(events, {}), events, ROWS, finite=np.ones(N, np.bool_), z=Z)
    return {(shift.population, shift.edge): shift for shift in moves}


def test_every_number_with_an_interval_is_moved_and_no_other(events: Events) -> None:
    assert set(found(events)) == {
        ("singlets", "lower"),
        ("singlets", "upper"),
        ("live", "max"),
        ("nk", "min"),
        ("bright", "min"),
        ("marked", "min"),
    }


@pytest.mark.parametrize("number", ["singlets/lower", "live/max", "nk/min", "bright/min", "marked/min"])
def test_the_events_that_change_are_those_of_the_tree_gated_again(events: Events, number: str) -> None:
    population, edge = number.split("/")
    before = tree(events, {}).masks
    shift = found(events)[population, edge]
    error = 0.05 if population == "singlets" else 0.04
    for side, by in ((shift.low, -error), (shift.high, error)):
        after = tree(events, {(population, edge): by}).masks
        assert side.events.size > 0
        for name, members in before.items():
            whole = np.zeros(N, dtype=np.int8)
            if name in side.change:
                whole[side.events] = side.change[name]
            np.testing.assert_array_equal(whole, after[name].astype(np.int8) - members)


def test_net_changes_are_the_sums(events: Events) -> None:
    shift = found(events)["nk", "min"]
    before, after = tree(events, {}).masks, tree(events, {("nk", "min"): 0.04}).masks
    net = shift.net()
    assert net.high["nk"] == after["nk"].sum() - before["nk"].sum() < 0 < net.low["nk"]
    assert "marked" not in net.high
    assert net.high["both"] == after["both"].sum() - before["both"].sum() < 0


def test_events_that_may_be_in_no_population_never_enter(events: Events) -> None:
    finite = np.arange(N) % 2 == 0
    gated = tree(events, {})
    gated = replace(gated, masks={name: members & finite for name, members in gated.masks.items()})
    for shift in shifts(gated, events, ROWS, finite=finite, z=Z):
        assert not np.any(shift.low.events % 2)
        assert not np.any(shift.high.events % 2)
