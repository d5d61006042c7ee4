from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import beta

from nktrace.science import posteriors as at


def test_points_fill_each_axis_and_each_pair_of_axes_evenly() -> None:
    for axis in range(at.GATES + 1):
        points = np.sort(at.axis(axis))
        assert np.abs(points - (np.arange(at.POINTS) + 0.5) / at.POINTS).max() < 0.002
    for other in range(1, at.GATES + 1):
        boxes, _, _ = np.histogram2d(at.axis(0), at.axis(other), bins=8, range=[[0, 1], [0, 1]])
        assert boxes.min() > 0.95 * at.POINTS / 64
        assert boxes.max() < 1.05 * at.POINTS / 64


@pytest.mark.parametrize(("positive", "events"), [(0, 300), (1, 20_000), (150, 300), (4_999, 5_000)])
def test_quantiles_are_those_of_the_jeffreys_posterior(positive: int, events: int) -> None:
    points = at.jeffreys_rate(positive, events, at.BLANK)
    for tail in (0.025, 0.5, 0.975):
        exact = beta.ppf(tail, positive + 0.5, events - positive + 0.5)
        assert np.quantile(points, tail) == pytest.approx(exact, rel=0.03)


@pytest.mark.parametrize(("positive", "events"), [(0, 300), (1, 300), (5, 300), (300, 300)])
def test_the_mid_p_rate_gives_the_mid_p_interval(positive: int, events: int) -> None:
    from scipy.stats import binom

    low, high = np.quantile(at.mid_p_rate(positive, events, at.SAMPLE), [0.025, 0.975])
    if positive < events:
        left = binom.cdf(positive, events, high) - 0.5 * binom.pmf(positive, events, high)
        assert left == pytest.approx(0.025, abs=0.002)
    if positive > 0:
        right = binom.sf(positive - 1, events, low) - 0.5 * binom.pmf(positive, events, low)
        assert right == pytest.approx(0.025, abs=0.002)


def test_scatter_has_mean_one_and_its_cv() -> None:
    factors = at.scatter(0.4)
    assert factors.mean() == pytest.approx(1, abs=0.01)
    assert factors.std() == pytest.approx(0.4, abs=0.01)


def test_a_lognormal_on_either_side_keeps_its_bounds() -> None:
    points = at.two_piece_lognormal(100.0, 70.0, 110.0, 1.959964, at.COUNT)
    assert np.quantile(points, [0.025, 0.5, 0.975]) == pytest.approx([70, 100, 110], rel=0.01)
    assert at.two_piece_lognormal(1.0, 0.0, 4.0, 1.96, at.COUNT).min() == 0
