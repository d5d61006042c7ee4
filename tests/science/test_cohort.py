"""What six or nineteen patients carry, and what they do not."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import wilcoxon

from nktrace.model.trajectories import Waiting
from nktrace.science.cohort import (
    median_rank,
    smallest_wilcoxon_p,
    summarise_share,
    summarise_values,
    summarise_waiting,
)

LEVEL = 0.95


@pytest.mark.parametrize(("x", "n", "low", "high"), [(6, 6, 0.541, 1.0), (0, 6, 0.0, 0.459), (6, 19, 0.126, 0.566)])
def test_exact_shares_of_the_two_trials(x: int, n: int, low: float, high: float) -> None:
    share = summarise_share(x, n, level=LEVEL)
    assert (share.low, share.high) == pytest.approx((low, high), abs=5e-4)


@pytest.mark.parametrize(("n", "p"), [(6, 0.03125), (5, 0.0625)])
def test_smallest_p_of_the_signed_rank_test(n: int, p: float) -> None:
    assert smallest_wilcoxon_p(n) == p
    assert wilcoxon(np.arange(1.0, n + 1)).pvalue == pytest.approx(p)


@pytest.mark.parametrize(("n", "rank"), [(5, 0), (6, 1), (8, 1), (9, 2), (12, 3), (19, 5), (25, 8)])
def test_ranks_of_the_median_interval_are_those_of_published_tables(n: int, rank: int) -> None:
    assert median_rank(n, LEVEL) == rank


def test_five_patients_carry_no_interval_of_a_median() -> None:
    summary = summarise_values([(float(x), float(x)) for x in range(5)], level=LEVEL)
    assert summary.median == 2
    assert math.isnan(summary.low)
    assert "n = 5 carries no 95% interval" in summary.note


def test_the_median_interval_covers() -> None:
    rng = np.random.default_rng(1)
    covered = 0
    for _ in range(2000):
        summary = summarise_values([(x, x) for x in rng.lognormal(size=9)], level=LEVEL)
        covered += summary.low <= 1 <= summary.high
    assert 0.95 <= covered / 2000 <= 0.975  # exact: 96.1 %


def test_values_under_the_limit_enter_by_their_bounds() -> None:
    known = [(float(x), float(x)) for x in (3, 4, 5, 6)]
    summary = summarise_values([(0.0, 0.5), (0.0, 0.2), *known], level=LEVEL)
    assert summary.median == 3.5  # both limits lie below it, so it is known
    mostly = summarise_values([(0.0, 0.5)] * 4 + [(3.0, 3.0), (4.0, 4.0)], level=LEVEL)
    assert math.isnan(mostly.median)
    assert "median between 0 and 0.5" in mostly.note
    assert (mostly.low, mostly.high) == (0, 4)


def test_values_still_going_on_are_open_above() -> None:
    summary = summarise_values([(28.0, math.inf)] * 3 + [(7.0, 7.0)] * 4, level=LEVEL)
    assert summary.median == 7
    assert summary.high == math.inf


def test_no_band_under_ten_patients() -> None:
    rng = np.random.default_rng(3)
    times = [Waiting(float(day), float(day + 7)) for day in range(0, 27, 3)]
    nine, shares = summarise_waiting(times, level=LEVEL, rng=rng)
    assert math.isnan(nine.low)
    assert "no band under n = 10" in nine.note
    assert all(math.isnan(share.low) for _, share in shares)
    ten, shares = summarise_waiting([*times, Waiting(10, 20)], level=LEVEL, rng=rng)
    assert ten.low <= ten.median <= ten.high
    assert all(share.low <= share.median <= share.high for _, share in shares)


def test_a_median_that_is_not_reached_is_unknown() -> None:
    summary, _ = summarise_waiting(
        [Waiting(30, math.inf)] * 4 + [Waiting(3, 7)], level=LEVEL, rng=np.random.default_rng(0)
    )
    assert math.isnan(summary.median)
    assert "median not reached" in summary.note
