"""Which prototypes are one kind of cell."""

from __future__ import annotations

import numpy as np
import pytest

from nktrace.science.mapping import nearest_prototype
from nktrace.science.metaclusters import consensus, joined
from nktrace.science.prototypes import fit_prototypes


def groups(cells: np.ndarray, *, number: int | None = None, prototypes: int = 40) -> np.ndarray:
    """Group of each cell."""
    cells = cells.astype(np.float32)
    found = fit_prototypes(cells, prototypes, weights=np.ones(len(cells)), seed=1)
    found = found[np.unique(nearest_prototype(cells, found)[0])]
    return joined(cells, found, number=number)[nearest_prototype(cells, found)[0]]


def normal(rng: np.random.Generator, centre: float, events: int, sd: float = 0.05) -> np.ndarray:
    return rng.normal(centre, sd, (events, 5))


@pytest.mark.parametrize("stretch", [1.0, 6.0])
def test_a_normal_population_is_one_however_it_is_stretched(stretch: float) -> None:
    rng = np.random.default_rng(1)
    cells = normal(rng, 0.5, 4_000) * np.array([stretch, 1, 1, 1, 1])
    assert np.unique(groups(cells)).size == 1


@pytest.mark.parametrize("events", [40, 400, 4_000])
def test_two_populations_with_a_gap_are_two_whatever_their_sizes(events: int) -> None:
    rng = np.random.default_rng(2)
    found = groups(np.concatenate([normal(rng, 0.3, 4_000), normal(rng, 0.6, events)]))
    assert np.unique(found).size == 2
    assert np.unique(found[:4_000]).size == np.unique(found[4_000:]).size == 1


def test_populations_that_one_marker_parts_are_two() -> None:
    """The other markers only stretch them: along these they are far, and not apart."""
    rng = np.random.default_rng(3)
    cells = normal(rng, 0.5, 6_000) * np.array([1, 8, 8, 1, 1])
    cells[3_000:, 0] += 0.35
    found = groups(cells, prototypes=60)
    assert np.mean(found[:3_000] == np.bincount(found[:3_000]).argmax()) > 0.97
    assert np.mean(found[3_000:] == np.bincount(found[3_000:]).argmax()) > 0.97
    assert np.bincount(found[:3_000]).argmax() != np.bincount(found[3_000:]).argmax()


def test_a_number_that_is_asked_for_is_what_comes() -> None:
    rng = np.random.default_rng(4)
    cells = np.concatenate([normal(rng, place, 1_000) for place in (0.1, 0.5, 0.9)])
    assert [np.unique(groups(cells, number=number)).size for number in (1, 2, 3, 5)] == [1, 2, 3, 5]


def test_consensus_is_what_most_partitions_agree_on() -> None:
    nearest = np.repeat(np.arange(4), 10)
    right, wrong = np.array([0, 0, 1, 1])[nearest], np.array([0, 1, 1, 0])[nearest]
    agreed = consensus([right, wrong, right], nearest, number=None)
    assert agreed[0] == agreed[1] != agreed[2] == agreed[3]
    assert np.unique(consensus([right, wrong, right], nearest, number=1)).size == 1


def test_one_prototype_is_one_metacluster() -> None:
    assert consensus([np.zeros(5, np.intp)], np.zeros(5, np.intp), number=None).tolist() == [0]
