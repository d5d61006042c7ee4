from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from nktrace.files.installation import resource
from nktrace.files.knowledge import read_grades
from nktrace.model.intervals import Interval
from nktrace.model.study import Patient, Role, Sample
from nktrace.model.trajectories import Quantity
from nktrace.science.grade_days import days_within, grade_days
from nktrace.science.visits import Timeline

GRADES = read_grades(resource("grades.tsv"))
UNKNOWN_SEX = Patient(patient="P1")
Visit = tuple[float, float]


def exact(value: float) -> Interval:
    return Interval(value, value, value)


def rows_of(visits: list[Visit], **changes: Any) -> list[dict[str, Any]]:
    found: dict[str, Any] = {"population": "lymphocytes", "platform": "beads", "status": "ok", "reason": None}
    found |= {"reference_low": 1_000.0} | changes
    return [
        found | {"sample": f"S{day:g}", "day": day, "cells_per_ul": x, "ci_low": x * 0.9, "ci_high": x / 0.9}
        for day, x in visits
    ]


def days_of(rows: list[dict[str, Any]], patient: Patient = UNKNOWN_SEX) -> dict[str, Quantity]:
    samples = [
        Sample(sample=row["sample"], patient="P1", day=row["day"], role=Role.TIMEPOINT, panel="p", batch="b", fcs="f")
        for row in rows
    ]
    found = grade_days(Timeline(samples), rows, GRADES, patient=patient)
    return {quantity.name: quantity for _, quantity in found}


def test_between_two_visits_the_count_runs_straight_on_the_log_scale() -> None:
    """From 100 to 400 in ten days: 200 after five days; all that is possible, nothing certain."""
    fall = [(0.0, exact(400.0)), (10.0, exact(100.0))]
    assert days_within(fall, 0, 200) == Interval(pytest.approx(5), 0, 10)
    assert days_within(fall, 200, 500) == Interval(pytest.approx(5), 0, 10)
    assert days_within(fall, 500, 800) == Interval(0, 0, 0)
    assert days_within(fall, 0, math.inf) == Interval(10, 10, 10)


def test_a_visit_near_a_threshold_makes_no_day_certain() -> None:
    near = [(0.0, Interval(210.0, 190.0, 230.0)), (7.0, Interval(300.0, 280.0, 320.0)), (9.0, exact(300.0))]
    assert days_within(near, 200, 500) == Interval(9, 2, 9)
    assert days_within(near, 0, 200) == Interval(0, 0, 7)


def test_days_in_the_grades_sum_to_the_days_of_follow_up() -> None:
    rng = np.random.default_rng(1)
    days = [0.0, 1.0, 4.0, 7.0, 14.0, 28.0]
    found = days_of(rows_of([(day, float(x)) for day, x in zip(days, rng.lognormal(6, 1, 6), strict=True)]))
    assert sum(quantity.value.value for quantity in found.values()) == pytest.approx(28)
    assert set(found) == {f"days_in_grade:{grade}" for grade in range(5)}
    for quantity in found.values():
        assert 0 <= quantity.value.low <= quantity.value.value <= quantity.value.high <= 28
        assert (quantity.status, quantity.unit, quantity.n_points) == ("ok", "days", 6)


def test_bounds_hold_the_true_days_of_courses_without_detours() -> None:
    """True counts fall and rise once; visits hold the turn, and are counted with 10 % error."""
    rng = np.random.default_rng(2)
    fine, visits = np.linspace(0, 28, 28_001), np.array([0.0, 1.0, 4.0, 7.0, 14.0, 21.0, 28.0])
    for _ in range(100):
        knots = np.log(rng.uniform(50, 3_000)), np.log(rng.uniform(10, 200)), np.log(rng.uniform(50, 3_000))
        course = np.exp(np.interp(fine, [0, 7, 28], knots))
        true = np.exp(np.interp(visits, [0, 7, 28], knots))
        counts = [
            (float(day), Interval(float(x), float(x * 0.8), float(x * 1.25)))
            for day, x in zip(visits, true, strict=True)
        ]
        found = days_within(counts, 200, 500)
        days = float(np.mean((course >= 200) & (course < 500)) * 28)
        assert found.low - 0.01 <= days <= found.high + 0.01
        assert found.value == pytest.approx(days, abs=0.02)


def test_days_count_from_the_infusion_even_where_the_visit_was_before_it() -> None:
    found = days_of(rows_of([(-7, 150.0), (7, 150.0), (14, 150.0)]))
    assert found["days_in_grade:4"].value == Interval(14, 14, 14)
    assert found["days_in_grade:4"].n_points == 2
    assert "day 0 to 14" in found["days_in_grade:4"].reason


def test_without_a_limit_of_normal_the_grades_that_need_it_are_refused() -> None:
    found = days_of(rows_of([(0, 150.0), (7, 150.0)], reference_low=math.nan))
    refused = {name for name, quantity in found.items() if quantity.status == "not_estimable"}
    assert refused == {"days_in_grade:0", "days_in_grade:1"}
    assert "sex and age" in found["days_in_grade:1"].reason
    assert found["days_in_grade:4"].value.value == 7
    boy = days_of(
        rows_of([(0, 150.0), (7, 150.0)], reference_low=math.nan), Patient(patient="P1", sex="M", age_years=12)
    )
    assert boy["days_in_grade:1"].reason == "no reference range for M, 12 years"


def test_a_normal_range_that_reaches_below_a_threshold_leaves_grade_1_no_room() -> None:
    """Women's CD4 cells are normal from 399, and below 500 is grade 2."""
    rows = rows_of([(0, 450.0), (7, 450.0)], population="cd4_t", reference_low=399.0)
    found = days_of(rows)
    assert found["days_in_grade:2"].value.value == 7
    assert found["days_in_grade:0"].value.value == 0
    assert found["days_in_grade:1"].value == Interval(0, 0, 0)
    assert "no count has this grade" in found["days_in_grade:1"].reason


def test_counts_of_doubtful_quality_and_of_another_platform_are_left_out_and_said() -> None:
    good = rows_of([(0, 300.0), (7, 300.0), (14, 300.0)])
    failed = rows_of([(3, 10.0)], status="fail")
    flagged = rows_of([(5, 10.0)], status="warn", reason="gate_doubtful: lymphocytes (one peak)")
    found = days_of([*good, *failed, *flagged, *rows_of([(4, 900.0)], platform="dual")])
    assert found["days_in_grade:3"].value == Interval(14, 14, 14)
    assert "platform beads; 2 count(s) of doubtful quality left out" in found["days_in_grade:3"].reason


def test_a_count_taken_over_and_one_by_an_undeclared_volume_are_no_visits() -> None:
    good = rows_of([(0, 300.0), (7, 300.0)])
    copied = rows_of([(14, 300.0)], reason="counted in tube C14")
    washed = rows_of([(21, 10.0)], status="warn", reason="volume 80 uL by the file's $VOL, which holds")
    found = days_of([*good, *copied, *washed])["days_in_grade:3"]
    assert (found.value, found.n_points) == (Interval(7, 7, 7), 2)
    assert "1 count(s) of doubtful quality left out" in found.reason


def test_one_visit_has_no_days() -> None:
    found = days_of(rows_of([(7, 300.0)]))
    assert {quantity.status for quantity in found.values()} == {"not_estimable"}
    assert "fewer than two visits" in found["days_in_grade:3"].reason


def test_without_a_platform_there_are_no_days_but_a_reason() -> None:
    found = days_of(rows_of([(0, math.nan), (7, math.nan)], platform="none", status="not_available"))
    assert {quantity.status for quantity in found.values()} == {"not_estimable"}
    assert found["days_in_grade:3"].n_points == 0
