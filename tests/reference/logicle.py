"""The logicle as the paper writes it (Moore & Parks 2012), one value at a time by halving: slow, and easy to check."""

from __future__ import annotations

import math
from functools import cache


def logicle(value: float, *, t: float, w: float, m: float, a: float) -> float:
    """Scale position of one data value: the y at which the biexponential is the value."""
    x1 = (a + w) / (m + a)
    if value < 0:
        return 2 * x1 - logicle(-value, t=t, w=w, m=m, a=a)
    low, high = x1, x1 + 20.0
    for _ in range(200):
        middle = (low + high) / 2
        if biexponential(middle, t=t, w=w, m=m, a=a) < value:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def biexponential(y: float, *, t: float, w: float, m: float, a: float) -> float:
    """a e^(b y) − c e^(−d y) − f, with the constants that make it 0 and straight at x1 and t at 1."""
    small_w = w / (m + a)
    x2 = a / (m + a)
    x1 = x2 + small_w
    x0 = x2 + 2 * small_w
    b = (m + a) * math.log(10)
    d = decay(b, small_w)
    c_a = math.exp((b + d) * x0)
    f_a = math.exp(b * x1) - c_a * math.exp(-d * x1)
    big_a = t / (math.exp(b) - c_a * math.exp(-d) - f_a)
    return big_a * (math.exp(b * y) - c_a * math.exp(-d * y) - f_a)


@cache
def decay(b: float, w: float) -> float:
    """The d for which 2 (ln d − ln b) + w (b + d) = 0."""
    low, high = 1e-300, b
    for _ in range(2000):
        middle = (low + high) / 2
        if 2 * (math.log(middle) - math.log(b)) + w * (b + middle) < 0:
            low = middle
        else:
            high = middle
    return high
