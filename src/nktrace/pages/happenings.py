"""Infusions, events and death of a patient: as marks for the pictures, a legend and a table. When, never why."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from nktrace.figures.happenings import INFUSION, Happening, key, marks_of
from nktrace.model.study import DEATH
from nktrace.pages.render import drawn
from nktrace.pages.words import day, label, number

Row = Mapping[str, Any]

_ROOM = 0.25  # what happened beyond the visits by more than this share of their span is not drawn but written


def happenings(
    infusions: Iterable[Row], events: Iterable[Row], *, death_day: float | None = None, dose_per_kg: float = math.nan
) -> list[Happening]:
    """What the sheets say, by day.

    Args:
        infusions, events: rows of infusions.tsv and events.tsv of one patient. Without the
            former day 0 is the infusion, unless the dose was none.
        death_day, dose_per_kg: of patients.tsv.
    """
    listed = list(infusions)
    found = [_infusion(row, several=len({row["donor"] for row in listed}) > 1) for row in listed]
    if not listed and dose_per_kg != 0:
        dose = _dose(dose_per_kg)
        found.append(Happening(day=0.0, kind=INFUSION, title=_said(0.0, INFUSION, dose), words=dose))
    for row in events:
        on, note = float(row["day"]), _known(row.get("note"))
        found.append(Happening(day=on, kind=row["kind"], title=_said(on, label(row["kind"]), note)))
    if death_day is not None and not math.isnan(death_day) and all(one.kind != DEATH for one in found):
        found.append(Happening(day=death_day, kind=DEATH, title=_said(death_day, DEATH)))
    return sorted(found, key=lambda one: one.day)


def _infusion(row: Row, *, several: bool) -> Happening:
    on, dose, donor = float(row["day"]), _dose(float(_known(row.get("cells_per_kg")) or math.nan)), _known(row["donor"])
    title = _said(on, f"{INFUSION} {row['infusion']}", f"donor {donor}" if donor else "", dose)
    return Happening(day=on, kind=INFUSION, title=title, words=" ".join(filter(None, (donor if several else "", dose))))


def _said(on: float, *words: str) -> str:
    return f"day {day(on)}: {', '.join(filter(None, words))}"


def _dose(cells: float) -> str:
    return "" if math.isnan(cells) else f"{number(cells)}/kg"


def _known(text: str | None) -> str:
    return "" if text in (None, "NA") else str(text)


def legend(happened: Sequence[Happening]) -> list[tuple[Any, str]]:
    """The mark and the name of each kind that occurs."""
    marks = marks_of(one.kind for one in happened)
    return [(drawn(key(mark)), label(kind)) for kind, mark in marks.items()]


def near(happened: Sequence[Happening], days: Sequence[float]) -> tuple[list[Happening], list[Happening]]:
    """What lies near the visits, to be drawn, and what does not: drawn too, it would press the visits together."""
    low, high = min([0.0, *days]), max([0.0, *days])
    room = max(_ROOM * (high - low), 1.0)
    drawn_too = [one for one in happened if low - room <= one.day <= high + room]
    return drawn_too, [one for one in happened if one not in drawn_too]
