"""The logicle scale of Moore & Parks, Cytometry A 2012;81:273 (the one of Gating-ML 2.0): exact, and fast.

With y1 the scale position of zero and u = y − y1 >= 0, the data value is the biexponential

    B(u) = p (e^{bu} − 1) + q (1 − e^{−du}),      p b² = q d²   (no curvature at zero),      B(1 − y1) = T,

and negative data mirror it: B(−u) = −B(u). This is the published a e^{by} − c e^{−dy} + f with B(y1) = 0 put in, which
loses no digits near zero.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from nktrace.model.events import FloatArray
from nktrace.model.transforms import Logicle

LN10 = math.log(10.0)
BLOCK = 8_192  # events per pass: the temporaries stay in the cache
SHIFT = 14  # mantissa bits left within a bin of the table: 512 bins per doubling


@dataclass(frozen=True, slots=True)
class Biexponential:
    """The constants of B for one logicle."""

    zero: float
    p: float
    q: float
    b: float
    d: float

    @property
    def slope(self) -> float:
        """dB/du at zero: data units per unit of scale."""
        return self.p * self.b + self.q * self.d


@lru_cache(maxsize=256)
def biexponential(logicle: Logicle) -> Biexponential:
    """The constants of B from T, W, M, A (equations 3–7 of the paper, with its x0, x1, x2)."""
    t, w_decades, m, a = logicle.t, logicle.w, logicle.m, logicle.a
    w = w_decades / (m + a)
    zero = a / (m + a) + w
    b = (m + a) * LN10
    d = _decay(b, w)
    p = math.exp(b * zero)
    q = math.exp((zero + w) * (b + d) - d * zero)
    scale = t / (p * math.expm1(b * (1 - zero)) - q * math.expm1(-d * (1 - zero)))
    return Biexponential(zero=zero, p=p * scale, q=q * scale, b=b, d=d)


def _decay(b: float, w: float) -> float:
    """The root d of 2 (ln d − ln b) + w (b + d) = 0, rising in d: between 0 and b, by halving to the last bit."""
    low, high = 0.0, b
    while low < (middle := (low + high) / 2) < high:
        if 2 * (math.log(middle) - math.log(b)) + w * (b + middle) > 0:
            high = middle
        else:
            low = middle
    return high


def logicle_exact(values: FloatArray, logicle: Logicle) -> NDArray[np.float64]:
    """Scale position of data values, in float64, to some units in the last place.

    B is convex for u > 0 and lies over its tangent at zero and over p (e^{bu} − 1), so both give a start that is too
    large and Newton's steps fall onto the root without overshooting. NaN and ±Inf stay what they are.
    """
    f = biexponential(logicle)
    data = np.asarray(values, dtype=np.float64)
    finite = np.isfinite(data)
    size = np.where(finite, np.abs(data), 0.0)
    u = np.minimum(size / f.slope, np.log1p(size / f.p) / f.b)
    for _ in range(64):
        rising, falling = np.expm1(f.b * u), np.expm1(-f.d * u)
        step = (f.p * rising - f.q * falling - size) / (f.p * f.b * (rising + 1) + f.q * f.d * (falling + 1))
        u = u - step
        if not np.any(np.abs(step) > 1e-15 * np.maximum(u, 1e-3)):
            break
    return np.where(finite, f.zero + np.copysign(u, data), data)


def logicle_inverse(positions: FloatArray, logicle: Logicle) -> NDArray[np.float64]:
    """Data values of scale positions, in float64."""
    f = biexponential(logicle)
    offset = np.asarray(positions, dtype=np.float64) - f.zero
    u = np.abs(offset)
    return np.copysign(f.p * np.expm1(f.b * u) - f.q * np.expm1(-f.d * u), offset)


def logicle_fast(values: NDArray[np.float32], logicle: Logicle, *, out: NDArray[np.float32]) -> None:
    """Scale position of data values in float32, into `out`; within 3e-7 of the exact one on the scale (0 to 1).

    With v = |x| + s, where s is the data value at which the scale turns from linear to logarithmic, the curve is smooth
    in ln v. The leading bits of the float32 v *are* a logarithmic bin, so they index a table of one straight line per
    bin without any logarithm. Values beyond the top are as good as those below it. NaN and ±Inf stay what they are.

    Args:
        values, out: shape (events,); `out` may be `values`.
    """
    f = biexponential(logicle)
    origin, zero = np.float32(f.slope / f.b), np.float32(f.zero)
    largest = max(np.fmax.reduce(values, initial=0), -np.fmin.reduce(values, initial=0))
    intercept, gradient = _lines(logicle, origin=origin, largest=largest)
    v = np.empty(min(BLOCK, len(values)), np.float32)
    y = np.empty_like(v)
    sign = np.empty(v.shape, np.int32)
    bin_of = np.empty(v.shape, np.intp)
    for start in range(0, len(values), BLOCK):
        x = values[start : start + BLOCK]
        n = len(x)
        if n < len(v):
            v, y, sign, bin_of = v[:n], y[:n], sign[:n], bin_of[:n]
        np.bitwise_and(np.ascontiguousarray(x).view(np.int32), np.int32(-(2**31)), out=sign)
        np.abs(x, out=v)
        v += origin
        np.copyto(bin_of, v.view(np.int32) >> SHIFT)
        # All bins that occur are in the table; `wrap` only spares a check. NaN lands anywhere and stays NaN.
        np.take(gradient, bin_of, out=y, mode="wrap")
        y *= v
        np.take(intercept, bin_of, out=v, mode="wrap")
        y += v
        y.view(np.int32)[...] |= sign
        np.add(y, zero, out=out[start : start + n])


def _lines(
    logicle: Logicle, *, origin: np.float32, largest: np.float32
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Intercept and gradient of u over v for every bin from v = s (`origin`) to the largest v that occurs.

    The bins are indexed from zero by the leading bits, so that no subtraction is needed; those below s are never asked
    for and stay zero. A line goes through the curve at both ends of its bin.
    """
    first, last = (int(v.view(np.int32)) >> SHIFT for v in (origin, origin + largest))
    bits = np.minimum(np.arange(first, last + 2) << SHIFT, np.float32(np.inf).view(np.int32))
    edges = bits.astype(np.int32).view(np.float32).astype(np.float64)
    edges[0] = origin  # the curve begins within the first bin
    beyond = ~np.isfinite(edges)
    edges[beyond] = 2.0 ** (128 + np.arange(np.count_nonzero(beyond)))  # infinite data need a line that rises
    u = logicle_exact(edges - float(origin), logicle) - biexponential(logicle).zero
    rise = np.diff(u) / np.diff(edges)
    intercept, gradient = np.zeros((2, last + 1), np.float32)
    intercept[first:] = u[:-1] - rise * edges[:-1]
    gradient[first:] = rise
    return intercept, gradient
