"""Time to a threshold of one patient, and Turnbull's estimator over patients."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from nktrace.model.intervals import Interval
from nktrace.model.trajectories import CELLS, Curve, Quantity, Series, Visit, Waiting
from nktrace.science.reconstitution import time_to_threshold, turnbull, waiting

INF = math.inf

# Months to breast retraction after radiotherapy: Finkelstein & Wolfe (Biometrics 1985), Table 1
RETRACTION = [
    *[(45, INF), (6, 10), (0, 7), (46, INF), (46, INF), (7, 16), (17, INF), (7, 14), (37, 44), (0, 8), (4, 11)],
    *[(15, INF), (11, 15), (22, INF), (46, INF), (46, INF), (25, 37), (46, INF), (26, 40), (46, INF), (27, 34)],
    *[(36, 44), (46, INF), (36, 48), (37, INF), (40, INF), (17, 25), (46, INF), (11, 18), (38, INF), (5, 12)],
    *[(37, INF), (0, 5), (18, INF), (24, INF), (36, INF), (5, 11), (19, 35), (17, 25), (24, INF), (32, INF)],
    *[(33, INF), (19, 26), (37, INF), (34, INF), (36, INF)],
]
# and the survival function that Klein & Moeschberger (Survival Analysis, 5.2) give for it, by month
PUBLISHED = {4: 1.0, 5: 0.954, 7: 0.920, 8: 0.832, 12: 0.761, 25: 0.668, 34: 0.586, 40: 0.467}


def test_turnbull_gives_the_published_curve() -> None:
    estimate = turnbull([Waiting(low, high) for low, high in RETRACTION])
    survival = {month: 1 - estimate.by(month) for month in PUBLISHED}
    assert survival == pytest.approx(PUBLISHED, abs=0.0015)
    assert estimate.quantile(0.5).low == 38
    assert estimate.quantile(0.5).high == 40


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_turnbull_equals_lifelines_where_ends_do_not_touch() -> None:
    from lifelines import KaplanMeierFitter

    rng = np.random.default_rng(4)
    low = rng.uniform(0, 20, 30)
    high = np.where(rng.uniform(size=30) < 0.3, np.inf, low + rng.uniform(1, 15, 30))
    curve = KaplanMeierFitter().fit_interval_censoring(low, high, tol=1e-9).survival_function_
    estimate = turnbull([Waiting(float(a), float(b)) for a, b in zip(low, high, strict=True)])
    days = [end for end in estimate.right if math.isfinite(end)]
    theirs = [float(curve["NPMLE_estimate_lower"].asof(day + 1e-9)) for day in days]
    assert [1 - estimate.by(day) for day in days] == pytest.approx(theirs, abs=2e-3)


def test_exact_times_give_kaplan_meier() -> None:
    times = [Waiting(3, 3), Waiting(5, INF), Waiting(6, 6), Waiting(6, INF), Waiting(10, 10)]
    estimate = turnbull(times)
    assert estimate.by(3) == pytest.approx(1 / 5)
    assert estimate.by(6) == pytest.approx(1 - 4 / 5 * 2 / 3)
    assert estimate.by(10) == pytest.approx(1.0)


def test_death_is_a_competing_event_and_not_the_end_of_observation() -> None:
    # by Aalen & Johansen: five die on day 1, one is lost on day 2, four reach it on day 10
    dead = [Waiting(1, INF, never=True)] * 5
    estimate = turnbull([*dead, Waiting(2, INF), *[Waiting(10, 10)] * 4])
    assert estimate.by(10) == pytest.approx(0.5)
    assert not estimate.quantile(0.6).known
    with_death_as_censoring = turnbull([*[Waiting(1, INF)] * 5, Waiting(2, INF), *[Waiting(10, 10)] * 4])
    assert with_death_as_censoring.by(10) == pytest.approx(1.0)


def test_a_time_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(ValueError, match="after it starts"):
        turnbull([Waiting(5, 3)])


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
    assert waiting(found.value) == Waiting(12, INF, never=True)


def test_a_death_long_after_the_last_visit_does_not_say_never() -> None:
    found = reach(visit(-1, 20, baseline=True), visit(3, 30), visit(28, 50), death=300)
    assert waiting(found.value) == Waiting(28, INF)
    assert "not known from then to the death on day 300" in found.reason
    assert waiting(reach(visit(-1, 20, baseline=True), visit(28, 50), death=42).value).never
    assert not waiting(reach(visit(-1, 20, baseline=True), visit(28, 50), death=43).value).never


def test_above_at_the_last_visit_and_then_dead_is_not_never() -> None:
    found = reach(visit(-1, 20, baseline=True), visit(3, 30), visit(7, 250), death=12)
    assert waiting(found.value) == Waiting(3, INF)
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
    visits = [visit(-1, 20, baseline=True), *(near(day, value, 1e-3) for day, value in ((3, 30), (7, 105), (14, 300)))]
    days = np.array([3.0, 7.0, 14.0])
    draws = np.array([30, 105, 300]) * np.exp(0.3 * np.random.default_rng(1).standard_normal((800, 3)))
    curve = Curve(days=days, draws=draws, bounded_below=np.ones(3, dtype=bool), ceiling=np.zeros(3), identified=True)
    assert (reach(*visits).value.low, reach(*visits).value.high) == (3, 7)
    found = reach(*visits, curve=curve)
    assert (found.value.low, found.value.high) == (3, 14)
    assert "by the curve" in found.reason


def test_a_value_under_its_limit_is_below_the_threshold() -> None:
    found = reach(visit(3, 90, censored=True), visit(7, 150), visit(14, 160))
    assert (found.value.low, found.value.high, found.value.value) == (3, 7, 5)


def test_alive_and_below_is_censored_at_the_last_visit() -> None:
    found = reach(visit(-1, 20, baseline=True), visit(7, 50), visit(14, 60), followup=90)
    assert waiting(found.value) == Waiting(14, INF)
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
