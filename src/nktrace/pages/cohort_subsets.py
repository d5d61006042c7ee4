"""The NK subsets of every patient over time, as small stacked bars side by side."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from nktrace.figures.composition import composition
from nktrace.pages.patient_figures import legend
from nktrace.pages.render import drawn
from nktrace.pages.words import day, interval, label

Row = Mapping[str, Any]

_FRACTION, _STATE = "fraction:", "fraction:state:"


def compositions(patients: Sequence[Row], trajectories: Sequence[Row]) -> dict[str, Any] | None:
    """A picture per patient and one legend for all; none where no sample has subsets.

    Args:
        patients: who they are.
        trajectories: rows of trajectories.tsv; the exclusive subsets stand there as `fraction:SUBSET`. Of a subset
            without an event the table holds the upper bound, which is drawn as nothing.
    """
    rows = [
        row
        for row in trajectories
        if row["measure"].startswith(_FRACTION)
        and not row["measure"].startswith(_STATE)
        and not math.isnan(row["observed"])
    ]
    if not rows:
        return None
    names = list(dict.fromkeys(row["measure"].removeprefix(_FRACTION) for row in rows))
    figures = []
    for patient in patients:
        mine = [row for row in rows if row["patient"] == patient["patient"]]
        if mine:
            figures.append({"patient": patient["patient"], "image": drawn(_bars(patient["patient"], names, mine))})
    return {"figures": figures, "legend": legend(names)}


def _bars(patient: str, names: Sequence[str], rows: Sequence[Row]) -> str:
    days = sorted({row["day"] for row in rows})
    found = {(row["measure"].removeprefix(_FRACTION), row["day"]): row for row in rows}
    shares: dict[str, list[float]] = {}
    titles: dict[str, list[str]] = {}
    for name in names:
        there = [found.get((name, at)) for at in days]
        shares[name] = [math.nan if row is None else 0.0 if row["censored"] else row["observed"] for row in there]
        titles[name] = [f"{label(name)}, day {day(at)}: {_shown(row)}" for at, row in zip(days, there, strict=True)]
    name = f"NK subsets of {patient} over time, stacked shares of NK cells"
    return composition([day(at) for at in days], shares, name=name, titles=titles, width=280, height=190)


def _shown(row: Row | None) -> str:
    return "" if row is None else interval(row, "observed", "observed_low", "observed_high", "percent")
