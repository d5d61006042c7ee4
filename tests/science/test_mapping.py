"""Mapping NK events onto a frozen reference."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from nktrace.model.clusters import UNASSIGNED, Cluster, ClusterReference, empty_reference
from nktrace.model.errors import ReferenceUnusable
from nktrace.model.events import Events
from nktrace.science.mapping import map_events, nearest_prototype

MARKERS = ("CD56", "CD16", "CD57", "NKG2A", "NKG2C")


def reference(prototypes: int = 40) -> ClusterReference:
    rng = np.random.default_rng(5)
    return ClusterReference(
        panel="nk14",
        markers=MARKERS,
        center=np.full(5, 0.2, np.float32),
        width=np.full(5, 0.6, np.float32),
        prototypes=rng.random((prototypes, 5), dtype=np.float32),
        metaclusters=(np.arange(prototypes) % 3 + 1).astype(np.int32),
        radius=np.full(prototypes, 0.5, np.float32),
        clusters=tuple(
            Cluster(
                number=n,
                subset="bright",
                shares={"bright": 1.0},
                cl_id="",
                medians={},
                fraction=1 / 3,
                stability=1.0,
                seed_agreement=1.0,
            )
            for n in (1, 2, 3)
        ),
    )


def events(n: int, seed: int = 1) -> Events:
    rng = np.random.default_rng(seed)
    return Events(np.asfortranarray(rng.normal(0.5, 0.3, (n, 6)).astype(np.float32)), (*MARKERS, "SSC-A"))


def brute_force(values: np.ndarray, prototypes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The readable twin: every distance in float64."""
    distances = np.linalg.norm(values.astype(np.float64)[:, None] - prototypes.astype(np.float64)[None], axis=2)
    return distances.argmin(axis=1), distances.min(axis=1)


def test_the_nearest_prototype_is_the_one_that_float64_finds() -> None:
    rng = np.random.default_rng(2)
    prototypes = rng.random((60, 7), dtype=np.float32)
    # half of the rows lie within rounding of the middle between two prototypes, where a float32 product is a coin toss
    pairs = rng.integers(0, 60, (3000, 2))
    middle = (prototypes[pairs[:, 0]] + prototypes[pairs[:, 1]]) / 2 + rng.normal(0, 1e-8, (3000, 7))
    values = np.concatenate([rng.random((3000, 7)), middle]).astype(np.float32)
    index, distance = nearest_prototype(values, prototypes)
    expected_index, expected_distance = brute_force(values, prototypes)
    assert np.array_equal(index, expected_index)
    assert distance == pytest.approx(expected_distance, rel=1e-12)


def test_of_equal_prototypes_the_first_is_taken() -> None:
    prototypes = np.array([[5, 5], [0, 0], [0, 0]], np.float32)
    assert nearest_prototype(np.zeros((3, 2), np.float32), prototypes)[0].tolist() == [1, 1, 1]


def test_a_sample_alone_is_mapped_as_in_a_batch_byte_for_byte() -> None:
    batch = events(9_000)
    cluster, novelty = map_events(batch, reference())
    for start, stop in ((0, 1), (17, 20), (4_000, 8_999)):
        alone = map_events(batch.select(slice(start, stop)), reference())
        assert alone[0].tobytes() == cluster[start:stop].tobytes()
        assert alone[1].tobytes() == novelty[start:stop].tobytes()


def test_the_order_of_a_samples_markers_does_not_matter() -> None:
    batch = events(500)
    turned = batch.take(batch.channels[::-1])
    for one, other in zip(map_events(batch, reference()), map_events(turned, reference()), strict=True):
        assert one.tobytes() == other.tobytes()


def test_a_missing_marker_is_refused_by_name() -> None:
    with pytest.raises(ReferenceUnusable, match="CD57, NKG2C"):
        map_events(events(10).take(("CD56", "CD16", "NKG2A")), reference())


def test_values_on_another_scale_are_novel() -> None:
    known = events(2_000)
    other = Events(known.values * np.float32(3), known.channels)
    assert np.median(map_events(known, reference())[1]) < 1.5
    assert np.median(map_events(other, reference())[1]) > 3


def test_events_without_a_finite_value_have_no_cluster() -> None:
    some = events(5)
    some.values[2, 1] = np.nan
    some.values[3, 0] = np.inf
    cluster, novelty = map_events(some, reference())
    assert (cluster == UNASSIGNED).tolist() == [False, False, True, True, False]
    assert np.isnan(novelty).tolist() == [False, False, True, True, False]


def test_an_absurd_value_is_novel_and_no_failure() -> None:
    some = events(2)
    some.values[1, 0] = 1e30
    cluster, novelty = map_events(some, reference())
    assert cluster[1] >= 1
    assert novelty[1] > 1e20


def test_a_reference_without_clusters_maps_everything_to_none() -> None:
    cluster, novelty = map_events(events(4), empty_reference("nk14", samples={}, reason="no NK"))
    assert (cluster == UNASSIGNED).all()
    assert np.isnan(novelty).all()


def test_no_events_map_to_no_clusters() -> None:
    cluster, novelty = map_events(events(0), reference())
    assert cluster.shape == novelty.shape == (0,)


def test_events_beyond_the_limit_are_in_no_cluster_and_keep_their_novelty() -> None:
    some = events(500)
    cluster, novelty = map_events(some, reference())
    limited, same = map_events(some, reference(), max_novelty=1.0)
    assert same.tobytes() == novelty.tobytes()
    assert np.array_equal(limited, np.where(novelty > 1, UNASSIGNED, cluster))
    assert 0 < np.count_nonzero(limited == UNASSIGNED) < 500


def test_novelty_is_one_at_the_radius() -> None:
    one = dataclasses.replace(reference(1), center=np.zeros(5, np.float32), width=np.ones(5, np.float32))
    at = one.prototypes.copy()
    at[0, 0] += 0.5
    _, novelty = map_events(Events(np.asfortranarray(at), MARKERS), one)
    assert novelty[0] == pytest.approx(1, rel=1e-6)
