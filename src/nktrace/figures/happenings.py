"""What happened to a patient, as marks in a picture: a badge of two letters per kind, on rows that do not overlap."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from nktrace.figures.svg import DONOR, INK, Element, add, drawing, path, titled, to_text
from nktrace.model.palette import category_colors
from nktrace.model.study import DEATH

INFUSION = "infusion"
ROW = 15.0  # height of a row of badges
_WIDE, _HIGH, _APART = 18.0, 12.0, 2.0
# these have the same letters and colours on every page
_USUAL = ("infection", "rejection", "steroid", "transfusion", "lymphodepletion", "discharge")


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """Something on a day. `title` is what its tooltip says, `words` what stands beside its mark, if anything does."""

    day: float
    kind: str
    title: str
    words: str = ""


@dataclass(frozen=True, slots=True)
class Mark:
    """How a kind is drawn: its letters (none for an infusion, which is a triangle) and its colour."""

    letters: str
    color: str


def marks_of(kinds: Iterable[str]) -> dict[str, Mark]:
    """The mark of each kind, in order: infusions, what is usual, what else there is by name, death.

    Letters tell kinds apart without their colours: the first two, or where these are taken the first with a later one.
    """
    found = set(kinds)
    others = sorted(found - {INFUSION, DEATH, *_USUAL})
    colors = category_colors([*_USUAL, *others])
    marks = {INFUSION: Mark("", DONOR)} if INFUSION in found else {}
    taken = {kind[:2].title() for kind in (*_USUAL, DEATH)}
    for kind in (*(usual for usual in _USUAL if usual in found), *others):
        marks[kind] = Mark(kind[:2].title() if kind in _USUAL else _letters(kind, taken), colors[kind])
        taken.add(marks[kind].letters)
    return marks | ({DEATH: Mark("De", INK)} if DEATH in found else {})


def _letters(kind: str, taken: set[str]) -> str:
    written = [letter for letter in kind if letter.isalnum()] or ["?"]
    pairs = (f"{written[0].upper()}{letter.lower()}" for letter in written[1:])
    numbered = (f"{written[0].upper()}{number}" for number in range(1, len(taken) + 2))
    return next(pair for pair in (*pairs, *numbered) if pair not in taken)


def joined(happenings: Iterable[Happening]) -> list[Happening]:
    """By day; what is of one kind on one day is one mark."""
    found: dict[tuple[float, str], list[Happening]] = {}
    for one in sorted(happenings, key=lambda one: (one.day, one.kind, one.title)):
        found.setdefault((one.day, one.kind), []).append(one)
    return [
        Happening(
            day=day,
            kind=kind,
            title="; ".join(dict.fromkeys(one.title for one in same)),
            words=" + ".join(one.words for one in same if one.words),
        )
        for (day, kind), same in found.items()
    ]


def rows_of(spans: Sequence[tuple[float, float]]) -> list[int]:
    """The row of each (left, right), from left to right: the first in which it overlaps nothing."""
    ends: list[float] = []
    rows = []
    for left, right in spans:
        row = next((row for row, end in enumerate(ends) if end <= left), len(ends))
        ends[row:] = [*([right] if row == len(ends) else [right, *ends[row + 1 :]])]
        rows.append(row)
    return rows


def span_of(x: float, words: str = "", *, least: float = 0.0, most: float = float("inf")) -> tuple[float, float]:
    """From where to where a mark with its words reaches; moved inwards where it would leave `least` to `most`."""
    wide = _WIDE + _APART + (5.6 * len(words) + 4 if words else 0)
    left = max(least, min(x - (_WIDE + _APART) / 2, most - wide))
    return left, left + wide


def add_mark(parent: Element, mark: Mark, x: float, y: float, *, title: str, words: str = "") -> None:
    """The mark with its middle at a point, and words to its right."""
    group = titled(parent, title)
    if mark.letters:
        dark = mark.color == INK
        box = add(group, "rect", x=x - _WIDE / 2, y=y - _HIGH / 2, width=_WIDE, height=_HIGH, rx=3, stroke_width=1.5)
        box.attrib |= {"fill": mark.color if dark else "#fff", "stroke": mark.color}
        ink = {"fill": "#fff" if dark else INK, "font-weight": "600", "text-anchor": "middle"}
        add(group, "text", mark.letters, x=x, y=y + 3.4, font_size=9.5).attrib |= ink
    else:
        corners = [(x - 5.5, y - 5), (x + 5.5, y - 5), (x, y + 5)]
        add(group, "path", d=path(corners, closed=True), fill=mark.color)
    if words:
        add(group, "text", words, x=x + _WIDE / 2 + 1, y=y + 3.6, font_size=10, fill=INK)


def key(mark: Mark) -> str:
    """The mark alone, beside its name in a legend."""
    root = drawing(_WIDE + 2, _HIGH + 2, name="")
    root.attrib = {"viewBox": root.attrib["viewBox"], "aria-hidden": "true"}
    add_mark(root, mark, (_WIDE + 2) / 2, (_HIGH + 2) / 2, title="")
    return to_text(root)
