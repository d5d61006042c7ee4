"""How long something took: the interval of each patient, and the share of patients in whom it has happened by a day."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from nktrace.figures.axes import Days, Linear
from nktrace.figures.plane import Plane
from nktrace.figures.svg import FAINT, INK, LINE, PLAIN, SOFT, Element, add, drawing, path, titled, to_text

_LEFT, _TOP, _END, _FOOT = 104.0, 8.0, 16.0, 44.0
_LANE, _BAR = 20.0, 9.0
_NAME = 14  # letters of a name that there is room for
_QUARTERS = tuple((quarter / 4, f"{25 * quarter}\u202f%") for quarter in range(5))


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """A patient in whom it happened after day `low` and by day `high`; infinite: not by the end of the observation.

    Attributes:
        at: the day read between the two; nan where there is none.
        death: the day of a death before it was seen, nan for none; on day `low` where death surely came first.
        title: what its tooltip says.
    """

    name: str
    low: float
    high: float
    at: float = math.nan
    death: float = math.nan
    title: str = ""

    @property
    def last(self) -> float:
        """The last day that it tells of."""
        return self.high if math.isfinite(self.high) else self.low if self.open else self.death

    @property
    def open(self) -> bool:
        """Whether no death ended it."""
        return math.isnan(self.death)

    @property
    def never(self) -> bool:
        """Whether death surely came first."""
        return self.death <= self.low


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The share in whom it has happened by day `right`, having risen somewhere after day `left`; bounds may be nan."""

    left: float
    right: float
    share: float
    low: float = math.nan
    high: float = math.nan
    title: str = ""


def days_of_waits(waits: Sequence[Wait]) -> Days:
    """The time axis of the pictures of these patients."""
    last = max([wait.last for wait in waits if math.isfinite(wait.last)], default=0.0) or 1.0
    return Days(-0.02 * last, 1.08 * last)


def waits_picture(waits: Sequence[Wait], *, days: Days, name: str, width: float = 540) -> str:
    """A lane per patient in the order given, as SVG.

    A bar: it happened in there, the dot is the day read between. An open arrow: not yet. A cross: died; after a dotted
    line, of which nothing is known.
    """
    inner, foot = width - _LEFT - _END, _TOP + _LANE * len(waits)
    root = drawing(width, foot + _FOOT, name=name)

    def x(day: float) -> float:
        return _LEFT + days.place(day) * inner

    for value, words in days.ticks(max(3, int(inner // 55))):
        color, wide = (LINE, 1.6) if value == 0 else (FAINT, 1.0)
        add(root, "path", d=path([(x(value), _TOP), (x(value), foot)]), fill="none", stroke=color, stroke_width=wide)
        add(root, "text", words, x=x(value), y=foot + 16, text_anchor="middle", font_size=10.5, fill=SOFT)
    words = "days from the infusion"
    add(root, "text", words, x=_LEFT + inner / 2, y=foot + 36, text_anchor="middle", font_size=11.5, fill=INK)
    for number, wait in enumerate(waits):
        y = _TOP + _LANE * (number + 0.5)
        words = wait.name if len(wait.name) <= _NAME else wait.name[: _NAME - 1] + "…"
        group = titled(root, f"{wait.name}: {wait.title}")
        add(group, "text", words, x=_LEFT - 10, y=y + 4, text_anchor="end", font_size=11.5, fill=INK)
        end = x(wait.high) if math.isfinite(wait.high) else _LEFT + inner if wait.open else x(wait.last)
        _lane(group, wait, y, places=(x(0), x(wait.low), end, x(wait.at) if math.isfinite(wait.at) else math.nan))
    return to_text(root)


def _lane(group: Element, wait: Wait, y: float, *, places: tuple[float, float, float, float]) -> None:
    """Below the threshold up to `low`, then what is known of the way on; `places` are 0, low, the end and the dot."""
    start, low, end, at = places
    add(group, "path", d=path([(start, y), (low, y)]), stroke=SOFT, stroke_width=1.4, fill="none")
    if math.isinf(wait.high):
        if not wait.never:
            stop = end - 7 if wait.open else end
            add(group, "path", d=path([(low, y - 4), (low, y + 4)]), stroke=SOFT, stroke_width=1.4, fill="none")
            add(group, "path", d=path([(low, y), (stop, y)]), stroke=SOFT, stroke_dasharray="1.5 3.5", fill="none")
        if wait.open:
            tip = path([(end - 7, y - 4), (end, y), (end - 7, y + 4)], closed=True)
            add(group, "path", d=tip, stroke=SOFT, stroke_width=1.2, fill="#fff")
        for rise in () if wait.open else (-4, 4):
            cross = path([(end - 4, y - rise), (end + 4, y + rise)])
            add(group, "path", d=cross, stroke=INK, stroke_width=1.8, fill="none")
    else:
        wide = max(end - low, 1.5)
        bar = add(group, "rect", x=low, y=y - _BAR / 2, width=wide, height=_BAR, rx=2, stroke=PLAIN, stroke_width=1.2)
        bar.attrib |= {"fill": PLAIN, "fill-opacity": "0.22"}
        if not math.isnan(at):
            add(group, "circle", cx=at, cy=y, r=3.2, fill=PLAIN, stroke="#fff", stroke_width=0.8)


def steps_picture(steps: Sequence[Step], *, until: float, days: Days, name: str, axis: str) -> str:
    """The share over time, as SVG: a line of what it is at least, and a pale box over it where it rises.

    Args:
        steps: by day.
        until: the last day of the observation of anybody.
        axis: what the share is of.
    """
    plane = Plane(
        days, Linear(0.0, 1.04), name=name, axes=("days from the infusion", axis), height=280, y_ticks=_QUARTERS
    )
    stairs = [Step(left=0.0, right=0.0, share=0.0), *steps]
    until = max([until, *(step.right for step in steps)])
    for step, end in zip(stairs, [*(step.right for step in steps), until], strict=True):
        _band(plane, step, until=end)
    for before, step in pairwise(stairs):
        _rise(plane, before.share, step)
        corner = [(before.right, before.share), (step.right, before.share), (step.right, step.share)]
        plane.line(corner, PLAIN, title=before.title, width=2)
    plane.line(
        [(stairs[-1].right, stairs[-1].share), (until, stairs[-1].share)], PLAIN, title=stairs[-1].title, width=2
    )
    return plane.picture()


def _rise(plane: Plane, share: float, step: Step) -> None:
    left, right, top, foot = plane.x(step.left), plane.x(step.right), plane.y(step.share), plane.y(share)
    box = titled(plane.area, step.title)
    rise = add(box, "rect", x=left, y=top, width=max(right - left, 1.0), height=foot - top, stroke=PLAIN)
    rise.attrib |= {"fill": PLAIN, "fill-opacity": "0.12", "stroke-dasharray": "2 3", "stroke-opacity": "0.7"}


def _band(plane: Plane, step: Step, *, until: float) -> None:
    if math.isnan(step.low) or math.isnan(step.high):
        return
    left, right, top, foot = plane.x(step.right), plane.x(until), plane.y(step.high), plane.y(step.low)
    add(
        titled(plane.area, step.title),
        "rect",
        x=left,
        y=top,
        width=right - left,
        height=foot - top,
        fill=PLAIN,
        fill_opacity=0.1,
    )
