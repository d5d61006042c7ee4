from __future__ import annotations

import numpy as np
import pytest

from nktrace.model.hla import Direction
from nktrace.model.intervals import Interval
from nktrace.science.hla_positivity import best_cut, looks_donor, tail_cut

DONOR, RECIPIENT = Direction.DONOR_POSITIVE, Direction.RECIPIENT_POSITIVE


def cut(blank: np.ndarray, donor: np.ndarray, direction: Direction = DONOR) -> Interval:
    return best_cut(blank, donor, direction=direction, level=0.95, bootstrap=20, rng=np.random.default_rng(0))


def dim(rng: np.random.Generator, n: int) -> np.ndarray:
    return rng.normal(0, 100, n).astype(np.float32)


def bright(rng: np.random.Generator, n: int, log_mean: float = 9.0) -> np.ndarray:
    return rng.lognormal(log_mean, 0.4, n).astype(np.float32)


def test_the_cut_lies_between_well_separated_peaks() -> None:
    rng = np.random.default_rng(1)
    blank, donor = dim(rng, 20_000), bright(rng, 5_000)
    found = cut(blank, donor)
    assert blank.max() < found.value < np.quantile(donor, 0.02)
    assert found.low <= found.value <= found.high


def test_overlapping_peaks_are_cut_where_a_small_fraction_has_the_least_error() -> None:
    """Peaks five standard deviations apart: at f = 1 % the best cut is near 3.5, beyond the middle."""
    rng = np.random.default_rng(2)
    blank, donor = rng.normal(0, 1, 200_000), rng.normal(5, 1, 100_000)
    found = cut(blank, donor).value
    assert found == pytest.approx(3.5, abs=0.25)
    errors = {
        c: np.sqrt((blank >= c).mean() + 0.01 * (donor >= c).mean()) / ((donor >= c).mean() - (blank >= c).mean())
        for c in (2.5, found)
    }
    assert errors[found] < errors[2.5]


def test_a_recipient_positive_marker_is_the_mirror_image() -> None:
    rng = np.random.default_rng(3)
    low, high = rng.normal(0, 1, 50_000), rng.normal(8, 1, 50_000)
    found = cut(blank=high, donor=low, direction=RECIPIENT)
    assert 2.5 < found.value < 5.5
    assert looks_donor(low, found.value, RECIPIENT).mean() > 0.99
    assert looks_donor(high, found.value, RECIPIENT).mean() < 0.01


def test_events_on_the_cut_are_positive() -> None:
    values = np.array([1.0, 2.0, 3.0])
    assert looks_donor(values, 2.0, DONOR).tolist() == [False, True, True]
    assert looks_donor(values, 2.0, RECIPIENT).tolist() == [True, False, False]


def test_the_same_data_and_seed_give_the_same_cut() -> None:
    rng = np.random.default_rng(4)
    blank, donor = dim(rng, 3_000), bright(rng, 500, 7.0)
    assert cut(blank, donor) == cut(blank, donor)


def test_constant_values_do_no_harm() -> None:
    found = cut(np.zeros(500, np.float32), np.full(500, 10.0, np.float32))
    assert 0 < found.value <= 10


def test_without_a_donor_reference_the_cut_is_the_tail_of_the_blank() -> None:
    rng = np.random.default_rng(5)
    blank = dim(rng, 100_000)
    found = tail_cut(blank, direction=DONOR, level=0.95, bootstrap=20, rng=rng)
    assert (blank >= found.value).mean() == pytest.approx(0.001, abs=2e-4)
    mirrored = tail_cut(-blank, direction=RECIPIENT, level=0.95, bootstrap=20, rng=rng)
    assert (-blank < mirrored.value).mean() == pytest.approx(0.001, abs=2e-4)
