"""When counts came back, over the patients: what the cohort's page says of 1, 3 and 12 of them."""

from __future__ import annotations

import math
from typing import Any

from nktrace.pages.cohort import cohort_page
from nktrace.pages.reconstitution import reached_of, reconstitution
from nktrace.science.summaries import summarise_cohort
from tests.pages.forbidden import claims, said
from tests.pages.reading import Page
from tests.pages.study_rows import HOSTILE, cohort_values, row

ABOVE = "already above at baseline (day -1): not at risk; platform dual; kept apart: beads"


def reached(patient: str, low: float, high: float) -> dict[str, Any]:
    return _time(patient, status="ok", value=(low + high) / 2, ci_low=low, ci_high=high)


def waiting(patient: str, low: float) -> dict[str, Any]:
    return _time(patient, status="censored", ci_low=low, ci_high=math.inf)


def died(patient: str, day: float) -> dict[str, Any]:
    return _time(patient, status="censored", value=math.inf, ci_low=day, ci_high=math.inf)


def left_out(patient: str, reason: str = ABOVE) -> dict[str, Any]:
    return _time(patient, status="not_estimable", reason=reason)


def _time(patient: str, **known: Any) -> dict[str, Any]:
    return row("kinetics", patient=patient, measure="nk", quantity="time_to_threshold:100", unit="days", **known)


def page(
    kinetics: list[dict[str, Any]], *, others: tuple[str, ...] = (), deaths: dict[str, float] | None = None
) -> Page:
    names = (*dict.fromkeys(r["patient"] for r in kinetics), *others)
    patients = [{"patient": name, "arm": "", "death_day": (deaths or {}).get(name)} for name in names]
    summary = list(summarise_cohort(patients, [], kinetics, days=(7.0,), window=3.0, level=0.95, seed=1))
    return Page(cohort_page(**_nothing() | {"patients": patients, "kinetics": kinetics, "summary": summary}))


def _nothing() -> dict[str, Any]:
    values = cohort_values()
    return {name: [] for name in values}


def figures(html: Page) -> list[str]:
    return [svg["aria-label"] for svg in html.all("svg") if "cells/µL" in svg.get("aria-label", "")]


def test_one_patient_has_an_interval_and_no_median_anywhere() -> None:
    html = page([reached("P1", 4.0, 7.0), left_out("P2"), left_out("P3")], others=("P4",))
    assert "NK cells 100 1 1 of 1 0 0 0 – already above at baseline: P2, P3; not counted: P4" in html.text
    assert figures(html) == ["NK cells, 100 cells/µL: when each patient reached it"]
    assert "P1: reached after day 4 and by day 7, 5.5 between the counts" in html.text
    assert "5.5 to 5.5" not in html.text
    assert "Days to 100 cells/µL all – 1 1 of 1 – Turnbull" in html.text
    assert "Patients who reached 100 cells/µL, share all 7 1 1 of 1 – Turnbull" in html.text


def test_three_patients_have_a_median_between_two_days_and_a_share_without_a_band() -> None:
    html = page([reached("P1", 4.0, 7.0), reached("P2", 7.0, 14.0), waiting("P3", 28.0)])
    assert "NK cells 100 3 2 of 3 1 0 0 between 7 and 14" in html.text
    assert len(figures(html)) == 2
    assert "by day 14: 66.7 %" in html.text
    assert "by day 14: 66.7 % (" not in html.text


def test_ten_patients_have_a_band_and_the_dead_stay_in_the_denominator() -> None:
    kinetics = [reached(f"P{n}", 4.0, 7.0) for n in range(6)] + [died(f"D{n}", 20.0) for n in range(6)]
    html = page(kinetics)
    assert "NK cells 100 12 6 of 12 0 6 0" in html.text
    assert "by day 7: 50.0 % (" in html.text
    assert "D0: died on day 20, not reached before" in html.text
    assert claims(said(cohort_page(**_nothing() | {"kinetics": kinetics}))) == []


def test_who_died_after_time_without_visits_is_neither_waiting_nor_known_to_have_missed_it() -> None:
    kinetics = [reached("P1", 180.0, 200.0), reached("P2", 180.0, 200.0), waiting("P3", 42.0), died("P4", 50.0)]
    html = page(kinetics, deaths={"P3": 60.0, "P4": 50.0})
    assert "NK cells 100 4 2 of 4 0 1 1" in html.text
    assert "P3: below up to day 42, not known from then to the death on day 60" in html.text
    assert "by day 200: 50.0 %" in html.text


def test_with_nobody_at_risk_the_table_says_why_and_nothing_is_drawn() -> None:
    html = page([left_out("P1"), left_out("P2", "no baseline: above on day 7, and perhaps before")])
    assert "NK cells 100 0 – – – – – already above at baseline: P1; no baseline: P2" in html.text
    assert figures(html) == []
    assert "Until counts reach a threshold" not in page([]).text


def test_the_share_rises_between_the_last_day_below_and_the_first_above() -> None:
    """Of all who lived; the days of the dead bound nothing."""
    kinetics = [reached("P1", 4.0, 7.0), reached("P2", 4.0, 14.0), reached("P3", 7.0, 14.0), died("P4", 13.0)]
    patients = [{"patient": r["patient"], "arm": "", "death_day": None} for r in kinetics]
    summary = list(summarise_cohort(patients, [], kinetics, days=(7.0,), window=3.0, level=0.95, seed=1))
    (found,) = reconstitution(patients, kinetics, summary)
    boxes = [label for label in Page(str(found["figures"][1]["image"])).all("rect") if "stroke-dasharray" in label]
    ends = [(float(box["x"]), float(box["x"]) + float(box["width"])) for box in boxes]
    assert abs(ends[0][1] - ends[1][0]) < 0.1, "from 4 to 7, then from 7 to 14"


def test_of_an_arm_its_own_patients_count() -> None:
    patients = [{"patient": "P1", "arm": "low"}, {"patient": "P2", "arm": ""}]
    kinetics = [reached("P1", 4.0, 7.0), waiting("P2", 28.0)]
    known = {"measure": "nk", "n": 1}

    def count(**more: Any) -> int | None:
        return reached_of(row("cohort", **known, **more), patients, kinetics)

    assert count(quantity="time_to_threshold:100", group="all") == 1
    assert count(quantity="time_to_threshold:100", group="arm:low") == 1
    assert count(quantity="time_to_threshold:100", group="arm:no arm") == 0
    assert count(quantity="reached:100", group="all", day=5.0) == 0
    assert count(quantity="reached:100", group="all", day=7.0) == 1
    assert count(quantity="cmax", group="all") is None


def test_many_patients_have_the_share_alone() -> None:
    html = page([reached(f"P{n}", 4.0, 7.0) for n in range(41)])
    assert len(figures(html)) == 1
    assert "share of 41 patients" in figures(html)[0]


def test_hostile_names_and_reasons_stay_text() -> None:
    html = page([reached(HOSTILE, 4.0, 7.0), left_out(HOSTILE + "2", HOSTILE)])
    assert not {"script", "img"} & {tag for tag, _ in html.elements}
