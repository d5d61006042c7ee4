"""Two methods on the same cells: one against the other, and their ratio against their mean, as SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from nktrace.figures.axes import Linear, Tick, spanning
from nktrace.figures.plane import Plane
from nktrace.figures.svg import INK, PLAIN, SOFT
from nktrace.model.intervals import Interval

_PER_CENT = (0.0001, 0.001, 0.01, 0.1, 1, 10, 50, 90, 99, 99.9, 99.99)


@dataclass(frozen=True, slots=True, kw_only=True)
class PairPoint:
    """One pair; `towards`: it is a bound, and the true value lies down, up or left of it. Ranges may hold nan."""

    x: float
    y: float
    color: str
    title: str
    x_range: tuple[float, float] = (math.nan, math.nan)
    y_range: tuple[float, float] = (math.nan, math.nan)
    towards: str = ""


def against_picture(points: Sequence[PairPoint], *, names: tuple[str, str]) -> str:
    """One method against the other in per cent, with the line of equality."""
    ends = [value for p in points for value in (p.x, p.y, *p.x_range, *p.y_range) if value > 0]
    axis = spanning(ends, log=True)
    title = f"{names[1]} against {names[0]}"
    plane = Plane(axis, axis, name=title, axes=(f"{names[0]}, %", f"{names[1]}, %"), width=420, height=360)
    plane.line([(axis.low, axis.low), (axis.high, axis.high)], SOFT, title="equality", dash="5 4", width=1.2)
    _points(plane, points)
    return plane.picture()


def ratio_picture(
    points: Sequence[PairPoint], *, bias: Interval, limits: tuple[Interval, Interval], names: tuple[str, str]
) -> str:
    """Bland and Altman's picture on the logit scale: odds of one method over those of the other against their mean.

    Args:
        points: x is the mean as a logit, y the ratio of odds.
        bias, limits: as ratios of odds; nan where there are none.
    """
    known = [value for p in points for value in (p.y, *p.y_range) if value > 0]
    known += [end for line in (bias, *limits) for end in (line.value, line.low, line.high)] + [1.0]
    ratios = spanning([value for value in known if 0 < value < math.inf], log=True)
    xs = [p.x for p in points if math.isfinite(p.x)] or [0.0]
    room = 0.08 * (max(xs) - min(xs)) + 0.4
    means = _Logits(min(xs) - room, max(xs) + room)
    words = f"odds by {names[1]} over those by {names[0]}"
    plane = Plane(means, ratios, name=f"{words}, against their mean", axes=("mean of both, %", words), height=360)
    for line, color in ((bias, PLAIN), (limits[0], INK), (limits[1], INK)):
        if line.low > 0 and line.high < math.inf:
            plane.band(line.low, line.high, color, opacity=0.1)
    plane.across(1.0, SOFT, title="no difference")
    for line, color, name in (
        (bias, PLAIN, "bias"),
        (limits[0], INK, "lower limit of agreement"),
        (limits[1], INK, "upper limit of agreement"),
    ):
        if not math.isnan(line.value):
            plane.across(line.value, color, title=f"{name}: {line.value:.3g}", dash="", width=1.5)
    _points(plane, points)
    return plane.picture()


@dataclass(frozen=True, slots=True)
class _Logits(Linear):
    """An axis of logits, labelled in per cent."""

    def ticks(self, most: int = 6) -> list[Tick]:
        """The per cents of a list that are on it, at most so many."""
        found = [(math.log(p / (100 - p)), f"{p:g}") for p in _PER_CENT]
        found = [tick for tick in found if self.low <= tick[0] <= self.high]
        if len(found) < 2:
            decades = range(math.floor(self.low / math.log(10)) - 1, math.ceil(self.high / math.log(10)) + 2)
            steps = [m * 10.0**d for d in decades for m in (1, 2, 5)]
            found = [(math.log(odds), f"{100 * odds / (1 + odds):.2g}") for odds in steps]
            found = [tick for tick in found if self.low <= tick[0] <= self.high]
        return found[:: max(1, -(-len(found) // most))]


def _points(plane: Plane, points: Sequence[PairPoint]) -> None:
    for p in points:
        ranges = {
            name: ends
            for name, ends in (("x_range", p.x_range), ("y_range", p.y_range))
            if all(map(math.isfinite, ends)) and not p.towards
        }
        plane.point(p.x, p.y, p.color, title=p.title, towards=p.towards, **ranges)
