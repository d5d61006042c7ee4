"""The signed-rank test of a few values against zero, exact whatever their ties, and what so few can show at all.

Under the null hypothesis each value is as likely to stand on either side of zero: the 2^n ways to give signs to the
ranks are equally likely (Wilcoxon 1945; Fisher's randomisation). Values of exactly zero have ranks and no sign (Pratt
1959, 10.1080/01621459.1959.10501526). The median is estimated by that of the Walsh averages (Hodges & Lehmann 1963,
10.1214/aoms/1177704172), with the averages as ends of its interval (Tukey 1949; Hollander, Wolfe & Chicken 2014, 3.3).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from nktrace.model.intervals import Interval

Array = NDArray[np.float64]

POWER = 0.8
_DRAWS = 4000
_STEPS = 20  # halvings of the detectable change: far finer than the draws are


def exact_p(values: Sequence[float]) -> float:
    """The two-sided p of the null hypothesis that the values lie symmetrically about zero; 1 without any but zeros."""
    array = np.asarray(values, dtype=np.float64)
    ranks = _doubled_midranks(np.abs(array))[array != 0]
    chances = _sum_of_signed(tuple(sorted(ranks.tolist())))
    positive = int(ranks[array[array != 0] > 0].sum())
    smaller = min(positive, int(ranks.sum()) - positive)
    return min(1.0, 2 * float(chances[: smaller + 1].sum()))


def smallest_p(values: Sequence[float]) -> float:
    """The p that these values would give if they all lay on one side: 2 / 2^n, n those that are not zero."""
    return float(min(1.0, 2.0 ** (1 - np.count_nonzero(values))))


def hodges_lehmann(lows: Sequence[float], highs: Sequence[float], *, level: float) -> tuple[Interval, float]:
    """The pseudomedian of values known by bounds (equal where known), its interval, and the level that this reaches.

    The interval is the shortest of at least `level`; where n is too small for any, the widest there is: from the
    lowest bound to the highest, of the level that the second number says. The point is nan where the bounds leave it
    open. With ties the level is at least what it says.

    Args:
        lows, highs: bounds of n >= 1 values; lows may be -inf, highs inf.
        level: two-sided.
    """
    below, above = _walsh(lows), _walsh(highs)
    chances = np.cumsum(_sum_of_signed(tuple(range(2, 2 * len(lows) + 1, 2)))[::2])
    rank = max(int(np.searchsorted(chances, (1 - level) / 2 * (1 + 1e-12), side="right")), 1)
    reached = max(1 - 2 * float(chances[rank - 1]), 0.0)
    middle = [float(_middle(averages)) for averages in (below, above)]
    point = middle[0] if middle[0] == middle[1] else np.nan
    return Interval(point, float(below[rank - 1]), float(above[-rank])), reached


def holm(p_values: Sequence[float]) -> list[float]:
    """p values adjusted for being a family (Holm 1979, Scand J Stat 6:65), whatever their dependence."""
    adjusted, largest = [0.0] * len(p_values), 0.0
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    for place, index in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - place) * p_values[index]))
        adjusted[index] = largest
    return adjusted


@cache
def detectable_shift(n: int, alpha: float) -> float:
    """The shift of normal values, in their sd, that the exact test at two-sided `alpha` finds in 80 %; nan if none.

    By one fixed set of normal draws for each n: the same number every time, good to about 0.03 sd.
    """
    chances = np.cumsum(_sum_of_signed(tuple(range(2, 2 * n + 1, 2)))[::2])
    critical = int(np.searchsorted(chances, alpha / 2 * (1 + 1e-12), side="right")) - 1
    if critical < 0:
        return float("nan")
    noise = np.random.default_rng(n).standard_normal((_DRAWS, n))
    most = n * (n + 1) // 2

    def power(shift: float) -> float:
        values = noise + shift
        ranks = np.abs(values).argsort(axis=1).argsort(axis=1) + 1
        positive = (ranks * (values > 0)).sum(axis=1)
        return float(np.mean(np.minimum(positive, most - positive) <= critical))

    low, high = 0.0, 16.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if power(middle) >= POWER else (middle, high)
    return high


def _doubled_midranks(sizes: Array) -> NDArray[np.int64]:
    """Twice the rank of each, ties sharing the mean of theirs: whole numbers."""
    ordered = np.sort(sizes)
    first, last = np.searchsorted(ordered, sizes, side="left"), np.searchsorted(ordered, sizes, side="right")
    return np.asarray(first + last + 1, dtype=np.int64)


@cache
def _sum_of_signed(doubled: tuple[int, ...]) -> Array:
    """Chances of each sum of the (doubled) ranks that get a plus by a fair coin, shape (sum of all + 1,)."""
    chances = np.zeros(sum(doubled) + 1)
    chances[0] = 1.0
    for rank in doubled:
        plus = np.zeros_like(chances)
        plus[rank:] = chances[: chances.size - rank]
        chances = (chances + plus) / 2
    return chances


def _walsh(values: Sequence[float]) -> Array:
    """The means of all pairs, each value with itself too, ascending."""
    array = np.asarray(values, dtype=np.float64)
    first, second = np.triu_indices(array.size)
    return np.sort((array[first] + array[second]) / 2)


def _middle(ordered: Array) -> float:
    half = ordered.size // 2
    if ordered.size % 2 or ordered[half] == ordered[half - 1]:
        return float(ordered[half])
    return float((ordered[half - 1] + ordered[half]) / 2)
