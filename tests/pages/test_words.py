from __future__ import annotations

import math

import pytest

from nktrace.pages.words import day, interval, label, number, percent

NAN, INF = math.nan, math.inf


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (None, "–"),
        (NAN, "–"),
        (INF, "∞"),
        (-INF, "−∞"),
        (0, "0"),
        (-0.0, "0"),
        (7000, "7\u202f000"),
        (12_345_678, "12\u202f345\u202f678"),  # a count keeps its digits
        (1e6, "1\u2009×\u200910⁶"),
        (2.5e12, "2.5\u2009×\u200910¹²"),
        (999.6, "1\u202f000"),
        (250.4, "250"),
        (12.345, "12.3"),
        (99.96, "100"),
        (14.0, "14"),
        (0.00012345, "0.000123"),
        (0.0000123, "1.23\u2009×\u200910⁻⁵"),
        (-3.25, "−3.25"),
        (-1234.0, "−1\u202f234"),
    ],
)
def test_numbers(value: float | None, written: str) -> None:
    assert number(value) == written


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (None, "–"),
        (NAN, "–"),
        (0.0, "0\u202f%"),
        (1.0, "100\u202f%"),
        (0.9996, "99.96\u202f%"),  # never rounded up to all
        (0.99998, ">99.99\u202f%"),
        (0.123, "12.3\u202f%"),
        (0.0123, "1.23\u202f%"),
        (0.00123, "0.123\u202f%"),
        (0.000001, "<0.001\u202f%"),  # never rounded down to nothing
        (-0.01, "−1.00\u202f%"),
    ],
)
def test_fractions_as_per_cent(value: float | None, written: str) -> None:
    assert percent(value) == written


@pytest.mark.parametrize(("value", "written"), [(NAN, "–"), (None, "–"), (7.0, "7"), (-1.5, "−1.5"), (365.0, "365")])
def test_days(value: float | None, written: str) -> None:
    assert day(value) == written


def test_a_value_stands_with_its_interval() -> None:
    assert interval({"value": 12.0, "ci_low": 9.04, "ci_high": 15.0}, "value") == "12 (9.04 to 15)"
    assert (
        interval({"value": 0.1, "ci_low": 0.05, "ci_high": 0.2}, "value", show="percent")
        == "10.0\u202f% (5.00 to 20.0)"
    )
    assert interval({"value": 7.0, "ci_low": NAN, "ci_high": NAN}, "value") == "7"


def test_where_only_bounds_are_known_these_are_shown() -> None:
    assert interval({"value": NAN, "ci_low": 0.0, "ci_high": 4.6}, "value") == "< 4.6"
    assert interval({"value": NAN, "ci_low": 14.0, "ci_high": INF}, "value") == "> 14"
    assert interval({"value": NAN, "ci_low": 7.0, "ci_high": 14.0}, "value") == "7 to 14"
    assert interval({"value": NAN, "ci_low": NAN, "ci_high": NAN}, "value") == "–"


def test_a_donor_fraction_is_clipped_in_displays_only() -> None:
    row = {"donor_fraction": -0.004, "ci_low": 0.0, "ci_high": 0.01}
    assert interval(row, "donor_fraction", show="fraction") == "0\u202f% (0 to 1.00)"
    assert interval(
        row | {"donor_fraction": 1.02, "ci_low": 0.95, "ci_high": 1.0}, "donor_fraction", show="fraction"
    ) == ("100\u202f% (95.0 to 100)")


def test_names_are_written_for_people() -> None:
    assert label("nk_bright") == "NK bright"
    assert label("fraction:early_dim") == "early dim"
    assert label("state:activated") == "state: activated"
    assert label(None) == ""
