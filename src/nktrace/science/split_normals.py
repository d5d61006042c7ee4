"""Two skewed populations in binned counts, as split normals: two halves of different sd around one mode.

The maximum likelihood of a split normal is closed for a given mode (John 1982), so EM searches the mode on the grid.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_ROUNDS = 150
_AGAIN = 20
_STARTS = (0.1, 0.3, 0.5, 0.7, 0.9)
_MIN_SHARE = 0.002
_APART = 2.0  # modes nearer than this many pooled sd are one population (Ashman, Bird & Zepf 1994)

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SplitNormal:
    """A weight and a density on the grid's bins: mode, sd left and right of it, all in bins."""

    weight: float
    mode: float
    left: float
    right: float

    def density(self, position: Array) -> Array:
        """Weighted density per bin."""
        distance = position - self.mode
        sd = np.where(distance < 0, self.left, self.right)
        top = self.weight * math.sqrt(2 / math.pi) / (self.left + self.right)
        result: Array = top * np.exp(-0.5 * (distance / sd) ** 2)
        return result


def fit(counts: Array, *, start: tuple[SplitNormal, SplitNormal] | None = None) -> tuple[SplitNormal, SplitNormal]:
    """Two split normals by EM, the lower one first; the best of several starts, or a few rounds from one start.

    Args:
        counts: shape (bins,).
        start: components to go on from (a resample of the counts they were fitted to).
    """
    position = np.arange(counts.shape[0], dtype=np.float64)
    if start is not None:
        low, high, _ = _em(counts, position, start[1].density(position), start[0].density(position), rounds=_AGAIN)
    else:
        cumulative = np.cumsum(counts) / counts.sum()
        fits = []
        for share in _STARTS:
            above = (cumulative > share).astype(np.float64) * 0.98 + 0.01
            fits.append(_em(counts, position, above, 1 - above, rounds=_ROUNDS))
        low, high, _ = max(fits, key=lambda result: result[2])
    return (low, high) if low.mode <= high.mode else (high, low)


def fit_beside(counts: Array, cut: float) -> tuple[SplitNormal, SplitNormal]:
    """The two split normals by EM that a cut (in bins) parts at the start, the one below it first.

    Args:
        counts: shape (bins,), some on either side of the cut.
    """
    position = np.arange(counts.shape[0], dtype=np.float64)
    above = (position >= cut).astype(np.float64) * 0.98 + 0.01
    low, high, _ = _em(counts, position, above, 1 - above, rounds=_ROUNDS)
    return low, high


def _em(
    counts: Array, position: Array, high_density: Array, low_density: Array, *, rounds: int
) -> tuple[SplitNormal, SplitNormal, float]:
    likelihood = -math.inf
    for _ in range(rounds):
        odds = high_density / np.maximum(high_density + low_density, 1e-300)
        low, high = _most_likely(counts * (1 - odds), counts.sum()), _most_likely(counts * odds, counts.sum())
        low_density, high_density = low.density(position), high.density(position)
        before, likelihood = likelihood, float(counts @ np.log(low_density + high_density + 1e-300))
        if likelihood - before < 1e-7 * abs(likelihood):
            break
    return low, high, likelihood


def _most_likely(weights: Array, total: float) -> SplitNormal:
    """The split normal of weighted bins: for mode m and half sums of squares A, B the maximum minimises A^⅓ + B^⅓."""
    x = np.arange(weights.shape[0], dtype=np.float64)
    n, s, q = np.cumsum(weights), np.cumsum(weights * x), np.cumsum(weights * x * x)
    a = np.maximum(q - 2 * x * s + x * x * n, 0)
    b = np.maximum((q[-1] - q) - 2 * x * (s[-1] - s) + x * x * (n[-1] - n), 0)
    roots = np.cbrt(a) + np.cbrt(b)
    m = int(np.argmin(roots))
    size = max(float(n[-1]), 1e-12)
    left = math.sqrt(np.cbrt(a[m]) ** 2 * roots[m] / size)
    right = math.sqrt(np.cbrt(b[m]) ** 2 * roots[m] / size)
    return SplitNormal(size / total, float(m), max(left, 1.0), max(right, 1.0))


def even_odds(low: SplitNormal, high: SplitNormal) -> float:
    """Where both densities are equal between the modes, in bins; nan where the two are not two populations."""
    widths = (low.left + low.right) / 2, (high.left + high.right) / 2
    apart = (high.mode - low.mode) / (math.hypot(*widths) / math.sqrt(2))
    if min(low.weight, high.weight) < _MIN_SHARE or apart < _APART:
        return math.nan
    position = np.linspace(low.mode, high.mode, 512)
    difference = high.density(position) - low.density(position)
    crossing = np.flatnonzero((difference[:-1] < 0) & (difference[1:] >= 0))
    return float(position[crossing[0] + 1]) if crossing.shape[0] else math.nan


def lowest_between(low: SplitNormal, high: SplitNormal) -> float:
    """Where both densities together are least between the modes, in bins.

    Where they only rise it is where they rise least below even odds: what is left of a dip that the higher population
    fills. nan where the two are not two populations.
    """
    odds = even_odds(low, high)
    if math.isnan(odds):
        return math.nan
    position = np.linspace(low.mode, high.mode, 512)
    together = low.density(position) + high.density(position)
    least = int(np.argmin(together))
    if 0 < least < 511:
        return float(position[least])
    below = int(np.searchsorted(position, odds))
    return float(position[int(np.argmin(np.diff(np.log(together[: below + 2]))))])
