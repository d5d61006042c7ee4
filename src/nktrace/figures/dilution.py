"""Pictures of a dilution series: found beside mixed, recovery, and how often donor cells are detected."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from nktrace.figures.axes import Axis, Linear, Log
from nktrace.figures.svg import (
    DONOR,
    FAINT,
    INK,
    NORMAL,
    PLAIN,
    SOFT,
    add,
    drawing,
    path,
    titled,
    to_text,
    window,
)
from nktrace.model.dilution import LevelFinding, Series, SeriesFinding
from nktrace.model.intervals import Interval

_LEFT, _TOP, _END, _FOOT = 52.0, 14.0, 14.0, 40.0
_WIDTH, _HEIGHT = 370.0, 260.0
_MIXED = "donor fraction mixed, %"


class _Frame:
    """A plot area with donor fractions mixed to the right, logarithmic, and any values upwards."""

    def __init__(self, name: str, across: Axis, up: Axis, *, unit: str) -> None:
        self.root = drawing(_WIDTH, _HEIGHT, name=name)
        self.across, self.up = across, up
        self.width, self.height = _WIDTH - _LEFT - _END, _HEIGHT - _TOP - _FOOT
        bottom, right = _TOP + self.height, _LEFT + self.width
        for value, words in up.ticks():
            y = _TOP + self.y(value)
            add(self.root, "path", d=path([(_LEFT, y), (right, y)]), stroke=FAINT, fill="none")
            add(self.root, "text", words, x=_LEFT - 6, y=y + 3.7, text_anchor="end", font_size=10.5, fill=SOFT)
        for value, words in across.ticks(6):
            x = _LEFT + self.x(value)
            add(self.root, "path", d=path([(x, bottom), (x, bottom + 4)]), stroke=SOFT, fill="none")
            add(self.root, "text", words, x=x, y=bottom + 16, text_anchor="middle", font_size=10.5, fill=SOFT)
        add(self.root, "path", d=path([(_LEFT, bottom), (right, bottom)]), stroke=SOFT, fill="none")
        middle = (_LEFT + right) / 2
        add(self.root, "text", _MIXED, x=middle, y=bottom + 33, text_anchor="middle", font_size=11, fill=INK)
        turn = f"rotate(-90 11 {_TOP + self.height / 2:.1f})"
        place = _TOP + self.height / 2
        add(self.root, "text", unit, x=11, y=place, text_anchor="middle", font_size=11, fill=INK, transform=turn)
        self.area = window(self.root, x=_LEFT, y=_TOP, width=self.width, height=self.height)

    def x(self, value: float) -> float:
        return self.across.place(value) * self.width

    def y(self, value: float) -> float:
        return (1 - self.up.place(value)) * self.height

    def line(self, points: Sequence[tuple[float, float]], *, title: str, dash: str = "") -> None:
        style = {"stroke_dasharray": dash} if dash else {}
        ends = path([(self.x(x), self.y(y)) for x, y in points])
        add(titled(self.area, title), "path", d=ends, stroke=SOFT, fill="none", **style)

    def upright(self, percent: float, title: str, *, color: str, dash: str = "") -> None:
        """A limit: a line from bottom to top."""
        if self.across.low <= percent <= self.across.high:
            style = {"stroke_dasharray": dash} if dash else {}
            ends = path([(self.x(percent), 0), (self.x(percent), self.height)])
            group = titled(self.area, f"{title}: {percent:.3g} %")
            add(group, "path", d=ends, stroke=color, stroke_width=1.6, fill="none", **style)

    def dot(self, x: float, y: float, *, color: str, title: str = "", size: float = 3.6, shade: float = 1.0) -> None:
        group = titled(self.area, title)
        add(group, "circle", cx=x, cy=self.y(y), r=size, fill=color, fill_opacity=shade)

    def with_interval(self, x: float, interval: Interval, *, color: str, title: str) -> None:
        if math.isfinite(interval.low) and math.isfinite(interval.high):
            ends = path([(x, self.y(interval.low)), (x, self.y(interval.high))])
            add(self.area, "path", d=ends, stroke=color, stroke_width=1.5, fill="none")
        self.dot(x, interval.value, color=color, title=title)


def found_beside_mixed(series: Series, found: SeriesFinding, *, name: str) -> str:
    """Every draw, and the mean of each level in black, beside the line on which all that was mixed is found, as SVG.

    What is found below the axis stands at its lower end.
    """
    levels = _above(found)
    across = _percents(levels)
    up = Log(across.low / 3, across.high)
    frame = _Frame(name, across, up, unit="donor fraction found, %")
    frame.line([(across.low, across.low), (across.high, across.high)], title="found as mixed")
    for i in np.flatnonzero(series.levels > 0):
        for draw in np.flatnonzero(~np.isnan(series.estimate[i])):
            x, y = 100 * float(series.expected[i, draw]), 100 * float(series.estimate[i, draw])
            color = DONOR if series.detected[i, draw] else SOFT
            frame.dot(frame.x(x), max(y, up.low), color=color, size=2.2, shade=0.4)
    for each in levels:
        mixed, mean = 100 * each.expected, 100 * each.estimate.value
        title = f"mixed {mixed:.3g} %, found {mean:.3g} % (mean of {each.draws} draws)"
        frame.dot(frame.x(mixed), max(mean, up.low), color=INK, title=title)
    return to_text(frame.root)


def recovery_picture(found: SeriesFinding, *, goal: float, goal_from: float, name: str) -> str:
    """Recovery of each level with its interval, and beside it what the gates do, as SVG; green is what is allowed."""
    levels = [each for each in _above(found) if each.recovery.known]
    across = _percents(levels)
    frame = _Frame(name, across, Linear(0.4, 1.6), unit="found over mixed")
    left, top = frame.x(max(100 * goal_from, across.low)), frame.y(1 + goal)
    band = titled(frame.area, f"allowed: 1 ± {goal:g} from {100 * goal_from:g} %")
    wide, tall = max(0.0, frame.width - left), frame.y(1 - goal) - top
    add(band, "rect", x=left, y=top, width=wide, height=tall, fill=NORMAL, fill_opacity=0.65)
    frame.line([(across.low, 1.0), (across.high, 1.0)], title="all of it")
    for each in levels:
        x = frame.x(100 * each.expected)
        for shift, color, interval, what in (
            (-3.5, PLAIN, each.gate_recovery, "donor cells in the gate over those expected"),
            (3.5, DONOR, each.recovery, "found over donor cells in the gate"),
        ):
            title = f"{100 * each.expected:.3g} % mixed, {what}: {interval.value:.3f}"
            frame.with_interval(x + shift, interval, color=color, title=title)
    return to_text(frame.root)


def hit_picture(found: SeriesFinding, *, name: str) -> str:
    """How often donor cells are detected at each level, with the limits of detection, as SVG.

    The blank stands at the left end.
    """
    levels = _above(found)
    across = _percents(levels)
    frame = _Frame(name, Log(across.low / 2, across.high), Linear(-0.02, 1.02), unit="share of draws with detection")
    frame.line([(frame.across.low, 0.95), (frame.across.high, 0.95)], title="95 %", dash="5 4")
    low, high = 100 * found.lod_found.low, 100 * found.lod_found.high
    if math.isfinite(low) and math.isfinite(high):
        left, wide = frame.x(low), frame.x(high) - frame.x(low)
        add(frame.area, "rect", x=left, y=0, width=wide, height=frame.height, fill=DONOR, fill_opacity=0.1)
    frame.upright(100 * found.lod_found.value, "limit of detection found", color=DONOR)
    frame.upright(100 * found.lod_by_counts, "limit of detection by counts", color=PLAIN, dash="6 3")
    frame.upright(100 * found.lod, "limit of detection stated", color=INK, dash="2 3")
    for each in (found.levels[0], *levels):
        x = frame.x(100 * each.expected) if each.level > 0 else 6.0
        words = f"{100 * each.expected:.3g} % mixed" if each.level > 0 else "the blank alone"
        title = f"{words}: detected in {100 * each.hit_rate.value:.3g} % of {each.draws} draws"
        frame.with_interval(x, each.hit_rate, color=DONOR if each.level > 0 else SOFT, title=title)
    return to_text(frame.root)


def _above(found: SeriesFinding) -> list[LevelFinding]:
    """The levels with donor cells and an estimate."""
    return [each for each in found.levels if each.draws and each.expected > 0]


def _percents(levels: Sequence[LevelFinding]) -> Log:
    """An axis that shows all of them with some room."""
    shown = [100 * each.expected for each in levels] or [1.0]
    return Log(min(shown) / 1.5, max(shown) * 1.5)
