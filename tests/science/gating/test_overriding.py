"""An analyst's gate: it holds as written, what is below follows, nothing else moves."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from nktrace.files.gating_table import read_gating_table
from nktrace.files.installation import home
from nktrace.model.errors import GatingError
from nktrace.model.gates import (
    BooleanSettings,
    Ellipse,
    EllipseSettings,
    Gate,
    GatedSample,
    GatePriors,
    MethodSettings,
    Polygon,
    PolygonSettings,
    RectangleSettings,
    Source,
    Status,
    ValleySettings,
    Windows,
)
from nktrace.model.overrides import Override, ShiftSettings
from nktrace.science.gating.masks import inside_polygon
from nktrace.science.gating.overriding import shifted
from nktrace.science.gating.tree import gate_sample, resolve
from nktrace.science.priors import fit_priors
from tests.science.gating.tube import BLOOD, OPTIONS, blood

ROWS, _ = resolve(read_gating_table(home() / "resources" / "gating" / "nk.tsv"), BLOOD)
BELOW_NK = {"nk", "nk_cd16", "nk_bright", "nk_dim", "nk_cd57"}
EVENTS, _ = blood(1, events=12_000)


def override(population: str, change: MethodSettings | ShiftSettings, *channels: str, **more: str) -> Override:
    """An override as it is read: by numbers of a method, or moved."""
    own = next(row for row in ROWS if row.population == population)
    method = type(change).__name__.removesuffix("Settings").lower()
    markers = tuple((c,) for c in channels) or own.channels
    row = (
        change if isinstance(change, ShiftSettings) else replace(own, method=method, settings=change, channels=markers)
    )
    known = {"who": "A. Analyst", "when": "2026-03-01T10:00:00Z", "why": "too low"}
    return Override(population=population, method=method, change=row, **known | more)


def gated(*overrides: Override, priors: GatePriors | None = None) -> GatedSample:
    return gate_sample(
        EVENTS,
        ROWS,
        panel=BLOOD,
        priors=priors,
        tops={"FSC-A": 262_144.0, "FSC-H": 262_144.0, "SSC-A": 262_144.0},
        options=OPTIONS,
        rng=np.random.default_rng(1),
        overrides={o.population: o for o in overrides},
    )


@pytest.fixture(scope="module")
def automatic() -> GatedSample:
    return gated()


def of(sample: GatedSample, population: str) -> Gate:
    return next(gate for gate in sample.gates if gate.population == population)


def changed(before: GatedSample, after: GatedSample) -> set[str]:
    return {name for name in before.masks if not np.array_equal(before.masks[name], after.masks[name])}


def test_a_gate_is_set_and_what_is_below_follows(automatic: GatedSample) -> None:
    after = gated(override("nk", RectangleSettings(x=(0.45, math.inf))))
    gate = of(after, "nk")
    expected = automatic.masks["cd19_neg"] & (EVENTS.column("CD56") >= np.float32(0.45))
    assert np.array_equal(after.masks["nk"], expected)
    assert changed(automatic, after) <= BELOW_NK
    assert {"nk", "nk_dim"} <= changed(automatic, after)
    assert (gate.source, gate.status) == (Source.OVERRIDE, Status.OK)
    assert gate.reason == "override by A. Analyst at 2026-03-01T10:00:00Z: too low"
    assert [(edge.channel, edge.edge, edge.value) for edge in gate.edges] == [("CD56", "min", 0.45)]
    assert gate.edges[0].source is Source.OVERRIDE
    above = [gate for gate in after.gates if gate.population not in BELOW_NK]
    assert above == [gate for gate in automatic.gates if gate.population not in BELOW_NK]


def test_a_gate_is_moved_with_its_interval(automatic: GatedSample) -> None:
    before = of(automatic, "cd3").edges[0]
    after = of(gated(override("cd3", ShiftSettings(x=0.05))), "cd3").edges[0]
    assert (after.value, after.low, after.high) == pytest.approx(
        (before.value + 0.05, before.low + 0.05, before.high + 0.05)
    )


def test_a_gate_is_replaced_by_a_polygon_on_other_markers(automatic: GatedSample) -> None:
    corners = ((0.35, 0.45), (0.9, 0.45), (0.9, 1.2), (0.35, 1.2))
    after = gated(override("nk", PolygonSettings(corners), "CD56", "CD16"))
    x, y = (EVENTS.column(channel) for channel in ("CD56", "CD16"))
    assert np.array_equal(after.masks["nk"], automatic.masks["cd19_neg"] & inside_polygon(x, y, np.array(corners)))
    assert after.masks["nk"].sum() > 100


def test_a_gate_is_replaced_by_a_boolean_or_an_ellipse(automatic: GatedSample) -> None:
    no_b = gated(override("nk", BooleanSettings("!b_cells & !monocytes")))
    expected = automatic.masks["cd19_neg"] & ~automatic.masks["b_cells"] & ~automatic.masks["monocytes"]
    assert np.array_equal(no_b.masks["nk"], expected)
    assert of(no_b, "nk").source is Source.OVERRIDE
    assert of(no_b, "nk").reason.startswith("override by A. Analyst")
    round_ = EllipseSettings((0.5, 0.7), (0.01, 0.0, 0.01), 4.0)
    inside = (EVENTS.column("CD56").astype(float) - 0.5) ** 2 + (EVENTS.column("CD16").astype(float) - 0.7) ** 2 <= 0.04
    after = gated(override("nk", round_, "CD56", "CD16"))
    assert (after.masks["nk"] ^ (automatic.masks["cd19_neg"] & inside)).sum() <= 1  # rounding on the edge


def test_priors_stand_beside_an_override_and_do_not_move_it() -> None:
    priors = fit_priors([gated() for _ in range(3)])
    prior = priors.edges["nk", "CD56", "min"]
    edge = of(gated(override("nk", RectangleSettings(x=(0.45, math.inf))), priors=priors), "nk").edges[0]
    assert (edge.value, edge.prior) == (0.45, prior.mean)
    assert edge.distance == pytest.approx((0.45 - prior.mean) / prior.sd)
    by_data = of(gated(override("nk", ValleySettings(which="first")), priors=priors), "nk")
    own = of(gated(override("nk", ValleySettings(which="first"))), "nk")
    assert (by_data.edges[0].value, by_data.status) == (own.edges[0].value, own.status)


def test_a_method_that_finds_nothing_says_so_beside_who_asked_for_it() -> None:
    gate = of(gated(override("nk_cd57", ValleySettings(min_depth=0.99), why="deep; gate_failed: only")), "nk_cd57")
    assert gate.status is Status.WARN
    assert gate.reason.split("; ")[0] == "override by A. Analyst at 2026-03-01T10:00:00Z: deep, gate_failed: only"
    assert len(gate.reason.split("; ")) > 1


def test_two_overrides_hold_together(automatic: GatedSample) -> None:
    after = gated(override("cd3_neg", RectangleSettings(x=(-math.inf, 0.4))), override("nk", ShiftSettings(x=0.03)))
    alone = gated(override("cd3_neg", RectangleSettings(x=(-math.inf, 0.4))))
    assert of(after, "nk").edges[0].value == pytest.approx(of(alone, "nk").edges[0].value + 0.03)
    assert changed(automatic, alone).isdisjoint({"cd3", "cd4_t", "live", "b_cells"})


def test_a_doubtful_gate_that_an_analyst_moved_is_no_longer_doubtful() -> None:
    priors = fit_priors([gated() for _ in range(3)])
    mean = priors.edges["cd3", "CD3", "min"].mean
    far = GatePriors(
        priors.edges | {("cd3", "CD3", "min"): replace(priors.edges["cd3", "CD3", "min"], mean=mean + 0.2)}
    )
    assert of(gated(priors=far), "cd3").status is Status.WARN
    moved = of(gated(override("cd3", ShiftSettings(x=0.01)), priors=far), "cd3")
    assert (moved.status, moved.reason) == (Status.OK, "override by A. Analyst at 2026-03-01T10:00:00Z: too low")


def test_singlets_are_moved_by_their_corners(automatic: GatedSample) -> None:
    before, after = of(automatic, "singlets"), of(gated(override("singlets", ShiftSettings(y=-2_000))), "singlets")
    assert isinstance(before.shape, Polygon)
    assert isinstance(after.shape, Polygon)
    assert after.method == "singlets", "its role in the hierarchy stays"
    assert np.allclose(np.array(after.shape.vertices) - np.array(before.shape.vertices), [0, -2_000])
    assert [edge.edge for edge in after.edges] == ["x0", "y0", "x1", "y1", "x2", "y2", "x3", "y3"]
    assert {(e.edge, e.value) for e in after.edges if e.edge[0] == "y"} == {
        (f"y{i}", y) for i, (_, y) in enumerate(after.shape.vertices)
    }


def test_bright_cells_keep_their_intervals_when_they_are_moved(automatic: GatedSample) -> None:
    """By default they are cut twice, within the CD16+ cells and outside: both cuts move, the step stays."""
    before, after = of(automatic, "nk_bright"), of(gated(override("nk_bright", ShiftSettings(x=0.04))), "nk_bright")
    assert [edge.edge for edge in after.edges] == [edge.edge for edge in before.edges]
    for old, new in zip(before.edges, after.edges, strict=True):
        by = 0.04 if old.channel == "CD56" else 0
        assert (new.value, new.low, new.high) == pytest.approx((old.value + by, old.low + by, old.high + by))


def test_an_ellipse_moves_with_its_centre() -> None:
    fitted = gated(override("nk", EllipseSettings(), "CD56", "CD16"))
    row = replace(next(r for r in ROWS if r.population == "nk"), channels=(("CD56",), ("CD16",)), method="ellipse")
    row = replace(row, settings=EllipseSettings())
    before = of(fitted, "nk")
    after = shifted(before, ShiftSettings(x=0.5, y=-1), row=row)
    assert isinstance(before.shape, Ellipse)
    x, y = before.shape.mean
    assert after.shape == replace(before.shape, mean=(x + 0.5, y - 1))
    moves = {"mean_x": 0.5, "mean_y": -1.0}
    for old, new in zip(before.edges, after.edges, strict=True):
        assert new.value == old.value + moves.get(old.edge, 0)
        assert new.high - new.low == pytest.approx(old.high - old.low)


@pytest.mark.parametrize("population", ["nk_dim", "time"])
def test_what_has_no_coordinates_is_not_moved(automatic: GatedSample, population: str) -> None:
    gate = of(automatic, population)
    assert population != "time" or isinstance(gate.shape, Windows)
    with pytest.raises(GatingError, match="can't be moved"):
        shifted(gate, ShiftSettings(x=1), row=next(row for row in ROWS if row.population == population))


def test_an_analysts_time_window() -> None:
    after = gated(override("time", RectangleSettings(x=(10.0, 50.0))))
    time = EVENTS.column("Time")
    assert np.array_equal(after.masks["time"], (time >= 10) & (time < 50))
    assert not (after.masks["nk"] & ~after.masks["time"]).any()
