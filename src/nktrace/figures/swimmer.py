"""A swimmer plot: one lane per patient from the first visit to the end of follow-up, and what was seen on the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from nktrace.figures.axes import Days
from nktrace.figures.happenings import INFUSION, ROW, Happening, Mark, add_mark, joined, rows_of, span_of
from nktrace.figures.svg import DONOR, FAINT, INK, LINE, SOFT, Element, add, drawing, path, titled, to_text

DETECTED, NOT_DETECTED, UNTOLD = "detected", "not detected", "cannot be told"
# of a visit: fill, stroke; and of the way between two visits that say the same
TILES = {DETECTED: (DONOR, DONOR), NOT_DETECTED: ("#fff", SOFT), UNTOLD: (LINE, LINE)}
_BETWEEN = {DETECTED: "#f5b999", NOT_DETECTED: "#dde6f0"}

_LEFT, _RIGHT, _TOP, _FOOT = 118.0, 150.0, 26.0, 40.0
_BAR, _TILE, _GAP, _HEADING = 9.0, 5.0, 7.0, 24.0
_NAME = 16  # letters of a name that there is room for


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A visit: whether donor cells were detected on that day."""

    day: float
    state: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """A patient.

    Attributes:
        group: its arm, for a heading; lanes of a group stand together.
        end: the last day that anything is known of.
        happened: infusions, which stand above the bar, and events, which stand below.
        words, more: how it ended, to the right, and what stands under it.
    """

    name: str
    group: str
    end: float
    visits: Sequence[Seen]
    happened: Sequence[Happening]
    words: str
    more: str = ""


def swimmer(lanes: Sequence[Lane], *, days: Days, marks: Mapping[str, Mark], name: str, width: float = 1120) -> str:
    """The lanes as SVG. Beyond the axis a bar ends in an arrow; `words` say where to."""
    inner = width - _LEFT - _RIGHT
    groups = [(group, [_Swimmer(lane, days, inner) for lane in mine]) for group, mine in _groups(lanes)]
    tall = sum(_HEADING * bool(group) + sum(one.height for one in mine) for group, mine in groups)
    root = drawing(width, _TOP + tall + _FOOT, name=name)
    _grid(root, days, inner, _TOP + tall)
    y = _TOP
    for group, mine in groups:
        if group:
            add(root, "text", group, x=4, y=y + 17, font_size=11.5, font_weight="600", fill=SOFT)
            y += _HEADING
        for one in mine:
            one.draw(root, y, marks)
            y += one.height
            add(root, "path", d=path([(4, y), (width - 4, y)]), stroke=FAINT, fill="none")
    return to_text(root)


def _groups(lanes: Sequence[Lane]) -> list[tuple[str, list[Lane]]]:
    order = list(dict.fromkeys(lane.group for lane in lanes))
    together = sorted(lanes, key=lambda lane: order.index(lane.group))
    return [(group, list(mine)) for group, mine in groupby(together, key=lambda lane: lane.group)]


def _grid(root: Element, days: Days, inner: float, foot: float) -> None:
    for value, words in days.ticks(max(3, int(inner // 60))):
        x = _LEFT + days.place(value) * inner
        color, wide = (LINE, 1.6) if value == 0 else (FAINT, 1.0)
        add(root, "path", d=path([(x, _TOP), (x, foot)]), fill="none", stroke=color, stroke_width=wide)
        for y in (_TOP - 8, foot + 16):
            add(root, "text", words, x=x, y=y, text_anchor="middle", font_size=11, fill=SOFT)
    middle = _LEFT + inner / 2
    add(root, "text", "days from the infusion", x=middle, y=foot + 33, text_anchor="middle", font_size=11.5, fill=INK)


class _Swimmer:
    """One lane with the rows that its marks need."""

    def __init__(self, lane: Lane, days: Days, inner: float) -> None:
        self.lane, self.days, self.inner = lane, days, inner
        shown = [one for one in joined(lane.happened) if days.low <= one.day <= days.high]
        self.above = self._placed([one for one in shown if one.kind == INFUSION])
        self.below = self._placed([one for one in shown if one.kind != INFUSION])
        self.over = ROW * (1 + max((row for _, _, row in self.above), default=0))
        under = ROW * (1 + max((row for _, _, row in self.below), default=-1))
        self.height = _GAP + self.over + _BAR + (under + 3 if under else 0) + _GAP

    def x(self, day: float) -> float:
        return _LEFT + self.days.place(day) * self.inner

    def _placed(self, happened: Sequence[Happening]) -> list[tuple[Happening, float, int]]:
        """Each with the middle of its mark and its row."""
        edges = {"least": _LEFT - 10, "most": _LEFT + self.inner + 10}
        spans = [span_of(self.x(one.day), one.words, **edges) for one in happened]
        middles = [left + 10 for left, _ in spans]
        return list(zip(happened, middles, rows_of(spans), strict=True))

    def draw(self, root: Element, top: float, marks: Mapping[str, Mark]) -> None:
        """Name, bar, marks and words of the lane, its upper edge at `top`."""
        lane, bar = self.lane, top + _GAP + self.over
        middle = bar + _BAR / 2
        name = lane.name if len(lane.name) <= _NAME else lane.name[: _NAME - 1] + "…"
        add(
            titled(root, lane.name), "text", name, x=_LEFT - 12, y=middle + 4, text_anchor="end", font_size=12, fill=INK
        )
        for line, words in enumerate((lane.words, lane.more)):
            add(root, "text", words, x=_LEFT + self.inner + 16, y=middle + 4 + 12 * line, font_size=11, fill=SOFT)
        group = titled(root, f"{lane.name}: {lane.words}")
        self._bar(group, bar)
        for one, x, row in self.above:
            y = bar - ROW * (row + 0.5)
            stem = path([(self.x(one.day), y), (self.x(one.day), bar)])
            add(root, "path", d=stem, stroke=marks[one.kind].color, fill="none")
            add_mark(root, marks[one.kind], x, y, title=f"{lane.name}, {one.title}", words=one.words)
        for one, _, row in self.below:
            foot = path([(self.x(one.day), bar), (self.x(one.day), bar + _BAR + 3 + ROW * (row + 0.5))])
            add(root, "path", d=foot, stroke=marks[one.kind].color, stroke_width=1.3, fill="none")
        for one, x, row in self.below:
            y = bar + _BAR + 3 + ROW * (row + 0.5)
            add_mark(root, marks[one.kind], x, y, title=f"{lane.name}, {one.title}", words=one.words)
        for visit in lane.visits:
            fill, stroke = TILES[visit.state]
            box = titled(root, f"{lane.name}, {visit.title}")
            x = self.x(visit.day) - _TILE / 2
            tile = add(box, "rect", x=x, y=bar - 1, width=_TILE, height=_BAR + 2, rx=1, stroke_width=1.2)
            tile.attrib |= {"fill": fill, "stroke": stroke}

    def _bar(self, group: Element, bar: float) -> None:
        """From the first day known to the last, coloured between two visits that say the same."""
        known = [*(visit.day for visit in self.lane.visits), *(one.day for one in self.lane.happened), 0.0]
        first, last = max(min(known), self.days.low), min(self.lane.end, self.days.high)
        add(group, "rect", x=self.x(first), y=bar, width=self.x(last) - self.x(first), height=_BAR, fill="#f1f4f7")
        for before, after in pairwise(self.lane.visits):
            if before.state == after.state and before.state in _BETWEEN:
                left, fill = self.x(before.day), _BETWEEN[before.state]
                add(group, "rect", x=left, y=bar, width=self.x(after.day) - left, height=_BAR, fill=fill)
        ends = [(self.x(first), bar), (self.x(last), bar), (self.x(last), bar + _BAR), (self.x(first), bar + _BAR)]
        add(group, "path", d=path(ends, closed=True), stroke=LINE, fill="none")
        if self.lane.end > self.days.high:
            x, y = self.x(last), bar + _BAR / 2
            add(group, "path", d=path([(x, y - 7), (x + 9, y), (x, y + 7)], closed=True), fill=LINE)
