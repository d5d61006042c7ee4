"""The scales that FlowKit knows, by the scale of ours that gates drawn on them stand on."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nktrace.model.errors import GatingError
from nktrace.model.transforms import Linear, Logicle, Transform
from nktrace.science.gating.conversion import Rising, asinh_of, nearest_logicle
from nktrace.science.transforms import exact

Positions = NDArray[np.float64]

_FAR = 1e9  # tops of scale: farther out than any event


@dataclass(frozen=True, slots=True)
class DrawnScale:
    """A scale that gates were drawn on.

    Attributes:
        transform: ours, on which they will stand.
        forward: data values → positions as drawn; None where these are the data values.
        to_ours: positions as drawn → positions on `transform`.
        straight: whether an edge that is straight there is straight on ours.
        low, high: where the scale ends and events beyond pile up; infinite where it has no end.
        low_place, high_place: positions on `transform` beyond all events.
        display: positions from one end of FlowJo's display to the other, nan where ellipses can't be read on it.
    """

    transform: Transform
    forward: Rising | None
    to_ours: Callable[[Positions], Positions]
    straight: bool
    low: float = -math.inf
    high: float = math.inf
    low_place: float = -math.inf
    high_place: float = math.inf
    display: float = 1.0


DATA = DrawnScale(Linear(), None, lambda positions: positions, straight=True, display=math.nan)


def drawn_scale(transform: Any) -> DrawnScale:
    """The scale of a FlowKit transform.

    Raises:
        GatingError: a transform that is of two channels, falls, or is not known.
    """
    import flowkit

    transforms = flowkit.transforms

    match transform:
        case transforms.LinearTransform(param_t=t, param_a=a):
            if not t + a > 0:
                raise GatingError(f"its linear scale from {-a} to {t} does not rise")
            display = 1.0 if a == 0 else math.nan  # FlowKit takes the lower end of FlowJo's scale with the wrong sign
            return DrawnScale(Linear(), transform.apply, lambda y: y * (t + a) - a, straight=True, display=display)
        case transforms.AsinhTransform(param_t=t, param_m=m, param_a=a):
            asinh, factor, shift = asinh_of(t, m, a)
            return DrawnScale(asinh, transform.apply, lambda y: y * factor + shift, straight=True)
        case transforms.LogicleTransform(param_t=t, param_w=w, param_m=m, param_a=a):
            return DrawnScale(Logicle(t, w, m, a), transform.apply, lambda y: y, straight=True)
        case transforms.WSPBiexTransform(negative=neg, width=width, positive=pos, max_value=top):
            ours = nearest_logicle(top, math.log10(-width) / 2 if width < 0 else math.nan, pos, neg)
            return _curved(ours, transform.apply, transform.inverse, top, ends=(0.0, 4096.0), display=4096.0)
        case transforms.WSPLogTransform(offset=offset, decades=decades):
            top = offset * 10**decades

            def back(positions: Positions) -> Positions:
                return np.asarray(offset * 10 ** (positions * decades), dtype=np.float64)

            return _curved(nearest_logicle(top, 0.0, decades, 0.0), transform.apply, back, top, ends=(0.0, math.inf))
        case transforms.LogTransform(param_t=t, param_m=m):
            return _curved(nearest_logicle(t, 0.0, m, 0.0), transform.apply, transform.inverse, t)
        case transforms.HyperlogTransform(param_t=t, param_w=w, param_m=m, param_a=a):
            return _curved(nearest_logicle(t, w, m, a), transform.apply, transform.inverse, t)
    raise GatingError(f"the transform {transform!r} is none that this program has")


def _curved(
    ours: Transform,
    forward: Rising,
    back: Rising,
    top: float,
    *,
    ends: tuple[float, float] = (-math.inf, math.inf),
    display: float = 1.0,
) -> DrawnScale:
    low, high = exact(np.array([-_FAR * top, _FAR * top]), ours)

    def to_ours(positions: Positions) -> Positions:
        column = np.ascontiguousarray(positions, dtype=np.float64)[:, None]
        return exact(np.asarray(back(column))[:, 0], ours)

    return DrawnScale(
        ours,
        forward,
        to_ours,
        straight=False,
        low=ends[0],
        high=ends[1],
        low_place=float(low),
        high_place=float(high),
        display=display,
    )
