"""Known mixtures give known recovery, lines, limits and coverage."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import poisson

from nktrace.model.dilution import Goal, Series
from nktrace.science.dilution_findings import (
    findings,
    lod_of_hits,
    mean_interval,
    over_pairs,
    percentile_95,
    ratio_interval,
)

LEVELS = np.array([0.0, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5])
DRAWS, EVENTS = 40, 5_000


def a_series(*, slope: float = 1.0, curve: float = 0.0, gates: float = 1.0, seed: int = 3) -> Series:
    """Estimates that lie about slope × truth + curve × truth², counted in 5000 cells, LoB of 8 events."""
    rng = np.random.default_rng(seed)
    expected = np.repeat(LEVELS[:, None], DRAWS, axis=1)
    true = rng.binomial(EVENTS, expected * gates) / EVENTS
    noise = rng.poisson(3, expected.shape)
    counted = slope * true * EVENTS + curve * true**2 * EVENTS + noise
    estimate = (counted - 3) / EVENTS
    half = 1.96 * np.sqrt(counted + 1) / EVENTS
    same = np.full(expected.shape, 0.0)
    return Series(
        levels=LEVELS,
        events=same + EVENTS,
        expected=expected,
        true=true,
        estimate=estimate,
        low=estimate - half,
        high=estimate + half,
        detected=(counted > 8).astype(float),
        lob=same + 5 / EVENTS,
        lod=same + 20 / EVENTS,
        lod_by_counts=same + (14.43 - 3) / EVENTS,
    )


def of(series: Series) -> object:
    return findings(series, level=0.95, goal=0.1, goal_from=0.01)


def test_what_is_found_as_mixed_meets_the_goal() -> None:
    found = of(a_series())
    assert found.recovery.low < 1 < found.recovery.high
    assert found.slope.value == pytest.approx(1, abs=0.01)
    assert found.intercept.low < 0 < found.intercept.high
    assert abs(found.max_deviation) < 0.02
    assert found.gate_recovery.value == pytest.approx(1, abs=0.02)
    assert found.goal is Goal.MET
    assert found.draws == DRAWS
    assert [each.level for each in found.levels] == list(LEVELS)


@pytest.mark.parametrize("slope", [0.8, 1.25])
def test_a_marker_that_finds_too_little_or_too_much_is_seen(slope: float) -> None:
    found = of(a_series(slope=slope))
    assert found.recovery.value == pytest.approx(slope, abs=0.02)
    assert found.slope.value == pytest.approx(slope, abs=0.02)
    assert found.goal is Goal.MISSED
    assert found.coverage.value < 0.9


def test_gates_that_lose_donor_cells_are_told_apart_from_the_marker() -> None:
    found = of(a_series(gates=0.7))
    assert found.recovery.value == pytest.approx(1, abs=0.02)
    assert found.gate_recovery.value == pytest.approx(0.7, abs=0.02)
    top = found.levels[-1]
    assert top.coverage.value == 0  # of what was mixed
    assert top.coverage_gated.value > 0.9  # of what stands in the gate


def test_a_bent_series_deviates_from_its_line() -> None:
    found = of(a_series(curve=0.8))
    assert abs(found.max_deviation) > 0.05
    assert abs(of(a_series()).max_deviation) < 0.02


def test_the_hit_rate_finds_the_limit_that_counting_predicts() -> None:
    fractions = np.geomspace(0.0005, 0.02, 15).repeat(200)
    rng = np.random.default_rng(5)
    hits = rng.poisson(3 + EVENTS * fractions) > 8
    predicted = (14.43 - 3) / EVENTS
    assert 1 - poisson.cdf(8, 14.43) == pytest.approx(0.95, abs=1e-3)
    found = lod_of_hits(fractions, hits, level=0.95)
    assert found.low < found.value < found.high
    assert found.value == pytest.approx(predicted, rel=0.15)


def test_a_step_gives_the_levels_on_either_side() -> None:
    fractions = np.array([0.0, 0.001, 0.001, 0.004, 0.004])
    found = lod_of_hits(fractions, np.array([False, False, False, True, True]), level=0.95)
    assert (found.low, found.high) == (pytest.approx(0.001), pytest.approx(0.004))
    assert found.value == pytest.approx(0.002)


@pytest.mark.parametrize("hits", [1, 10, 19])
def test_one_level_that_is_partly_detected_leaves_the_limit_between_its_neighbours(hits: int) -> None:
    fractions = np.repeat([0.001, 0.002, 0.005, 0.01], 20)
    detected = np.concatenate([np.zeros(20), np.arange(20) < hits, np.ones(40)]) > 0
    found = lod_of_hits(fractions, detected, level=0.95)
    assert 0.0015 < found.value < 0.005
    assert 0 < found.low < found.value < found.high < 0.02


@pytest.mark.parametrize("hit", [True, False])
def test_no_limit_where_the_levels_do_not_reach_it(hit: bool) -> None:
    assert not lod_of_hits(np.array([0.001, 0.01, 0.1]), np.full(3, hit), level=0.95).known


def test_more_hits_at_low_fractions_than_at_high_ones_are_no_limit() -> None:
    fractions = np.array([0.001, 0.002, 0.01, 0.02]).repeat(10)
    hits = np.array([True] * 12 + [False] * 8 + [True] * 4 + [False] * 16)
    assert not lod_of_hits(fractions, hits, level=0.95).known


def test_the_limit_of_blank_is_the_rank_of_ep17() -> None:
    """Rank 0.5 + 0.95 n: of 1 to 20 the rank is 19.5; of 1 to 60 it is 57.5."""
    assert percentile_95(np.arange(1.0, 21)) == 19.5
    assert percentile_95(np.arange(1.0, 61)) == 57.5
    assert math.isnan(percentile_95(np.array([np.nan])))


def test_the_interval_of_a_mean_is_students() -> None:
    found = mean_interval(np.array([1.0, 2.0, 3.0, np.nan]), 0.95)
    assert found.value == 2
    assert found.high - 2 == pytest.approx(4.303 / math.sqrt(3), abs=1e-3)


def test_the_interval_of_a_ratio_holds_it_as_often_as_it_says() -> None:
    rng = np.random.default_rng(7)
    held = 0
    for _ in range(400):
        under = rng.normal(10, 1, 20)
        found = ratio_interval(1.5 * under + rng.normal(0, 2, 20), under, 0.95)
        held += found.low <= 1.5 <= found.high
    assert held / 400 == pytest.approx(0.95, abs=0.035)


def test_draws_without_an_estimate_are_left_out() -> None:
    series = a_series()
    estimate = series.estimate.copy()
    estimate[:, :3] = np.nan
    estimate[1] = np.nan
    found = of(replace(series, estimate=estimate))
    assert found.draws == DRAWS - 3
    assert found.levels[1].draws == 0
    assert found.recovery.known


def test_pairs_together_have_the_interval_over_pairs() -> None:
    ones = [of(a_series(slope=slope, seed=seed)) for seed, slope in enumerate((0.95, 1.0, 1.05))]
    found = over_pairs(ones, level=0.95, goal=0.1)
    assert found.pairs == 3
    assert found.recovery.value == pytest.approx(1, abs=0.01)
    assert found.recovery.high - found.recovery.value == pytest.approx(4.303 * 0.05 / math.sqrt(3), rel=0.2)
    assert found.lod_found.low == min(one.lod_found.value for one in ones)
    assert found.draws == 3 * DRAWS
    blanks = [one.levels[0].hit_rate.value * DRAWS for one in ones]
    assert found.false_positives.value == pytest.approx(sum(blanks) / (3 * DRAWS))
