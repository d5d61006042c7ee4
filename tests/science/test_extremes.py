"""The highest and lowest of several true values: the interval covers where they are alike, and where one stands out."""

from __future__ import annotations

import numpy as np
import pytest

from nktrace.science.extremes import highest_of, lowest_of

SD = 0.3


@pytest.mark.parametrize("truth", [[0.0] * 8, [0.0, -0.2, -0.4, -0.6], [0.0, -3.0, -3.0], [0.0] * 3 + [-4.0] * 4])
def test_the_interval_of_the_highest_covers(truth: list[float]) -> None:
    rng = np.random.default_rng(5)
    values = np.array(truth)
    covered, naive, errors = [], [], []
    for _ in range(300):
        seen = values + SD * rng.standard_normal(values.size)
        draws = seen + SD * rng.standard_normal((500, values.size))
        found = highest_of(draws, 0.95)
        covered.append(found.low <= 0 <= found.high)
        naive.append(np.quantile(draws.max(axis=1), 0.025) <= 0)
        errors.append(found.value)
        assert found.low <= found.value <= found.high
    assert np.mean(covered) >= 0.93
    if len(truth) == 8:
        assert np.mean(naive) < 0.7  # what the maxima of the draws would give


def test_errors_that_go_together_widen_nothing() -> None:
    rng = np.random.default_rng(6)
    draws = np.repeat(rng.standard_normal((2000, 1)), 6, axis=1)
    alone, together = highest_of(draws[:, :1], 0.95), highest_of(draws, 0.95)
    assert together.low == pytest.approx(alone.low, abs=1e-9)
    assert together.high == pytest.approx(alone.high, abs=1e-9)


def test_one_day_that_stands_out_has_its_own_interval() -> None:
    rng = np.random.default_rng(7)
    draws = np.array([5.0, 0.0, 0.0]) + SD * rng.standard_normal((2000, 3))
    found = highest_of(draws, 0.95)
    assert [found.low, found.value, found.high] == pytest.approx(np.quantile(draws[:, 0], [0.025, 0.5, 0.975]).tolist())


def test_the_lowest_mirrors_the_highest() -> None:
    draws = np.random.default_rng(8).standard_normal((500, 4))
    high, low = highest_of(-draws, 0.9), lowest_of(draws, 0.9)
    assert (low.low, low.value, low.high) == (-high.high, -high.value, -high.low)
