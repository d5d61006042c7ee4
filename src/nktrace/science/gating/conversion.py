"""Gates drawn on a scale that is not ours, on a scale of ours: bounds exactly, straight edges as fine lines.

A bound on a rising scale is a bound on the data value. An edge that is straight on one scale is curved on another; it
is followed by points along it, as many as the events ask for.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from nktrace.model.transforms import Asinh, Linear, Logicle, Transform

Points = NDArray[np.float64]
Rising = Callable[[Points], Points]

_REACH = 1e15  # beyond any data value


def least(scale: Rising, bound: float) -> float:
    """The least float64 whose position on a scale is not below a bound: `scale(x) >= bound` is `x >= least`.

    Found by halving, so that no rounding of an inverse moves an event that lies on the bound.

    Args:
        scale: never falls; a value without a position (nan) is below every bound.
        bound: position on the scale; -inf asks for the least value that has a position.

    Returns:
        -inf where every value reaches the bound, inf where none does.
    """

    def reaches(value: float) -> bool:
        return bool(scale(np.array([[value]]))[0, 0] >= bound)

    low, high = -_REACH, _REACH
    if reaches(low):
        return -math.inf
    if not reaches(high):
        return math.inf
    while True:
        middle = low + (high - low) / 2
        if middle in (low, high):
            return high
        low, high = (low, middle) if reaches(middle) else (middle, high)


def along_edges(vertices: Points, pieces: int) -> Points:
    """A closed polygon's vertices with points between them, each edge in `pieces` equal parts: (n·pieces, 2)."""
    steps = np.arange(pieces)[None, :, None] / pieces
    following = np.roll(vertices, -1, axis=0)
    points: Points = vertices[:, None, :] + steps * (following - vertices)[:, None, :]
    return points.reshape(-1, 2)


def lies_on_ellipse(points: Points, foci: Points, sum_of_distances: float, *, tolerance: float = 0.02) -> bool:
    """Whether points have the same sum of distances from two foci, which is what an ellipse is.

    Args:
        points: shape (points, 2).
        foci: shape (2, 2).
        sum_of_distances: of the ellipse, its longer axis.
        tolerance: of that sum.
    """
    sums = np.linalg.norm(points[:, None, :] - foci, axis=2).sum(axis=1)
    return bool(np.all(np.abs(sums - sum_of_distances) <= tolerance * sum_of_distances))


def asinh_of(t: float, m: float, a: float) -> tuple[Asinh, float, float]:
    """Gating-ML's fasinh as asinh(x / c): its transform and (factor, shift) so that ours = factor · theirs + shift.

    fasinh(x) = (asinh(x sinh(M ln 10) / T) + A ln 10) / ((M + A) ln 10) (Gating-ML 2.0, section 6.4).
    """
    tens = math.log(10.0)
    return Asinh(t / math.sinh(m * tens)), (m + a) * tens, -a * tens


def nearest_logicle(t: float, w: float, m: float, a: float) -> Transform:
    """The logicle of these parameters, or where they make none the data values themselves."""
    valid = t > 0 and m > 0 and 0 <= w <= m / 2 and -w <= a <= m - 2 * w
    return Logicle(t, w, m, a) if valid else Linear()
