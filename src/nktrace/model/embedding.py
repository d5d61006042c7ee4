"""NK cells on two axes: what is alike in all markers stands together. To look at, not to measure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedding:
    """Drawn NK cells of a panel on two axes (a part of results/cohort/embedding.npz).

    Attributes:
        method: `umap` or `pca`; empty where there is none, and then there are no events.
        reason: why there is none.
        samples: how many samples the events come from.
        markers: what the places come from: the markers that clusters are made of.
        rows: which of the panel's events in nk.h5ad they are, shape (events,); in random order, so that no sample and
            no subset is always drawn on top.
        places: shape (events, 2).
        values: of the markers, on the transformed scale, shape (events, markers).
        cluster: 0 where there is none, shape (events,).
        subset: empty where there is none, shape (events,).
    """

    panel: str
    method: str
    reason: str = ""
    samples: int = 0
    markers: Sequence[str] = ()
    rows: NDArray[np.int64]
    places: NDArray[np.float32]
    values: NDArray[np.float32]
    cluster: NDArray[np.int32]
    subset: NDArray[np.str_]
