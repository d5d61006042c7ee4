"""Each method on tubes with known membership: the cut, its interval, and what it says where it cannot tell."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from nktrace.model.errors import GatingError
from nktrace.model.gates import (
    METHODS,
    ControlSettings,
    Edge,
    EdgePrior,
    EllipseSettings,
    GatingRow,
    MarginSettings,
    MixtureSettings,
    PolygonSettings,
    RectangleSettings,
    SingletsSettings,
    Source,
    Status,
    TimeSettings,
    ValleySettings,
    Windows,
)
from nktrace.model.panel import Kind
from nktrace.science.gating import REGISTRY
from nktrace.science.gating.masks import mask
from tests.science.gating.tube import events_of, f1, level, root_of


def row(method: str, settings: object, *channels: str) -> GatingRow:
    return GatingRow(
        population="p",
        parent="root",
        channels=tuple((channel,) for channel in channels),
        method=method,
        settings=settings,  # type: ignore[arg-type]
    )


def two(seed: int, negative: int, positive: int, *, apart: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    """Values on one channel, negatives first, and which are positive."""
    rng = np.random.default_rng(seed)
    values = np.concatenate([level(rng, negative, 0.2), level(rng, positive, 0.2 + apart)])
    return values, np.arange(negative + positive) >= negative


def test_every_method_of_the_table_has_its_estimator() -> None:
    assert REGISTRY.keys() == METHODS.keys()


# --- valley -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("negative", "positive"), [(20_000, 400), (600, 20_000), (3_000, 3_000), (400, 60)])
@pytest.mark.parametrize("sign", ["+", "-"])
def test_a_valley_parts_unequal_populations(negative: int, positive: int, sign: str) -> None:
    values, is_positive = two(1, negative, positive)
    events = events_of(CD56=values)
    gate = REGISTRY["valley"].estimate(root_of(events), row("valley", ValleySettings(sign=sign), "CD56"))
    wanted = is_positive if sign == "+" else ~is_positive
    assert f1(mask(gate.shape, events, {}), wanted) > 0.97
    assert (gate.source, gate.status) == (Source.DATA, Status.OK)
    (edge,) = gate.edges
    assert edge.edge == ("min" if sign == "+" else "max")
    assert edge.low < edge.value < edge.high
    assert edge.high - edge.low < 0.2


def test_more_events_make_a_narrower_interval() -> None:
    width = []
    for events in (500, 50_000):
        values, _ = two(2, events, events, apart=0.35)
        gate = REGISTRY["valley"].estimate(root_of(events_of(CD3=values)), row("valley", ValleySettings(), "CD3"))
        width.append(gate.edges[0].high - gate.edges[0].low)
    assert width[1] < 0.5 * width[0]


def test_the_interval_covers_the_valley_of_unlimited_events() -> None:
    values, _ = two(3, 600_000, 60_000, apart=0.4)
    truth = (
        REGISTRY["valley"].estimate(root_of(events_of(x=values)), row("valley", ValleySettings(), "x")).edges[0].value
    )
    rng = np.random.default_rng(4)
    covered = 0
    for seed in range(40):
        some = rng.choice(values, 4_000)
        edge = (
            REGISTRY["valley"]
            .estimate(root_of(events_of(x=some), seed=seed), row("valley", ValleySettings(), "x"))
            .edges[0]
        )
        covered += edge.low <= truth <= edge.high
    assert covered >= 34


@pytest.mark.parametrize(("which", "place"), [("first", 0.4), ("last", 0.8)])
def test_which_valley_is_meant(which: str, place: float) -> None:
    rng = np.random.default_rng(5)
    values = np.concatenate([level(rng, 4_000, mode, 0.04) for mode in (0.2, 0.6, 1.0)])
    gate = REGISTRY["valley"].estimate(root_of(events_of(x=values)), row("valley", ValleySettings(which=which), "x"))
    assert gate.edges[0].value == pytest.approx(place, abs=0.08)


def test_two_channels_make_a_quadrant() -> None:
    x, is_x = two(6, 3_000, 3_000)
    y, is_y = (part[::-1].copy() for part in two(7, 4_000, 2_000))
    events = events_of(CD3=x, CD56=y)
    gate = REGISTRY["valley"].estimate(root_of(events), row("valley", ValleySettings(sign="-+"), "CD3", "CD56"))
    assert f1(mask(gate.shape, events, {}), ~is_x & is_y) > 0.97


def one_peak(**more: object) -> Edge:
    values = level(np.random.default_rng(8), 5_000, 0.2)
    parent = root_of(events_of(CD57=values), **more)
    return REGISTRY["valley"].estimate(parent, row("valley", ValleySettings(), "CD57")).edges[0]


def test_a_lone_peak_is_cut_at_its_tail_and_says_so() -> None:
    edge = one_peak()
    assert 0.3 < edge.value < 0.6
    assert edge.status is Status.WARN
    assert not edge.clear
    assert "one peak" in edge.reason
    assert edge.low < edge.value < edge.high


def test_a_lone_peak_leaves_the_cut_to_the_prior() -> None:
    prior = EdgePrior(mean=0.44, sd=0.02, n=9, source=Source.COHORT)
    edge = one_peak(expected={("CD57", "min"): prior})
    assert math.isnan(edge.value)
    assert not edge.clear


def test_a_cut_above_on_the_same_channel_stands() -> None:
    above = Edge(channel="CD57", edge="min", value=0.1, source=Source.DATA)
    edge = one_peak(inherited={("CD57", "min"): above})
    assert edge.value == pytest.approx(0.1)
    assert "stands" in edge.reason


def test_an_ancestor_lends_its_valley() -> None:
    values, is_positive = two(9, 9_000, 1_000)
    members = is_positive & (np.arange(10_000) % 10 != 0)
    parent = root_of(events_of(CD16=values), masks={"nk": members})
    below = type(parent)(
        population="nk",
        events=parent.events,
        masks=parent.masks,
        ancestors=("root",),
        options=parent.options,
        rng=parent.rng,
    )
    edge = REGISTRY["valley"].estimate(below, row("valley", ValleySettings(), "CD16")).edges[0]
    assert edge.value == pytest.approx(0.45, abs=0.12)
    assert edge.status is Status.WARN
    assert "root" in edge.reason


def test_an_anchor_keeps_the_cut_from_a_valley_elsewhere() -> None:
    """Among NK cells the deep valley parts dim from bright; the one meant parts the negatives, few here, from dim."""
    rng = np.random.default_rng(10)
    values = np.concatenate(
        [level(rng, n, m, 0.05) for n, m in ((60_000, 0.2), (60, 0.2), (6_000, 0.5), (2_000, 0.95))]
    )
    members = np.arange(values.shape[0]) >= 60_000
    parent = root_of(events_of(CD56=values), masks={"cd3_neg": members})
    below = type(parent)(
        population="cd3_neg",
        events=parent.events,
        masks=parent.masks,
        ancestors=("root",),
        options=parent.options,
        rng=parent.rng,
    )
    estimate = REGISTRY["valley"].estimate
    loose = estimate(below, row("valley", ValleySettings(), "CD56")).edges[0]
    anchored = estimate(below, row("valley", ValleySettings(anchor="root"), "CD56")).edges[0]
    assert loose.value > 0.6
    assert anchored.value == pytest.approx(0.35, abs=0.1)


def test_a_valley_far_from_the_cohort_gives_way_to_the_anchor_that_agrees_with_it() -> None:
    """Hardly any negative cells: the only valley parts dim from bright NK cells."""
    rng = np.random.default_rng(12)
    values = np.concatenate([level(rng, n, m, 0.05) for n, m in ((20_000, 0.2), (1_500, 0.5), (1_500, 0.95))])
    parent = root_of(events_of(CD56=values), masks={"cd3_neg": np.arange(values.shape[0]) >= 19_990})
    prior = EdgePrior(mean=0.37, sd=0.02, n=5, source=Source.COHORT)
    below = replace(parent, population="cd3_neg", ancestors=("root",), expected={("CD56", "min"): prior})
    settings = ValleySettings(anchor="root")
    loose = REGISTRY["valley"].estimate(below, row("valley", ValleySettings(), "CD56")).edges[0]
    edge = REGISTRY["valley"].estimate(below, row("valley", settings, "CD56")).edges[0]
    assert loose.value > 0.6
    assert edge.value == pytest.approx(0.35, abs=0.08)


def test_a_sample_s_own_anchor_comes_before_a_vague_cohort() -> None:
    rng = np.random.default_rng(13)
    values = np.concatenate([level(rng, 20_000, 0.2, 0.05), level(rng, 1_500, 0.6, 0.05)])
    parent = root_of(events_of(CD56=values), masks={"cd3_neg": np.arange(values.shape[0]) >= 20_000})

    def cut(sd: float) -> Edge:
        prior = EdgePrior(mean=0.55, sd=sd, n=4, source=Source.COHORT)
        below = replace(parent, population="cd3_neg", ancestors=("root",), expected={("CD56", "min"): prior})
        return REGISTRY["valley"].estimate(below, row("valley", ValleySettings(anchor="root"), "CD56")).edges[0]

    assert cut(0.2).value == pytest.approx(0.4, abs=0.1)
    assert np.isnan(cut(0.001).value), "left to a sharp prior"


def test_a_lone_skewed_peak_is_cut_beyond_its_wider_flank() -> None:
    values = np.random.default_rng(14).gamma(3.0, 0.1, 20_000)
    edge = REGISTRY["valley"].estimate(root_of(events_of(CD56=values)), row("valley", ValleySettings("-"), "CD56"))
    assert (values >= edge.edges[0].value).mean() < 0.03


def test_a_shoulder_is_cut_where_an_anchor_vouches_for_it() -> None:
    """Few CD56-negative cells on the flank of the NK cells: no valley, but two populations all the same."""
    rng = np.random.default_rng(19)
    negatives, few, dim = level(rng, 40_000, 0.2, 0.07), level(rng, 900, 0.27, 0.09), level(rng, 9_000, 0.5, 0.06)
    values = np.concatenate([negatives, few, dim])
    members = np.arange(values.shape[0]) >= 40_000
    parent = root_of(events_of(CD56=values), masks={"dump_neg": members})
    below = replace(parent, population="dump_neg", ancestors=("root",))
    edge = REGISTRY["valley"].estimate(below, row("valley", ValleySettings(anchor="root"), "CD56")).edges[0]
    wrong = {c: (few >= c).sum() + (dim < c).sum() for c in np.linspace(0.2, 0.5, 100)}
    assert (few >= edge.value).sum() + (dim < edge.value).sum() <= min(wrong.values()) + 0.015 * len(dim)
    assert edge.clear
    assert edge.low < edge.value < edge.high


def test_a_lone_peak_of_scatter_borrows_nothing_from_debris() -> None:
    rng = np.random.default_rng(20)
    debris, cells = rng.lognormal(7, 0.3, 3_000), rng.lognormal(10, 0.2, 4_000)
    events = events_of(SSC_A=np.concatenate([debris, cells]))
    parent = root_of(events, masks={"live": np.arange(7_000) >= 3_000}, kinds={"SSC-A": Kind.SCATTER})
    below = replace(parent, population="live", ancestors=("root",))
    gate = REGISTRY["valley"].estimate(below, row("valley", ValleySettings(sign="-"), "SSC-A"))
    kept = mask(gate.shape, events, {})[3_000:]
    assert kept.mean() > 0.99
    assert gate.edges[0].low < gate.edges[0].value < gate.edges[0].high
    assert gate.status is Status.WARN


def test_scatter_is_cut_by_ratio() -> None:
    """Lymphocytes beside monocytes that are fewer and spread wide on a linear scale."""
    rng = np.random.default_rng(21)
    lymphocytes, monocytes = rng.lognormal(9.9, 0.2, 9_000), rng.lognormal(11.1, 0.25, 2_000)
    events = events_of(SSC_A=np.concatenate([lymphocytes, monocytes]))
    parent = root_of(events, kinds={"SSC-A": Kind.SCATTER})
    gate = REGISTRY["valley"].estimate(parent, row("valley", ValleySettings(sign="-"), "SSC-A"))
    assert f1(mask(gate.shape, events, {}), np.arange(11_000) < 9_000) > 0.99
    assert gate.status is Status.OK


def test_without_any_event_the_gate_is_empty_and_fails() -> None:
    events = events_of(x=np.array([], dtype=np.float32))
    gate = REGISTRY["valley"].estimate(root_of(events), row("valley", ValleySettings(), "x"))
    assert gate.status is Status.FAIL
    assert "empty" in gate.reason
    assert math.isfinite(gate.edges[0].value)


def test_the_prior_tells_which_of_two_valleys() -> None:
    rng = np.random.default_rng(11)
    values = np.concatenate([level(rng, n, mode, 0.04) for n, mode in ((9_000, 0.2), (4_000, 0.6), (2_000, 1.0))])
    prior = EdgePrior(mean=0.82, sd=0.03, n=9, source=Source.COHORT)
    parent = root_of(events_of(x=values), expected={("x", "min"): prior})
    edge = REGISTRY["valley"].estimate(parent, row("valley", ValleySettings(), "x")).edges[0]
    assert edge.value == pytest.approx(0.8, abs=0.08)


# --- mixture and control ----------------------------------------------------------------------------------------------


def test_a_mixture_parts_populations_that_touch() -> None:
    values, is_positive = two(12, 8_000, 2_000, apart=0.32)
    events = events_of(NKG2A=values)
    gate = REGISTRY["mixture"].estimate(root_of(events), row("mixture", MixtureSettings(), "NKG2A"))
    best = max(f1(values >= cut, is_positive) for cut in np.linspace(0.2, 0.6, 200))
    assert f1(mask(gate.shape, events, {}), is_positive) > best - 0.02
    assert gate.edges[0].low < gate.edges[0].value < gate.edges[0].high


def test_a_mixture_of_one_population_falls_back() -> None:
    values = np.random.default_rng(13).normal(0.3, 0.08, 5_000)
    gate = REGISTRY["mixture"].estimate(root_of(events_of(x=values)), row("mixture", MixtureSettings(), "x"))
    assert gate.status is Status.WARN


def test_a_quantile_of_a_negative_population() -> None:
    rng = np.random.default_rng(14)
    control = rng.normal(0, 1, 5_000)
    events = events_of(CD19=np.concatenate([control, rng.normal(6, 1, 500)]))
    parent = root_of(events, masks={"t_cells": np.arange(5_500) < 5_000})
    settings = ControlSettings(of="t_cells", quantile=0.99)
    gate = REGISTRY["control"].estimate(parent, row("control", settings, "CD19"))
    (edge,) = gate.edges
    assert edge.value == pytest.approx(np.quantile(control, 0.99, method="median_unbiased"), abs=1e-3)
    assert edge.low < 2.326 < edge.high
    assert gate.source is Source.CONTROL


def test_a_missing_control_is_named() -> None:
    values, is_positive = two(16, 3_000, 3_000)
    events = events_of(CD57=values)
    for settings in (ControlSettings(), ControlSettings(of="b_cells")):
        gate = REGISTRY["control"].estimate(root_of(events), row("control", settings, "CD57"))
        assert gate.status is Status.WARN
        assert "FMO" in gate.reason or "b_cells" in gate.reason
        assert f1(mask(gate.shape, events, {}), is_positive) > 0.95


def test_an_fmo_of_the_batch_is_the_cut() -> None:
    prior = EdgePrior(mean=0.5, sd=0.01, n=1, source=Source.CONTROL)
    values, _ = two(17, 3_000, 3_000)
    parent = root_of(events_of(CD57=values), expected={("CD57", "min"): prior})
    gate = REGISTRY["control"].estimate(parent, row("control", ControlSettings(), "CD57"))
    assert gate.edges[0].value == pytest.approx(0.5)
    assert gate.source is Source.CONTROL


def test_an_fmo_tube_gives_its_own_quantile() -> None:
    values = np.random.default_rng(18).normal(0.2, 0.05, 4_000)
    parent = root_of(events_of(CD57=values), without="CD57")
    gate = REGISTRY["control"].estimate(parent, row("control", ControlSettings(quantile=0.99), "CD57"))
    assert gate.edges[0].value == pytest.approx(float(np.quantile(values, 0.99)), abs=1e-3)


# --- time, margin, singlets -------------------------------------------------------------------------------------------


def run(seed: int, *, events: int = 40_000) -> tuple[np.ndarray, np.random.Generator]:
    rng = np.random.default_rng(seed)
    return np.sort(np.round(rng.uniform(0, 100, events), 2)), rng


def gate_time(time: np.ndarray, signal: np.ndarray) -> tuple[np.ndarray, object]:
    events = events_of(Time=time, CD3=signal)
    parent = root_of(events, kinds={"Time": Kind.TIME, "CD3": Kind.LINEAGE})
    gate = REGISTRY["time"].estimate(parent, row("time", TimeSettings(), "Time"))
    assert isinstance(gate.shape, Windows)
    return mask(gate.shape, events, {}), gate


def test_a_quiet_run_is_kept_whole() -> None:
    for seed in range(10):
        time, rng = run(seed)
        kept, gate = gate_time(time, rng.normal(size=time.size))
        assert kept.all()
        assert gate.reason == ""  # type: ignore[attr-defined]


def test_a_slow_drift_is_not_cut() -> None:
    time, rng = run(1)
    kept, _ = gate_time(time, rng.normal(size=time.size) + 0.01 * time)
    assert kept.all()


def test_a_clog_and_a_burst_are_cut_out() -> None:
    time, rng = run(2)
    clog = (time > 30) & (time < 40)
    time = time[~clog | (rng.random(time.size) < 0.1)]
    time = np.sort(np.concatenate([time, rng.uniform(60, 62, 4_000)]))
    kept, gate = gate_time(time, rng.normal(size=time.size))
    off = ((time > 30) & (time < 40)) | ((time > 60) & (time < 62))
    assert kept[off].mean() < 0.15
    assert kept[~off].mean() > 0.95
    assert "flow rate" in gate.reason  # type: ignore[attr-defined]


def test_a_jump_of_the_signal_is_cut_out() -> None:
    time, rng = run(3)
    jump = (time > 50) & (time < 58)
    kept, gate = gate_time(time, rng.normal(size=time.size) + 2 * jump)
    assert kept[jump].mean() < 0.15
    assert kept[~jump].mean() > 0.97
    assert "signal" in gate.reason  # type: ignore[attr-defined]


@pytest.mark.parametrize("time", [[], [3.0], [5.0] * 2_000, list(np.linspace(0, 1, 300))])
def test_short_or_timeless_runs_are_kept(time: list[float]) -> None:
    kept, _ = gate_time(np.array(time), np.zeros(len(time)))
    assert kept.all()


def test_a_coarse_clock_makes_no_bursts() -> None:
    rng = np.random.default_rng(4)
    time = np.sort(np.floor(rng.uniform(0, 150, 30_000)))
    kept, _ = gate_time(time, rng.normal(size=time.size))
    assert kept.all()


def test_margins_are_cut_at_the_top_and_at_zero() -> None:
    values = np.concatenate([np.random.default_rng(5).uniform(1, 900, 1_000), np.full(20, 1023.0), np.zeros(10)])
    events = events_of(SSC_A=values)
    gate = REGISTRY["margin"].estimate(
        root_of(events, tops={"SSC-A": 1024.0}), row("margin", MarginSettings(), "SSC-A")
    )
    kept = mask(gate.shape, events, {})
    assert kept[:1_000].all()
    assert not kept[1_000:].any()


def test_a_pile_at_the_largest_value_is_a_margin_without_a_known_top() -> None:
    values = np.concatenate([np.random.default_rng(6).uniform(1, 900, 1_000), np.full(20, 950.0)])
    events = events_of(SSC_A=values)
    gate = REGISTRY["margin"].estimate(root_of(events), row("margin", MarginSettings(), "SSC-A"))
    assert mask(gate.shape, events, {}).sum() == 1_000


@pytest.mark.parametrize("doublets", [0.02, 0.3])
@pytest.mark.parametrize("second", ["FSC-H", "FSC-W"])
def test_singlets_are_kept_and_doublets_left_out(doublets: float, second: str) -> None:
    rng = np.random.default_rng(7)
    events = 10_000
    double = rng.random(events) < doublets
    size = rng.normal(60_000, 12_000, events).clip(15_000)
    height = size * rng.normal(0.7, 0.02, events)
    area = np.where(double, size * rng.uniform(1.6, 2.0, events), size)
    tube = events_of(FSC_A=area, **{second.replace("-", "_"): height if second == "FSC-H" else area / height * 60_000})
    parent = root_of(tube, tops={"FSC-A": 262_144.0})
    gate = REGISTRY["singlets"].estimate(parent, row("singlets", SingletsSettings(), "FSC-A", second))
    kept = mask(gate.shape, tube, {})
    assert kept[~double].mean() > 0.98
    assert kept[double].mean() < 0.03
    assert gate.status is Status.OK


def test_too_few_events_for_a_singlets_line_keep_everything() -> None:
    tube = events_of(FSC_A=np.array([1e4, 2e4, 3e4]), FSC_H=np.array([1e4, 2e4, 3e4]))
    gate = REGISTRY["singlets"].estimate(root_of(tube), row("singlets", SingletsSettings(), "FSC-A", "FSC-H"))
    assert mask(gate.shape, tube, {}).all()
    assert gate.status is Status.WARN


# --- fixed gates and ellipses -----------------------------------------------------------------------------------------


def test_fixed_gates_are_what_the_table_says() -> None:
    tube = events_of(x=np.array([1.0, 2.0, 3.0]), y=np.array([1.0, 2.0, 3.0]))
    box = REGISTRY["rectangle"].estimate(root_of(tube), row("rectangle", RectangleSettings((2.0, math.inf)), "x"))
    assert mask(box.shape, tube, {}).tolist() == [False, True, True]
    assert [(e.edge, e.value) for e in box.edges] == [("min", 2.0)]
    corners = PolygonSettings(((0.0, 0.0), (2.5, 0.0), (2.5, 2.5), (0.0, 2.5)))
    area = REGISTRY["polygon"].estimate(root_of(tube), row("polygon", corners, "x", "y"))
    assert mask(area.shape, tube, {}).tolist() == [True, True, False]
    assert area.source is Source.FIXED
    fixed = EllipseSettings(mean=(1.0, 1.0), covariance=(1.0, 0.0, 1.0), distance_square=1.0)
    ellipse = REGISTRY["ellipse"].estimate(root_of(tube), row("ellipse", fixed, "x", "y"))
    assert mask(ellipse.shape, tube, {}).tolist() == [True, False, False]


def test_an_ellipse_holds_the_main_population() -> None:
    rng = np.random.default_rng(8)
    covariance = np.array([[1.0, 0.6], [0.6, 1.0]])
    main = rng.multivariate_normal([0, 0], covariance, 8_000)
    other = rng.multivariate_normal([9, -4], np.eye(2), 3_000)
    points = np.concatenate([main, other])
    tube = events_of(x=points[:, 0], y=points[:, 1])
    gate = REGISTRY["ellipse"].estimate(root_of(tube), row("ellipse", EllipseSettings(), "x", "y"))
    number = {edge.edge: edge for edge in gate.edges}
    assert number["mean_x"].low < 0 < number["mean_x"].high
    assert number["xy"].value == pytest.approx(0.6, abs=0.08)
    kept = mask(gate.shape, tube, {})
    assert kept[:8_000].mean() == pytest.approx(0.99, abs=0.006)
    assert kept[8_000:].mean() < 0.01


@pytest.mark.parametrize(
    "make",
    [
        lambda: ValleySettings(sign="x"),
        lambda: ValleySettings(which="best"),
        lambda: ValleySettings(lone="maybe"),
        lambda: ControlSettings(quantile=2.0),
    ],
)
def test_settings_that_mean_nothing_are_refused(make: object) -> None:
    with pytest.raises(GatingError):
        make()  # type: ignore[operator]
