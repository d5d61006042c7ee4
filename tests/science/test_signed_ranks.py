"""The exact signed-rank test beside scipy's and beside all signs, and what so few values can't show."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm, rankdata, wilcoxon

from nktrace.science.signed_ranks import detectable_shift, exact_p, hodges_lehmann, holm, smallest_p


def over_all_signs(values: list[float]) -> float:
    """The p by giving every sign to every rank; zeros keep their rank and have no sign."""
    array = np.array(values, dtype=float)
    ranks = rankdata(np.abs(array))[array != 0]
    observed = ranks[array[array != 0] > 0].sum()
    sums = np.array([np.dot(ranks, signs) for signs in itertools.product((0, 1), repeat=len(ranks))])
    tail = min(np.mean(sums <= observed + 1e-9), np.mean(sums >= observed - 1e-9))
    return float(min(1.0, 2 * tail))


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=9))
def test_p_is_that_of_all_signs_with_ties_and_zeros(values: list[int]) -> None:
    assert exact_p(values) == pytest.approx(over_all_signs([float(v) for v in values]), abs=1e-12)


@pytest.mark.parametrize("n", [1, 2, 5, 6, 12, 25, 60])
def test_p_is_that_of_scipy_where_there_are_no_ties(n: int) -> None:
    values = np.random.default_rng(n).normal(0.3, 1, n)
    assert exact_p(values) == pytest.approx(wilcoxon(values, method="exact").pvalue, rel=1e-9)


def test_the_smallest_p_is_two_of_all_signs() -> None:
    assert [smallest_p([1.0] * n) for n in (1, 4, 5, 6)] == [1.0, 0.125, 0.0625, 0.03125]
    assert exact_p([0.2, 0.1, 3.0, 0.4]) == smallest_p([1, 1, 1, 1])
    assert smallest_p([0.0, 1.0, 1.0]) == 0.5
    assert exact_p([0.0, 0.0]) == smallest_p([0.0, 0.0]) == 1.0


@pytest.mark.parametrize("n", [6, 8])
def test_under_the_null_it_rejects_no_more_often_than_it_says(n: int) -> None:
    """Symmetric values with heavy tails, and coarse ones with ties."""
    rng = np.random.default_rng(n)
    for values in (rng.standard_t(2, (4000, n)), np.round(rng.normal(size=(4000, n)) * 2)):
        rejected = np.mean([exact_p(row) <= 0.05 for row in values])
        assert rejected <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / 4000)


def test_the_interval_is_made_of_walsh_averages() -> None:
    values = [-1.0, 0.5, 2.0, 4.0, 7.0, 9.0, 12.0]  # Hollander, Wolfe & Chicken: n = 7 leaves out the two outermost
    averages = sorted((a + b) / 2 for a, b in itertools.combinations_with_replacement(values, 2))
    found, reached = hodges_lehmann(values, values, level=0.95)
    assert found.value == np.median(averages)
    assert (found.low, found.high) == (averages[2], averages[-3])
    assert reached == pytest.approx(1 - 2 * 3 / 2**7)


@pytest.mark.parametrize(("n", "reached"), [(1, 0.0), (2, 0.5), (3, 0.75), (4, 0.875), (5, 0.9375), (6, 0.96875)])
def test_too_few_values_say_which_level_they_reach(n: int, reached: float) -> None:
    values = list(np.random.default_rng(1).normal(size=n))
    found, level = hodges_lehmann(values, values, level=0.95)
    assert level == reached
    assert (found.low, found.high) == (min(values), max(values))


def test_the_interval_holds_a_shift_as_often_as_it_says() -> None:
    rng = np.random.default_rng(5)
    for n in (6, 9):
        found = [hodges_lehmann(v, v, level=0.95) for v in rng.logistic(0.7, 1, (1500, n))]
        covered = np.mean([interval.low <= 0.7 <= interval.high for interval, _ in found])
        assert covered == pytest.approx(found[0][1], abs=0.015)


def test_values_known_by_bounds_give_bounds() -> None:
    known, level = hodges_lehmann([1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, 6], level=0.95)
    bounded, _ = hodges_lehmann([1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, math.inf], level=0.95)
    assert level == 0.96875
    assert (bounded.low, bounded.high) == (known.low, math.inf)
    assert bounded.value == known.value == 3.5  # the median is not moved by the largest
    low, _ = hodges_lehmann([-math.inf, 2, 3], [1, 2, 3], level=0.95)
    assert (low.low, low.high) == (-math.inf, 3)
    assert math.isnan(low.value)


def test_holm_steps_down_and_never_turns_back() -> None:
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def test_the_detectable_shift_is_that_of_all_signs_alike_where_only_these_count() -> None:
    """With six values p <= 0.05 needs all on one side, whose chance is known."""
    exact = norm.ppf(0.8 ** (1 / 6))
    assert detectable_shift(6, 0.05) == pytest.approx(exact, abs=0.04)
    assert math.isnan(detectable_shift(5, 0.05))
    assert math.isnan(detectable_shift(6, 0.05 / 6))
    assert detectable_shift(20, 0.05) < detectable_shift(10, 0.05)
    # large n: that of the t test over the square root of the efficiency 3/π, within noise
    assert detectable_shift(60, 0.05) == pytest.approx((1.96 + 0.84) / math.sqrt(60 * 3 / math.pi), rel=0.06)
