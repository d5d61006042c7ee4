"""NK events onto the frozen clusters of their panel.

The cluster of a cell is the same whatever cells stand beside it: where float32 cannot tell two prototypes apart, the
nearer one is decided again in float64.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from nktrace.model.clusters import UNASSIGNED, ClusterReference
from nktrace.model.errors import ReferenceUnusable
from nktrace.model.events import Events, FloatArray

_BLOCK = 4096


def map_events(
    events: Events, reference: ClusterReference, *, max_novelty: float = math.inf
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Cluster and novelty of NK events.

    Novelty is the distance to the nearest prototype over that prototype's radius: 1 % of the reference lies above 1.
    An event beyond `max_novelty` has cluster `UNASSIGNED` and keeps its novelty. An event with a value that is not
    finite has cluster `UNASSIGNED` and novelty nan; so has every event where the reference has no clusters.

    Args:
        events: with the markers of the reference among its channels, on the transformed scale.
        reference: onto which they are mapped.
        max_novelty: beyond which an event is in no cluster.

    Returns:
        Two arrays of shape (events,).

    Raises:
        ReferenceUnusable: the events lack markers of the reference; they are named.
    """
    values = reference_values(events, reference)
    cluster = np.full(len(events), UNASSIGNED, dtype=np.int32)
    novelty = np.full(len(events), np.nan, dtype=np.float32)
    if not reference.clusters:
        return cluster, novelty
    rows = np.flatnonzero(np.isfinite(values).all(axis=1))
    nearest, distance = nearest_prototype(
        scaled_values(values[rows], reference.center, reference.width), reference.prototypes
    )
    novelty[rows] = (distance / reference.radius[nearest]).astype(np.float32)
    cluster[rows] = np.where(novelty[rows] > max_novelty, np.int32(UNASSIGNED), reference.metaclusters[nearest])
    return cluster, novelty


def reference_values(events: Events, reference: ClusterReference) -> FloatArray:
    """The markers that a reference is made of, in its order, shape (events, markers).

    Raises:
        ReferenceUnusable: the events lack some of them; they are named.
    """
    missing = [marker for marker in reference.markers if marker not in events]
    if missing:
        raise ReferenceUnusable(
            f"the sample has no {', '.join(missing)}, which the reference of panel {reference.panel} is made of",
            mend="Raise reference_version to fit a new one on this panel",
        )
    return events.take(reference.markers).values


def scaled_values(values: FloatArray, center: NDArray[np.float32], width: NDArray[np.float32]) -> NDArray[np.float32]:
    """Marker values on the scale that is clustered, shape (events, markers), row-major."""
    return np.ascontiguousarray((values.astype(np.float32) - center) / width)


def nearest_prototype(
    values: NDArray[np.float32], prototypes: NDArray[np.float32]
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """The nearest prototype of each row by Euclidean distance, the first of equals, and the distance.

    Distances come from a float32 product in blocks. A product's rounding depends on its shape, so rows whose best
    prototypes differ by less than the rounding could are decided in float64: tests/reference has the plain way.

    Args:
        values: shape (rows, markers), finite.
        prototypes: shape (prototypes, markers).
    """
    wide = prototypes.astype(np.float64)
    squares = (prototypes * prototypes).sum(axis=1)
    # Beyond twice the usual bound of the score: a dot product of m terms is within m eps |x||p| (Higham 2002, 3.1).
    rounding = 4 * (prototypes.shape[1] + 4) * np.finfo(np.float32).eps
    index = np.empty(len(values), dtype=np.intp)
    distance = np.empty(len(values), dtype=np.float64)
    for start in range(0, len(values), _BLOCK):
        block = values[start : start + _BLOCK]
        with np.errstate(over="ignore", invalid="ignore"):  # a value beyond 1e19 has no score, and is unclear
            score = block @ prototypes.T
            score *= -2
            score += squares
            best = score.argmin(axis=1)
            limit = score[np.arange(len(block)), best] + rounding * ((block * block).sum(axis=1) + squares.max())
            unclear = np.flatnonzero((score <= limit[:, None]).sum(axis=1) != 1)
        if unclear.size:
            best[unclear] = _squared_distances(block[unclear, None, :], wide[None]).argmin(axis=1)
        index[start : start + _BLOCK] = best
        distance[start : start + _BLOCK] = np.sqrt(_squared_distances(block, wide[best]))
    return index, distance


def _squared_distances(a: FloatArray, b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum over the last axis, marker by marker, so that the order of additions is fixed."""
    total = np.zeros(np.broadcast_shapes(a.shape, b.shape)[:-1], dtype=np.float64)
    for marker in range(a.shape[-1]):
        difference = a[..., marker].astype(np.float64) - b[..., marker]
        total += difference * difference
    return total
