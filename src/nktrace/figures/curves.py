"""Values over time: points with intervals, curves with bands, limits of detection."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from nktrace.figures.axes import Axis, Days, spanning
from nktrace.figures.happenings import ROW, Happening, add_mark, joined, marks_of, rows_of, span_of
from nktrace.figures.svg import (
    DONOR,
    FAINT,
    INK,
    LINE,
    NORMAL,
    SOFT,
    Element,
    add,
    drawing,
    path,
    titled,
    to_text,
    window,
)

_LEFT, _TOP, _END, _FOOT = 50.0, 12.0, 14.0, 38.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One observation. A censored one lies somewhere below its value, which is the limit of detection.

    One that is `above` lies somewhere above it. `title` is what its tooltip says; `low` and `high` may be nan.
    """

    day: float
    value: float
    low: float = math.nan
    high: float = math.nan
    censored: bool = False
    above: bool = False
    title: str = ""

    @property
    def bounded(self) -> bool:
        """Whether the value is a bound only."""
        return self.censored or self.above


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """What one picture shows.

    Attributes:
        name, unit: of the values; the unit stands above the axis.
        points: observations.
        gaps: (day, why) of visits without a value, as crosses at the foot.
        curve: (day, value, low, high), empty where no curve is identified.
        limits, blanks: (day, limit of detection) and (day, limit of blank) of each sample.
        reference: low and high of the reference range, nan without one.
        thresholds: values drawn as lines.
        events: what happened, as marks above the picture.
        log: a logarithmic axis, where anything is positive.
    """

    name: str
    unit: str
    points: Sequence[Point]
    gaps: Sequence[tuple[float, str]] = ()
    curve: Sequence[tuple[float, float, float, float]] = ()
    limits: Sequence[tuple[float, float]] = ()
    blanks: Sequence[tuple[float, float]] = ()
    reference: tuple[float, float] = (math.nan, math.nan)
    thresholds: Sequence[float] = ()
    events: Sequence[Happening] = ()
    color: str = DONOR
    log: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One series of points among others; `dash` as in SVG, empty for a whole line; points alone are not `joined`."""

    name: str
    points: Sequence[Point]
    color: str
    dash: str = ""
    joined: bool = True


class _Frame:
    """The plot area of a picture: days to the right, values upwards."""

    def __init__(
        self, root: Element, width: float, height: float, days: Days, values: Axis, *, top: float = _TOP
    ) -> None:
        self.root, self.days, self.values, self.top = root, days, values, top
        self.right, self.bottom = width - _END, height - _FOOT
        self.width, self.height = self.right - _LEFT, self.bottom - top
        self._grid()
        self.area = window(root, x=_LEFT, y=top, width=self.width, height=self.height)

    def x(self, day: float) -> float:
        return self.days.place(day) * self.width

    def y(self, value: float) -> float:
        return (1 - self.values.place(value)) * self.height

    def _grid(self) -> None:
        for value, words in self.values.ticks():
            y = self.top + self.y(value)
            add(self.root, "path", d=path([(_LEFT, y), (self.right, y)]), stroke=FAINT, fill="none")
            add(self.root, "text", words, x=_LEFT - 6, y=y + 3.7, text_anchor="end", font_size=10.5, fill=SOFT)
        for day, words in self.days.ticks(max(3, int(self.width // 45))):
            x = _LEFT + self.x(day)
            tick = [(x, self.bottom), (x, self.bottom + 4)]
            add(self.root, "path", d=path(tick), stroke=SOFT, fill="none")
            add(self.root, "text", words, x=x, y=self.bottom + 16, text_anchor="middle", font_size=10.5, fill=SOFT)
        add(self.root, "path", d=path([(_LEFT, self.bottom), (self.right, self.bottom)]), stroke=SOFT, fill="none")
        if self.days.low <= 0 <= self.days.high:
            x = _LEFT + self.x(0)
            add(
                self.root, "path", d=path([(x, self.top), (x, self.bottom)]), stroke=LINE, stroke_width=1.6, fill="none"
            )
        middle = (_LEFT + self.right) / 2
        words = "days from the infusion"
        add(self.root, "text", words, x=middle, y=self.bottom + 32, text_anchor="middle", font_size=11, fill=INK)


def days_of(tracks: Iterable[Track]) -> Days:
    """The time axis that several pictures share, so that they can be read side by side."""
    found = [0.0]
    for track in tracks:
        found += [point.day for point in track.points] + [day for day, _ in track.gaps]
        found += [event.day for event in track.events]
    low, high = min(found), max(found)
    room = 0.05 * (high - low) or 1.0
    return Days(low - room, high + room)


def curve_picture(track: Track, *, days: Days, width: float = 370, height: float = 240) -> str:
    """One measure of one patient as SVG."""
    events = joined(track.events)
    spans = [span_of(_place(days, event.day, width), least=_LEFT, most=width) for event in events]
    rows = rows_of(spans)
    room = ROW * (max(rows) + 1) if rows else 0.0
    root = drawing(width, height + room, name=f"{track.name} over time, {track.unit}")
    frame = _Frame(root, width, height + room, days, _values(track), top=_TOP + room)
    area, wide = frame.area, frame.width
    low, high = track.reference
    if not math.isnan(low):
        top = frame.y(high)
        add(area, "rect", x=0, y=top, width=wide, height=max(0.0, frame.y(low) - top), fill=NORMAL, fill_opacity=0.65)
    _thresholds(frame, track.thresholds, track.unit)
    _events(
        frame, events, [((left + right) / 2, ROW * (row + 0.5)) for (left, right), row in zip(spans, rows, strict=True)]
    )
    _curve(frame, track)
    _limits(frame, track.blanks, name="limit of blank", color=LINE)
    _limits(frame, track.limits, name="limit of detection", color=SOFT)
    for day, why in track.gaps:
        _gap(frame, day, why)
    for point in track.points:
        _point(frame, point, track.color)
    return to_text(root)


def overlay(
    lines: Sequence[Line],
    *,
    name: str,
    unit: str,
    days: Days | None = None,
    thresholds: Sequence[float] = (),
    width: float = 560,
    height: float = 330,
) -> str:
    """Several series on shared axes, as SVG; dotted towards a value of which a bound only is known."""
    points = [point for line in lines for point in line.points]
    days = days or days_of([Track(name=name, unit=unit, points=points)])
    root = drawing(width, height, name=f"{name} of each patient over time, {unit}")
    known = [value for p in points for value in (p.value, p.low, p.high) if math.isfinite(value)]
    frame = _Frame(root, width, height, days, spanning([*known, *thresholds], log=True))
    _thresholds(frame, thresholds, unit)
    for line in lines:
        group = titled(frame.area, line.name)
        for before, after in pairwise(line.points if line.joined else ()):
            ends = path([(frame.x(p.day), frame.y(p.value)) for p in (before, after)])
            dash = "1.5 3.5" if before.bounded or after.bounded else line.dash
            style = {"stroke_dasharray": dash} if dash else {}
            add(group, "path", d=ends, stroke=line.color, stroke_width=1.6, stroke_opacity=0.8, fill="none", **style)
        for point in line.points:
            _point(frame, point, line.color)
    return to_text(root)


def sparkline(points: Sequence[Point], *, days: Days, values: Axis, name: str) -> str:
    """A patient's points in a table cell, on the axes of all patients."""
    width, height, room = 150.0, 34.0, 5.0
    root = drawing(width, height, name=name)

    def at(point: Point) -> tuple[float, float]:
        return (
            room + days.place(point.day) * (width - 2 * room),
            room + (1 - values.place(point.value)) * (height - 2 * room),
        )

    zero = room + days.place(0) * (width - 2 * room)
    add(root, "path", d=path([(zero, 0), (zero, height)]), stroke=LINE, fill="none")
    seen = [at(point) for point in points]
    if len(seen) > 1:
        add(root, "path", d=path(seen), stroke=DONOR, stroke_width=1.2, stroke_opacity=0.5, fill="none")
    for point in points:
        x, y = at(point)
        _symbol(titled(root, point.title), x, y, 2.6, DONOR, point)
    return to_text(root)


def _values(track: Track) -> Axis:
    """All points with their intervals are shown; a band that explodes is cut off half a decade beyond."""
    found = [v for p in track.points for v in (p.value, p.low, p.high)]
    found += [value for _, value in (*track.limits, *track.blanks)]
    found += [*track.reference, *track.thresholds]
    known = [value for value in found if math.isfinite(value) and (value > 0 or not track.log)]
    if track.log and known:
        floor, roof = min(known) / 3, max(known) * 3
        known += [value for row in track.curve for value in row[1:] if floor < value < roof]
    elif known:
        known += [0.0]
    return spanning(known, log=track.log)


def _thresholds(frame: _Frame, values: Sequence[float], unit: str) -> None:
    for value in values:
        dash = titled(frame.area, f"threshold: {value:g} {unit}")
        line = path([(0, frame.y(value)), (frame.width, frame.y(value))])
        add(dash, "path", d=line, stroke=SOFT, stroke_dasharray="5 4", fill="none")


def _events(frame: _Frame, events: Sequence[Happening], places: Sequence[tuple[float, float]]) -> None:
    """The marks above the plot area, over the lines from all of them down through it."""
    marks = marks_of(event.kind for event in events)
    for event, (_, y) in zip(events, places, strict=True):
        stem = path([(_LEFT + frame.x(event.day), y), (_LEFT + frame.x(event.day), frame.bottom)])
        add(frame.root, "path", d=stem, stroke=marks[event.kind].color, stroke_dasharray="1 3", fill="none")
    for event, (x, y) in zip(events, places, strict=True):
        add_mark(frame.root, marks[event.kind], x, y, title=event.title)


def _place(days: Days, day: float, width: float) -> float:
    """Where a day stands in a picture that is so wide."""
    return _LEFT + days.place(day) * (width - _LEFT - _END)


def _curve(frame: _Frame, track: Track) -> None:
    if not track.curve:
        return
    upper = [(frame.x(day), frame.y(high)) for day, _, _, high in track.curve]
    lower = [(frame.x(day), frame.y(low)) for day, _, low, _ in track.curve]
    add(frame.area, "path", d=path([*upper, *reversed(lower)], closed=True), fill=track.color, fill_opacity=0.13)
    middle = path([(frame.x(day), frame.y(value)) for day, value, _, _ in track.curve])
    add(frame.area, "path", d=middle, stroke=track.color, stroke_width=1.6, fill="none")


def _limits(frame: _Frame, limits: Sequence[tuple[float, float]], *, name: str, color: str) -> None:
    for day, value in limits:
        x, y = frame.x(day), frame.y(value)
        group = titled(frame.area, f"{name} on day {day:g}: {value:.3g}")
        add(group, "path", d=path([(x - 7, y), (x + 7, y)]), stroke=color, stroke_width=2, fill="none")


def _gap(frame: _Frame, day: float, why: str) -> None:
    x, y, size = frame.x(day), frame.height - 6, 3.2
    group = titled(frame.area, f"day {day:g}: no value; {why}")
    for rise in (size, -size):
        add(group, "path", d=path([(x - size, y - rise), (x + size, y + rise)]), stroke=SOFT, stroke_width=1.4)


def _point(frame: _Frame, point: Point, color: str) -> None:
    group = titled(frame.area, point.title)
    if not point.bounded and math.isfinite(point.low) and math.isfinite(point.high):
        x = frame.x(point.day)
        ends = path([(x, frame.y(point.low)), (x, frame.y(point.high))])
        add(group, "path", d=ends, stroke=color, stroke_width=1.5, fill="none")
    _symbol(group, frame.x(point.day), frame.y(point.value), 4.2, color, point)


def _symbol(group: Element, x: float, y: float, size: float, color: str, point: Point) -> None:
    if point.bounded:
        down = -1 if point.above else 1
        corners = [(x - size, y - down * size * 0.8), (x + size, y - down * size * 0.8), (x, y + down * size)]
        add(group, "path", d=path(corners, closed=True), stroke=color, stroke_width=1.4, fill="#fff")
    else:
        add(group, "circle", cx=x, cy=y, r=size, fill=color, stroke="#fff", stroke_width=0.8)
