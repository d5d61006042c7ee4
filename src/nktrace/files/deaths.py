"""A death that stands in events.tsv is the patient's death day, as one in patients.tsv is; the two must not differ."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from nktrace.files.sheet_text import Sheet
from nktrace.model.study import DEATH, Patient


def with_deaths(patients: Mapping[str, Patient], events: Sheet) -> dict[str, Patient]:
    """The patients, with the death day of events.tsv where patients.tsv has none.

    A day that differs from that of patients.tsv, or of an earlier row, is a fault of its row in `events`.
    """
    told = dict(patients)
    places = dict.fromkeys(patients, "patients.tsv")
    for row in events.rows:
        name = row.values.get("patient")
        if name not in told or row.values.get("kind") != DEATH or "day" not in row:
            continue
        known, day = told[name].death_day, row["day"]
        if math.isnan(known):
            told[name], places[name] = replace(told[name], death_day=day), f"row {row.number}"
        elif day != known:
            what = f"the death of {name} is on day {day:g}, and on day {known:g} in {places[name]}"
            events.fault(what, row=row.number, column="day", mend="Mend the one that is wrong.")
    return told
