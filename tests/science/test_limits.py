from __future__ import annotations

import pytest
from scipy.stats import nbinom, poisson

from nktrace.science.limits import limits


@pytest.mark.parametrize(
    ("events", "a", "lob", "mean", "lod"),
    [(10_000, 0.0005, 9, 15.71, 0.002), (10_000, 0.002, 28, 38.39, 0.002), (2_000, 0.0005, 3, 7.75, 0.01)],
)
def test_vectors_at_known_rates(events: int, a: float, lob: int, mean: float, lod: float) -> None:
    found = limits(events, a=a, a_low=a, a_high=a, b=1.0)
    assert found.lob_events == lob
    assert found.lod == pytest.approx(lod)
    assert poisson.sf(lob, mean) == pytest.approx(0.95, abs=5e-4)


def test_lod_from_the_counts_where_the_background_is_high() -> None:
    """n = 10000, a = .002: (m - n a)/n = .184 %, just under the twenty events that are reported."""
    events, a = 10_000, 0.002
    assert (38.39 - events * a) / events == pytest.approx(0.00184, abs=1e-5)
    found = limits(100_000, a=a, a_low=a, a_high=a, b=1.0)
    assert found.lod > 20 / 100_000
    assert poisson.sf(found.lob_events, 100_000 * (a + found.lod * (1 - a))) == pytest.approx(0.95, abs=1e-3)


def test_lob_is_the_smallest_count_reached_with_95_percent() -> None:
    for events, a in [(300, 0.0), (300, 0.01), (50_000, 0.003)]:
        lob = limits(events, a=a, a_low=a, a_high=a, b=0.95).lob_events
        assert poisson.cdf(lob, events * a) >= 0.95
        assert lob == 0 or poisson.cdf(lob - 1, events * a) < 0.95
        wide = limits(events, a=a, a_low=a, a_high=a, b=0.95, blank_cv=0.5).lob_events
        if a:
            size = 4.0
            assert nbinom.cdf(wide, size, size / (size + events * a)) >= 0.95
            assert nbinom.cdf(wide - 1, size, size / (size + events * a)) < 0.95


def test_order_of_the_limits() -> None:
    for events in (60, 1_000, 100_000):
        found = limits(events, a=0.001, a_low=0.0005, a_high=0.002, b=0.9)
        assert 0 <= found.lob < found.lod <= found.loq
        assert found.loq >= 50 / events
