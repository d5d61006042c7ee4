"""Prototypes that leave no rare region without one."""

from __future__ import annotations

import numpy as np

from nktrace.science.mapping import nearest_prototype
from nktrace.science.prototypes import fit_prototypes, thinned


def crowd_and_few(seed: int, few: int = 60) -> np.ndarray:
    """Ten thousand cells around 0, and a few around 1."""
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.normal(0, 0.1, (10_000, 4)), rng.normal(1, 0.05, (few, 4))]).astype(np.float32)


def test_a_region_of_half_a_percent_gets_prototypes_of_its_own() -> None:
    cells = crowd_and_few(1)
    weights = thinned(cells, 30, weights=np.ones(len(cells)), seed=1)
    found = fit_prototypes(cells, 30, weights=weights, seed=1)
    assert (found.mean(axis=1) > 0.8).any()
    nearest, distance = nearest_prototype(cells, found)
    assert distance[10_000:].max() < 0.3
    assert set(nearest[10_000:]).isdisjoint(nearest[:10_000])


def test_thinning_draws_from_the_rare_more_often_but_not_for_sure() -> None:
    cells = crowd_and_few(2)
    weights = thinned(cells, 30, weights=np.ones(len(cells)), seed=1)
    odds = weights[10_000:].mean() / weights[:10_000].mean()
    assert 1.5 < odds < 10_000 / 60


def test_a_cell_of_a_small_sample_is_drawn_more_often() -> None:
    cells = crowd_and_few(3, few=10_000)
    even = np.ones(len(cells))
    heavy = even.copy()
    heavy[10_000:] = 5
    ratio = thinned(cells, 30, weights=heavy, seed=1) / thinned(cells, 30, weights=even, seed=1)
    assert ratio[10_000:].mean() > ratio[:10_000].mean()


def test_the_same_seed_gives_the_same_bytes_and_another_one_others() -> None:
    cells = crowd_and_few(4)
    weights = np.ones(len(cells))
    first, again, other = (fit_prototypes(cells, 20, weights=weights, seed=seed) for seed in (1, 1, 2))
    assert first.tobytes() == again.tobytes()
    assert first.tobytes() != other.tobytes()


def test_fewer_different_cells_than_prototypes_stand_for_themselves() -> None:
    cells = np.repeat(np.array([[0, 0], [1, 1], [2, 0]], np.float32), 50, axis=0)
    found = fit_prototypes(cells, 10, weights=np.ones(len(cells)), seed=1)
    assert sorted(map(tuple, found.tolist())) == [(0, 0), (1, 1), (2, 0)]
