"""Which events make a mixture: halves that share none, no event twice, as many NK cells as asked for, one clock."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nktrace.model.chimerism import Controls, MarkerCounts
from nktrace.model.dilution import Mixture, Recipe
from nktrace.science.dilution import expected_fraction, halves, lod_by_counts, mixture, recipes

LEVELS = [0.0, 0.001, 0.01, 0.1, 0.5]


@given(events=st.integers(0, 500), seed=st.integers(0, 5))
def test_halves_share_no_event_and_leave_none_out(events: int, seed: int) -> None:
    one, other = halves(events, np.random.default_rng(seed))
    assert sorted([*one, *other]) == list(range(events))
    assert abs(one.size - other.size) <= 1
    assert (np.diff(one) > 0).all()
    assert (np.diff(other) > 0).all()


@given(
    blank=st.integers(2_000, 60_000),
    donor=st.integers(2_000, 60_000),
    blank_share=st.floats(0.02, 0.9),
    donor_share=st.floats(0.02, 0.98),
)
def test_every_level_is_met_with_the_events_there_are(
    blank: int, donor: int, blank_share: float, donor_share: float
) -> None:
    steps = recipes(LEVELS, blank_events=blank, donor_events=donor, blank_share=blank_share, donor_share=donor_share)
    cells = [step.blank_events * blank_share + step.donor_events * donor_share for step in steps]
    rounding = blank_share + donor_share  # half an event of each file, up and down
    assert np.ptp(cells) <= rounding + 1e-6  # as many NK cells at every level
    for step in steps:
        assert 0 <= step.blank_events <= blank
        assert 0 <= step.donor_events <= donor
        found = expected_fraction(step, blank_share=blank_share, donor_share=donor_share)
        assert found == pytest.approx(step.level, abs=1 / max(cells))
    used = max(step.blank_events for step in steps) / blank, max(step.donor_events for step in steps) / donor
    assert max(used) == pytest.approx(1, abs=0.01)  # the scarcer half is used up


def test_a_product_of_nk_cells_alone_leaves_no_fraction_among_t_cells() -> None:
    step = Recipe(level=0.5, blank_events=1000, donor_events=100)
    assert expected_fraction(step, blank_share=0.4, donor_share=0.0) == 0
    assert np.isnan(expected_fraction(step, blank_share=0.0, donor_share=0.0))


def drawn(seed: int = 1) -> tuple[Mixture, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    _, blank = halves(1_000, rng)
    _, donor = halves(400, rng)
    step = Recipe(level=0.5, blank_events=300, donor_events=150)
    return mixture(step, blank, donor, blank_total=1_000, donor_total=400, rng=rng), blank, donor


def test_a_mixture_takes_no_event_twice_and_none_of_the_controls() -> None:
    mixed, blank, donor = drawn()
    for is_donor, half, size in ((False, blank, 300), (True, donor, 150)):
        rows = mixed.row[mixed.is_donor == is_donor]
        assert rows.size == size == np.unique(rows).size
        assert np.isin(rows, half).all()


def test_a_mixture_has_the_clock_of_the_blank() -> None:
    mixed, _, _ = drawn()
    assert (np.diff(mixed.clock) >= 0).all()
    own = ~mixed.is_donor
    assert (mixed.clock[own] == mixed.row[own]).all()
    place = mixed.row[mixed.is_donor] / 400  # in its own run
    assert np.allclose(mixed.clock[mixed.is_donor] / 1_000, place, atol=1e-3)


def test_the_same_seed_draws_the_same() -> None:
    (one, _, _), (again, _, _), (other, _, _) = drawn(), drawn(), drawn(2)
    assert (one.row == again.row).all()
    assert (one.row != other.row).any()


def test_lod_by_counts_is_the_mean_that_exceeds_the_limit_of_blank() -> None:
    """n = 10000, a = .0005, LoB 9: 15.71 events exceed it with probability .95: so (15.71 - 5) / 9995."""
    counts = MarkerCounts(events=10_000, positive=0)
    controls = Controls(
        blank=MarkerCounts(events=20_000, positive=10), donor=MarkerCounts(events=5_000, positive=5_000)
    )
    assert lod_by_counts(counts, controls, 9) == pytest.approx((15.71 - 5) / 9_995, rel=1e-3)
