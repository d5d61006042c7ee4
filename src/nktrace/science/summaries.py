"""The rows of cohort.tsv from the trajectories and kinetics of all patients: per day and quantity, per arm and all."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from nktrace.model.intervals import Interval
from nktrace.model.trajectories import CELLS, TIME_TO_THRESHOLD
from nktrace.science.cohort import (
    Summary,
    smallest_wilcoxon_p,
    summarise_share,
    summarise_values,
    summarise_waiting,
)
from nktrace.science.cohort_models import model_counts
from nktrace.science.drawing import generator
from nktrace.science.reconstitution import waiting
from nktrace.science.visits import COUNT_FAILED, DONOR, FOUND, NOT_FOUND

Row = Mapping[str, Any]

ALL = "all"
OPEN_ENDED = ("tlast", "first_below")  # where censored means: later than


def summarise_cohort(
    patients: Sequence[Row],
    trajectories: Sequence[Row],
    kinetics: Sequence[Row],
    *,
    days: Sequence[float],
    window: float,
    level: float,
    seed: int,
) -> Iterator[dict[str, Any]]:
    """The rows of cohort.tsv.

    Args:
        patients: rows with `patient`, `arm` and `death_day` (None or nan where alive or unknown).
        trajectories, kinetics: rows of these tables, of all patients.
        days, window: at which days counts are modelled, and how far from them a visit may lie.
    """
    counted_once = _one_platform(trajectories)
    deaths = {row["patient"]: math.nan if row["death_day"] is None else row["death_day"] for row in patients}
    for group, members in groups(patients).items():
        seen = [row for row in counted_once if row["patient"] in members and _usable(row)]
        for (measure, unit, day), values in _by_day(seen).items():
            summary = summarise_values(list(values.values()), level=level)
            yield _row(measure, "value", group, day, summary, unit, summary.note)
        yield from _detected((row for row in trajectories if row["patient"] in members), group, level=level)
        for measure in dict.fromkeys(row["measure"] for row in seen if row["unit"] == CELLS):
            counts = [row for row in seen if (row["measure"], row["unit"]) == (measure, CELLS)]
            for quantity, day, summary in model_counts(counts, days=days, window=window, level=level):
                yield _row(measure, quantity, group, day, summary, summary.note)
        mine = [row for row in kinetics if row["patient"] in members]
        yield from _ever_detected(mine, group, level=level)
        for (measure, quantity, unit), rows in _by_quantity(mine).items():
            if quantity.startswith(TIME_TO_THRESHOLD):
                yield from _until(measure, quantity, group, rows, deaths, level=level, seed=seed)
            else:
                yield _quantity(measure, quantity, group, unit, rows, level=level)


def groups(patients: Sequence[Row]) -> dict[str, set[str]]:
    """All patients, and each arm where there is more than one."""
    arms: dict[str, set[str]] = defaultdict(set)
    for row in patients:
        arms[row["arm"] or "no arm"].add(row["patient"])
    everyone = {ALL: {row["patient"] for row in patients}}
    return everyone | {f"arm:{arm}": arms[arm] for arm in sorted(arms)} if len(arms) > 1 else everyone


def _one_platform(trajectories: Sequence[Row]) -> list[Row]:
    """Of each patient and measure the platform with the most visits, which stands first: platforms are never mixed."""
    first: dict[tuple[str, str], str] = {}
    for row in trajectories:
        first.setdefault((row["patient"], row["measure"]), row["platform"])
    return [row for row in trajectories if row["platform"] == first[row["patient"], row["measure"]]]


def _by_day(rows: Iterable[Row]) -> dict[tuple[str, str, float], dict[str, tuple[float, float]]]:
    """Bounds of each patient's value by measure, unit and day: whole days, within a day of the infusion tenths."""
    found: dict[tuple[str, str, float], dict[str, list[tuple[float, float]]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        bounds = (0.0 if row["censored"] else row["observed"], row["observed"])
        found[row["measure"], row["unit"], _day(row)][row["patient"]].append(bounds)
    order = {measure: number for number, measure in enumerate(dict.fromkeys(measure for measure, _, _ in found))}
    return {
        key: {patient: _mean(bounds) for patient, bounds in found[key].items()}
        for key in sorted(found, key=lambda key: (order[key[0]], key[1], key[2]))
    }


def _day(row: Row) -> float:
    return round(row["day"], 1) if abs(row["day"]) < 1 else float(round(row["day"]))


def _said(row: Row, statement: str) -> bool:
    return statement in (row["reason"] or "").split("; ")


def _usable(row: Row) -> bool:
    """Whether a visit has a value or limit that is used: a count that failed its check is only shown."""
    return not math.isnan(row["observed"]) and not _said(row, COUNT_FAILED)


def _detected(trajectories: Iterable[Row], group: str, *, level: float) -> Iterator[dict[str, Any]]:
    """In how many patients donor cells were found on each day, on whatever platform, counted or not."""
    found: dict[float, dict[str, bool]] = defaultdict(dict)
    for row in trajectories:
        told = _said(row, FOUND) or _said(row, NOT_FOUND) or not math.isnan(row["observed"])
        if row["measure"] == DONOR and told:
            here = _said(row, FOUND) or not (row["censored"] or _said(row, NOT_FOUND))
            found[_day(row)][row["patient"]] = here or found[_day(row)].get(row["patient"], False)
    for day in sorted(found):
        share = summarise_share(sum(found[day].values()), len(found[day]), level=level)
        yield _row(DONOR, "detected", group, day, share, share.note)


def _mean(bounds: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Replicates of one day are one value of the patient."""
    return math.fsum(low for low, _ in bounds) / len(bounds), math.fsum(high for _, high in bounds) / len(bounds)


def _by_quantity(rows: Iterable[Row]) -> dict[tuple[str, str, str], list[Row]]:
    found: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for row in rows:
        found[row["measure"], row["quantity"], row["unit"]].append(row)
    return found


def _quantity(
    measure: str, quantity: str, group: str, unit: str, rows: Sequence[Row], *, level: float
) -> dict[str, Any]:
    values = [_bounds(quantity, row) for row in rows if row["status"] != "not_estimable"]
    refused = [row["patient"] for row in rows if row["status"] == "not_estimable"]
    summary = summarise_values(values, level=level) if values else Summary(n=0, method="none")
    notes = [unit, summary.note]
    if refused:
        notes.append(f"not estimable in {', '.join(refused)}")
    if quantity == "fold_change" and smallest_wilcoxon_p(len(values)) > 0.05:
        notes.append(f"with n = {len(values)} no two-sided Wilcoxon p is below {smallest_wilcoxon_p(len(values)):.3g}")
    return _row(measure, quantity, group, math.nan, summary, *notes)


def _bounds(quantity: str, row: Row) -> tuple[float, float]:
    """What is known of a patient's quantity: its value, or where it is censored the bounds."""
    if row["status"] == "ok":
        return row["value"], row["value"]
    if quantity in OPEN_ENDED:
        return (row["ci_low"] if math.isnan(row["value"]) else row["value"]), math.inf
    return row["ci_low"], row["ci_high"]


def _ever_detected(rows: Sequence[Row], group: str, *, level: float) -> Iterator[dict[str, Any]]:
    """In how many patients donor cells were found at all after the infusion, of those in whom they were looked for.

    `tlast` rests on all visits that tell, and is refused where none found any.
    """
    lasting = [row for row in rows if (row["measure"], row["quantity"]) == (DONOR, "tlast")]
    looked = [row for row in lasting if row["n_points"]]
    if looked:
        share = summarise_share(sum(row["status"] != "not_estimable" for row in looked), len(looked), level=level)
        yield _row(DONOR, "ever_detected", group, math.nan, share, share.note)


def _until(
    measure: str,
    quantity: str,
    group: str,
    rows: Sequence[Row],
    deaths: Mapping[str, float],
    *,
    level: float,
    seed: int,
) -> Iterator[dict[str, Any]]:
    """Time to a threshold, and the share that has reached it by each day."""
    at_risk = [row for row in rows if row["status"] != "not_estimable"]
    times = [
        waiting(Interval(row["value"], row["ci_low"], row["ci_high"]), death_day=deaths[row["patient"]])
        for row in at_risk
    ]
    left_out = [f"{row['patient']} ({row['reason']})" for row in rows if row["status"] == "not_estimable"]
    note = f"left out: {', '.join(left_out)}" if left_out else ""
    if not times:
        yield _row(measure, quantity, group, math.nan, Summary(n=0, method="none"), "days", note)
        return
    summary, shares = summarise_waiting(times, level=level, rng=generator(seed, "cohort", measure, quantity, group))
    yield _row(measure, quantity, group, math.nan, summary, "days", summary.note, note)
    reached = "reached:" + quantity.removeprefix(TIME_TO_THRESHOLD)
    for day, share in shares:
        yield _row(measure, reached, group, day, share, share.note)


def _row(measure: str, quantity: str, group: str, day: float, summary: Summary, *notes: str) -> dict[str, Any]:
    return {
        "measure": measure,
        "quantity": quantity,
        "group": group,
        "day": day,
        "n": summary.n,
        "median": summary.median,
        "q1": summary.q1,
        "q3": summary.q3,
        "ci_low": summary.low,
        "ci_high": summary.high,
        "method": summary.method,
        "note": "; ".join(note for note in notes if note),
    }
