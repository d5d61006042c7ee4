"""Turnbull's estimator over patients, with deaths before the event."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nktrace.model.trajectories import Waiting
from nktrace.science.incidence import turnbull

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
    dead = [Waiting(1, INF, death=1)] * 5
    estimate = turnbull([*dead, Waiting(2, INF), *[Waiting(10, 10)] * 4])
    assert estimate.by(10) == pytest.approx(0.5)
    assert not estimate.quantile(0.6).known
    with_death_as_censoring = turnbull([*[Waiting(1, INF)] * 5, Waiting(2, INF), *[Waiting(10, 10)] * 4])
    assert with_death_as_censoring.by(10) == pytest.approx(1.0)


def test_the_dead_of_unseen_time_share_what_happened_to_those_at_risk_then() -> None:
    """Of the four who were seen, two reached it before the others died, so half of the dead did."""
    dead = [Waiting(42, INF, death=60)] * 4
    estimate = turnbull([*dead, *[Waiting(45, 50)] * 2, *[Waiting(180, 200)] * 2])
    assert estimate.by(60) == pytest.approx(0.5, abs=1e-6)
    assert estimate.by(200) == pytest.approx(0.75, abs=1e-6)  # half of the half who were not there yet are dead
    assert turnbull(dead).by(1e9) == 0.0


def test_nothing_happens_after_a_death_or_in_an_interval_that_it_cuts() -> None:
    dead = [Waiting(42, INF, death=60)] * 3
    assert turnbull([*dead, Waiting(55, 70)]).by(70) == pytest.approx(1 / 4)
    assert turnbull([*dead, Waiting(55, 60)]).by(60) == pytest.approx(1.0, abs=1e-6)
    assert turnbull([*dead, Waiting(30, 40)]).by(60) == pytest.approx(1 / 4)


@pytest.mark.parametrize("stops", [20.0, 60.0])
def test_the_incidence_is_that_of_a_population_whose_dead_were_not_seen_to_the_end(stops: float) -> None:
    """Event and death at constant rates; the visits of half of the dead end long before."""
    rng = np.random.default_rng(11)
    n, visits = 1200, np.arange(0.0, 401.0, 10.0)
    events, deaths = rng.exponential(100, n), np.ceil(rng.exponential(150, n))
    times = []
    for event, death, lost in zip(events, deaths, rng.uniform(size=n) < 0.5, strict=True):
        last = max(0.0, death - stops) if lost else death
        seen = visits[visits <= last]
        below = float(seen[seen < event].max())
        if event <= seen.max():
            times.append(Waiting(below, float(seen[seen >= event].min())))
        elif death > 400:
            times.append(Waiting(below, INF))
        else:
            times.append(Waiting(below if lost else death, INF, death=death))
    estimate = turnbull(times)
    for day in (100, 200, 400):
        truth = 0.6 * (1 - math.exp(-day * (1 / 100 + 1 / 150)))
        assert estimate.by(day) == pytest.approx(truth, abs=0.045)


def test_a_time_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(ValueError, match="after it starts"):
        turnbull([Waiting(5, 3)])
