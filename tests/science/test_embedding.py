from __future__ import annotations

import importlib.util

import numpy as np
import pytest
from numpy.typing import NDArray

from nktrace.model.clusters import ClusterReference, empty_reference
from nktrace.model.errors import SettingsError
from nktrace.science import embedding
from nktrace.science.embedding import beside_each_other, embed, embed_events, embedding_method

MARKERS = ("CD16", "CD56", "CD57", "NKG2A")


def reference(markers: tuple[str, ...] = MARKERS) -> ClusterReference:
    n = len(markers)
    return ClusterReference(
        panel="p",
        markers=markers,
        center=np.zeros(n, np.float32),
        width=np.ones(n, np.float32),
        prototypes=np.zeros((1, n), np.float32),
        metaclusters=np.ones(1, np.int32),
        radius=np.ones(1, np.float32),
    )


def groups(events: int, *, seed: int = 1) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Three groups of cells that differ in two markers each."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, 3, events)
    means = np.array([(0.2, 0.7, 0.2, 0.7), (0.7, 0.5, 0.2, 0.7), (0.7, 0.5, 0.7, 0.2)])[kind]
    return (means + rng.normal(0, 0.03, means.shape)).astype(np.float32), kind


def together(places: NDArray[np.float32], kind: NDArray[np.int64]) -> float:
    """Share of the events whose nearest event on the two axes is of their own kind."""
    apart = np.square(places[:, None] - places).sum(axis=2)
    np.fill_diagonal(apart, np.inf)
    return float((kind[apart.argmin(axis=1)] == kind).mean())


@pytest.mark.parametrize("method", ["pca", pytest.param("umap", marks=pytest.mark.slow)])
def test_kinds_of_cells_stand_apart_and_twice_the_same(method: str) -> None:
    if method == "umap":
        pytest.importorskip("umap")
    values, kind = groups(400)
    places = embed(values, method=method, seed=1)
    assert places.shape == (400, 2)
    assert places.dtype == np.float32
    assert together(places, kind) > 0.99
    assert embed(values, method=method, seed=1).tobytes() == places.tobytes()


def test_as_many_events_of_each_sample_and_none_with_a_missing_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding, "EVENTS", 200)
    values = {"S1": groups(1000)[0], "S2": groups(40, seed=2)[0], "S3": groups(300, seed=3)[0]}
    values["S1"][:500, 1] = np.nan
    rows, places, reason = embed_events(values, reference(), method="pca", seed=1)
    assert reason == ""
    assert len(rows) == len(places) == len(set(rows.tolist())) == 200
    assert rows.min() >= 500
    assert [((rows >= low) & (rows < high)).sum() for low, high in ((0, 1000), (1000, 1040), (1040, 1340))] == [
        80,
        40,
        80,
    ]
    assert not (np.diff(rows) > 0).all()  # no sample on top of the others


def test_a_sample_gives_the_same_events_whoever_stands_beside_it() -> None:
    one, other = groups(300)[0], groups(200, seed=2)[0]
    alone, _, _ = embed_events({"S1": one}, reference(), method="pca", seed=1)
    beside, _, _ = embed_events({"S1": one, "S2": other}, reference(), method="pca", seed=1)
    assert set(alone.tolist()) == {row for row in beside.tolist() if row < 300}


def test_few_events_or_markers_have_no_embedding_and_say_why() -> None:
    rows, places, reason = embed_events({"S1": groups(49)[0]}, reference(), method="umap", seed=1)
    assert (rows.shape, places.shape) == ((0,), (0, 2))
    assert reason == "49 NK events; 50 are needed"
    two = {"S1": groups(100)[0][:, :2]}
    assert "2 of the panel's markers" in embed_events(two, reference(MARKERS[:2]), method="umap", seed=1)[2]
    nothing = empty_reference("p", samples={}, reason="none")
    assert (
        "0 of the panel's markers"
        in embed_events({"S1": np.empty((9, 0), np.float32)}, nothing, method="pca", seed=1)[2]
    )


def test_auto_takes_what_is_installed_and_umap_is_asked_for_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert embedding_method("none") == "none"
    monkeypatch.setattr(importlib.util, "find_spec", {}.get)
    assert embedding_method("auto") == "pca"
    with pytest.raises(SettingsError, match=r"nktrace\[umap\]"):
        embedding_method("umap")
    monkeypatch.setattr(importlib.util, "find_spec", str)
    assert embedding_method("auto") == embedding_method("umap") == "umap"


def test_panels_stand_side_by_side() -> None:
    one, other = (np.random.default_rng(seed).normal(size=(50, 2)).astype(np.float32) for seed in (1, 2))
    left, right = beside_each_other([one, other])
    assert left[:, 0].max() < right[:, 0].min()
    assert np.allclose(np.diff(left, axis=0), np.diff(one, axis=0), atol=1e-5)
    assert beside_each_other([]) == []
