"""Draws of events that depend on the study's seed and on the sample's name only, never on order or on neighbours."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def generator(seed: int, *names: str) -> np.random.Generator:
    """A random generator of its own for each name (sample, purpose), the same on every machine."""
    digest = hashlib.sha256("\0".join((str(seed), *names)).encode()).digest()
    return np.random.default_rng(np.frombuffer(digest, dtype=np.uint32))


def draw_rows(rows: NDArray[np.int64], size: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """At most `size` of the rows, without replacement, in ascending order."""
    if rows.size <= size:
        return rows
    return np.sort(rng.choice(rows, size=size, replace=False, shuffle=False))


def even_shares(sizes: Sequence[int], total: int) -> list[int]:
    """How many to take from each of several sizes: the same from all that have as many, `total` in all if possible."""
    shares = [0] * len(sizes)
    by_size = sorted(range(len(sizes)), key=lambda index: sizes[index])
    for waiting, index in zip(range(len(sizes), 0, -1), by_size, strict=True):
        shares[index] = min(sizes[index], total // waiting)
        total -= shares[index]
    return shares
