"""When counts came back: who was at risk of a threshold, when each patient reached it, and the share by a day."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from nktrace.figures.waiting import Step, Wait, days_of_waits, steps_picture, waits_picture
from nktrace.model.trajectories import TIME_TO_THRESHOLD, Ending, ending
from nktrace.pages.claims import LEAST_FOR_MEDIAN
from nktrace.pages.render import drawn
from nktrace.pages.words import NOT_AVAILABLE, day, interval, label, number, percent

Row = Mapping[str, Any]

REACHED = "reached:"
ALL, ARM, NO_ARM = "all", "arm:", "no arm"  # groups of cohort.tsv
MOST_LANES = 40  # of more patients the share alone is shown
NOT_AT_RISK = "not_estimable"


def reconstitution(patients: Sequence[Row], kinetics: Sequence[Row], summary: Sequence[Row]) -> list[dict[str, Any]]:
    """A row per population and threshold, with its figures: each patient's interval, and from three patients on the
    share over time.

    Args:
        patients: rows with `patient` and, of the dead, `death_day`.
        kinetics: rows of kinetics.tsv.
        summary: rows of cohort.tsv.
    """
    times = [row for row in kinetics if row["quantity"].startswith(TIME_TO_THRESHOLD)]
    over_all = [row for row in summary if row["group"] == ALL]
    found = []
    for measure, quantity in dict.fromkeys((row["measure"], row["quantity"]) for row in times):
        mine = [row for row in times if (row["measure"], row["quantity"]) == (measure, quantity)]
        threshold = quantity.removeprefix(TIME_TO_THRESHOLD)
        known = {
            name: [r for r in over_all if (r["measure"], r["quantity"]) == (measure, name)]
            for name in (quantity, REACHED + threshold)
        }
        found.append(_threshold(measure, threshold, patients, mine, known[quantity], known[REACHED + threshold]))
    return found


def reached_of(row: Row, patients: Sequence[Row], kinetics: Sequence[Row]) -> int | None:
    """Of a row of cohort.tsv about a threshold, in how many of its patients that was reached, by its day if it has one.

    None for other rows.
    """
    kind, colon, threshold = (row["quantity"] or "").partition(":")
    if f"{kind}{colon}" not in (TIME_TO_THRESHOLD, REACHED):
        return None
    arms = {one["patient"]: f"{ARM}{one['arm'] or NO_ARM}" for one in patients}
    mine = [
        time
        for time in kinetics
        if (time["measure"], time["quantity"]) == (row["measure"], TIME_TO_THRESHOLD + threshold)
        and row["group"] in (ALL, arms.get(time["patient"]))
    ]
    by = math.inf if math.isnan(row["day"]) else row["day"]
    return sum(bool(time["ci_high"] <= by) for time in outcomes(mine, _deaths(patients))[Ending.REACHED])


def outcomes(rows: Sequence[Row], deaths: Mapping[str, float]) -> dict[Ending, list[Row]]:
    """The rows of those at risk by how the waiting ended; `deaths` has the day of each death."""
    found: dict[Ending, list[Row]] = {how: [] for how in Ending}
    for row in rows:
        how = ending(value=row["value"], status=row["status"], death_day=deaths.get(row["patient"], math.nan))
        if how is not None:
            found[how].append(row)
    return found


def _deaths(patients: Sequence[Row]) -> dict[str, float]:
    return {one["patient"]: one["death_day"] for one in patients if one.get("death_day") is not None}


def _threshold(
    measure: str,
    threshold: str,
    patients: Sequence[Row],
    rows: Sequence[Row],
    medians: Sequence[Row],
    shares: Sequence[Row],
) -> dict[str, Any]:
    deaths = _deaths(patients)
    ended = outcomes(rows, deaths)
    waits = [
        _wait(row, how, deaths.get(row["patient"], math.nan))
        for how, mine in ended.items()
        for row in sorted(mine, key=_when)
    ]
    name = f"{label(measure)}, {number(float(threshold))} cells/µL"
    steps = _steps(waits, shares)
    return {
        "name": label(measure),
        "threshold": number(float(threshold)),
        "at_risk": len(waits),
        "counts": {how.value: len(mine) for how, mine in ended.items()},
        "median": _median(len(waits), medians, steps),
        "left_out": "; ".join(_left_out(patients, rows)),
        "figures": _figures(name, waits, steps) if waits else [],
    }


def _when(row: Row) -> tuple[float, float, str]:
    return row["ci_high"], row["ci_low"], row["patient"]


def _median(n: int, medians: Sequence[Row], steps: Sequence[Step]) -> str:
    """In days; none of fewer than three patients, and only the days that it lies between where it has no interval."""
    if n < LEAST_FOR_MEDIAN or not medians:
        return NOT_AVAILABLE
    if math.isnan(medians[0]["ci_low"]):
        half = next((step for step in steps if step.share >= 0.5 - 1e-6), None)
        return f"between {day(half.left)} and {day(half.right)}" if half else "not reached"
    return "not reached" if math.isnan(medians[0]["median"]) else interval(medians[0], "median")


def _left_out(patients: Sequence[Row], rows: Sequence[Row]) -> list[str]:
    """Who is not at risk, by reason and name."""
    reasons: dict[str, list[str]] = {}
    for row in rows:
        if row["status"] == NOT_AT_RISK:
            why = re.split(r" \(|: |; ", row["reason"] or "no reason given", maxsplit=1)[0]
            reasons.setdefault(why, []).append(row["patient"])
    there = {row["patient"] for row in rows}
    if absent := [row["patient"] for row in patients if row["patient"] not in there]:
        reasons["not counted"] = absent
    return [f"{why}: {', '.join(names)}" for why, names in reasons.items()]


def _wait(row: Row, ended: Ending, death_day: float) -> Wait:
    low, high, at = row["ci_low"], row["ci_high"], number(row["value"])
    told = {
        Ending.REACHED: f"reached after day {day(low)} and by day {day(high)}, {at} between the counts",
        Ending.CENSORED: f"below up to day {day(low)}, not surely reached after it",
        Ending.DIED_BEFORE: f"died on day {day(low)}, not reached before",
        Ending.DIED_LATER: f"below up to day {day(low)}, not known from then to the death on day {day(death_day)}",
    }[ended]
    title = "; ".join(part for part in (told, row["reason"]) if part)
    dot = row["value"] if math.isfinite(row["value"]) else math.nan
    death = {Ending.DIED_BEFORE: low, Ending.DIED_LATER: death_day}.get(ended, math.nan)
    return Wait(name=row["patient"], low=low, high=high, at=dot, death=death, title=title)


def _figures(name: str, waits: Sequence[Wait], steps: Sequence[Step]) -> list[dict[str, Any]]:
    days = days_of_waits(waits)
    figures = []
    if len(waits) <= MOST_LANES:
        image = waits_picture(waits, days=days, name=f"{name}: when each patient reached it")
        figures.append({"name": name, "unit": "each patient at risk", "image": drawn(image)})
    if len(waits) >= LEAST_FOR_MEDIAN:
        words = f"share of {len(waits)} patients that reached it"
        until = max(wait.last for wait in waits)
        picture = steps_picture(steps, until=until, days=days, name=f"{name}: {words}", axis=words)
        figures.append({"name": name, "unit": words, "image": drawn(picture)})
    return figures


def _steps(waits: Sequence[Wait], shares: Sequence[Row]) -> list[Step]:
    """Where the estimate rises: to the day of a row of cohort.tsv, from the last day before it on which anybody who was
    not yet known never to reach it was known to be below. In between it is not determined."""
    alive = [wait for wait in waits if not wait.never]
    steps = []
    for row in sorted(shares, key=lambda row: row["day"]):
        exact = any(wait.low == wait.high == row["day"] for wait in alive)
        left = max((wait.low for wait in alive if wait.low < row["day"]), default=0.0)
        title = f"by day {day(row['day'])}: {percent(row['median'])}{_band(row)}"
        bounds = {"low": row["ci_low"], "high": row["ci_high"]}
        steps.append(
            Step(left=row["day"] if exact else left, right=row["day"], share=row["median"], title=title, **bounds)
        )
    return steps


def _band(row: Row) -> str:
    return "" if math.isnan(row["ci_low"]) else f" ({percent(row['ci_low'])} to {percent(row['ci_high'])})"
