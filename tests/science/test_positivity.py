"""How probable it is that a cell is positive for a marker: calibrated where populations overlap, and when unknown."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nktrace.science.positivity import positivity
from nktrace.science.simulation.cells import skewed

SD = 0.06


def overlapping(*, share: float, apart: float, seed: int, events: int = 20_000) -> tuple[np.ndarray, np.ndarray, float]:
    """Values of two skewed, heavy-tailed populations, which events are of the higher one, and the best cut."""
    rng = np.random.default_rng(seed)
    positive = rng.random(events) < share
    values = 0.3 + SD * (apart * positive + skewed(rng, events))
    order = np.argsort(values)
    gain = np.cumsum(np.where(positive[order], -1, 1))
    return values, positive, float(values[order[int(np.argmax(gain))]])


@pytest.mark.parametrize("apart", [2.5, 3, 4])
@pytest.mark.parametrize("share", [0.5, 0.2, 0.05])
def test_among_events_of_a_probability_that_share_is_truly_positive(share: float, apart: float) -> None:
    pairs = []
    for seed in range(4):
        values, positive, cut = overlapping(share=share, apart=apart, seed=seed)
        pairs.append((positivity(values, cut=cut, error=0.003).of(values), positive))
    probability, positive = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
    band = (probability >= 0.6) & (probability <= 0.7)
    noise = 3 * math.sqrt(0.65 * 0.35 / np.count_nonzero(band))
    assert positive[band].mean() == pytest.approx(0.65, abs=noise + 0.06)
    bins = np.minimum((probability * 20).astype(int), 19)
    size, said, true = (np.bincount(bins, weights, 20) for weights in (None, probability, positive.astype(float)))
    assert np.abs(said - true).sum() / size.sum() < 0.025


@pytest.mark.parametrize("apart", [2.5, 3])
@pytest.mark.parametrize("share", [0.02, 0.05])
def test_a_small_population_beside_a_large_one_is_expected_nearer_to_its_size_than_it_is_counted(
    share: float, apart: float
) -> None:
    true, counted, expected = [], [], []
    for seed in range(4):
        values, positive, cut = overlapping(share=share, apart=apart, seed=seed)
        true.append(positive.sum())
        counted.append(np.count_nonzero(values >= cut))
        expected.append(positivity(values, cut=cut, error=0.003).of(values).sum())
    assert abs(np.mean(expected) - np.mean(true)) < 0.6 * abs(np.mean(counted) - np.mean(true))


@given(
    share=st.floats(0.0, 1.0),
    apart=st.floats(0.0, 8.0),
    place=st.floats(-1.0, 2.0),
    error=st.sampled_from((0.0, math.nan, 0.003, 0.05)),
    events=st.sampled_from((0, 1, 40, 300, 3_000)),
    seed=st.integers(0, 99),
)
def test_it_is_even_at_the_cut_and_never_falls(
    share: float, apart: float, place: float, error: float, events: int, seed: int
) -> None:
    values, _, _ = overlapping(share=share, apart=apart, seed=seed, events=max(events, 1))
    curve = positivity(values[:events], cut=place, error=error)
    grid = np.linspace(-2, 3, 4001)
    probability = curve.of(grid)
    assert np.all(np.diff(probability) >= -1e-9)
    assert np.all((probability >= 0) & (probability <= 1))
    step = curve.value[1] - curve.value[0]
    assert np.all(probability[grid >= place + step] >= 0.5 - 1e-6)
    assert np.all(probability[grid <= place - step] <= 0.5 + 1e-6)


def test_a_doubtful_cut_makes_the_events_beside_it_less_sure() -> None:
    values, _, cut = overlapping(share=0.4, apart=6, seed=1)
    beside = np.array([cut - 0.02, cut + 0.02])
    sure, doubtful = (positivity(values, cut=cut, error=error).of(beside) for error in (0.002, 0.04))
    assert doubtful[0] > sure[0] + 0.05
    assert doubtful[1] < sure[1] - 0.05


def test_of_few_events_only_the_error_of_the_cut_counts() -> None:
    values = np.linspace(0, 1, 20)
    found = positivity(values, cut=0.5, error=0.1).of(np.array([0.4, 0.5, 0.6, 0.8]))
    assert found == pytest.approx([NormalDist(0.5, 0.1).cdf(x) for x in (0.4, 0.5, 0.6, 0.8)], abs=0.003)
    assert positivity(values, cut=0.5, error=math.nan).of(np.array([0.4, 0.6])) == pytest.approx([0, 1], abs=1e-5)


def test_a_cut_in_the_tail_of_a_lone_peak_leaves_hardly_any_cell_on_its_other_side() -> None:
    values, _, _ = overlapping(share=0, apart=0, seed=3)
    cut = 0.3 + 3 * SD
    assert positivity(values, cut=cut, error=0.005).of(values).mean() < 0.005
    nearer = positivity(values, cut=0.3 + 1.5 * SD, error=0.005).of(np.array([0.3 + 2 * SD]))
    assert 0.5 < nearer[0] < 0.9, "a cut within a peak makes no cell beside it sure"
