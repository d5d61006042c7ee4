"""Two axes for a draw of NK cells, for looking only: distances, areas and densities in such a picture mean nothing."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from nktrace.model.clusters import ClusterReference
from nktrace.model.errors import SettingsError
from nktrace.science.drawing import draw_rows, even_shares, generator
from nktrace.science.mapping import scaled_values

UMAP, PCA, NONE = "umap", "pca", "none"
AUTO = "auto"
NEIGHBORS, MIN_DIST = 15, 0.4  # of UMAP: the second spreads out what is alike, so that single cells are seen
EVENTS = 5_000  # of a panel: enough for a subset of 1 % to be seen, and quick
MIN_EVENTS = 50  # fewer make no neighbourhoods
MIN_MARKERS = 3  # two are their own picture
_EPOCHS = 300
_BETWEEN_PANELS = 0.15  # of a panel's width


def embedding_method(asked: str) -> str:
    """`umap`, `pca` or `none`; `auto` is `umap` where umap-learn is installed, else `pca`.

    Raises:
        SettingsError: `umap` is asked for, but umap-learn is not installed.
    """
    installed = importlib.util.find_spec("umap") is not None
    if asked == UMAP and not installed:
        raise SettingsError(
            "umap-learn is not installed",
            where="clustering.embedding",
            mend="Run `pip install nktrace[umap]`, or set it to pca or auto",
        )
    if asked == AUTO:
        return UMAP if installed else PCA
    return asked


def embed_events(
    values: Mapping[str, NDArray[np.float32]], reference: ClusterReference, *, method: str, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.float32], str]:
    """Two axes for a draw of a panel's NK cells: as many of each sample, by its name and the seed.

    Args:
        values: of the reference's markers, per sample, on the transformed scale, shape (events, markers).
        reference: events are embedded as its clusters are made of them.
        method: `umap` or `pca`.

    Returns:
        Rows of the samples' events one below the other, in random order, shape (drawn,); their places, shape
        (drawn, 2); and, where these are none, why.
    """
    blocks = list(values.values())
    usable = [np.flatnonzero(np.isfinite(block).all(axis=1)) for block in blocks]
    total, markers = sum(rows.size for rows in usable), len(reference.markers)
    if markers < MIN_MARKERS or total < MIN_EVENTS:
        few_markers = f"clusters are made of {markers} of the panel's markers; {MIN_MARKERS} are needed"
        few_events = f"{total} NK events; {MIN_EVENTS} are needed"
        reason = few_markers if markers < MIN_MARKERS else few_events
        return np.empty(0, np.int64), np.empty((0, 2), np.float32), reason
    starts = np.cumsum([0, *(len(block) for block in blocks)])
    drawn = [
        start + draw_rows(rows, share, generator(seed, sample, "embedding"))
        for sample, start, rows, share in zip(
            values, starts, usable, even_shares([rows.size for rows in usable], EVENTS), strict=False
        )
    ]
    rows = generator(seed, reference.panel, "embedding").permutation(np.concatenate(drawn))
    scaled = scaled_values(np.concatenate(blocks)[rows], reference.center, reference.width)
    return rows, embed(scaled, method=method, seed=seed), ""


def embed(scaled: NDArray[np.float32], *, method: str, seed: int) -> NDArray[np.float32]:
    """Two axes for each event; the same input gives the same bytes on one machine.

    UMAP (McInnes, Healy & Melville 2018, arXiv:1802.03426) from exact neighbours, begun at the principal components,
    which keeps far groups where they lie and not where chance put them (Kobak & Linderman 2021,
    10.1038/s41587-020-00809-z).

    Args:
        scaled: as the clusters are made of them, shape (events, markers), no nan.
        method: `umap` or `pca`.

    Returns:
        Shape (events, 2).
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    with threadpool_limits(1):  # with two threads the sums are added in another order
        return _umap(scaled, seed) if method == UMAP else _principal_components(scaled)


def _principal_components(scaled: NDArray[np.float32]) -> NDArray[np.float32]:
    from sklearn.decomposition import PCA as PrincipalComponents  # noqa: N811 (beside our own PCA)

    places = PrincipalComponents(2, svd_solver="covariance_eigh").fit_transform(scaled.astype(np.float64))
    return np.asarray(places, dtype=np.float32)


def _umap(scaled: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
    from sklearn.neighbors import NearestNeighbors

    # exact neighbours of so few events take 0.2 s; compiling the approximate search would take far longer
    distances, neighbors = NearestNeighbors(n_neighbors=NEIGHBORS).fit(scaled).kneighbors(scaled)
    with warnings.catch_warnings():
        # what umap-learn says of things that are not used here: its neural network, and mapping further events
        warnings.filterwarnings("ignore", message="Tensorflow not installed", category=ImportWarning)
        warnings.filterwarnings("ignore", message=r"precomputed_knn\[2\]", category=UserWarning)
        from umap import UMAP as Umap  # noqa: N811 (beside our own UMAP)

        model = Umap(
            n_neighbors=NEIGHBORS,
            min_dist=MIN_DIST,
            n_epochs=_EPOCHS,
            init="pca",
            random_state=seed,
            n_jobs=1,
            precomputed_knn=(neighbors.astype(np.int32), distances.astype(np.float32)),
        )
        return np.asarray(model.fit_transform(scaled), dtype=np.float32)


def beside_each_other(places: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
    """Embeddings of several panels moved side by side: each has axes of its own, and one plot may show them all."""
    moved, start = [], 0.0
    for block in places:
        low, high = block.min(axis=0), block.max(axis=0)
        moved.append((block - low + np.array([start, 0])).astype(np.float32))
        start += float(high[0] - low[0]) * (1 + _BETWEEN_PANELS)
    return moved
