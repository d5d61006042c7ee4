"""Scales on which events are gated and drawn: from data values to scale positions and back.

Linear is the value itself, asinh is asinh(x / cofactor), logicle maps T to 1 (science/logicle.py). `apply` is the fast
way (float32), `exact` the reference (float64), and `error_bound` how far the first can be from the second.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from nktrace.model.errors import ReferenceUnusable, SettingsError
from nktrace.model.events import Events, FloatArray
from nktrace.model.transforms import Asinh, Linear, Logicle, Scale, Transform
from nktrace.science.logicle import logicle_exact, logicle_fast, logicle_inverse

SPECS = "`logicle`, `asinh:COFACTOR` or `linear`"
EPSILON = float(np.finfo(np.float32).eps)

DEFAULT_TOP = 2.0**18
DECADES = 4.5  # of a scale up to DEFAULT_TOP
MIN_W, MAX_W = 0.5, 2.0
MIN_NEGATIVE = 20


def _decades(top: float) -> float:
    return DECADES + max(0.0, math.log10(top / DEFAULT_TOP))


def parse_spec(text: str) -> Linear | Asinh | None:
    """Read the cell `transform` of a panel sheet: None is a logicle, whose parameters come from the data.

    Raises:
        SettingsError: not `logicle`, `asinh:COFACTOR` (a number over 0) or `linear`.
    """
    name, colon, argument = (word.strip() for word in text.strip().partition(":"))
    if name == "linear" and not colon:
        return Linear()
    if name == "logicle" and not colon:
        return None
    if name == "asinh":
        try:
            cofactor = float(argument)
        except ValueError:
            cofactor = math.nan
        if not (math.isfinite(cofactor) and cofactor > 0):
            raise SettingsError(
                f"transform {text.strip()!r} has no cofactor over 0",
                mend="Write for instance `asinh:5` or `asinh:150`.",
            )
        return Asinh(cofactor)
    raise SettingsError(f"there is no transform {text.strip()!r}", mend=f"Use {SPECS}.")


def check(transform: Transform) -> None:
    """Refuse parameters that make no transform.

    Raises:
        SettingsError: asinh without cofactor > 0; logicle without T > 0, M > 0, 0 <= W <= M/2, -W <= A <= M − 2W.
    """
    if isinstance(transform, Asinh) and not (math.isfinite(transform.cofactor) and transform.cofactor > 0):
        raise SettingsError(f"{transform} needs a cofactor over 0")
    if isinstance(transform, Logicle):
        t, w, m, a = transform.t, transform.w, transform.m, transform.a
        if not (math.isfinite(t + m) and t > 0 and m > 0 and 0 <= w <= m / 2 and -w <= a <= m - 2 * w and m + a > 0):
            raise SettingsError(f"{transform} is no logicle", mend="T > 0, M > 0, 0 <= W <= M/2 and -W <= A <= M - 2W.")


def estimate_logicle(values: FloatArray, *, top: float = math.nan) -> Logicle:
    """A logicle for one detector, from data pooled over the samples of a panel and batch.

    T is the top of the detector's range, or what the data reach where that is more. M is 4.5 decades for T up to 2^18
    and grows with T beyond it, so that a decade above 2^18 adds a decade to the scale and the bottom stays at the same
    data value. W makes the negative data linear down to r, their 5th percentile: W = (M − log10(T/|r|)) / 2 (Parks,
    Roederer & Moore, Cytometry A 2006;69:541). It is at least 0.5, since a shorter linear stretch splits the cells
    around zero into two peaks, and at most 2; 0.5 where fewer than `MIN_NEGATIVE` events are negative. A is 0.

    Args:
        values: compensated data values, any shape; not finite ones are left out.
        top: the largest $PnR of the detector over the files, after gain; nan where unknown. One that leaves all data
            under the bottom of the scale (data already rescaled to 0..1) is not believed.
    """
    data = np.asarray(values)[np.isfinite(values)].astype(np.float64)
    reached = float(np.quantile(data, 0.999)) if data.size else 0.0
    if not (math.isfinite(top) and top > 0):
        top = reached if reached > 0 else DEFAULT_TOP
    elif reached > 0 and float(np.abs(data).max()) < top * 10.0 ** -_decades(top):
        top = reached
    top = max(top, reached)
    m = _decades(top)
    negative = data[data < 0]
    w = MIN_W
    if negative.size >= MIN_NEGATIVE:
        r = -float(np.quantile(negative, 0.05))
        w = (m - math.log10(top / r)) / 2
    return Logicle(t=top, w=min(max(w, MIN_W), MAX_W), m=m, a=0.0)


def estimate_scale(pooled: Mapping[str, tuple[str, FloatArray, float]]) -> Scale:
    """The scale of a panel in one batch, from pooled events.

    Args:
        pooled: marker → (transform of the panel sheet, pooled compensated data values, top of range as above).

    Raises:
        SettingsError: a transform that does not exist, with its marker.
    """
    transforms: dict[str, Transform] = {}
    for marker, (spec, values, top) in pooled.items():
        try:
            transforms[marker] = parse_spec(spec) or estimate_logicle(values, top=top)
        except SettingsError as error:
            raise SettingsError(error.what, where=f"marker {marker}", mend=error.mend) from None
    return Scale(transforms)


def apply(values: FloatArray, transform: Transform) -> NDArray[np.float32]:
    """Scale positions of data values in float32, shape (events,). NaN and ±Inf stay what they are."""
    check(transform)
    data = np.ascontiguousarray(values, dtype=np.float32)
    out = np.empty_like(data)
    _into(data, transform, out=out)
    return out


def exact(values: FloatArray, transform: Transform) -> NDArray[np.float64]:
    """Scale positions of data values in float64, any shape: the reference."""
    check(transform)
    match transform:
        case Linear():
            return np.array(values, dtype=np.float64)
        case Asinh(cofactor):
            return np.arcsinh(np.asarray(values, dtype=np.float64) / cofactor)
        case Logicle() as logicle:
            return logicle_exact(values, logicle)


def inverse(values: FloatArray, transform: Transform) -> NDArray[np.float64]:
    """Data values of scale positions, in float64, any shape."""
    check(transform)
    match transform:
        case Linear():
            return np.array(values, dtype=np.float64)
        case Asinh(cofactor):
            return np.sinh(np.asarray(values, dtype=np.float64)) * cofactor
        case Logicle() as logicle:
            return logicle_inverse(values, logicle)


def to_scale(events: Events, scale: Scale) -> Events:
    """Events on the scale of their panel and batch, float32, channels by marker name.

    Raises:
        ReferenceUnusable: the scale has no transform for a channel.
    """
    missing = [channel for channel in events.channels if channel not in scale.transforms]
    if missing:
        raise ReferenceUnusable(
            f"the scale has no transform for {', '.join(missing)}",
            where="scale of the reference",
            mend="It belongs to another panel, or the panel has changed: raise `reference_version`.",
        )
    out = np.empty(events.values.shape, np.float32, order="F")
    for column, channel in enumerate(events.channels):
        transform = scale.transforms[channel]
        check(transform)
        _into(np.ascontiguousarray(events.values[:, column], dtype=np.float32), transform, out=out[:, column])
    return Events(out, events.channels)


def to_exact_scale(events: Events, scale: Scale) -> Events:
    """As `to_scale`, in float64 by the exact transforms: for a few events, since it is slow."""
    columns = [exact(events.column(channel), scale.transforms[channel]) for channel in events.channels]
    return Events(np.asfortranarray(np.column_stack(columns)), events.channels)


def error_bound(transform: Transform, *, largest: float = 1.0) -> float:
    """How far `apply` to float32 values can be from `exact` of the unrounded ones, for positions up to `largest`.

    Rounding of the data value to float32 (half a unit of its last place) is in it: on these scales it moves an event by
    less than the arithmetic does. An event farther than this from a gate's edge is on the same side in both.
    """
    match transform:
        case Linear():
            return EPSILON * largest
        case Asinh():
            return 8 * EPSILON * max(1.0, largest)
        case Logicle():
            return 4 * EPSILON * max(1.0, largest)


def _into(data: NDArray[np.float32], transform: Transform, *, out: NDArray[np.float32]) -> None:
    match transform:
        case Linear():
            out[...] = data
        case Asinh(cofactor):
            np.multiply(data, np.float32(1 / cofactor), out=out)
            np.arcsinh(out, out=out)
        case Logicle() as logicle:
            logicle_fast(data, logicle, out=out)
