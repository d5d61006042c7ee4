from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import expit, logit
from scipy.stats import nct, pearsonr, t

from nktrace.science.agreement import Pair, agreement, lin


def pairs(
    patients: int,
    visits: int,
    *,
    bias: float = 0.2,
    between: float = 0.0,
    within: float = 0.3,
    lod: float = 0.0,
    seed: int = 1,
) -> list[Pair]:
    """Flow and another method, the other with a limit of detection below which it gives none."""
    rng = np.random.default_rng(seed)
    made = []
    for patient in range(patients):
        own = rng.normal(bias, between)
        for _ in range(visits):
            truth = rng.normal(-4, 1.5)
            other = float(expit(truth))
            flow = float(expit(truth + own + rng.normal(0, within)))
            known = (0.0, lod) if other < lod else (other, other)
            made.append(Pair(patient=f"P{patient}", flow=(flow, flow), other=known))
    return made


def found(some: list[Pair]) -> dict[str, tuple[float, float, float]]:
    return {row.quantity: (row.value.value, row.value.low, row.value.high) for row in agreement(some, level=0.95)}


def test_bias_and_limits_are_those_of_the_differences() -> None:
    some = pairs(60, 2)
    differences = np.array([logit(pair.flow[0]) - logit(pair.other[0]) for pair in some])
    got = found(some)
    assert got["bias"][0] == pytest.approx(differences.mean(), abs=1e-9)
    half = (got["limit_high"][0] - got["limit_low"][0]) / 2
    assert half == pytest.approx(1.96 * differences.std(ddof=1), rel=0.005)
    assert all(low < value < high for value, low, high in got.values())


def test_censored_pairs_count_by_their_bounds() -> None:
    """Leaving out the pairs that STR misses would shift nothing here; taking its limit as the value would."""
    some = pairs(400, 1, lod=0.02, seed=3)
    censored = [pair for pair in some if not pair.measured]
    assert 150 < len(censored) < 300
    got = found(some)
    assert got["bias"][0] == pytest.approx(0.2, abs=0.06)
    assert (got["limit_high"][0] - got["limit_low"][0]) / (2 * 1.96) == pytest.approx(0.3, rel=0.12)
    as_numbers = [logit(pair.flow[0]) - logit(max(pair.other[1], 1e-9)) for pair in some]
    assert abs(np.mean(as_numbers) - 0.2) > 0.3


def test_many_visits_of_few_patients_are_few_patients() -> None:
    """Each patient has a bias of its own: pairs are not independent, and an interval over pairs would be too narrow."""
    inside = narrow = 0
    for seed in range(200):
        some = pairs(6, 8, bias=0.0, between=0.5, within=0.1, seed=seed)
        _, low, high = found(some)["bias"]
        differences = np.array([pair.apart[0] for pair in some])
        error = 1.96 * differences.std(ddof=1) / math.sqrt(differences.size)
        inside += low <= 0 <= high
        narrow += abs(differences.mean()) <= error
    assert inside >= 180
    assert narrow < 150


def test_lin_is_pearson_where_both_methods_have_the_same_mean_and_spread() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(0, 1, 50)
    y = x + rng.normal(0, 0.5, 50)
    y = (y - y.mean()) / y.std() * x.std() + x.mean()
    assert lin(x, y) == pytest.approx(pearsonr(x, y).statistic)
    assert lin(x, x + 1) < 1
    assert lin(x, x) == pytest.approx(1)
    assert math.isnan(lin(np.ones(3), np.ones(3)))


def test_limits_of_one_pair_per_patient_are_the_textbooks() -> None:
    """Bland and Altman 1999: mean ± 1.96 sd with n - 1; the interval of a limit is near Carkeet's exact one."""
    three = [Pair(patient=str(d), flow=(expit(d),) * 2, other=(0.5, 0.5)) for d in (0.1, 0.1001, 0.6)]
    got = found(three)
    assert (got["limit_high"][0] - got["limit_low"][0]) / 2 == pytest.approx(0.566, abs=0.001)
    assert math.isnan(got["limit_low"][1])
    for n in (6, 10, 30):
        some = pairs(n, 1, seed=n)
        differences = np.array([pair.apart[0] for pair in some])
        mean, sd = differences.mean(), differences.std(ddof=1)
        got = found(some)
        value, low, high = got["limit_high"]
        assert value == pytest.approx(mean + 1.959964 * sd)
        exact = [mean + sd * nct.ppf(p, n - 1, 1.959964 * math.sqrt(n)) / math.sqrt(n) for p in (0.025, 0.975)]
        assert low < exact[0] + 0.05 * sd
        assert high > exact[1] - 0.15 * sd
        assert high - low < 1.2 * (exact[1] - exact[0])
        assert got["bias"][1] == pytest.approx(mean - t.ppf(0.975, n - 1) * sd / math.sqrt(n))


@pytest.mark.parametrize(
    ("patients", "visits", "between", "within"), [(6, 1, 0.3, 0.4), (6, 4, 0.5, 0.1), (10, 3, 0.1, 0.5)]
)
def test_limits_and_their_intervals_hold_for_few_patients_with_repeated_pairs(
    patients: int, visits: int, between: float, within: float
) -> None:
    sd = math.hypot(between, within)
    truth = {"bias": 0.2, "limit_low": 0.2 - 1.96 * sd, "limit_high": 0.2 + 1.96 * sd}
    runs = [found(pairs(patients, visits, between=between, within=within, seed=seed)) for seed in range(300)]
    for quantity, true in truth.items():
        assert np.mean([got[quantity][1] <= true <= got[quantity][2] for got in runs]) > 0.92
    halves = [(got["limit_high"][0] - got["limit_low"][0]) / 2 for got in runs]
    assert math.sqrt(np.mean(np.square(halves))) == pytest.approx(1.96 * sd, rel=0.05)
    assert max(got["limit_high"][2] for got in runs) < 0.2 + 12 * sd


def test_intervals_hold_where_values_are_below_limits() -> None:
    runs = [found(pairs(10, 2, between=0.3, within=0.4, lod=0.01, seed=seed)) for seed in range(20)]
    truth = {"bias": 0.2, "limit_low": 0.2 - 1.96 * 0.5, "limit_high": 0.2 + 1.96 * 0.5}
    for quantity, true in truth.items():
        assert np.mean([got[quantity][1] <= true <= got[quantity][2] for got in runs]) > 0.85


def test_all_of_the_donor_is_a_bound_and_not_a_number() -> None:
    """A fraction of 1 has no logit: it lies between a bound and 1, or nothing is known of it."""
    some = pairs(8, 1)
    full = Pair(patient="P9", flow=(0.98, 0.98), other=(0.99, 1.0))
    got = found([*some, full])
    assert all(math.isfinite(end) for row in got.values() for end in row)
    assert got["bias"][0] < found(some)["bias"][0]
    assert list(agreement([*some, full], level=0.95))[-1].note == "of the 8 of 9 pairs with both values measured"
    for nothing in ((1.0, 1.0), (0.0, 0.0), (math.nan, 1.0)):
        unknown = Pair(patient="P9", flow=(0.98, 0.98), other=nothing)
        assert not unknown.known
        assert found([*some, unknown]) == found(some)


def test_too_few_patients_give_no_interval_and_a_note() -> None:
    got = list(agreement(pairs(2, 5), level=0.95))
    assert [row.quantity for row in got] == ["bias", "limit_low", "limit_high", "concordance"]
    assert all(math.isnan(row.value.low) and "3 patients" in row.note for row in got)
    assert not math.isnan(got[0].value.value)
    assert math.isnan(next(iter(agreement([], level=0.95))).value.value)
    four = list(agreement(pairs(4, 2), level=0.95))
    assert "5 patients" in four[-1].note
    assert not math.isnan(four[0].value.low)
    assert all(math.isnan(row.value.low) and "6 patients" in row.note for row in four[1:3])


def test_pairs_of_which_nothing_is_known_change_nothing() -> None:
    some = pairs(8, 2)
    unknown = Pair(patient="P1", flow=(0.1, 0.1), other=(0.0, math.nan))
    nothing = Pair(patient="P1", flow=(0.0, 0.01), other=(0.0, 0.02))
    assert not any(pair.known for pair in (unknown, nothing))
    assert found([*some, unknown]) == found(some)
    assert found([*some, nothing])["bias"] == pytest.approx(found(some)["bias"], abs=1e-4)
