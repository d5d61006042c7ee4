"""The highest and the lowest of several true values that are known by draws.

The maximum of each draw is no draw of the maximum: where several days lie close, some are high by chance in every
draw, so these maxima lie above the highest true value, and on a flat course their lower quantile does so too. The bound
from below is that of intersection bounds instead (Chernozhukov, Lee & Rosen, Econometrica 2013;81:667).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nktrace.model.intervals import Interval
from nktrace.science.intervals import tails

Array = NDArray[np.float64]

MAY_BE_HIGHEST = 0.05  # share of the draws in which a day must be the highest to be taken for one that may be


def highest_of(draws: Array, level: float) -> Interval:
    """The highest true value: the highest median, with an interval.

    Below stands the highest of the days' own lower bounds, at a tail so small that, with what the draws say of how the
    days' errors go together, all of them hold at once over the days that may be the highest; where only one may be,
    that is its own bound. Above stands the quantile of the draws' maxima, which err upwards only.

    Args:
        draws: (draw, day).
    """
    count, days = draws.shape
    share = np.bincount(draws.argmax(axis=1), minlength=days) / count
    near = draws[:, share >= min(MAY_BE_HIGHEST, share.max())]
    rank = (near.argsort(axis=0).argsort(axis=0) + 0.5) / count  # of a draw among those of its day
    low, high = tails(level)
    together = 1 - float(np.quantile(rank.max(axis=1), high))
    value = float(np.median(draws, axis=0).max())
    below = float(np.quantile(near, min(together, low), axis=0).max())
    return Interval(value, min(below, value), max(float(np.quantile(draws.max(axis=1), high)), value))


def lowest_of(draws: Array, level: float) -> Interval:
    """The lowest true value, likewise."""
    mirrored = highest_of(-draws, level)
    return Interval(-mirrored.value, -mirrored.high, -mirrored.low)
