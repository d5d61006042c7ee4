"""Which cluster became which when a new reference is fitted: the same events by the old one and by the new."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nktrace.model.events import FloatArray
from nktrace.model.transforms import Transform
from nktrace.science.transforms import apply, inverse


@dataclass(frozen=True, slots=True)
class Became:
    """Events that are in one cluster by the old reference and in one by the new; `UNASSIGNED` counts as a cluster."""

    old: int
    new: int
    events: int
    share_of_old: float
    share_of_new: float


def crosswalk(old: NDArray[np.int32], new: NDArray[np.int32]) -> tuple[Became, ...]:
    """Every pair that events share, the old clusters in order, each with the largest of its new ones first.

    Args:
        old, new: cluster of each event, shape (events,).
    """
    pairs, counts = np.unique(np.stack([old, new]), axis=1, return_counts=True)
    of_old = {int(cluster): int(np.count_nonzero(old == cluster)) for cluster in np.unique(old)}
    of_new = {int(cluster): int(np.count_nonzero(new == cluster)) for cluster in np.unique(new)}
    rows = [
        Became(before, after, count, count / of_old[before], count / of_new[after])
        for before, after, count in zip(*pairs.tolist(), counts.tolist(), strict=True)
    ]
    return tuple(sorted(rows, key=lambda row: (row.old, -row.events, row.new)))


def on_scale(values: FloatArray, *, now: Transform, then: Transform) -> NDArray[np.float32]:
    """Transformed values of one marker on another scale: each version of a reference has scales of its own."""
    return apply(inverse(values, now), then)
