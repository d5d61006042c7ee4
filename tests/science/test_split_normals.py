"""Two skewed populations from binned counts."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nktrace.science.split_normals import SplitNormal, even_odds, fit, lowest_between

BINS = np.arange(256, dtype=np.float64)


def expected_counts(*parts: SplitNormal, events: int = 20_000) -> np.ndarray:
    return events * sum(part.density(BINS) for part in parts)


def test_a_density_has_its_weight_as_mass() -> None:
    assert SplitNormal(0.3, 100.0, 10.0, 25.0).density(BINS).sum() == pytest.approx(0.3, rel=1e-3)


@pytest.mark.parametrize("share", [0.05, 0.5, 0.95])
def test_the_parameters_of_two_skewed_populations_are_found(share: float) -> None:
    low, high = SplitNormal(1 - share, 70.0, 8.0, 16.0), SplitNormal(share, 170.0, 20.0, 10.0)
    counts = np.random.default_rng(1).poisson(expected_counts(low, high)).astype(float)
    for found, true in zip(fit(counts), (low, high), strict=True):
        assert found.weight == pytest.approx(true.weight, abs=0.02)
        assert found.mode == pytest.approx(true.mode, abs=8)
        assert found.left + found.right == pytest.approx(true.left + true.right, rel=0.2)


def test_even_odds_are_where_the_densities_cross() -> None:
    low, high = SplitNormal(0.9, 60.0, 10.0, 15.0), SplitNormal(0.1, 150.0, 15.0, 10.0)
    place = np.array([even_odds(low, high)])
    assert low.density(place) == pytest.approx(high.density(place), rel=0.1)


def test_one_population_has_no_even_odds() -> None:
    counts = np.random.default_rng(2).poisson(expected_counts(SplitNormal(1.0, 120.0, 20.0, 20.0))).astype(float)
    assert math.isnan(even_odds(*fit(counts)))


def test_the_lowest_density_lies_nearer_to_the_small_population_than_even_odds() -> None:
    small, large = SplitNormal(0.05, 60.0, 8.0, 8.0), SplitNormal(0.95, 160.0, 22.0, 22.0)
    together = small.density(BINS) + large.density(BINS)
    lowest = lowest_between(small, large)
    assert lowest == pytest.approx(60 + int(np.argmin(together[60:161])), abs=1)
    assert 60 < lowest < even_odds(small, large) + 3


def test_without_a_dip_it_is_where_the_rise_is_least() -> None:
    small, large = SplitNormal(0.05, 95.0, 12.0, 12.0), SplitNormal(0.95, 160.0, 28.0, 28.0)
    together = small.density(BINS) + large.density(BINS)
    assert int(np.argmin(together[95:161])) == 0
    assert 95 < lowest_between(small, large) <= even_odds(small, large)


def test_one_population_has_no_lowest_place() -> None:
    assert math.isnan(lowest_between(SplitNormal(0.5, 100.0, 20.0, 20.0), SplitNormal(0.5, 105.0, 20.0, 20.0)))
