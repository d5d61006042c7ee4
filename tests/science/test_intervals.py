"""Intervals of proportions against published and computed values."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nktrace.science.intervals import clopper_pearson, jeffreys, normal_quantile, wilson

METHODS = (clopper_pearson, wilson, jeffreys)


@pytest.mark.parametrize(
    ("method", "low", "high"),
    [(clopper_pearson, 0.000775, 0.002619), (wilson, 0.000858, 0.002620), (jeffreys, 0.000820, 0.002539)],
)
def test_twelve_of_eight_thousand(method: object, low: float, high: float) -> None:
    interval = method(12, 8_000, 0.95)  # type: ignore[operator]
    assert (interval.low, interval.high) == (pytest.approx(low, abs=1e-6), pytest.approx(high, abs=1e-6))


@pytest.mark.parametrize(("method", "high"), [(clopper_pearson, 0.000369), (wilson, 0.000384), (jeffreys, 0.000251)])
def test_none_of_ten_thousand(method: object, high: float) -> None:
    interval = method(0, 10_000, 0.95)  # type: ignore[operator]
    assert interval.low == 0
    assert interval.high == pytest.approx(high, abs=1e-6)


def test_small_cohorts_are_exact() -> None:
    assert clopper_pearson(6, 6, 0.95).low == pytest.approx(0.541, abs=5e-4)
    assert clopper_pearson(0, 6, 0.95).high == pytest.approx(0.459, abs=5e-4)
    interval = clopper_pearson(6, 19, 0.95)
    assert (interval.low, interval.high) == (pytest.approx(0.126, abs=5e-4), pytest.approx(0.566, abs=5e-4))


@given(st.integers(0, 500), st.integers(0, 500), st.floats(0.5, 0.999))
def test_the_share_lies_in_its_interval(successes: int, failures: int, level: float) -> None:
    n = successes + failures
    for method in METHODS:
        interval = method(successes, n, level)
        if n == 0:
            assert math.isnan(interval.value)
        else:
            assert 0 <= interval.low <= interval.value + 1e-12
            assert interval.value - 1e-12 <= interval.high <= 1


@pytest.mark.parametrize("method", METHODS)
def test_more_successes_than_trials_are_refused(method: object) -> None:
    with pytest.raises(ValueError, match="no proportion"):
        method(3, 2, 0.95)  # type: ignore[operator]


def test_the_normal_quantile() -> None:
    assert normal_quantile(0.95) == pytest.approx(1.959964, abs=1e-6)
