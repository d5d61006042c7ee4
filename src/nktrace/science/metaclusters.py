"""Which prototypes are one kind of cell: neighbours that no gap parts are joined, over many refits, by consensus.

Two neighbouring groups of cells are looked at along the line that tells them best apart (Fisher's discriminant): how
many of their own standard deviations lie between their means, and whether a valley lies there. Neither hangs on how
many cells they have, nor on which way a group is stretched. Where the next join is a close call another draw of the
cells decides it otherwise: what stays together in most draws is a metacluster (consensus clustering, Monti 2003,
10.1023/A:1023949509487).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from nktrace.science.density import smooth
from nktrace.science.mapping import nearest_prototype

Array = NDArray[np.float64]
Labels = NDArray[np.intp]

APART = 2.25  # gap between two populations; two halves of a normal one are 1.3 apart, of a skewed one up to 2
_FILLED = 0.5  # how much of the distance is lost where no valley lies between
_RARITY = 0.1  # exponent: a group of 0.1 % counts half as much as one of all cells, so that outliers are joined first
_PRIOR = 5  # cells per marker that a group's covariance is shrunk with, towards that within all groups
_RIDGE = 1e-3  # of the mean variance, on the diagonal: markers that are the same on all cells
_LOOKED_AT = 200  # cells of a group that show whether a valley lies beside it
_STEPS = 16  # of the density between two means
_SMOOTHING = 1.5  # its bandwidth in steps
_SMOOTH = smooth(np.eye(2 * _STEPS), _SMOOTHING)
_WINDOW = 2 * math.sqrt(math.pi) * _SMOOTHING  # steps that a smoothed density is the mean of
_BLOCK = 8_192


def joined(cells: NDArray[np.float32], prototypes: NDArray[np.float32], *, number: int | None) -> Labels:
    """Group of each prototype, from 0, shape (prototypes,).

    Args:
        cells: shape (cells, markers), on the scale of the prototypes.
        prototypes: shape (prototypes, markers), each with at least one cell.
        number: of groups; None: until no two neighbours have a gap under `APART`.
    """
    nearest, _ = nearest_prototype(cells, prototypes)
    groups = _Groups(cells, nearest, _neighbours(cells, prototypes, nearest))
    while groups.number > (number or 1) and groups.join_nearest(limit=np.inf if number else APART):
        pass
    return groups.labels()


def consensus(partitions: list[Labels], nearest: Labels, *, number: int | None) -> Labels:
    """Metacluster of each prototype, from 0: what many partitions of the same cells have together.

    Prototypes are joined by average linkage of how often their cells share a group, down to `number` metaclusters, or
    as long as they share one in more partitions than not.

    Args:
        partitions: of the cells, shape (cells,) each, groups from 0.
        nearest: prototype of each cell, from 0 without gaps, shape (cells,).
        number: of metaclusters; None: as many as there are.
    """
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    size = int(nearest.max()) + 1
    if size == 1:
        return np.zeros(1, dtype=np.intp)
    together = np.zeros((size, size))
    for groups in partitions:
        share = np.zeros((size, int(groups.max()) + 1))
        np.add.at(share, (nearest, groups), 1)
        share /= share.sum(axis=1, keepdims=True)
        together += share @ share.T
    apart = np.maximum(1 - (together + together.T) / (2 * len(partitions)), 0)
    np.fill_diagonal(apart, 0)
    tree = linkage(squareform(apart, checks=False), "average")
    cut = fcluster(tree, 0.5, "distance") if number is None else fcluster(tree, number, "maxclust")
    return np.asarray(cut, dtype=np.intp) - 1


class _Groups:
    """Groups of cells with their moments and some cells of each, joined one pair at a time."""

    def __init__(self, cells: NDArray[np.float32], group: Labels, adjacent: NDArray[np.bool_]) -> None:
        groups, markers = adjacent.shape[0], cells.shape[1]
        size = np.bincount(group, minlength=groups)
        self._size = size.astype(np.float64)
        self._mean, self._covariance = np.zeros((groups, markers)), np.zeros((groups, markers, markers))
        self._cells: list[Array] = []
        for index, rows in enumerate(np.split(np.argsort(group, kind="stable"), np.cumsum(size)[:-1])):
            own = cells[rows].astype(np.float64)
            self._mean[index] = own.mean(axis=0)
            centred = own - self._mean[index]
            self._covariance[index] = centred.T @ centred / rows.size
            self._cells.append(_some(own, _LOOKED_AT))
        within = np.einsum("g,gij->ij", self._size, self._covariance) / self._size.sum()
        self._within = within + (_RIDGE * np.trace(within) / markers + np.finfo(np.float64).tiny) * np.eye(markers)
        self._group = np.arange(groups)
        self._adjacent = adjacent
        self._gap = np.full(adjacent.shape, np.inf)
        self._cost = np.full(adjacent.shape, np.inf)
        for one in range(groups):
            self._measure(one, np.flatnonzero(adjacent[one, :one]))
        self.number = groups

    def join_nearest(self, *, limit: float) -> bool:
        """Join the two neighbours that cost least among those whose gap is under the limit; False without any."""
        if np.isinf(limit) and np.isinf(self._cost).all():
            self._all_are_neighbours()
        cost = np.where(self._gap < limit, self._cost, np.inf)
        one, other = (int(index) for index in np.unravel_index(np.argmin(cost), cost.shape))
        if not np.isfinite(cost[one, other]):
            return False
        share = self._size[[one, other]] / self._size[[one, other]].sum()
        step = self._mean[one] - self._mean[other]
        between = share[0] * share[1] * np.outer(step, step)
        self._covariance[one] = share[0] * self._covariance[one] + share[1] * self._covariance[other] + between
        self._mean[one] = share[0] * self._mean[one] + share[1] * self._mean[other]
        self._size[one] += self._size[other]
        kept = round(_LOOKED_AT * share[0])
        self._cells[one] = np.concatenate([_some(self._cells[one], kept), _some(self._cells[other], _LOOKED_AT - kept)])
        self._group[self._group == other] = one
        self._adjacent[one] |= self._adjacent[other]
        self._adjacent[:, one] = self._adjacent[one]
        self._adjacent[one, one] = False
        self._adjacent[other] = self._adjacent[:, other] = False
        for gone in (one, other):
            for table in (self._gap, self._cost):
                table[gone] = table[:, gone] = np.inf
        self._measure(one, np.flatnonzero(self._adjacent[one]))
        self.number -= 1
        return True

    def _all_are_neighbours(self) -> None:
        """What is left lies apart: where fewer groups are asked for, any two may be joined."""
        left = np.unique(self._group)
        self._adjacent[np.ix_(left, left)] = ~np.eye(left.size, dtype=np.bool_)
        for place, one in enumerate(left):
            self._measure(int(one), left[:place])

    def labels(self) -> Labels:
        """Group of each prototype, from 0."""
        return np.unique(self._group, return_inverse=True)[1].astype(np.intp)

    def _measure(self, one: int, beside: Labels) -> None:
        """Gap between a group and its neighbours, and what joining them costs."""
        if not beside.size:
            return
        spreads = self._spread(beside), self._spread(np.array([one]))
        step = self._mean[one] - self._mean[beside]
        direction = np.linalg.solve((spreads[0] + spreads[1]) / 2, step[..., None])[..., 0]
        sd = [np.sqrt(np.einsum("ni,nij,nj->n", direction, spread, direction)) for spread in spreads]
        away = np.einsum("ni,ni->n", direction, step)
        distance = np.divide(2 * away, sd[0] + sd[1], out=np.zeros_like(away), where=away > 0)
        filled = np.array([self._filled(one, int(i), along) for i, along in zip(beside, direction, strict=True)])
        gap = distance * (1 - _FILLED * filled)
        rarity = np.minimum(self._size[beside], self._size[one]) / self._size.sum()
        first, second = np.minimum(one, beside), np.maximum(one, beside)
        self._gap[first, second] = gap
        self._cost[first, second] = gap * rarity**_RARITY

    def _spread(self, groups: Labels) -> Array:
        """Covariances, shrunk towards that within groups: of few cells none is known."""
        prior = _PRIOR * self._mean.shape[1]
        size = self._size[groups][:, None, None]
        return np.asarray((size * self._covariance[groups] + prior * self._within) / (size + prior))

    def _filled(self, one: int, other: int, along: Array) -> float:
        """Lowest density between two means, over the lower of the peaks beside it: 1 where no valley is seen."""
        low, high = float(self._mean[other] @ along), float(self._mean[one] @ along)
        if not high > low:
            return 1.0
        density = np.zeros(2 * _STEPS)
        for group in (one, other):
            step = np.floor((self._cells[group] @ along - low) * (_STEPS / (high - low)) + _STEPS / 2).astype(np.intp)
            inside = step[(step >= 0) & (step < 2 * _STEPS)]
            density += np.bincount(inside, minlength=2 * _STEPS) * (self._size[group] / step.size)
        density = density @ _SMOOTH
        between = density[_STEPS // 2 : 2 * _STEPS - _STEPS // 2]
        floor = _STEPS // 2 + int(between.argmin())
        peak = min(density[: floor + 1].max(), density[floor:].max())
        # Of few cells a gap says little: the floor is what it may well be, two standard deviations above what is seen.
        lowest = density[floor] * _WINDOW
        return min(1.0, float((lowest + 2 * math.sqrt(lowest + 1)) / max(peak * _WINDOW, 1e-12)))


def _some(cells: Array, size: int) -> Array:
    """At most so many of the cells, evenly spread over their order, which says nothing of them; at least one."""
    return cells[:: max(1, -(-len(cells) // max(size, 1)))]


def _neighbours(cells: NDArray[np.float32], prototypes: NDArray[np.float32], nearest: Labels) -> NDArray[np.bool_]:
    """Prototypes of which one is the nearest and the other the second nearest of a cell."""
    adjacent = np.zeros((len(prototypes), len(prototypes)), dtype=np.bool_)
    if len(prototypes) == 1:
        return adjacent
    squares = (prototypes * prototypes).sum(axis=1)
    for start in range(0, len(cells), _BLOCK):
        block, own = cells[start : start + _BLOCK], nearest[start : start + _BLOCK]
        score = squares - 2 * block @ prototypes.T
        score[np.arange(len(block)), own] = np.inf
        adjacent[own, score.argmin(axis=1)] = True
    return adjacent | adjacent.T
