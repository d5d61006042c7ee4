"""The first screen of a patient's page: four questions, each answered in one line from the tables."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from nktrace.model.study import Sample
from nktrace.pages.words import NOT_AVAILABLE, day, interval, label, percent
from nktrace.science.doubt import flags_in, together

Row = Mapping[str, Any]
Answer = dict[str, Any]

SEEN = ("detected", "quantified")


def answers(
    samples: Sequence[Sample],
    *,
    chimerism: Sequence[Row],
    by_donor: Sequence[Row] = (),
    trajectories: Sequence[Row],
    kinetics: Sequence[Row],
    subsets: Sequence[Row],
) -> list[Answer]:
    """Whose, how many, which subset, for how long: `question`, `value`, `unit` and further `lines` of each."""
    quantities = {row["quantity"]: row for row in kinetics if row["measure"] == "donor_nk"}
    shares = sorted((row for row in chimerism if row["population"] == "nk"), key=lambda row: row["day"])
    found = [
        _whose(shares, [row for row in by_donor if row["population"] == "nk" and row["status"] in SEEN]),
        _how_many(quantities, trajectories),
        _which(samples, subsets, chimerism),
        _how_long(quantities, trajectories),
    ]
    return [answer | {"lines": list(dict.fromkeys(answer["lines"]))} for answer in found]


def _whose(shares: Sequence[Row], each: Sequence[Row]) -> Answer:
    """Of all donors; of several those that are seen alone too, by rows of `each`."""
    seen = [row for row in shares if row["status"] in SEEN]
    told = [row for row in shares if row["status"] in (*SEEN, "not_detected")]
    if seen:
        highest = max(seen, key=lambda row: row["donor_fraction"])
        answer = _answer("Whose?", interval(highest, "donor_fraction", show="fraction"))
        answer["unit"] = f"donor, the highest share of NK cells (day {day(highest['day'])})"
        answer["lines"] += doubtful(highest)
    elif each:
        answer = _answer("Whose?", "donor NK found", unit="of one of several donors, by its own antibody")
    elif told:
        answer = _answer("Whose?", "no donor NK found", unit=f"in {len(told)} sample(s)")
    else:
        answer = _answer("Whose?", "cannot be told")
        answer["lines"] = [next((row["reason"] for row in shares if row["reason"]), "no sample with HLA stains")]
    if told:
        answer["lines"].append(
            f"latest, day {day(told[-1]['day'])}: {share_of(told[-1])}{', all donors together' if each else ''}"
        )
        answer["lines"] += doubtful(told[-1])
    for donor in dict.fromkeys(row["donor"] for row in each):
        top = max((row for row in each if row["donor"] == donor), key=lambda row: row["donor_fraction"])
        answer["lines"].append(f"donor {donor} alone, highest, day {day(top['day'])}: {share_of(top)}")
    changed = [row for row in told if not math.isnan(row["change_from_baseline"])]
    if changed:
        shown = interval(changed[-1], "change_from_baseline", "change_low", "change_high", "percent")
        answer["lines"].append(f"change from the baseline, day {day(changed[-1]['day'])}: {shown} of NK cells")
    return answer


def share_of(row: Row) -> str:
    """A donor fraction, or what is known instead of it."""
    if row["status"] in SEEN:
        return interval(row, "donor_fraction", show="fraction")
    if row["status"] == "not_detected":
        return f"not detected (LoD {percent(row['lod'])})"
    return label(row["status"])


def doubtful(*rows: Row | None) -> list[str]:
    """What is doubtful about the gates that these rows rest on, a line for each."""
    flags = together(*(flags_in(row["reason"]) for row in rows if row is not None))
    return [flag.replace("_", " ", 1) for flag in flags]


def _at(trajectories: Sequence[Row], measure: str, when: Row | None) -> list[Row]:
    """The visits of a measure on the day that a quantity names."""
    return [row for row in trajectories if when and row["measure"] == measure and row["day"] == when["value"]]


def _how_many(quantities: Mapping[str, Row], trajectories: Sequence[Row]) -> Answer:
    peak, when = quantities.get("cmax"), quantities.get("tmax")
    unit = f"{peak['unit']}, peak of donor NK cells" if peak else ""
    if when and not math.isnan(when["value"]):
        unit += f" (day {day(when['value'])})"
    answer = _answer("How many?", _value(peak), unit=unit)
    answer["lines"] += doubtful(*_at(trajectories, "donor_nk", when))
    if net := quantities.get("cmax_net"):
        answer["lines"].append(f"peak above the baseline: {_value(net)} {net['unit']}")
    nk = [row for row in trajectories if row["measure"] == "nk" and not math.isnan(row["observed"])]
    if nk:
        last = max(nk, key=lambda row: row["day"])
        shown = interval(last, "observed", "observed_low", "observed_high")
        below = "below " if last["censored"] else ""
        answer["lines"].append(f"all NK cells, day {day(last['day'])}: {below}{shown} {last['unit']}")
        answer["lines"] += doubtful(last)
    return answer


def _which(samples: Sequence[Sample], subsets: Sequence[Row], chimerism: Sequence[Row]) -> Answer:
    exclusive = [
        row for row in subsets if not row["subset"].startswith("state:") and not math.isnan(row["fraction_of_nk"])
    ]
    shown = [sample for sample in samples if any(row["sample"] == sample.sample and row["events"] for row in exclusive)]
    if not shown:
        return _answer("Which subset?", NOT_AVAILABLE)
    latest = max(shown, key=lambda sample: sample.day)
    mine = sorted((row for row in exclusive if row["sample"] == latest.sample), key=lambda row: -row["fraction_of_nk"])
    unit = f"{interval(mine[0], 'fraction_of_nk', show='percent')} of NK cells (day {day(latest.day)})"
    answer = _answer("Which subset?", label(mine[0]["subset"]), unit=unit)
    answer["lines"] += doubtful(mine[0])
    names = {row["subset"] for row in exclusive}
    donor = [row for row in chimerism if row["population"] in names and row["status"] in SEEN]
    donor = [row for row in donor if not math.isnan(row["donor_cells_per_ul"])]
    if donor:
        most = max(donor, key=lambda row: row["donor_cells_per_ul"])
        cells = interval(most, "donor_cells_per_ul", "donor_cells_ci_low", "donor_cells_ci_high")
        words = f"donor cells, the most: {label(most['population'])}, {cells} cells/µL (day {day(most['day'])})"
        answer["lines"].append(words)
        answer["lines"] += doubtful(most)
    return answer


def _how_long(quantities: Mapping[str, Row], trajectories: Sequence[Row]) -> Answer:
    last, below, half = (quantities.get(name) for name in ("tlast", "first_below", "half_life_days"))
    if last is None or math.isnan(last["value"]):
        answer = _answer("For how long?", NOT_AVAILABLE, unit=(last["reason"] or "") if last else "")
    else:
        open_end = (last["reason"] or "still detected at the last visit").split("; ")[0]
        still = open_end if last["status"] == "censored" else "donor NK last detected"
        answer = _answer("For how long?", f"day {day(last['value'])}", unit=still)
        answer["lines"] += doubtful(*_at(trajectories, "donor_nk", last))
    if below and below["status"] == "ok":
        answer["lines"].append(f"first below detection: day {interval(below, 'value', show='day')}")
    if half:
        answer["lines"].append(f"half-life: {_value(half)}{' days' if half['status'] == 'ok' else ''}")
    return answer


def _value(row: Row | None) -> str:
    if row is None:
        return NOT_AVAILABLE
    return "not estimable" if row["status"] == "not_estimable" else interval(row, "value")


def _answer(question: str, value: str, unit: str = "") -> Answer:
    return {"question": question, "value": value, "unit": unit, "lines": []}
