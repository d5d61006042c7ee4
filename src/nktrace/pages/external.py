"""Chimerism by other methods beside flow, on the pages of a patient and of the cohort."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from nktrace.figures.agreement import PairPoint, against_picture, ratio_picture
from nktrace.figures.curves import Line, Point, Track, days_of, overlay
from nktrace.figures.happenings import Happening
from nktrace.figures.svg import CATEGORIES, DONOR, PLAIN
from nktrace.model.external import UNGATED, Comparability, measured_by
from nktrace.model.intervals import UNKNOWN, Interval
from nktrace.pages.render import drawn
from nktrace.pages.words import day, interval, label, number, percent, share

Row = Mapping[str, Any]

QUANTITIES = {
    "bias": "Bias: odds by flow over those by the method",
    "limit_low": "Lower limit of agreement",
    "limit_high": "Upper limit of agreement",
    "concordance": "Concordance (Lin), of logits",
}
FEW = 10  # patients under which limits of agreement are said to be rough


def patient_methods(rows: Sequence[Row], events: Sequence[Happening] = ()) -> dict[str, Any]:
    """The table of a patient, and a picture per method and population of both over time."""
    kinds = defaultdict(list)
    for row in rows:
        kinds[row["method"], row["population"]].append(row)
    figures = []
    for (method, population), mine in kinds.items():
        mine.sort(key=lambda row: row["day"])
        lines = [
            Line(name=method, points=[p for row in mine if (p := _external_point(row))], color=PLAIN),
            Line(name="flow", points=[p for row in mine if (p := _flow_point(row))], color=DONOR),
        ]
        points = [point for line in lines for point in line.points]
        if points:
            name = f"Donor share of {_cells(population)}"
            days = days_of([Track(name="", unit="", points=points, events=events)])
            image = drawn(overlay(lines, name=f"{name} by flow and {method}", unit="%", days=days, height=260))
            figures.append(
                {"name": name, "unit": "%", "image": image, "legend": [(line.name, line.color) for line in lines]}
            )
    shown = [
        {
            **row,
            "external": _by_method(row),
            "flow": _by_flow(row),
            "gap": _gap(row),
            "cells": _cells(row["population"]),
        }
        for row in rows
    ]
    return {"rows": shown, "figures": figures}


def cohort_methods(
    patients: Sequence[Row], comparisons: Sequence[Row], agreement: Sequence[Row]
) -> list[dict[str, Any]]:
    """Per method and population: pictures, the table, and what so few patients cannot show."""
    colors = {row["patient"]: CATEGORIES[i % len(CATEGORIES)] for i, row in enumerate(patients)}
    found = []
    for method, population in dict.fromkeys((row["method"], row["population"]) for row in agreement):
        mine = [row for row in comparisons if (row["method"], row["population"]) == (method, population)]
        used = [row for row in mine if row["status"] in (Comparability.OK, Comparability.CENSORED)]
        rows = {row["quantity"]: row for row in agreement if (row["method"], row["population"]) == (method, population)}
        found.append(
            {
                "name": f"{method}, {_cells(population)}",
                "rows": [{**row, "words": QUANTITIES[name], "shown": _quantity(row)} for name, row in rows.items()],
                "statement": list(_statement(rows, mine)),
                "figures": _figures(used, rows, colors, method),
                "legend": [(name, colors[name]) for name in dict.fromkeys(row["patient"] for row in used)],
            }
        )
    return found


def _statement(rows: Mapping[str, Row], mine: Sequence[Row]) -> list[str]:
    """What these numbers can and cannot show."""
    bias = rows["bias"]
    n, pairs = bias["n_patients"], bias["n_pairs"]
    if not pairs:
        reasons = "; ".join(dict.fromkeys(row["reason"] or "" for row in mine))
        return [f"No pair can be compared: {reasons or 'their values are not known to either side'}."]
    words = [f"{pairs} pair{'s' if pairs != 1 else ''} of {n} patient{'s' if n != 1 else ''}."]
    if math.isnan(bias["ci_low"]):
        return [*words, "Too few to tell agreement: pictures and single differences only."]
    reach = math.exp((bias["ci_high"] - bias["ci_low"]) / 2)
    words.append(
        f"A systematic difference of less than {number(reach)} times the odds cannot be told from none with so many."
    )
    if n < FEW:
        words.append(f"With under {FEW} patients the limits of agreement are rough: read their intervals.")
    return [" ".join(words)]


def _figures(
    used: Sequence[Row], rows: Mapping[str, Row], colors: Mapping[str, str], method: str
) -> list[dict[str, Any]]:
    shown = [row for row in used if not (row["flow_censored"] and row["external_censored"])]
    if not shown:
        return []
    names = method, "flow"
    lines = [_ratio(rows[name]) for name in ("bias", "limit_low", "limit_high")]
    against = against_picture([_against(row, colors[row["patient"]]) for row in shown], names=names)
    ratio = ratio_picture(
        [point for row in shown if (point := _mean_and_ratio(row, colors[row["patient"]])) is not None],
        bias=lines[0],
        limits=(lines[1], lines[2]),
        names=names,
    )
    return [
        {"name": f"Flow against {method}", "unit": "donor fraction, %", "image": drawn(against)},
        {"name": "Agreement (Bland–Altman)", "unit": "ratio of odds", "image": drawn(ratio)},
    ]


def _against(row: Row, color: str) -> PairPoint:
    x, y = 100 * _at(row, "external"), 100 * _at(row, "flow")
    return PairPoint(
        x=x,
        y=y,
        color=color,
        title=_title(row),
        x_range=(100 * row["external_low"], 100 * row["external_high"]),
        y_range=(100 * row["flow_low"], 100 * row["flow_high"]),
        towards="down" if row["flow_censored"] else "left" if row["external_censored"] else "",
    )


def _mean_and_ratio(row: Row, color: str) -> PairPoint | None:
    """Mean of the logits and ratio of the odds, or the bound of it; None where it is known to neither side."""
    (low, high), (least, most) = (measured_by(method, row).told for method in ("flow", "external"))
    down, up = low <= 0 or most >= 1, high >= 1 or least <= 0
    flow, other = (high, least) if down else (low, most)
    if (down and up) or not (0 < flow < 1 and 0 < other < 1):
        return None
    return PairPoint(
        x=(_logit(other) + _logit(flow)) / 2,
        y=math.exp(_logit(flow) - _logit(other)),
        color=color,
        title=_title(row),
        towards="down" if down else "up" if up else "",
    )


def _at(row: Row, method: str) -> float:
    """The value; for one below its limit of detection the bound."""
    measured = measured_by(method, row)
    return measured.fraction.value if measured.detected else measured.range[1]


def _logit(fraction: float) -> float:
    return math.log(fraction / (1 - fraction))


def _ratio(row: Row) -> Interval:
    return Interval(*(math.exp(row[name]) for name in ("value", "ci_low", "ci_high"))) if row else UNKNOWN


def _quantity(row: Row) -> str:
    if row["quantity"] == "concordance":
        return interval(row, "value")
    ratio = _ratio(row)
    return interval({"value": ratio.value, "ci_low": ratio.low, "ci_high": ratio.high}, "value")


def _external_point(row: Row) -> Point | None:
    at = _at(row, "external")
    if math.isnan(at):
        return None
    low, high = 100 * row["external_low"], 100 * row["external_high"]
    title = f"day {day(row['day'])}, {row['method']}: {_by_method(row)}"
    return Point(
        day=row["day"], value=100 * at, low=low, high=high, censored=bool(row["external_censored"]), title=title
    )


def _flow_point(row: Row) -> Point | None:
    if row["status"] == Comparability.NOT_COMPARABLE:
        return None
    bound = bool(row["flow_censored"]) or row["status"] == Comparability.BOUND
    at = _at({**row, "flow_censored": bound}, "flow")
    low, high = 100 * row["flow_low"], 100 * row["flow_high"]
    title = f"day {day(row['flow_day'])}, flow: {_by_flow(row)}; {row['reason'] or ''}"
    return Point(day=row["flow_day"], value=100 * at, low=low, high=high, censored=bound, title=title)


def _title(row: Row) -> str:
    return (
        f"{row['patient']}, day {day(row['day'])}: {row['method']} {_by_method(row)}, flow {_by_flow(row)}"
        f"{'; ' + row['reason'] if row['reason'] else ''}"
    )


def _by_method(row: Row) -> str:
    if row["external_censored"]:
        return f"< {percent(_at(row, 'external'))}"
    return interval(row, "external_fraction", "external_low", "external_high", "percent")


def _by_flow(row: Row) -> str:
    if row["flow_censored"] and row["status"] != Comparability.BOUND:
        return f"< {percent(_at(row, 'flow'))}"
    return interval(row, "flow_fraction", "flow_low", "flow_high", "fraction")


def _gap(row: Row) -> str:
    """In percentage points; between two bounds where a value is a bound."""
    low, high = row["difference_low"], row["difference_high"]
    if math.isnan(row["difference"]):
        return "–" if math.isnan(low) or math.isnan(high) else f"{share(low)} to {share(high)}"
    return share(row["difference"]) + ("" if math.isnan(low) else f" ({share(low)} to {share(high)})")


def _cells(population: str) -> str:
    return "all cells" if population == UNGATED else label(population)
