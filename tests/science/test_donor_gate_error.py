"""What the place of the gates does to a donor fraction."""

from __future__ import annotations

import numpy as np
import pytest

from nktrace.model.chimerism import MarkerCounts
from nktrace.model.shifts import Moved, Shift
from nktrace.science.donor_gate_error import rate_variance

EVENT = np.arange(0, 2_000, 2, dtype=np.int32)  # every other event of the file is known
DONOR_LIKE = np.arange(1_000) < 100
CLEAR = np.ones(1_000, np.bool_)
COUNTS = MarkerCounts(events=500, positive=100)


def moved(first: int, count: int, sign: int, population: str = "nk") -> Moved:
    rows = np.arange(first, first + count)
    return Moved((2 * rows).astype(np.intp), {population: np.full(count, sign, np.int8)})


def variance(*sides: tuple[Moved, Moved], clear: np.ndarray = CLEAR) -> float:
    shifts = [Shift("nk", "CD56", "min", low, high) for low, high in sides]
    return rate_variance(COUNTS, "nk", shifts, event=EVENT, donor_like=DONOR_LIKE, clear=clear)


def test_recipient_cells_that_enter_thin_the_donor_cells() -> None:
    assert variance((moved(600, 0, 1), moved(600, 50, 1))) == pytest.approx(((100 / 550 - 100 / 500) / 2) ** 2)


def test_cells_of_the_same_mixture_change_nothing() -> None:
    mixture = np.r_[0:10, 500:540]  # a fifth of them the donor's, as of all
    both = Moved((2 * mixture).astype(np.intp), {"nk": np.ones(50, np.int8)})
    assert variance((both, both)) == 0.0
    assert variance((Moved(both.events, {"nk": -both.change["nk"]}), both)) == pytest.approx(0.0, abs=1e-30)


def test_gates_are_independent_and_other_populations_do_not_count() -> None:
    one, two = (moved(600, 0, 1), moved(600, 50, 1)), (moved(0, 10, -1), moved(600, 0, 1))
    assert variance(one, two) == pytest.approx(variance(one) + variance(two))
    assert variance((moved(600, 50, 1, "cd3"), moved(600, 90, 1, "cd3"))) == 0.0


def test_events_without_markers_or_without_a_class_count_for_neither() -> None:
    unknown = Moved(np.arange(1_201, 1_301, 2), {"nk": np.ones(50, np.int8)})
    assert variance((unknown, unknown)) == 0.0
    assert variance((moved(600, 0, 1), moved(600, 50, 1)), clear=np.arange(1_000) < 600) == 0.0


def test_nothing_counted_has_no_error() -> None:
    none = MarkerCounts(events=0, positive=0)
    assert rate_variance(none, "nk", [], event=EVENT, donor_like=DONOR_LIKE, clear=CLEAR) == 0.0
