"""The rows of cohort.tsv."""

from __future__ import annotations

import math
from typing import Any

from nktrace.files.table_columns import COLUMNS
from nktrace.science.summaries import summarise_cohort

PATIENTS = [{"patient": f"P{i}", "arm": "low" if i < 4 else "high", "death_day": None} for i in range(6)]


def seen(
    patient: int, day: float, value: float, censored: bool = False, platform: str = "dual", reason: str | None = None
) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(COLUMNS["trajectories"], math.nan)
    return row | {
        "patient": f"P{patient}",
        "measure": "donor_nk",
        "unit": "cells/µL",
        "platform": platform,
        "day": day,
        "observed": value,
        "censored": censored,
        "reason": reason,
    }


def read(
    patient: int, quantity: str, status: str, value: float, low: float, high: float, reason: str = ""
) -> dict[str, Any]:
    return {
        "patient": f"P{patient}",
        "measure": "donor_nk" if quantity in ("cmax", "tlast") else "nk",
        "quantity": quantity,
        "value": value,
        "ci_low": low,
        "ci_high": high,
        "unit": "days",
        "n_points": 5,
        "status": status,
        "reason": reason,
    }


def rows(
    trajectories: list[dict[str, Any]], kinetics: list[dict[str, Any]]
) -> dict[tuple[str, str, float | None], Any]:
    found = list(summarise_cohort(PATIENTS, trajectories, kinetics, days=[7.0], window=3.0, level=0.95, seed=1))
    assert all(row.keys() == COLUMNS["cohort"].keys() for row in found)
    return {(r["quantity"], r["group"], None if math.isnan(r["day"]) else r["day"]): r for r in found}


def test_each_patient_counts_once_a_day() -> None:
    values = [seen(i, 7.2, 10.0 * (i + 1)) for i in range(6)] + [seen(0, 6.9, 30.0)]
    found = rows(values, [])
    assert (found["value", "all", 7]["n"], found["value", "arm:low", 7]["n"]) == (6, 4)
    assert found["value", "all", 7]["median"] == 35  # P0: mean of 10 and 30


def test_before_and_after_the_infusion_are_not_mixed() -> None:
    found = rows([seen(0, -0.1, 5.0), seen(0, 0.1, 9.0)], [])
    assert (found["value", "all", -0.1]["median"], found["value", "all", 0.1]["median"]) == (5, 9)


def test_detection_is_a_share_of_patients_with_an_exact_interval() -> None:
    found = rows([seen(i, 28, 0.3, censored=True) for i in range(6)], [])
    detected = found["detected", "all", 28]
    assert (detected["median"], detected["ci_low"], round(detected["ci_high"], 3)) == (0, 0, 0.459)
    assert math.isnan(found["value", "all", 28]["median"])


def test_never_found_counts_against_ever_detected_and_is_a_bound_of_the_height() -> None:
    heights = [read(i, "cmax", "ok", 5.0 + i, 4, 9) for i in range(5)] + [read(5, "cmax", "censored", math.nan, 0, 0.2)]
    lasting = [read(i, "tlast", "ok", 7, math.nan, math.nan) for i in range(5)]
    found = rows([], [*heights, *lasting, read(5, "tlast", "not_estimable", math.nan, math.nan, math.nan)])
    assert found["ever_detected", "all", None]["note"] == "5 of 6"
    assert found["cmax", "all", None]["median"] == 6.5
    assert found["cmax", "all", None]["ci_low"] == 0


def test_still_there_at_the_end_is_open_above() -> None:
    lasting = [
        read(i, "tlast", "censored" if i < 3 else "ok", 28.0 if i < 3 else 7.0, math.nan, math.nan) for i in range(6)
    ]
    found = rows([], lasting)
    assert math.isnan(found["tlast", "all", None]["median"])
    assert "between 17.5 and inf" in found["tlast", "all", None]["note"]


def test_what_is_not_estimable_is_named() -> None:
    few = [read(0, "fold_change", "ok", 2, 1, 3), read(1, "fold_change", "not_estimable", math.nan, math.nan, math.nan)]
    note = rows([], few)["fold_change", "all", None]["note"]
    assert "not estimable in P1" in note
    assert "no two-sided Wilcoxon p is below 1" in note


def test_time_to_threshold_leaves_out_who_was_not_at_risk() -> None:
    times = [read(i, "time_to_threshold:100", "ok", 10, 7, 14) for i in range(3)]
    times.append(read(3, "time_to_threshold:100", "censored", math.inf, 20, math.inf, "death"))
    times.append(read(4, "time_to_threshold:100", "not_estimable", math.nan, math.nan, math.nan, "not at risk"))
    found = rows([], times)
    total = found["time_to_threshold:100", "all", None]
    assert (total["n"], total["median"]) == (4, 10.5)
    assert "left out: P4 (not at risk)" in total["note"]
    assert "no band" in total["note"]
    assert found["reached:100", "all", 14]["median"] == 0.75


def test_who_died_long_after_the_last_visit_did_not_reach_it_after_the_death() -> None:
    patients = [one | {"death_day": 60.0 if number < 3 else None} for number, one in enumerate(PATIENTS)]
    name = "time_to_threshold:100"
    times = [read(i, name, "censored", math.nan, 42, math.inf) for i in range(3)]
    times += [read(i, name, "ok", 190, 180, 200) for i in range(3, 6)]
    found = list(summarise_cohort(patients, [], times, days=[7.0], window=3.0, level=0.95, seed=1))
    (share,) = [row for row in found if (row["quantity"], row["group"], row["day"]) == ("reached:100", "all", 200)]
    assert share["median"] == 0.5
    assert "3 death(s) by which it may have been reached unseen" in share["method"]


def test_platforms_of_a_patient_are_not_averaged() -> None:
    rows = [seen(0, 7, 10.0), seen(0, 14, 10.0), seen(0, 7, 90.0, platform="beads"), seen(1, 7, 30.0, platform="beads")]
    found = summarise_cohort(PATIENTS[:2], rows, [], days=[7.0], window=3.0, level=0.95, seed=1)
    (day_7,) = [row for row in found if row["quantity"] == "value" and row["day"] == 7 and row["group"] == "all"]
    assert (day_7["n"], day_7["median"]) == (2, 20.0)


def test_found_without_a_peak_counts_as_found_and_not_looked_for_does_not_count() -> None:
    unknown = math.nan, math.nan, math.nan
    kinetics = [read(0, "cmax", "not_estimable", *unknown), read(0, "tlast", "ok", 2, math.nan, math.nan)]
    kinetics.append(read(1, "tlast", "not_estimable", *unknown) | {"n_points": 0})
    assert rows([], kinetics)["ever_detected", "all", None]["note"] == "1 of 1"


def test_detection_is_read_from_all_platforms_and_from_visits_without_a_count() -> None:
    visits = [seen(0, 7, 5.0), seen(0, 14, 5.0), seen(0, 1, 9.0, platform="beads")]
    visits += [seen(1, 7, math.nan, reason="no NK count; donor cells detected")]
    visits += [seen(2, 7, math.nan, reason="no NK count; no donor cells detected"), seen(3, 7, math.nan)]
    found = rows(visits, [])
    assert (found["detected", "all", 7]["note"], found["detected", "all", 1]["note"]) == ("2 of 3", "1 of 1")
    assert found["value", "all", 7]["n"] == 1
    assert ("value", "all", 1) not in found


def test_a_failed_count_is_in_no_summary() -> None:
    failed = "two tubes differ; the count failed its check: shown, not used"
    found = rows([seen(0, 7, 10.0), seen(1, 7, 90.0, reason=failed)], [])
    assert (found["value", "all", 7]["n"], found["value", "all", 7]["median"]) == (1, 10.0)
    assert found["detected", "all", 7]["note"] == "2 of 2"
