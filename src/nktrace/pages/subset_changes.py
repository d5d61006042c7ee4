"""How NK subsets changed since the baseline: pictures and rows for the pages of a patient and of the cohort.

People read a change as a ratio: 2 means that the odds of the subset against the rest of the NK cells have doubled.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from nktrace.figures.curves import Line, Point, Track, curve_picture, days_of, overlay
from nktrace.figures.svg import CATEGORIES, INK, PLAIN
from nktrace.pages.render import drawn
from nktrace.pages.words import NOT_AVAILABLE, day, interval, label, number

Row = Mapping[str, Any]
Figure = dict[str, Any]

ALL = "all"
UNIT = "× the baseline's odds"
NO_CHANGE = 1.0
_LONGEST = 100.0  # whiskers end at so many times their value, and this part of it: the axis is for the values


def patient_changes(changes: Sequence[Row]) -> dict[str, Any]:
    """Pictures and rows of the changes of one patient, and how many rows have one.

    Args:
        changes: rows of subset_change.tsv of a patient.
    """
    known = _known(changes)
    tracks = [
        Track(
            name=f"{label(subset)}, panel {panel}" if several else label(subset),
            unit=UNIT,
            points=[_point(row, f"day {day(row['day'])}: ") for row in of_panel],
            thresholds=(NO_CHANGE,),
            color=PLAIN,
        )
        for subset, rows in _by_subset(known).items()
        for several in (len(_by_panel(rows)) > 1,)
        for panel, of_panel in _by_panel(rows).items()
    ]
    days = days_of(tracks)
    figures = [
        {"name": track.name, "unit": UNIT, "image": drawn(curve_picture(track, days=days, width=300, height=210))}
        for track in tracks
    ]
    rows = [{**row, "ratio": ratio(row)} for row in changes if _resolved_somewhere(row)]
    return {"figures": figures, "rows": rows, "known": len(known)}


def cohort_changes(patients: Sequence[Row], changes: Sequence[Row], tests: Sequence[Row]) -> dict[str, Any]:
    """A picture per subset of all patients' changes with what they show together, and the statement of what n can't.

    Args:
        patients: who they are, in the order of their colours.
        changes, tests: rows of subset_change.tsv and subset_change_tests.tsv.
    """
    names = [patient["patient"] for patient in patients]
    colors = {name: CATEGORIES[index % len(CATEGORIES)] for index, name in enumerate(names)}
    known = _known(changes)
    everyone = [row for row in tests if row["group"] == ALL]
    exact = [row for row in everyone if not math.isnan(row["smallest_p"])]
    days = days_of([Track(name="", unit="", points=[_point(row, "") for row in known])])
    figures = []
    for subset, rows in _by_subset(known).items():
        lines = [
            Line(
                name=name,
                color=color,
                points=[_bare(row, f"{name}, day {day(row['day'])}: ") for row in of_panel if row["patient"] == name],
            )
            for name, color in colors.items()
            for of_panel in _by_panel(rows).values()
        ]
        together = [_summary(row) for row in exact if row["subset"] == subset and not math.isnan(row["estimate"])]
        lines = [line for line in lines if line.points]
        lines.append(Line(name="all patients", points=together, color=INK, joined=False))
        name = f"Change of {label(subset)}"
        picture = overlay(lines, name=name, unit=UNIT, days=days, thresholds=(NO_CHANGE,), width=370, height=240)
        figures.append({"name": label(subset), "unit": UNIT, "image": drawn(picture)})
    seen = {row["patient"] for row in known}
    legend = [(name, color) for name, color in colors.items() if name in seen]
    return {
        "figures": figures,
        "legend": [*legend, ("all patients, with interval", INK)],
        "rows": [{**row, "ratio": _of_all(row)} for row in everyone],
        "others": [{**row, "ratio": _of_all(row)} for row in tests if row["group"] != ALL],
        "statement": statement(exact),
    }


def statement(tests: Sequence[Row]) -> list[str]:
    """What the number of patients cannot show, one sentence for each n.

    Args:
        tests: rows of the exact tests of one group.
    """
    families: dict[float, int] = {}
    for row in tests:
        families[row["day"]] = families.get(row["day"], 0) + 1
    found = {}
    for row in tests:
        least, family, alpha = row["smallest_p"], families[row["day"]], row["alpha"]
        together = min(1.0, family * least)
        words = f"With n = {row['n']} no two-sided p of a single subset can be under {number(least)}"
        if family > 1:
            words += f", and with {family} subsets and states tested on a day none under {number(together)} (Holm)"
        if least > alpha:
            words += f": no change, however large, reaches {number(alpha)}"
        elif together > alpha:
            words += f": after that correction no change, however large, reaches {number(alpha)}"
        found[-row["n"], least, family] = words + "."
    return [found[key] for key in sorted(found)]


def ratio(row: Row) -> str:
    """A change as a ratio with its interval; a bound where only that is known."""
    bounds = {side: math.exp(row[side]) for side in ("log_ratio", "ci_low", "ci_high")}
    return interval(bounds, "log_ratio")


def _of_all(row: Row) -> str:
    values = {side: math.exp(row[side]) for side in ("estimate", "ci_low", "ci_high")}
    return interval(values, "estimate") if row["n"] else NOT_AVAILABLE


def _resolved_somewhere(row: Row) -> bool:
    """Whether the sample or its baseline resolves the subset: what neither does stands on their own pages."""
    return not (math.isnan(row["fraction"]) and math.isnan(row["baseline_fraction"]))


def _known(changes: Iterable[Row]) -> list[Row]:
    return [row for row in changes if not math.isnan(row["ci_low"])]


def _by_subset(rows: Sequence[Row]) -> dict[str, list[Row]]:
    ordered = sorted(rows, key=lambda row: row["day"])
    return {
        name: [row for row in ordered if row["subset"] == name] for name in dict.fromkeys(r["subset"] for r in rows)
    }


def _by_panel(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Values of two panels are never joined by a line."""
    return {
        panel: [r for r in rows if (r["panel"] or "") == panel] for panel in sorted({r["panel"] or "" for r in rows})
    }


def _bare(row: Row, who: str) -> Point:
    """Without its interval, which stands on the patient's page."""
    point = _point(row, who)
    return Point(day=point.day, value=point.value, censored=point.censored, above=point.above, title=point.title)


def _point(row: Row, who: str) -> Point:
    title = f"{who}{ratio(row)} {UNIT}" + (f"; {row['reason']}" if row["reason"] else "")
    value, low, high = (math.exp(row[side]) for side in ("log_ratio", "ci_low", "ci_high"))
    if not math.isnan(value):
        low, high = max(low, value / _LONGEST), min(high, value * _LONGEST)
        return Point(day=row["day"], value=value, low=low, high=high, title=title)
    above = math.isinf(high)
    return Point(day=row["day"], value=low if above else high, censored=not above, above=above, title=title)


def _summary(row: Row) -> Point:
    level = f"{row['level_reached']:.3g} interval" if row["level_reached"] else "no interval"
    title = f"{row['n']} patients, day {day(row['day'])}: {_of_all(row)} {UNIT}; {level}"
    value, low, high = (math.exp(row[side]) for side in ("estimate", "ci_low", "ci_high"))
    return Point(
        day=row["day"], value=value, low=max(low, value / _LONGEST), high=min(high, value * _LONGEST), title=title
    )
