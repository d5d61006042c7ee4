"""What is read off a series, against closed forms, and what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad

from nktrace.model.intervals import UNKNOWN, Interval
from nktrace.model.trajectories import CELLS, Curve, Quantity, Series, Visit
from nktrace.science.kinetics import area, kinetics

LIMIT = 0.2


def visit(day: float, value: float | None, *, baseline: bool = False, quantified: bool = True) -> Visit:
    """A visit with a value, or, for None, under the limit."""
    if value is None:
        observed = Interval(LIMIT, 0.0, LIMIT)
        return Visit(day=day, observed=observed, censored=True, quantified=False, after=not baseline, baseline=baseline)
    observed = Interval(value, value * 0.99, value * 1.01)
    return Visit(day=day, observed=observed, quantified=quantified, after=not baseline, baseline=baseline)


def uncounted(day: float, found: bool | None) -> Visit:
    return Visit(day=day, observed=UNKNOWN, found=found)


def read(
    *visits: Visit, measure: str = "donor_nk", baseline: float | None = None, elsewhere: tuple[Visit, ...] = ()
) -> dict[str, Quantity]:
    """Quantities from draws that all but equal the values (limits: half)."""
    series = Series(patient="P", measure=measure, unit=CELLS, platform="beads", visits=visits, elsewhere=elsewhere)
    after = series.after
    values = np.array([v.observed.value * (0.5 if v.censored else 1.0) for v in after])
    noise = np.exp(0.001 * np.random.default_rng(0).standard_normal((400, values.size)))
    days = np.array([v.day for v in after])
    bounded = np.array([v.measured for v in after])
    curve = Curve(days=days, draws=values * noise, bounded_below=bounded, ceiling=np.zeros(days.size), identified=True)
    draws = None if baseline is None else np.full(400, baseline)
    found = kinetics(series, curve, baseline=draws, level=0.95, days=(7, 14, 28), window=2)
    assert len({quantity.name for quantity in found}) == len(found)
    return {quantity.name: quantity for quantity in found}


DECAY = [visit(1, 4.0), visit(3, 16.0), visit(7, 8.0), visit(11, 4.0), visit(15, 2.0), visit(21, None)]


def test_area_is_exact_for_lines_up_and_exponentials_down() -> None:
    days = np.array([0.0, 2.0, 5.0, 9.0])
    values = np.array([[1.0, 7.0, 7.0 * np.exp(-0.6), 7.0 * np.exp(-1.4)]])
    rising = quad(lambda t: 1 + 3 * t, 0, 2)[0]
    falling = quad(lambda t: 7 * np.exp(-0.2 * (t - 2)), 2, 9)[0]
    assert area(days, values) == pytest.approx([rising + falling], rel=1e-9)


def test_area_of_flat_and_of_negative_values_is_the_trapezoid() -> None:
    days = np.array([0.0, 1.0, 3.0])
    assert area(days, np.array([[2.0, 2.0, 2.0], [1.0, -1.0, 3.0]])) == pytest.approx([6.0, 2.0])


def test_donor_cells_of_a_rise_and_decay() -> None:
    found = read(*DECAY)
    assert found["cmax"].value.value == pytest.approx(16, rel=1e-2)
    assert found["tmax"].value == Interval(3, 3, 3)
    assert found["tlast"].value.value == 15
    assert math.isnan(found["tlast"].value.low)
    assert found["first_below"].value == Interval(21, 15, 21)
    assert found["half_life_days"].value.value == pytest.approx(4, rel=1e-2)
    assert found["day_14"].value.value == pytest.approx(2, rel=1e-2)
    assert found["day_14"].reason == "day 15"


def test_no_exposure_is_made_up_beyond_the_last_value() -> None:
    auc = read(*DECAY)["auc"]
    expected = 2 * 10 + (16 - 2) / (math.log(2) / 4)
    assert auc.value.value == pytest.approx(expected, rel=5e-3)
    assert auc.reason == "day 1 to 15"


@pytest.mark.parametrize(
    ("visits", "why"),
    [
        ([visit(3, 16.0), visit(7, 8.0), visit(11, 4.0), visit(15, None)], "2 quantifiable day(s) after the peak"),
        ([visit(3, 16.0), visit(7, 8.0), visit(11, 4.0), visit(15, 2.0, quantified=False)], "2 quantifiable"),
        ([visit(1, 16.0), visit(3, 8.0), visit(7, 9.0), visit(11, 10.0)], "no decline"),
        ([visit(1, 16.0), visit(3, 8.0), visit(7, 7.8), visit(11, 7.6)], "shorter than one half-life"),
    ],
)
def test_half_life_is_refused(visits: list[Visit], why: str) -> None:
    found = read(*visits)["half_life_days"]
    assert found.status == "not_estimable"
    assert why in found.reason
    assert math.isnan(found.value.value)


RISE = [visit(0.5, 4.0), visit(1, 1.0), visit(4, 2.0), visit(7, 4.0), visit(10, 8.0), visit(14, 3.0), visit(21, 1.0)]


def test_cells_that_expand_have_a_doubling_time_from_their_lowest_to_the_peak() -> None:
    found = read(*RISE)["doubling_time_days"]
    assert found.value.value == pytest.approx(3, rel=1e-2)
    assert found.value.low < found.value.value < found.value.high
    assert (found.status, found.n_points, found.reason) == ("ok", 4, "day 1 to 10")


@pytest.mark.parametrize(
    ("visits", "why"),
    [
        (DECAY, "2 quantifiable day(s) up to the peak on day 3"),
        ([visit(1, None), visit(3, None), visit(7, 2.0), visit(10, 8.0), visit(14, 3.0)], "2 quantifiable"),
        ([visit(1, 4.0), visit(3, 4.4), visit(7, 5.0), visit(14, 2.0)], "shorter than one doubling"),
    ],
)
def test_doubling_time_is_refused(visits: list[Visit], why: str) -> None:
    found = read(*visits)["doubling_time_days"]
    assert found.status == "not_estimable"
    assert why in found.reason


def test_recovery_is_the_slope_from_the_nadir_on() -> None:
    fall = [visit(-2, 1000.0, baseline=True), visit(2, 100.0), visit(7, 50.0)]
    rises = [visit(day, 50 * math.exp((day - 7) / 7 * 0.4)) for day in (14.0, 21.0, 35.0)]
    found = read(*fall, *rises, measure="cd4_t", baseline=1000.0)["recovery_slope"]
    assert found.value.value == pytest.approx(0.4, abs=2e-3)
    assert found.value.low < 0.4 < found.value.high
    assert (found.unit, found.n_points, found.reason) == ("ln/week", 4, "day 7 to 35")


@pytest.mark.parametrize(
    ("days", "why"), [((2, 7, 14), "2 measured day(s) from the nadir on day 7"), ((2, 7, 8, 9), "shorter than a week")]
)
def test_recovery_is_refused(days: tuple[float, ...], why: str) -> None:
    visits = [visit(day, 50.0 + 10 * abs(day - 7)) for day in days]
    found = read(*visits, measure="cd4_t")["recovery_slope"]
    assert found.status == "not_estimable"
    assert why in found.reason


def test_a_patient_in_whom_nothing_was_found_keeps_the_limit() -> None:
    found = read(visit(1, None), visit(7, None))
    assert found["cmax"].status == "censored"
    assert found["cmax"].value.high == LIMIT
    assert found["tlast"].status == "not_estimable"
    assert found["day_7"].status == "censored"


def test_still_detected_at_the_last_visit_is_censored() -> None:
    found = read(visit(1, 4.0), visit(7, 5.0))
    assert found["tlast"].status == "censored"
    assert found["first_below"].status == "censored"
    assert found["first_below"].value.low == 7


def test_detected_again_is_said() -> None:
    found = read(visit(1, 4.0), visit(7, None), visit(14, 1.0), visit(21, None))
    assert found["first_below"].value.value == 7
    assert "again on day 14" in found["first_below"].reason
    assert found["tlast"].value.value == 14


def test_cells_of_a_graft_are_taken_off_as_change() -> None:
    found = read(visit(-1, 2.0, baseline=True), *DECAY, baseline=2.0)
    assert found["cmax_net"].value.value == pytest.approx(14, rel=1e-2)
    assert found["auc_net"].value.value < found["auc"].value.value
    assert "attribution" in found["cmax_net"].reason
    assert "cmax_net" not in read(*DECAY)


def test_nadir_and_fold_change_of_a_count() -> None:
    visits = [visit(-2, 1000.0, baseline=True), visit(2, 100.0), visit(7, 50.0), visit(28, 500.0)]
    found = read(*visits, measure="lymphocytes", baseline=1000.0)
    assert found["baseline"].value.value == 1000
    assert (found["nadir"].value.value, found["nadir_day"].value.value) == (pytest.approx(50, rel=1e-2), 7)
    assert found["fold_change"].value.value == pytest.approx(0.5, rel=1e-2)
    assert found["day_14"].status == "not_estimable"
    assert "cmax" not in found


def test_a_patient_without_visits_gets_reasons() -> None:
    found = read()
    assert {quantity.status for quantity in found.values()} == {"not_estimable"}
    assert all(quantity.reason for quantity in found.values())


def test_of_several_baselines_the_latest_counts() -> None:
    days = (visit(-7, 4.0, baseline=True), visit(-1, 8.0, baseline=True), visit(7, 2.0))
    series = Series(patient="P", measure="nk", unit=CELLS, platform="beads", visits=days)
    assert series.baseline is not None
    assert series.baseline.day == -1


def test_a_limit_of_detection_is_no_peak() -> None:
    """Two measured values, then a small tube with a high limit: what it may hide widens the bound, not the value."""
    high = Visit(day=28, observed=Interval(3.7, 0.0, 3.7), censored=True, quantified=False)
    visits = (visit(1, 0.9), visit(3, 0.4), high)
    rng = np.random.default_rng(0)
    draws = np.column_stack([np.full(400, 0.9), np.full(400, 0.4), 3.7 * rng.uniform(size=400)])
    bounded = np.array([True, True, False])
    curve = Curve(
        days=np.array([1.0, 3.0, 28.0]), draws=draws, bounded_below=bounded, ceiling=np.zeros(3), identified=False
    )
    series = Series(patient="P", measure="donor_nk", unit=CELLS, platform="beads", visits=visits)
    found = {q.name: q for q in kinetics(series, curve, baseline=None, level=0.95, days=(), window=2)}
    assert found["cmax"].value.value == pytest.approx(0.9)
    assert found["cmax"].value.high == pytest.approx(3.6, abs=0.1)
    assert "may hide" in found["cmax"].reason
    assert (found["tmax"].value.value, found["tmax"].value.high) == (1.0, 28.0)


def test_cells_that_were_found_without_a_count_were_found() -> None:
    found = read(*DECAY[:5], uncounted(21, True), uncounted(28, False), uncounted(35, None))
    assert (found["tlast"].value.value, found["tlast"].status, found["tlast"].n_points) == (21, "ok", 7)
    assert found["first_below"].value == Interval(28, 21, 28)
    for name in ("cmax", "auc"):
        assert "detected on day 21 without a usable count on this platform" in found[name].reason
    assert found["auc"].reason.startswith("day 1 to 15")


def test_cells_that_were_found_on_another_platform_were_found() -> None:
    found = read(visit(7, None), visit(14, None), elsewhere=(visit(1, 15.0), visit(2, 12.0)))
    assert (found["tlast"].value.value, found["tlast"].status) == (2, "ok")
    assert found["first_below"].value == Interval(7, 2, 7)
    assert found["cmax"].status == "not_estimable"
    assert found["cmax"].reason == "detected on day 1, 2 without a usable count on this platform"


def test_the_last_visit_that_tells_is_not_the_last_visit() -> None:
    found = read(visit(1, 4.0), visit(7, 5.0), uncounted(14, None), uncounted(21, None))
    assert found["tlast"].reason == "still detected at the last visit that tells (day 7); no finding on day 14, 21"
    assert found["first_below"].reason == "not by day 7; no finding on day 14, 21"
    assert read(visit(1, 4.0), visit(7, 5.0))["tlast"].reason == "still detected at the last visit"


def test_not_found_where_nothing_was_counted_is_not_found() -> None:
    found = read(uncounted(1, False), uncounted(7, False))
    assert (found["tlast"].status, found["tlast"].n_points) == ("not_estimable", 2)
    assert found["tlast"].reason == "under the limit of detection at every visit"
    assert read(uncounted(1, None))["tlast"].n_points == 0
