"""The course of every patient in one picture, from the sheets and chimerism.tsv."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from nktrace.figures.axes import Days
from nktrace.figures.happenings import marks_of
from nktrace.figures.swimmer import DETECTED, NOT_DETECTED, TILES, UNTOLD, Lane, Seen, swimmer
from nktrace.model.study import DEATH, ON_THE_TIMELINE
from nktrace.pages.answers import SEEN
from nktrace.pages.happenings import happenings, legend
from nktrace.pages.render import drawn
from nktrace.pages.words import day, interval, label

Row = Mapping[str, Any]

_STATES = {**dict.fromkeys(SEEN, DETECTED), "not_detected": NOT_DETECTED}


def course(patients: Sequence[Row], samples: Sequence[Row], chimerism: Sequence[Row]) -> dict[str, Any] | None:
    """The swimmer plot with its legends; None without a visit.

    Args:
        patients: rows with `patient` and, where known, `arm`, `dose_per_kg`, `last_followup_day`, `death_day`,
            `infusions` and `events`.
        samples: who the samples are.
        chimerism: rows of chimerism.tsv.
    """
    shown = [(patient, visits) for patient in patients if (visits := _visits(patient["patient"], samples, chimerism))]
    if not shown:
        return None
    days = _days([visit.day for _, visits in shown for visit in visits])
    arms = len({patient.get("arm") for patient in patients}) > 1
    lanes = [_lane(patient, visits, days, arms=arms) for patient, visits in shown]
    happened = [one for lane in lanes for one in lane.happened]
    marks = marks_of(one.kind for one in happened)
    name = "Course of every patient: visits, infusions, events, end of follow-up"
    inside = [one for one in happened if days.low <= one.day <= days.high]
    return {
        "image": drawn(swimmer(lanes, days=days, marks=marks, name=name)),
        "legend": [(f"donor NK cells {state}", fill, stroke) for state, (fill, stroke) in TILES.items()],
        "marks": [entry for entry in legend(happened) if any(label(one.kind) == entry[1] for one in inside)],
        "beyond": [f"{lane.name}, {one.title}" for lane in lanes for one in lane.happened if one not in inside],
    }


def _days(visits: Sequence[float]) -> Days:
    """The visits of all patients with a little room: what is beyond is told in words, or all visits would be one."""
    low, high = min(0.0, *visits), max(0.0, *visits)
    room = max(0.04 * (high - low), 0.5)
    return Days(low - room, high + 2 * room)


def _visits(patient: str, samples: Sequence[Row], chimerism: Sequence[Row]) -> list[Seen]:
    """One per day: donor cells were detected if in any tube of the day."""
    mine = [row for row in samples if row["patient"] == patient and row["role"] in ON_THE_TIMELINE]
    rows = [row for row in chimerism if row["patient"] == patient and row["population"] == "nk"]
    visits = []
    for on in sorted({row["day"] for row in mine if row["day"] is not None}):
        told = {_STATES[row["status"]]: row for row in rows if row["day"] == on and row["status"] in _STATES}
        state = next((state for state in (DETECTED, NOT_DETECTED) if state in told), UNTOLD)
        share = f", {interval(told[state], 'donor_fraction', show='fraction')}" if state in told else ""
        visits.append(Seen(day=on, state=state, title=f"day {day(on)}: donor NK cells {state}{share}"))
    return visits


def _lane(patient: Row, visits: Sequence[Seen], days: Days, *, arms: bool) -> Lane:
    death, followed = _number(patient.get("death_day")), _number(patient.get("last_followup_day"))
    happened = happenings(
        patient.get("infusions") or (),
        patient.get("events") or (),
        death_day=death,
        dose_per_kg=_number(patient.get("dose_per_kg")),
    )
    deaths = [one.day for one in happened if one.kind == DEATH]
    last = visits[-1].day
    if deaths:
        end, words = deaths[0], f"died on day {day(deaths[0])}"
    elif not math.isnan(followed):
        end, words = max(followed, last), f"followed to day {day(max(followed, last))}"
    else:
        end, words = last, f"last visit day {day(last)}"
    later = sum(one.day > days.high and one.kind != DEATH for one in happened)
    more = f"{later} event{'s' if later > 1 else ''} later" if later else ""
    group = (patient.get("arm") or "no arm") if arms else ""
    return Lane(name=patient["patient"], group=group, end=end, visits=visits, happened=happened, words=words, more=more)


def _number(value: float | None) -> float:
    return math.nan if value is None else value
