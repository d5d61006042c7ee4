"""Peaks and valleys on densities that are skewed, heavy-tailed and of very unequal size."""

from __future__ import annotations

import numpy as np
import pytest

from nktrace.science.density import Histogram, histogram, main_peak, on_grid, resample, smooth, valleys


def two_populations(
    rng: np.random.Generator, *, events: int, share: float, apart: float, shape: str = "normal"
) -> tuple[np.ndarray, np.ndarray]:
    """Values of a negative and of a positive population (`share` of all), `apart` sd between their modes."""
    positive = round(events * share)
    draw = {
        "normal": lambda n: rng.normal(size=n),
        "skewed": lambda n: rng.gamma(6.0, 1 / np.sqrt(6.0), size=n) - np.sqrt(6.0),
        "heavy": lambda n: rng.standard_t(5, size=n) / np.sqrt(5 / 3),
    }[shape]
    return draw(events - positive).astype(np.float32), (draw(positive) + apart).astype(np.float32)


def wrong_side(negative: np.ndarray, positive: np.ndarray, cut: float) -> int:
    return int((negative >= cut).sum() + (positive < cut).sum())


@pytest.mark.parametrize("shape", ["normal", "skewed", "heavy"])
@pytest.mark.parametrize("share", [0.02, 0.1, 0.5, 0.97])
@pytest.mark.parametrize("seed", [1, 2])
def test_the_valley_loses_hardly_more_than_the_best_cut(shape: str, share: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    negative, positive = two_populations(rng, events=20_000, share=share, apart=7.0, shape=shape)
    counts = histogram(np.concatenate([negative, positive]))
    assert counts is not None
    found = valleys(counts, min_depth=0.1, min_share=0.002)
    assert found
    best = max(found, key=lambda valley: valley.score)
    lost = wrong_side(negative, positive, counts.at(best.bin))
    least = min(wrong_side(negative, positive, cut) for cut in np.linspace(0, 7, 300))
    smaller = min(len(negative), len(positive))
    assert lost <= least + 0.05 * smaller


@pytest.mark.parametrize("shape", ["normal", "skewed", "heavy"])
@pytest.mark.parametrize("events", [100, 1_000, 30_000])
def test_one_peak_has_no_valley(shape: str, events: int) -> None:
    found = 0
    for seed in range(20):
        values, _ = two_populations(np.random.default_rng(seed), events=events, share=0.0, apart=0.0, shape=shape)
        counts = histogram(values)
        assert counts is not None
        found += bool(valleys(counts, min_depth=0.1, min_share=0.002))
    assert found <= 1


def test_a_valley_in_a_wide_empty_gap_is_its_middle() -> None:
    rng = np.random.default_rng(3)
    values = np.concatenate([rng.normal(0, 0.1, 5_000), rng.normal(10, 0.1, 5_000)])
    counts = histogram(values)
    assert counts is not None
    (valley,) = valleys(counts, min_depth=0.1, min_share=0.002)
    assert counts.at(valley.bin) == pytest.approx(5.0, abs=0.5)
    assert valley.depth == pytest.approx(1.0)
    assert valley.share == pytest.approx(0.5, abs=0.01)


def test_three_populations_have_two_valleys_in_order() -> None:
    rng = np.random.default_rng(4)
    values = np.concatenate([rng.normal(m, 0.5, n) for m, n in ((0, 8_000), (4, 4_000), (8, 1_000))])
    counts = histogram(values)
    assert counts is not None
    places = [counts.at(valley.bin) for valley in valleys(counts, min_depth=0.1, min_share=0.002)]
    assert places == pytest.approx([2, 6], abs=0.6)


def test_events_off_the_scale_are_no_population_beside_two() -> None:
    """A dye that is brighter than the detector: the last valley still parts live from dead."""
    rng = np.random.default_rng(6)
    values = np.concatenate([rng.normal(2, 0.5, 4_000), np.minimum(rng.normal(7, 1.2, 8_000), 8.5)])
    counts = histogram(values)
    assert counts is not None
    (valley,) = valleys(counts, min_depth=0.1, min_share=0.002)
    assert counts.at(valley.bin) == pytest.approx(3.8, abs=0.5)


def test_beads_at_the_end_of_the_range_are_a_population() -> None:
    rng = np.random.default_rng(6)
    parts = [rng.normal(mode, sd, n) for mode, sd, n in ((0, 0.5, 3_000), (3, 0.5, 6_000), (12, 0.08, 500))]
    counts = histogram(np.concatenate(parts))
    assert counts is not None
    places = [counts.at(valley.bin) for valley in valleys(counts, min_depth=0.1, min_share=0.002, piled=False)]
    assert places == pytest.approx([1.5, 8.0], abs=1.5)
    assert len(valleys(counts, min_depth=0.1, min_share=0.002)) == 1


def test_a_population_off_the_scale_is_one_of_two() -> None:
    rng = np.random.default_rng(6)
    counts = histogram(np.concatenate([rng.normal(2, 0.5, 4_000), np.minimum(rng.normal(12, 1.2, 8_000), 8.5)]))
    assert counts is not None
    (valley,) = valleys(counts, min_depth=0.1, min_share=0.002)
    assert 3.5 < counts.at(valley.bin) < 8.4


def test_a_handful_of_outliers_is_no_population() -> None:
    rng = np.random.default_rng(5)
    values = np.concatenate([rng.normal(0, 1, 20_000), np.full(30, 12.0)])
    counts = histogram(values)
    assert counts is not None
    assert valleys(counts, min_depth=0.1, min_share=0.002) == []
    assert valleys(counts, min_depth=0.1, min_share=0.001) != []
    few = histogram(np.concatenate([values[:3_000], np.full(8, 12.0)]))
    assert few is not None
    assert valleys(few, min_depth=0.1, min_share=0.002) == []


def test_a_histogram_counts_every_event_within_reach() -> None:
    values = np.array([0.0, 1.0, 2.0, np.nan, np.inf], dtype=np.float32)
    counts = histogram(values, bins=4)
    assert counts is not None
    assert counts.counts.sum() == 3
    assert on_grid(np.array([-5.0, 1.0, 50.0], dtype=np.float32), counts).counts.sum() == 1


@pytest.mark.parametrize("values", [[], [1.0], [2.0, 2.0, 2.0], [np.nan, np.nan]])
def test_nothing_to_bin_is_none(values: list[float]) -> None:
    assert histogram(np.array(values, dtype=np.float32)) is None


def test_a_far_outlier_does_not_take_the_resolution() -> None:
    values = np.append(np.random.default_rng(6).normal(0, 1, 10_000), 1e9).astype(np.float32)
    counts = histogram(values)
    assert counts is not None
    assert counts.width < 0.1


def test_ion_counts_have_no_valley_between_none_and_one() -> None:
    rng = np.random.default_rng(4)
    ions = np.concatenate([rng.poisson(rng.gamma(2.0, 0.3, 6_000)), rng.poisson(rng.gamma(8.0, 8.0, 2_000))])
    counts = histogram(np.arcsinh(ions / 5))
    assert counts is not None
    (found,) = valleys(counts, min_depth=0.1, min_share=0.002)
    assert 4 < 5 * np.sinh(counts.at(found.bin)) < 20


def test_tied_values_keep_every_event_in_its_place() -> None:
    values = np.repeat([0.0, 1.0, 2.0, 50.0], [500, 300, 100, 100]).astype(np.float32)
    counts = histogram(values)
    assert counts is not None
    middle = np.array([counts.at(i) for i in range(counts.counts.shape[-1])])
    assert counts.counts.sum() == pytest.approx(1_000)
    assert np.average(middle, weights=counts.counts) == pytest.approx(values.mean(), abs=0.1)
    assert counts.counts[(middle > 4) & (middle < 48)].sum() == 0
    again = on_grid(values[values < 2], counts)
    assert again.counts.sum() == pytest.approx(800)


def test_the_main_peak_is_measured_beside_a_neighbour() -> None:
    rng = np.random.default_rng(7)
    counts = histogram(np.concatenate([rng.normal(0, 1, 20_000), rng.normal(10, 1, 15_000)]))
    assert counts is not None
    mode, width = main_peak(counts.counts)
    assert counts.at(mode) == pytest.approx(0, abs=0.3)
    assert width * counts.width == pytest.approx(1, rel=0.25)


def test_smoothing_keeps_the_mass_at_the_ends() -> None:
    counts = np.zeros(64)
    counts[0] = 10.0
    assert smooth(counts, 5.0).sum() == pytest.approx(10.0)
    assert smooth(np.full(64, 3.0), 5.0) == pytest.approx(np.full(64, 3.0))


def test_resamples_have_the_spread_of_counts() -> None:
    draws = resample(np.full(50, 100.0), times=400, rng=np.random.default_rng(8))
    assert draws.shape == (400, 50)
    assert draws.mean() == pytest.approx(100, rel=0.01)
    assert draws.var() == pytest.approx(100, rel=0.05)


def test_a_bin_number_is_a_value() -> None:
    assert Histogram(10.0, 2.0, np.ones(3), 3).at(1) == pytest.approx(13.0)
