from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import nbinom

from nktrace.model.chimerism import MarkerCounts
from nktrace.science import posteriors as at
from nktrace.science.background import background, between_blank_cv


def counts(positive: int, events: int) -> MarkerCounts:
    return MarkerCounts(events=events, positive=positive)


def drawn(rng: np.random.Generator, *, rate: float, cv: float, blanks: int, events: int = 50_000) -> list[MarkerCounts]:
    rates = rate * (rng.gamma(1 / cv**2, cv**2, blanks) if cv else np.ones(blanks))
    return [counts(int(rng.poisson(events * one)), events) for one in rates]


def test_many_blanks_tell_how_much_tubes_scatter() -> None:
    rng = np.random.default_rng(1)
    assert between_blank_cv(tuple(drawn(rng, rate=0.002, cv=0.5, blanks=60))) == pytest.approx(0.5, abs=0.11)
    assert between_blank_cv(tuple(drawn(rng, rate=0.002, cv=0, blanks=60))) <= 0.1


def test_four_blanks_do_not_tell() -> None:
    blanks = tuple(drawn(np.random.default_rng(2), rate=0.002, cv=0.5, blanks=4))
    assert math.isnan(between_blank_cv(blanks))
    assert background(blanks, cv=0.4, scatter_of=blanks).cvs.tolist() == [0.4]


def test_a_mean_reproduces_the_negative_binomial_behind_it() -> None:
    """At the posterior's quantiles the count seen is as extreme as the level says."""
    cv, events, positive = 0.5, 20_000, 40
    size = 1 / cv**2
    high = float(np.quantile(background((counts(positive, events),), cv=cv).means[0], 0.975))
    assert nbinom.cdf(positive, size, size / (size + events * high)) == pytest.approx(0.025, abs=0.005)


def test_poisson_blanks_are_one_large_blank() -> None:
    parts = background((counts(3, 10_000), counts(2, 10_000)), cv=0.0)
    whole = background((counts(5, 20_000),), cv=0.0)
    assert (parts.means == whole.means).all()
    assert parts.poisson


def test_a_further_blank_lies_below_the_predicted_bound_as_often_as_it_says() -> None:
    """Five blanks that scatter by 50 %: a sixth exceeds the 95 % bound of its rate in about one of twenty cohorts."""
    rng, above = np.random.default_rng(3), 0
    for _ in range(300):
        *blanks, further = drawn(rng, rate=0.004, cv=0.5, blanks=6)
        bound = np.quantile(background(tuple(blanks), cv=0.0, scatter_of=tuple(blanks)).rate(at.BETWEEN), 0.95)
        above += further.rate > bound
    assert above / 300 == pytest.approx(0.05, abs=0.035)


def test_more_blanks_narrow_the_rate() -> None:
    rng = np.random.default_rng(4)
    blanks = drawn(rng, rate=0.004, cv=0.5, blanks=40)
    few, many = (background(tuple(some), cv=0.5).means[0] for some in (blanks[:2], blanks))
    assert np.ptp(np.quantile(many, [0.025, 0.975])) < 0.5 * np.ptp(np.quantile(few, [0.025, 0.975]))


def test_a_blank_without_marker_events_has_a_rate_above_zero() -> None:
    found = background((counts(0, 20_000),), cv=0.3)
    assert 0 < float(np.quantile(found.means[0], 0.95)) < 4 / 20_000
