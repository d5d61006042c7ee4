from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nktrace.figures.axes import Days, Linear, Log, decade, short, spanning

SIZES = st.floats(1e-6, 1e9)


def labels(axis: Linear | Log) -> list[str]:
    return [words for _, words in axis.ticks()]


def test_ticks_are_round() -> None:
    assert labels(Linear(-7000.0, 256_000.0)) == ["0", "100k", "200k"]
    assert labels(Linear(0.0, 1.0)) == ["0", "0.2", "0.4", "0.6", "0.8", "1"]
    assert labels(Log(0.04, 90.0)) == ["0.1", "1", "10"]
    assert labels(Log(2.0, 30.0)) == ["2", "5", "10", "20"]
    assert labels(Log(2.7, 18.0)) == ["3", "5", "7", "10", "15"]
    assert labels(Log(1.0, 1e12))[0] == "1"


def test_days_are_counted_in_weeks_and_months() -> None:
    assert labels(Days(-1.5, 4.0)) == ["−1", "0", "1", "2", "3", "4"]
    assert labels(Days(-3.0, 29.0)) == ["0", "7", "14", "21", "28"]
    assert labels(Days(-9.0, 95.0)) == ["0", "28", "56", "84"]


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0.0, "0"),
        (-250.0, "−250"),
        (0.05, "0.05"),
        (1500.0, "1\u202f500"),
        (20_000.0, "20k"),
        (1e6, "10⁶"),
        (-2.5e7, "−2.5·10⁷"),
        (1e-5, "10⁻⁵"),
    ],
)
def test_labels_are_short(value: float, written: str) -> None:
    assert short(value) == written


def test_decades_of_a_logicle_axis() -> None:
    assert [decade(value) for value in (-1e3, 0.0, 1e3, 1e5)] == ["−10³", "0", "10³", "10⁵"]


def test_nothing_positive_on_a_logarithmic_axis_stands_at_its_foot() -> None:
    axis = Log(1.0, 100.0)
    assert axis.place(0.0) == axis.place(-5.0) == 0.0
    assert axis.place(10.0) == pytest.approx(0.5)


def test_an_axis_for_no_value_at_all() -> None:
    assert spanning([math.nan], log=True).ticks()
    assert spanning([], log=False).ticks()
    assert isinstance(spanning([0.0, -3.0], log=True), Linear)


@given(st.lists(SIZES, min_size=1, max_size=8), st.booleans())
def test_every_value_stands_within_its_axis_and_ticks_can_be_read(values: list[float], log: bool) -> None:
    axis = spanning(values, log=log)
    assert all(0 <= axis.place(value) <= 1 for value in values)
    ticks = axis.ticks()
    places = [axis.place(value) for value, _ in ticks]
    assert 1 <= len(ticks) <= 7
    assert all(-1e-6 <= place <= 1 + 1e-6 for place in places)
    assert places == sorted(places)
    assert len({words for _, words in ticks}) == len(ticks)


@given(st.floats(-1e5, 1e5), st.floats(1.0, 1e5))
def test_days_never_crowd(low: float, span: float) -> None:
    assert len(Days(low, low + span).ticks(6)) <= 7
