"""The simulated patients of the trajectories' benchmark are what they are said to be."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.simulated_visits import PLATFORMS, SHAPES, draw_truth, measured
from nktrace.model.trajectories import Series

DAYS = np.array([0.1, 1.0, 3.0, 7.0, 14.0, 28.0, 56.0])


def simulated(seed: int, shape: str = "decay", noise: float = 0.0) -> dict[str, Series]:
    rng = np.random.default_rng(seed)
    return {one.measure: one for one in measured(draw_truth(shape, rng), noise=noise, rng=rng)}


def test_the_same_seed_gives_the_same_visits() -> None:
    assert simulated(3, noise=0.2) == simulated(3, noise=0.2)
    assert simulated(3, noise=0.2) != simulated(4, noise=0.2)


@pytest.mark.parametrize("shape", SHAPES)
def test_donor_cells_are_there_after_the_infusion_only(shape: str) -> None:
    truth = draw_truth(shape, np.random.default_rng(1))
    assert np.all(truth.of("donor_nk", np.array([-7.0, -0.1])) == 0)
    assert np.all(truth.of("donor_nk", DAYS) > 0)
    assert np.all(truth.of("nk", DAYS) > truth.of("donor_nk", DAYS))


def test_the_intervals_of_single_counts_cover_without_noise() -> None:
    rng = np.random.default_rng(2)
    hits: list[bool] = []
    platforms = set()
    for number in range(120):
        truth = draw_truth(SHAPES[number % len(SHAPES)], rng)
        for one in measured(truth, noise=0.0, rng=rng):
            platforms.add(one.platform)
            if one.measure != "donor_nk":
                hits += [
                    visit.observed.low <= float(truth.of(one.measure, np.array(visit.day))) <= visit.observed.high
                    for visit in one.visits
                ]
    assert platforms == set(PLATFORMS)
    assert 0.93 <= np.mean(hits) <= 0.97
