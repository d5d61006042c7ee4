from __future__ import annotations

import numpy as np
import pytest

from nktrace.model.hla import Direction
from nktrace.model.intervals import Interval
from nktrace.science.hla_positivity import best_cut, looks_donor, peak_cut

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


@pytest.mark.parametrize(("events", "stuck"), [(200, 0.003), (1_000, 0.003), (5_000, 0.0005)])
def test_the_false_positive_rate_counted_at_the_cut_is_that_of_further_cells(events: int, stuck: float) -> None:
    """The blank is cut and counted: a cut that dodges its few bright events would halve the rate."""
    rng = np.random.default_rng(6)

    def blank(n: int) -> np.ndarray:
        bright = rng.random(n) < stuck  # antibody that sticks without its antigen, over a wide range
        return np.where(bright, rng.lognormal(8.4, 0.9, n), rng.normal(0, 100, n))

    donor, further = bright(rng, 2_000, 9.1), blank(400_000)
    counted, true = [], []
    for _ in range(150):
        mine = blank(events)
        at = best_cut(mine, donor, direction=DONOR, level=0.95, bootstrap=2, rng=rng).value
        counted.append(np.mean(mine >= at))
        true.append(np.mean(further >= at))
    noise = np.std(counted) / np.sqrt(len(counted))
    assert np.mean(counted) > 0.85 * np.mean(true) - 2 * noise
    assert np.mean(donor >= at) > 0.97


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


def peak(blank: np.ndarray, direction: Direction = DONOR) -> Interval:
    return peak_cut(blank, direction=direction, level=0.95, bootstrap=20, rng=np.random.default_rng(0))


@pytest.mark.parametrize("background", [0.0, 0.002, 0.01, 0.05, 0.15])
@pytest.mark.parametrize("direction", [DONOR, RECIPIENT])
def test_without_a_donor_reference_the_cut_leaves_the_peak_and_not_the_background(
    direction: Direction, background: float
) -> None:
    """However many cells of the blank look like donor cells, the cut keeps them and the donor's on their side."""
    rng = np.random.default_rng(5)
    negative, positive = dim(rng, 20_000), bright(rng, 20_000)
    blank, donor = (negative, positive) if direction is DONOR else (positive, negative)
    like_donor = rng.random(blank.size) < background
    found = peak(np.where(like_donor, donor, blank), direction)
    assert looks_donor(blank, found.value, direction).mean() < 5e-4
    assert looks_donor(donor, found.value, direction).mean() > 0.99
    assert found.low <= found.value <= found.high < 1.2 * found.low


@pytest.mark.parametrize("tail", ["laplace", "skewed", "t3"])
def test_of_a_peak_with_heavy_tails_the_cut_leaves_less_than_a_donor_fraction_that_matters(tail: str) -> None:
    rng = np.random.default_rng(7)
    shapes = {"laplace": rng.laplace(0, 100, 100_000), "t3": 100 * rng.standard_t(3, 100_000)}
    shapes["skewed"] = rng.normal(0, 60, 100_000) + rng.gamma(1.5, 80, 100_000)
    assert (shapes[tail] >= peak(shapes[tail]).value).mean() < 0.007


def test_a_stain_that_failed_has_no_cut_that_separates() -> None:
    """Recipient cells that stain no brighter than zero: half of them look like donor cells, and the row says so."""
    failed = dim(np.random.default_rng(8), 5_000)
    assert looks_donor(failed, peak(failed, RECIPIENT).value, RECIPIENT).mean() > 0.3
    assert np.isfinite(peak(np.zeros(500, np.float32)).value)
