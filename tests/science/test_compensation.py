"""Compensation: the keyword, the detectors, the product, and what is refused."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from flowutils.compensate import compensate as flowutils_compensate
from hypothesis import given
from hypothesis import strategies as st

from nktrace.model.compensation import Spillover
from nktrace.model.errors import CompensationError
from nktrace.model.events import Events
from nktrace.science.compensation import compensate, find_spillover, match_detectors, parse_spillover

TEXT = "3,FITC-A,PE-A,APC-A,1,0.2,0,0.05,1,0.01,0,0,1"
MATRIX = np.array([[1, 0.2, 0], [0.05, 1, 0.01], [0, 0, 1]])
CHANNELS = ("Time", "APC-A", "FSC-A", "FITC-A", "PE-A", "FITC-H")


def measured(true: np.ndarray, dtype: type = np.float32) -> Events:
    """Events of CHANNELS whose FITC, PE and APC columns spill into each other."""
    values = true.copy()
    values[:, [3, 4, 1]] = true[:, [3, 4, 1]] @ MATRIX
    return Events(np.asfortranarray(values.astype(dtype)), CHANNELS)


@pytest.fixture
def true() -> np.ndarray:
    return np.random.default_rng(0).lognormal(6, 2, (40_001, 6))


class TestKeyword:
    @pytest.mark.parametrize("keyword", ["$SPILLOVER", "SPILLOVER", "SPILL", "$SPILL", "spill", "$spillover", "$COMP"])
    def test_every_spelling_is_found(self, keyword):
        spillover = find_spillover({"$PAR": "6", keyword: TEXT})
        assert spillover is not None
        assert spillover.detectors == ("FITC-A", "PE-A", "APC-A")
        np.testing.assert_array_equal(spillover.matrix, MATRIX)

    @pytest.mark.parametrize("keywords", [{}, {"$SPILLOVER": ""}, {"SPILL": " 0 "}, {"$COMP": "2,1,0,0,1.0"}])
    def test_none(self, keywords):
        assert find_spillover(keywords) is None

    def test_a_matrix_without_names_is_not_guessed(self):
        with pytest.raises(CompensationError, match=r"keyword \$COMP"):
            find_spillover({"$COMP": "2,1,0.1,0,1"})

    def test_two_keywords_must_agree(self):
        assert find_spillover({"$SPILLOVER": TEXT, "SPILL": TEXT.replace("0.2", "0.20001")}) is not None
        with pytest.raises(CompensationError, match="different"):
            find_spillover({"$SPILLOVER": TEXT, "SPILL": TEXT.replace("0.2", "0.3")})

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("x,A,B", "not with a number"),
            ("6,FL2-A,FL2-H,FL4-A,FL4-H,FL7-A,FL7-H", "needs 43 fields and has 7"),
            (TEXT.replace("0.2", "none"), "from FITC-A to PE-A is 'none'"),
            (TEXT.replace("0.2", "nan"), "from FITC-A to PE-A is nan"),
            (TEXT.replace("PE-A", "FITC-A"), "twice: FITC-A"),
            ("2,A,B,100,5,3,100", "percent"),
            ("1,,1", "without a name"),
        ],
    )
    def test_what_cannot_be_read_is_refused(self, text, message):
        with pytest.raises(CompensationError, match=message):
            parse_spillover(text)

    @given(st.text(alphabet="0123456789,.-eE$ AB", max_size=40))
    def test_any_text_is_read_or_refused(self, text):
        try:
            spillover = parse_spillover(text)
        except CompensationError:
            return
        assert np.isfinite(spillover.matrix).all()


class TestDetectors:
    def test_prefix_and_letter_case(self):
        spillover = Spillover(("Comp-FITC-A", "pe-a"), np.eye(2))
        assert match_detectors(spillover, CHANNELS).detectors == ("FITC-A", "PE-A")

    def test_an_exact_name_wins_over_the_prefix(self):
        spillover = Spillover(("Comp-FITC-A", "FITC-A"), np.eye(2))
        assert match_detectors(spillover, ("FITC-A", "Comp-FITC-A")).detectors == ("Comp-FITC-A", "FITC-A")

    def test_missing_ones_are_all_named_with_the_nearest(self):
        with pytest.raises(CompensationError, match=r"'FITCA' \(nearest: 'FITC-A'\), 'Zzzz'"):
            match_detectors(Spillover(("FITCA", "PE-A", "Zzzz"), np.eye(3)), CHANNELS)

    def test_two_that_are_one(self):
        with pytest.raises(CompensationError, match="twice: PE-A"):
            match_detectors(Spillover(("PE-A", "Comp-PE-A"), np.eye(2)), CHANNELS)


class TestProduct:
    def test_it_takes_spillover_out_and_leaves_other_columns_alone(self, true):
        events = measured(true, np.float64)
        got = compensate(events, parse_spillover(TEXT), max_condition=100)
        np.testing.assert_allclose(got.values, true, rtol=1e-9, atol=1e-9)
        assert got.channels == CHANNELS
        np.testing.assert_array_equal(got.values[:, [0, 2, 5]], events.values[:, [0, 2, 5]])

    def test_float64_is_flowkits(self, true):
        events = measured(true, np.float64)
        theirs = flowutils_compensate(events.values, MATRIX, [3, 4, 1])
        got = compensate(events, parse_spillover(TEXT), max_condition=100)
        np.testing.assert_allclose(got.values, theirs, rtol=1e-12, atol=1e-9)

    def test_float32_is_float64_within_its_rounding(self, true):
        fast = compensate(measured(true), parse_spillover(TEXT), max_condition=100)
        exact = compensate(measured(true, np.float64), parse_spillover(TEXT), max_condition=100)
        assert fast.values.dtype == np.float32
        assert fast.values.flags.f_contiguous
        # measured values themselves are rounded; what the product adds is half a unit of the result's last place
        rounded = Events(measured(true).values.astype(np.float64), CHANNELS)
        same_input = compensate(rounded, parse_spillover(TEXT), max_condition=100)
        np.testing.assert_array_equal(fast.values, same_input.values.astype(np.float32))
        largest = np.abs(exact.values).max(axis=1)
        assert (np.abs(fast.values - exact.values).max(axis=1) / largest).max() < 1e-6

    def test_an_event_does_not_depend_on_its_neighbours(self, true):
        whole = compensate(measured(true), parse_spillover(TEXT), max_condition=100)
        part = compensate(measured(true[-5:]), parse_spillover(TEXT), max_condition=100)
        np.testing.assert_array_equal(whole.values[-5:], part.values)

    def test_the_events_themselves_are_not_changed(self, true):
        events = measured(true)
        before = events.values.copy()
        compensate(events, parse_spillover(TEXT), max_condition=100)
        np.testing.assert_array_equal(events.values, before)

    def test_nothing_to_do_costs_nothing(self, true):
        events = measured(true)
        assert compensate(events, None, max_condition=100) is events
        assert compensate(events, Spillover(("PE-A", "APC-A"), np.eye(2)), max_condition=100) is events

    def test_nan_spoils_its_own_event_only(self, true):
        events = measured(true)
        events.values[7, 3] = np.nan
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            got = compensate(events, parse_spillover(TEXT), max_condition=100)
        assert np.isnan(got.values).any(axis=1).nonzero()[0].tolist() == [7]

    @pytest.mark.parametrize("matrix", [np.ones((2, 2)), np.zeros((2, 2)), np.array([[1, 0.999], [1, 1]])])
    def test_a_singular_matrix_is_refused(self, true, matrix):
        with pytest.raises(CompensationError, match="singular"):
            compensate(measured(true), Spillover(("PE-A", "APC-A"), matrix), max_condition=100)
