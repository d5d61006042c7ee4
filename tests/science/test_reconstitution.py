"""Time to a threshold of one patient."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from nktrace.model.intervals import Interval
from nktrace.model.trajectories import CELLS, Curve, Quantity, Series, Visit, Waiting
from nktrace.science.incidence import turnbull
from nktrace.science.reconstitution import time_to_threshold, waiting

INF = math.inf


def visit(day: float, value: float, *, baseline: bool = False, censored: bool = False) -> Visit:
    low = 0.0 if censored else value * 0.9
    return Visit(
        day=day,
        observed=Interval(value, low, value * 1.1),
        baseline=baseline,
        after=not baseline,
        censored=censored,
        quantified=not censored,
    )


def reach(
    *visits: Visit,
    confirm: bool = True,
    followup: float = math.nan,
    death: float = math.nan,
    curve: Curve | None = None,
) -> Quantity:
    series = Series(patient="P", measure="nk", unit=CELLS, platform="beads", visits=visits)
    return time_to_threshold(
        series, 100, curve=curve, level=0.95, confirm=confirm, last_followup_day=followup, death_day=death
    )


def ended(found: Quantity, death: float = math.nan) -> Waiting:
    return waiting(found.value, death_day=death)


@pytest.mark.parametrize("death", [43, 55, 56, 57, 60, 70])
def test_a_death_before_anybody_reached_it_is_no_event_however_long_after_the_last_visit(death: float) -> None:
    early = [(14, 50), (28, 60), (42, 70)]
    base = visit(-1, 20, baseline=True)
    dead = [reach(base, *(visit(*one) for one in early), death=death)] * 4
    others = [reach(base, *(visit(*one) for one in [*early, (90, 80), (180, 90), (200, 400), (207, 400)]))] * 4
    times = [*(waiting(one.value, death_day=death) for one in dead), *(ended(one) for one in others)]
    estimate = turnbull(times)
    assert estimate.by(200) == pytest.approx(0.5)
    assert not estimate.quantile(0.6).known


def test_a_threshold_is_reached_between_two_visits() -> None:
    found = reach(visit(-1, 20, baseline=True), visit(7, 50), visit(14, 200), visit(21, 210))
    assert (found.status, found.value.low, found.value.high) == ("ok", 7, 14)
    assert found.value.value == pytest.approx(10.5)  # log-linear between 50 and 200


def test_an_unconfirmed_crossing_does_not_count() -> None:
    visits = visit(-1, 20, baseline=True), visit(7, 120), visit(14, 60), visit(21, 150), visit(28, 160)
    assert reach(*visits).value.high == 21
    assert reach(*visits, confirm=False).value.high == 7
    last = reach(visit(-1, 20, baseline=True), visit(7, 60), visit(14, 150))
    assert (last.status, last.value.low, last.value.high) == ("censored", 7, INF)
    assert "confirm" in last.reason


def test_above_at_baseline_is_not_at_risk() -> None:
    found = reach(visit(-1, 150, baseline=True), visit(7, 20), visit(14, 200), visit(21, 200))
    assert found.status == "not_estimable"
    assert "not at risk" in found.reason


def test_death_before_the_threshold_is_never_reached() -> None:
    found = reach(visit(-1, 20, baseline=True), visit(7, 50), death=12)
    assert found.status == "censored"
    assert ended(found, 12) == Waiting(12, INF, death=12)
    assert ended(found, 12).never


def test_a_death_long_after_the_last_visit_does_not_say_never() -> None:
    found = reach(visit(-1, 20, baseline=True), visit(3, 30), visit(28, 50), death=300)
    assert ended(found, 300) == Waiting(28, INF, death=300)
    assert "not known from then to the death on day 300" in found.reason
    assert ended(reach(visit(-1, 20, baseline=True), visit(28, 50), death=42), 42).never
    assert not ended(reach(visit(-1, 20, baseline=True), visit(28, 50), death=43), 43).never


def test_above_at_the_last_visit_and_then_dead_is_not_never() -> None:
    found = reach(visit(-1, 20, baseline=True), visit(3, 30), visit(7, 250), death=12)
    assert ended(found, 12) == Waiting(3, INF, death=12)
    assert "never" not in found.reason


def test_a_limit_above_the_threshold_does_not_tell_the_side() -> None:
    high = [visit(day, 350, censored=True) for day in (3, 7)]
    found = reach(visit(-1, 20, baseline=True), *high, visit(14, 200), visit(21, 220))
    assert (found.status, found.value.low, found.value.high) == ("ok", 0, 14)
    alone = reach(visit(-1, 20, baseline=True), *high)
    assert (alone.status, alone.reason) == ("not_estimable", "a limit above the threshold at every visit")
    unknown_before = reach(visit(-1, 350, baseline=True, censored=True), visit(14, 200), visit(21, 220))
    assert "no baseline" in unknown_before.reason


def test_a_curve_that_leaves_the_crossing_open_widens_its_interval() -> None:
    """Counts without error of their own: only the curve knows that blood differs from draw to draw."""
    known = {3.0: 30.0, 7.0: 105.0, 14.0: 300.0, 21.0: 310.0}
    visits = [visit(-1, 20, baseline=True), *(near(day, value, 1e-3) for day, value in known.items())]
    draws = np.array(list(known.values())) * np.exp(0.3 * np.random.default_rng(1).standard_normal((800, 4)))
    assert (reach(*visits).value.low, reach(*visits).value.high) == (3, 7)
    found = reach(*visits, curve=curve_of(list(known), draws))
    assert (found.status, found.value.low, found.value.high) == ("ok", 3, 14)
    assert "by the curve" in found.reason
    unconfirmed = reach(*visits[:-1], curve=curve_of(list(known)[:-1], draws[:, :-1]))
    assert (unconfirmed.status, unconfirmed.value.low, unconfirmed.value.high) == ("censored", 3, INF)
    once = reach(*visits[:-1], curve=curve_of(list(known)[:-1], draws[:, :-1]), confirm=False)
    assert (once.status, once.value.low, once.value.high) == ("ok", 3, 14)


def test_a_single_day_above_is_no_crossing_of_a_curve_either() -> None:
    """As of the values: with `confirm` the first of two in a row, whatever stood above before it alone."""
    known = {7.0: 260.0, 14.0: 20.0, 21.0: 30.0, 28.0: 300.0, 35.0: 400.0, 42.0: 500.0}
    visits = [visit(-1, 20, baseline=True), *(near(day, value, 1e-3) for day, value in known.items())]
    curve = curve_of(list(known), np.array([list(known.values())] * 200))
    found = reach(*visits, curve=curve)
    assert (found.value.low, found.value.high, found.reason) == (21, 28, "")
    assert reach(*visits, curve=curve, confirm=False).value.high == 7


def curve_of(days: list[float], draws: NDArray[np.float64]) -> Curve:
    size = len(days)
    return Curve(
        days=np.array(days),
        draws=draws,
        bounded_below=np.ones(size, dtype=bool),
        ceiling=np.zeros(size),
        identified=True,
    )


def test_a_value_under_its_limit_is_below_the_threshold() -> None:
    found = reach(visit(3, 90, censored=True), visit(7, 150), visit(14, 160))
    assert (found.value.low, found.value.high, found.value.value) == (3, 7, 5)


def test_alive_and_below_is_censored_at_the_last_visit() -> None:
    found = reach(visit(-1, 20, baseline=True), visit(7, 50), visit(14, 60), followup=90)
    assert ended(found) == Waiting(14, INF)
    assert "day 90" in found.reason


def near(day: float, value: float, error: float) -> Visit:
    spread = math.exp(1.959964 * error)
    return Visit(day=day, observed=Interval(value, value / spread, value * spread))


def test_a_crossing_that_counting_error_leaves_open_has_a_wider_interval() -> None:
    before, after = near(3, 20, 0.05), near(28, 300, 0.05)
    sure = reach(visit(-1, 20, baseline=True), before, near(7, 130, 0.05), near(14, 200, 0.05), after)
    assert (sure.value.low, sure.value.high, sure.reason) == (3, 7, "")
    open_ended = reach(visit(-1, 20, baseline=True), before, near(7, 105, 0.1), near(14, 200, 0.05), after)
    assert (open_ended.value.low, open_ended.value.high) == (3, 14)
    assert open_ended.value.value == pytest.approx(sure.value.value, abs=0.5)
    assert "probability 0.69" in open_ended.reason  # Phi(ln 1.05 / 0.1)


def test_reached_by_the_values_but_not_surely_is_censored() -> None:
    found = reach(visit(-1, 20, baseline=True), near(7, 30, 0.05), near(14, 110, 0.1), near(21, 108, 0.1))
    assert (found.status, found.value.low, found.value.high) == ("censored", 7, INF)
    assert math.isnan(found.value.value)
    assert "probability 0.65" in found.reason  # Phi(.953) Phi(.770)


def test_not_reached_by_the_values_but_perhaps_so_is_open_from_then_on() -> None:
    found = reach(visit(-1, 20, baseline=True), near(7, 96, 0.1), near(14, 110, 0.1), near(21, 60, 0.1))
    assert (found.status, found.value.low) == ("censored", 0)
    assert "reached with probability 0.28" in found.reason


def test_the_widened_interval_covers_the_crossing_of_the_true_values() -> None:
    rng = np.random.default_rng(8)
    days, truth = [3.0, 7.0, 10.0, 14.0, 21.0, 28.0], [50.0, 80.0, 97.0, 112.0, 130.0, 160.0]
    held = plain = 0
    for _ in range(400):
        values = [v * rng.lognormal(0, 0.12) for v in truth]
        found = reach(visit(-1, 20, baseline=True), *(near(d, v, 0.12) for d, v in zip(days, values, strict=True)))
        held += found.value.low < 14 <= found.value.high  # reached between day 10 and 14
        above = [v >= 100 for v in values]
        pairs = [a and b for a, b in pairwise(above)]
        plain += days[pairs.index(True)] == 14 if True in pairs else False
    assert plain / 400 < 0.7
    assert held / 400 >= 0.95
