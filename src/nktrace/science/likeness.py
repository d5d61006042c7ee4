"""An order in which what is alike stands together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def by_likeness(profiles: NDArray[np.float64]) -> list[int]:
    """The rows in the order of an average-linkage tree whose branches are turned so that neighbours are most alike.

    Bar-Joseph, Gifford & Jaakkola 2001, 10.1093/bioinformatics/17.suppl_1.S22. Of the two directions the one in which
    row 0 stands nearer to the beginning.

    Args:
        profiles: shape (rows, values); a nan says nothing about its row.
    """
    if len(profiles) < 3:
        return list(range(len(profiles)))
    from scipy.cluster.hierarchy import leaves_list, linkage

    known = np.isfinite(profiles)
    means = np.where(known, profiles, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    tree = linkage(np.where(known, profiles, means), method="average", optimal_ordering=True)
    order = [int(row) for row in leaves_list(tree)]
    return order if order.index(0) <= (len(order) - 1) / 2 else order[::-1]
