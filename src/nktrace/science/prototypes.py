"""Prototypes: points that stand for the cells around them, with as many in rare regions as these need.

k-means spends its centres where the cells are. Each cell is therefore drawn with a probability that falls with how
crowded its neighbourhood is (density-dependent down-sampling, as in SPADE: Qiu 2011, 10.1038/nbt.1991), and the
centres are fitted to that draw.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nktrace.science.mapping import nearest_prototype

Matrix = NDArray[np.float32]

_COARSE = 5_000  # cells that the neighbourhoods are found from
_FITTED = 100  # cells per prototype that it is fitted to
_SEEDING = 25  # cells per prototype that the first centres are chosen from
_THINNING = 0.75  # exponent: a region with ten thousand times the cells is drawn ten times as often
_PASSES = 15


def thinned(cells: Matrix, neighbourhoods: int, *, weights: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """How likely each cell is to be drawn, such that rare regions are not lost, shape (cells,).

    Args:
        cells: shape (cells, markers), finite, on the scale that is clustered.
        neighbourhoods: whose cells are counted.
        weights: how much each cell counts, shape (cells,).
        seed: of the draws and of k-means.
    """
    coarse = _k_means(cells[_drawn(weights, _COARSE, np.random.default_rng(seed))], neighbourhoods, seed)
    crowd, _ = nearest_prototype(cells, coarse)
    size = np.bincount(crowd, weights, minlength=len(coarse))
    return np.asarray(weights * np.maximum(size, 1e-300)[crowd] ** -_THINNING)


def fit_prototypes(cells: Matrix, number: int, *, weights: NDArray[np.float64], seed: int) -> Matrix:
    """Centres of the cells, shape (number, markers), fewer where fewer differ; the same input gives the same bytes.

    Args:
        cells: shape (cells, markers), finite, on the scale that is clustered.
        number: of prototypes.
        weights: by which cells are drawn (`thinned`), shape (cells,).
        seed: of the draw and of k-means.
    """
    return _k_means(cells[_drawn(weights, _FITTED * number, np.random.default_rng(seed))], number, seed)


def _drawn(weights: NDArray[np.float64], size: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Rows drawn without replacement, each step in proportion to the weights (Efraimidis & Spirakis 2006)."""
    if weights.shape[0] <= size:
        return np.arange(weights.shape[0])
    keys = rng.exponential(size=weights.shape[0]) / weights
    return np.sort(np.argpartition(keys, size)[:size])


def _k_means(cells: Matrix, number: int, seed: int) -> Matrix:
    from sklearn.cluster import KMeans, kmeans_plusplus
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    different = np.unique(cells, axis=0)
    if len(different) <= number:
        return np.ascontiguousarray(different, dtype=np.float32)
    some = different[np.sort(np.random.default_rng(seed).permutation(len(different))[: _SEEDING * number])].astype(
        np.float64
    )
    with threadpool_limits(1):  # with two threads the sums are added in another order
        first, _ = kmeans_plusplus(some, number, random_state=seed)
        fitted = KMeans(number, init=first, n_init=1, max_iter=_PASSES, random_state=seed).fit(cells).cluster_centers_
    return np.ascontiguousarray(fitted, dtype=np.float32)
