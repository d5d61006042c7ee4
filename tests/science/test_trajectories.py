"""The curve of one patient: against its readable twin, against known truth, and where it is refused."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from scipy.stats import norm

from nktrace.model.intervals import Interval
from nktrace.model.trajectories import CELLS, FRACTION, Curve, Visit
from nktrace.science import trajectories
from nktrace.science.trajectories import OUTLYING, fit_curve, on_scale, summarise

LEVEL = 0.95


def value(day: float, point: float, error: float = 0.1) -> Visit:
    spread = math.exp(1.959964 * error)
    return Visit(day=day, observed=Interval(point, point / spread, point * spread))


def under(day: float, limit: float) -> Visit:
    return Visit(day=day, observed=Interval(limit, 0.0, limit), censored=True, quantified=False)


def fit(visits: Sequence[Visit], *, unit: str = CELLS, draws: int = 1000, grid: int = 0, seed: int = 0) -> Curve:
    rng = np.random.default_rng(seed)
    return fit_curve(visits, unit=unit, level=LEVEL, min_points=4, grid_points=grid, draws=draws, rng=rng)


@pytest.fixture(scope="module")
def twin() -> ModuleType:
    path = Path(__file__).parents[1] / "reference" / "tobit_curve.py"
    spec = importlib.util.spec_from_file_location("tobit_curve", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("at", [3.0, 28.0])
def test_equals_the_readable_twin(twin: ModuleType, at: float) -> None:
    visits = [value(1, 9), value(3, 12), value(7, 6), value(14, 1.5), under(28, 0.3)]
    points = on_scale(visits, unit=CELLS, level=LEVEL)
    mean, sd = twin.posterior_moments(
        points.day[:-1].tolist(), points.value.tolist(), points.sd.tolist(), limit_day=28.0, at=at
    )
    draws = np.log(fit(visits, draws=20_000).at([at])[:, 0])
    assert draws.mean() == pytest.approx(mean, abs=0.05 * sd + 0.01)
    assert draws.std() == pytest.approx(sd, rel=0.08)


def test_precise_points_are_followed_and_poor_ones_are_not() -> None:
    days = [1.0, 3.0, 7.0, 10.0, 14.0, 21.0]
    smooth = [10 * math.exp(-day / 10) for day in days]
    poor = [
        value(d, v * (3 if d == 10 else 1), error=1.0 if d == 10 else 0.03) for d, v in zip(days, smooth, strict=True)
    ]
    median, low, high = summarise(fit(poor), level=LEVEL)
    assert median == pytest.approx(smooth, rel=0.12)
    assert np.all((low < smooth) & (smooth < high))


def test_too_few_measured_days_identify_no_curve() -> None:
    curve = fit([value(1, 9), value(3, 8), value(3, 9), value(7, 4), under(14, 0.3), under(21, 0.3)])
    assert not curve.identified
    assert curve.reason == "no curve: 3 day(s) with a measured value, 4 are needed"
    low, high = np.quantile(curve.at([1.0]), [0.025, 0.975])
    assert 0.196 < math.log(9 / low) < 0.196 + 0.3 * 1.96  # its own error of 10 %, and what a blood draw may differ
    assert 0.196 < math.log(high / 9) < 0.196 + 0.3 * 1.96
    assert curve.at([14.0]).max() <= 0.3


def test_under_the_limit_the_interval_reaches_down_to_zero() -> None:
    visits = [value(1, 9), value(3, 12), value(7, 6), value(14, 1.5), under(28, 0.3)]
    _, low, high = summarise(fit(visits, grid=20), level=LEVEL)
    assert low[-1] == 0
    assert 0 < high[-1] < 0.4


def test_what_a_sample_cannot_see_is_not_ruled_out() -> None:
    """Steep decay, then a poor sample: the extrapolation alone would promise less than the sample can tell."""
    visits = [value(1, 40), value(2, 20), value(4, 5), value(7, 0.7), under(14, 0.5), under(28, 0.4)]
    curve = fit(visits)
    _, low, high = summarise(curve, level=LEVEL)
    assert low[-2:].tolist() == [0.0, 0.0]
    assert high[-2] >= 0.5
    assert high[-1] >= 0.4


def test_a_limit_below_the_trend_pulls_the_curve_down() -> None:
    measured = [value(1, 9), value(3, 8), value(7, 7), value(14, 6)]
    kept, pulled = fit([*measured, value(28, 5, error=3)]), fit([*measured, under(28, 0.5)])
    assert np.median(pulled.at([28.0])) < 0.5 < np.median(kept.at([28.0]))


def test_a_fraction_stays_a_fraction() -> None:
    shares = [0.9, 0.95, 0.99, 1.0, 0.97]
    visits = [
        Visit(day=float(day), observed=Interval(share, share - 0.04, min(share + 0.03, 1.0)))
        for day, share in enumerate(shares, 1)
    ]
    median, low, high = summarise(fit(visits, unit=FRACTION, grid=10), level=LEVEL)
    assert np.all((low > 0) & (low < median) & (median < high) & (high < 1))


def test_a_fall_at_the_infusion_does_not_smear_the_baseline() -> None:
    visits = [value(-1, 1000, 0.05), *(value(day, 100 * day**0.3, 0.05) for day in (1.0, 3.0, 7.0, 14.0, 28.0))]
    median, _, high = summarise(fit(visits), level=LEVEL)
    assert 850 < median[0] < 1150
    assert high[1] < 200


def test_same_seed_same_draws() -> None:
    visits = [value(1, 9), value(3, 12), value(7, 6), value(14, 1.5), under(28, 0.3)]
    assert np.array_equal(fit(visits, seed=7).draws, fit(visits, seed=7).draws)


def test_days_without_draws_are_refused() -> None:
    curve = fit([value(1, 9), value(3, 12), value(7, 6), value(14, 1.5)])
    with pytest.raises(ValueError, match="no draws"):
        curve.at([5.0])


def decays(rng: np.random.Generator, count: int) -> list[tuple[np.ndarray, list[Visit]]]:
    """Patients with an exponential decay, 15 % error, as much from draw to draw, and a limit that hides every third."""
    patients = []
    days = np.array([1.0, 3.0, 7.0, 10.0, 14.0, 21.0, 28.0])
    for _ in range(count):
        truth = 12 * rng.lognormal(0, 0.5) * 0.5 ** (days / rng.uniform(3, 7))
        seen = truth * rng.lognormal(0, math.hypot(0.15, 0.15), days.size)
        # what is detected follows the definition of the limit: half at 0.44 of it, 95 % at the limit
        detected = np.log(truth) > rng.normal(np.log(1.0) - 1.645 * 0.5, 0.5, days.size)
        visits = [
            value(float(day), float(point), 0.15) if found else under(float(day), 1.0)
            for day, point, found in zip(days, seen, detected, strict=True)
        ]
        patients.append((truth, visits))
    return patients


def test_the_interval_covers_and_half_the_limit_does_not() -> None:
    rng = np.random.default_rng(11)
    covered: list[bool] = []
    shortcut: list[bool] = []
    for truth, visits in decays(rng, 80):
        curve = fit(visits)
        if not curve.identified:
            continue
        _, low, high = summarise(curve, level=LEVEL)
        covered += ((low <= truth) & (truth <= high)).tolist()
        halved = [value(v.day, v.observed.value / 2, 0.15) if v.censored else v for v in visits]
        _, low, high = summarise(fit(halved), level=LEVEL)
        shortcut += ((low <= truth) & (truth <= high)).tolist()
    assert 0.92 <= np.mean(covered) <= 0.99
    assert np.mean(shortcut) < np.mean(covered) - 0.05


def test_an_outlying_point_is_told_and_stays_in_the_fit() -> None:
    days = (1.0, 3.0, 5.0, 7.0, 10.0, 14.0, 21.0)
    smooth = [value(day, 10 * math.exp(-day / 10), 0.05) for day in days]
    assert fit(smooth).outlying == {}
    off = [value(7, 10 * math.exp(-0.7) * 6, 0.05) if visit.day == 7 else visit for visit in smooth]
    curve = fit(off)
    assert list(curve.outlying) == [3]
    assert 0 < curve.outlying[3] < OUTLYING
    assert np.median(curve.at([7.0])) > 1.3 * np.median(fit(smooth).at([7.0]))


def test_as_many_points_are_called_outlying_as_the_tail_says() -> None:
    rng = np.random.default_rng(5)
    called = points = 0
    for truth, _ in decays(rng, 60):
        visits = [value(float(d), float(t * rng.lognormal(0, 0.2)), 0.1) for d, t in enumerate(truth, 1)]
        called += len(fit(visits).outlying)
        points += len(visits)
    assert called / points < 3 * OUTLYING


def test_the_tail_of_a_point_is_that_of_a_fit_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    noise = 0.1
    for grid, cell in (("LENGTHS", 1.0), ("AMPLITUDES", 0.4), ("VISIT_NOISE", noise)):
        monkeypatch.setattr(trajectories, grid, (cell,))
    monkeypatch.setattr(trajectories, "CELL_DRAWS", 20_000)
    monkeypatch.setattr(trajectories, "OUTLYING", 1.0)
    rest = [*(value(day, 10 * math.exp(-day / 10), 0.05) for day in (1.0, 3.0, 5.0, 10.0, 14.0)), under(21, 2.0)]
    tail = fit([*rest[:3], value(7, 8.0, 0.1), *rest[3:]]).outlying[3]
    days = np.array([1.0, 3.0, 5.0, 7.0, 10.0, 14.0, 21.0])
    points = on_scale(rest, unit=CELLS, level=LEVEL)
    without, _ = trajectories._draw(points, days, size=20_000, rng=np.random.default_rng(1))
    predicted = without[:, 3]
    sd = math.sqrt(predicted.var() + noise**2 + 0.1**2)
    assert tail == pytest.approx(2 * norm.sf(abs(math.log(8.0) - predicted.mean()) / sd), rel=0.05)
