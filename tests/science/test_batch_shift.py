from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nktrace.model.intervals import Interval
from nktrace.science.batch_shift import BatchShift, Ratio, batch_shift

CUT = 1_000.0


def dark(rng: np.random.Generator, n: int = 5_000, gain: float = 1.0) -> np.ndarray:
    return gain * rng.normal(0, 100, n)


def bright(rng: np.random.Generator, n: int = 5_000, gain: float = 1.0) -> np.ndarray:
    return gain * rng.lognormal(9, 0.5, n)


def shift(*pairs: tuple[np.ndarray, np.ndarray], least_events: int = 200) -> BatchShift | None:
    rng = np.random.default_rng(99)
    controls = {f"person {number}": pair for number, pair in enumerate(pairs)}
    return batch_shift(controls, cut=CUT, dark=dark(rng), bright=bright(rng), least_events=least_events)


def test_bright_and_dark_cells_are_measured_where_a_control_has_them() -> None:
    rng = np.random.default_rng(1)
    carries = bright(rng), bright(rng, gain=0.6)
    lacks = dark(rng), dark(rng, gain=1.5)
    only_bright, only_dark, both = shift(carries), shift(lacks), shift(carries, lacks)
    assert only_bright
    assert only_bright.bright
    assert only_bright.dark is None
    assert only_bright.bright.value == pytest.approx(0.6, rel=0.04)
    assert "dark cells not known" in str(only_bright)
    assert only_dark
    assert only_dark.dark
    assert only_dark.bright is None
    assert only_dark.dark.value == pytest.approx(1.5, rel=0.08)
    assert both
    assert both.bright == only_bright.bright
    assert both.dark == only_dark.dark


def test_a_mixed_control_shows_both_parts_without_a_cut_in_the_second_batch() -> None:
    """With 40 % bright cells and a third of the signal its bright cells are partly below the first batch's cut."""
    rng = np.random.default_rng(2)
    before = np.concatenate([dark(rng, 6_000), bright(rng, 4_000)])
    after = np.concatenate([dark(rng, 6_000), bright(rng, 4_000, gain=0.3)])
    found = shift((before, after))
    assert found
    assert found.bright
    assert found.dark
    assert found.bright.value == pytest.approx(0.3, rel=0.06)
    assert found.dark.value == pytest.approx(1.0, abs=0.12)


def test_the_cut_moves_with_the_cells_that_it_is_near_to() -> None:
    one = BatchShift(dark=Ratio(), bright=Ratio(value=0.5), dark_at=100, bright_at=10_000)
    moved = [one.cut(Interval(cut, cut, cut), level=0.95).value / cut for cut in (50, 100, 1_000, 10_000, 20_000)]
    assert moved == pytest.approx([1, 1, math.sqrt(0.5), 0.5, 0.5])


def test_the_error_of_the_ratio_widens_the_cut() -> None:
    sure = BatchShift(dark=Ratio(), bright=Ratio(value=0.5), dark_at=100, bright_at=1_000)
    unsure = BatchShift(dark=Ratio(), bright=Ratio(value=0.5, sd=0.1), dark_at=100, bright_at=1_000)
    cut = Interval(1_000.0, 950.0, 1_050.0)
    narrow, wide = sure.cut(cut, level=0.95), unsure.cut(cut, level=0.95)
    assert narrow.value == wide.value == pytest.approx(500)
    assert wide.high - wide.value == pytest.approx(math.hypot(narrow.high - 500, 1.96 * 0.1 * 500), rel=1e-3)


def test_the_standard_error_is_how_the_ratio_scatters() -> None:
    rng = np.random.default_rng(3)
    found = [shift((bright(rng, 400), bright(rng, 400, 0.7))) for _ in range(200)]
    ratios = [one.bright for one in found if one and one.bright]
    scatter = np.std([math.log(ratio.value) for ratio in ratios])
    assert np.mean([ratio.sd for ratio in ratios]) == pytest.approx(scatter, rel=0.25)


def test_controls_that_disagree_say_so() -> None:
    rng = np.random.default_rng(4)
    alike = shift((bright(rng), bright(rng, gain=0.5)), (bright(rng), bright(rng, gain=0.5)))
    unlike = shift((bright(rng), bright(rng, gain=0.5)), (bright(rng), bright(rng, gain=1.0)))
    assert alike
    assert alike.bright
    assert alike.bright.sd < 0.02
    assert unlike
    assert unlike.bright
    assert unlike.bright.sd > 0.2


def test_too_few_cells_or_no_control_give_no_shift() -> None:
    rng = np.random.default_rng(5)
    assert shift() is None
    assert shift((bright(rng, 150), bright(rng))) is None


def test_without_dark_cells_anywhere_all_moves_like_the_bright_ones() -> None:
    rng = np.random.default_rng(6)
    none = np.empty(0)
    found = batch_shift(
        {"x": (bright(rng), bright(rng, gain=0.5))}, cut=CUT, dark=none, bright=bright(rng), least_events=200
    )
    assert found
    assert found.cut(Interval(CUT, CUT, CUT), level=0.95).value == pytest.approx(500, rel=0.05)


@settings(max_examples=50, deadline=None)
@given(
    dark_ratio=st.floats(0.3, 3),
    bright_ratio=st.floats(0.3, 3),
    values=st.lists(st.floats(-1e4, 2e5), min_size=1, max_size=20),
)
def test_there_and_back_again_in_the_same_order(dark_ratio: float, bright_ratio: float, values: list[float]) -> None:
    one = BatchShift(dark=Ratio(value=dark_ratio), bright=Ratio(value=bright_ratio), dark_at=150, bright_at=8_000)
    here = np.sort(np.array(values))
    there = one.forth(here)
    assert one.back(there) == pytest.approx(here, rel=1e-9, abs=1e-9)
    assert (np.diff(there) >= 0).all()
