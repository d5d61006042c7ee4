"""What of a patient's visits the curve and the quantities rest on."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nktrace.model.intervals import Interval
from nktrace.model.study import Patient
from nktrace.model.trajectories import CELLS, Series, Visit
from nktrace.science.following import Followed, follow

FLAT = [(3.0, 30.0), (7.0, 32.0), (14.0, 31.0), (21.0, 30.0), (28.0, 33.0)]


def visit(day: float, value: float, *, error: float = 0.1, failed: bool = False) -> Visit:
    spread = math.exp(1.96 * error)
    return Visit(day=day, observed=Interval(value, value / spread, value * spread), failed=failed)


def followed(*visits: Visit, measure: str = "nk", thresholds: tuple[float, ...] = ()) -> Followed:
    series = Series(patient="P", measure=measure, unit=CELLS, platform="beads", visits=visits)
    (found,) = follow(
        [series],
        Patient(patient="P"),
        seed=1,
        level=0.95,
        min_points=4,
        draws=1000,
        grid_points=0,
        thresholds={measure: list(thresholds)},
        confirm=False,
        days=(10.0,),
        window=1.0,
    )
    return found


def test_a_failed_count_is_part_of_no_curve_and_no_quantity() -> None:
    found = followed(*(visit(*one) for one in FLAT), visit(10, 400, failed=True), thresholds=(200.0,))
    quantities = {quantity.name: quantity for quantity in found.quantities}
    assert quantities["time_to_threshold:200"].status == "censored"
    assert quantities["day_10"].status == "not_estimable"
    assert quantities["auc"].value.high < 1200
    assert not found.fitted[-1].known
    assert found.left_out == "1 failed count(s) left out"
    assert followed(*(visit(*one) for one in FLAT)).left_out == ""


@pytest.mark.parametrize("measure", ["donor_nk", "nk"])
def test_the_extreme_of_a_flat_course_is_its_level(measure: str) -> None:
    covered, values = [], []
    for number in range(25):
        noise = np.random.default_rng([9, number]).lognormal(0, 0.4, len(FLAT))
        visits = [visit(day, 30 * by, error=0.4) for (day, _), by in zip(FLAT, noise.tolist(), strict=True)]
        quantities = {quantity.name: quantity for quantity in followed(*visits, measure=measure).quantities}
        extreme = quantities["cmax" if measure == "donor_nk" else "nadir"].value
        covered.append(extreme.low <= 30 <= extreme.high)
        values.append(extreme.value / 30)
    assert sum(covered) >= 23
    assert 0.8 < np.median(values) < 1.25
