"""Cuts from cells that lack a marker: FMO controls, and negative populations of the same sample."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from nktrace.model.events import Events
from nktrace.model.gates import Edge, GatedSample, GatePriors, GatingRow, GatingTable, Source, Status, ValleySettings
from nktrace.science.doubt import doubts, failed
from nktrace.science.gating import REGISTRY
from nktrace.science.gating.negatives import quantile_edge
from nktrace.science.gating.parent import Parent
from nktrace.science.gating.tree import gate_sample, resolve
from nktrace.science.priors import control_priors, fit_priors
from tests.science.gating.tube import BLOOD, OPTIONS, blood, events_of, level, root_of

TOPS = {"FSC-A": 262_144.0, "FSC-H": 262_144.0, "SSC-A": 262_144.0}


def line(population: str, parent: str, marker: str, **settings: str) -> GatingRow:
    return GatingRow(
        population=population,
        parent=parent,
        channels=((marker,),),
        method="valley",
        settings=ValleySettings(**settings),  # type: ignore[arg-type]
    )


TABLE = GatingTable(
    "t",
    (
        line("cd3", "root", "CD3"),
        line("cd3_neg", "root", "CD3", sign="-"),
        line("nk", "cd3_neg", "CD56"),
        line("nk_cd16", "nk", "CD16"),
        line("nk_cd57", "nk", "CD57"),
        line("nk_cd57_again", "nk_cd57", "CD57"),
    ),
)
TRUE_CUT = float(np.quantile(level(np.random.default_rng(0), 400_000, 0.2), 0.995))  # of CD57-negative cells


def dim_cd57(seed: int, *, fmo: bool = False, events: int = 30_000) -> Events:
    """Blood whose NK cells carry CD57 so dimly that there is no valley, or the same without the antibody."""
    tube, is_ = blood(seed, events=events, nk=0.12)
    rng = np.random.default_rng(seed + 1000)
    nk = is_["dim"] | is_["bright"]
    faint = nk & (rng.random(events) < 0.4) & (not fmo)
    values = tube.values.copy(order="F")
    column = tube.channels.index("CD57")
    values[:, column] = level(rng, events, 0.2) + faint * rng.uniform(0.0, 0.35, events)
    return Events(values, tube.channels)


def gate(events: Events, priors: GatePriors | None = None, *, without: str = "", seed: int = 1) -> GatedSample:
    rows, _ = resolve(TABLE, BLOOD)
    rng = np.random.default_rng(seed)
    return gate_sample(events, rows, panel=BLOOD, priors=priors, tops=TOPS, options=OPTIONS, rng=rng, without=without)


def edge_of(gated: GatedSample, population: str) -> Edge:
    return next(gate.edges[0] for gate in gated.gates if gate.population == population)


@pytest.fixture(scope="module")
def samples() -> list[GatedSample]:
    return [gate(dim_cd57(seed)) for seed in range(4)]


@pytest.fixture(scope="module")
def fmo(samples: list[GatedSample]) -> GatedSample:
    return gate(dim_cd57(9, fmo=True), fit_priors(samples), without="CD57")


def test_an_fmo_moves_nothing_but_the_rows_of_its_marker(samples: list[GatedSample], fmo: GatedSample) -> None:
    without = fit_priors(samples).edges
    beside = fit_priors(samples, controls=control_priors([fmo], Source.CONTROL)).edges
    assert {key for key in beside if repr(beside[key]) != repr(without.get(key))} == {("nk_cd57", "CD57", "min")}


def test_what_is_left_above_a_cut_on_the_same_marker_makes_no_prior(fmo: GatedSample) -> None:
    assert {population for population, _, _ in control_priors([fmo], Source.CONTROL)} == {"nk_cd57"}


def test_a_population_that_an_fmo_lacks_is_not_known_in_it(fmo: GatedSample) -> None:
    flags = doubts(fmo.gates)
    assert failed(flags["nk_cd57"])
    assert "CD57 is left out of this tube" in flags["nk_cd57"][0]
    assert "nk" not in flags


def test_the_parents_in_an_fmo_are_gated_as_in_the_samples(samples: list[GatedSample], fmo: GatedSample) -> None:
    for population in ("cd3", "nk", "nk_cd16"):
        cuts = [edge_of(sample, population).value for sample in samples]
        assert edge_of(fmo, population).value == pytest.approx(np.median(cuts), abs=0.04)


def test_a_one_peak_marker_takes_the_fmo_of_its_batch(samples: list[GatedSample], fmo: GatedSample) -> None:
    sample = dim_cd57(20)
    alone = edge_of(gate(sample, fit_priors(samples)), "nk_cd57")
    assert alone.status is Status.WARN
    assert "no clear valley" in alone.reason
    assert alone.source is not Source.CONTROL
    beside = edge_of(gate(sample, fit_priors(samples, controls=control_priors([fmo], Source.CONTROL))), "nk_cd57")
    assert (beside.source, beside.status) == (Source.CONTROL, Status.OK)
    assert beside.value == pytest.approx(TRUE_CUT, abs=0.06)
    assert beside.low < TRUE_CUT < beside.high
    assert "the FMO control" in beside.reason


def test_another_batch_borrows_the_fmo_and_says_so(samples: list[GatedSample], fmo: GatedSample) -> None:
    lent = fit_priors(samples, controls=control_priors([fmo], Source.COHORT))
    borrowed = edge_of(gate(dim_cd57(21), fit_priors([], wider=lent)), "nk_cd57")
    assert borrowed.source is Source.COHORT
    assert "the FMO control of another batch" in borrowed.reason
    assert borrowed.value == pytest.approx(TRUE_CUT, abs=0.06)


def test_a_marker_that_parts_its_cells_needs_no_fmo(samples: list[GatedSample]) -> None:
    events, _ = blood(30)
    fmo_of_cd16 = gate(replace_column(events, "CD16"), fit_priors(samples), without="CD16")
    priors = fit_priors([], controls=control_priors([fmo_of_cd16], Source.CONTROL))
    assert ("nk_cd16", "CD16", "min") in priors.edges
    with_fmo = edge_of(gate(events, priors), "nk_cd16")
    assert with_fmo.source is Source.DATA
    assert with_fmo.value == edge_of(gate(events), "nk_cd16").value


def replace_column(events: Events, marker: str) -> Events:
    """The same tube without an antibody."""
    values = events.values.copy(order="F")
    values[:, events.channels.index(marker)] = level(np.random.default_rng(5), len(events), 0.2)
    return Events(values, events.channels)


# --- quantiles --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [40, 200, 3_000])
def test_the_interval_of_a_quantile_covers_it(n: int) -> None:
    rng = np.random.default_rng(n)
    truth = stats.t(6).ppf(0.995)
    edges = [quantile_edge(rng.standard_t(6, n), "x", edge="min", quantile=0.995, level=0.95) for _ in range(400)]
    assert np.mean([edge.low <= truth <= edge.high for edge in edges]) >= (0.93 if n > 1_000 else 0.85)
    assert all(edge.low <= edge.value <= edge.high and math.isfinite(edge.high) for edge in edges)


def test_order_statistics_are_those_of_the_binomial() -> None:
    n, q = 4_000, 0.995
    values = np.arange(1.0, n + 1)  # the k-th value is k
    edge = quantile_edge(values, "x", edge="min", quantile=q, level=0.95)
    above = stats.binom(n, 1 - q)
    few, many = n - edge.high + 1, n - edge.low
    assert above.cdf(few - 1) <= 0.025 < above.cdf(few)
    assert above.sf(many) <= 0.025 < above.sf(many - 1)


# --- a negative population of the same sample -------------------------------------------------------------------------


def with_negatives(*, dim: float, doublets: float = 0.0) -> Parent:
    """T cells (which lack CD19, but for some doublets) and lymphocytes with dim B cells among them."""
    rng = np.random.default_rng(3)
    t_cells, b_cells = level(rng, 8_000, 0.2), level(rng, 300, dim, 0.05)
    t_cells = t_cells + np.where(rng.random(8_000) < doublets, rng.uniform(0.0, 0.6, 8_000), 0.0)
    values = np.concatenate([t_cells, b_cells])
    is_t = np.arange(values.size) < 8_000
    return root_of(events_of(CD19=values), masks={"cd3": is_t, "lymphocytes": np.ones(values.size, dtype=np.bool_)})


def b_cut(parent: Parent, **settings: str) -> Edge:
    below = replace(parent, population="lymphocytes", ancestors=("root",))
    return REGISTRY["valley"].estimate(below, line("b_cells", "lymphocytes", "CD19", **settings)).edges[0]


@pytest.mark.parametrize("doublets", [0.0, 0.03])
def test_a_one_peak_marker_is_cut_above_the_negative_population(doublets: float) -> None:
    parent = with_negatives(dim=0.38, doublets=doublets)
    edge = b_cut(parent, negative="cd3")
    t_cells = with_negatives(dim=0.38).values("CD19", "cd3")
    assert 0.98 < np.mean(t_cells < edge.value) < 0.9999
    assert (edge.source, edge.status, edge.clear) == (Source.CONTROL, Status.WARN, False)
    assert "above cd3, which lacks CD19" in edge.reason
    assert edge.low < edge.value < edge.high


def test_a_valley_goes_before_the_negative_population_and_a_prior_too(samples: list[GatedSample]) -> None:
    assert b_cut(with_negatives(dim=0.7), negative="cd3").source is Source.DATA
    prior = control_priors([gate(dim_cd57(9, fmo=True), without="CD57")], Source.CONTROL).popitem()[1]
    expecting = replace(with_negatives(dim=0.38), expected={("CD19", "min"): prior})
    assert math.isnan(b_cut(expecting, negative="cd3").value)


def test_a_negative_population_that_is_not_there_is_passed_over() -> None:
    parent = with_negatives(dim=0.38)
    assert repr(b_cut(parent, negative="nobody")) == repr(b_cut(with_negatives(dim=0.38)))
