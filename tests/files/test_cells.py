"""Cells: what each kind reads, and what it refuses with which mend."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nktrace.files.cells import DAY, FRACTION, POSITIVE, CellError, Choice, Column, Identifier, IsoDate, Number, Text

NUMBER = Column(name="x", kind=Number(), default=math.nan, doc="")


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_finite_number_is_read_as_python_writes_it(value: float) -> None:
    assert NUMBER.read(repr(value)) == value


@given(st.text())
def test_any_text_is_a_finite_number_or_a_cell_error(text: str) -> None:
    try:
        value = NUMBER.read(text)
    except CellError:
        return
    assert math.isfinite(value) or text in ("", "NA")


@given(st.text())
def test_an_id_can_be_a_directory_and_a_word_of_a_command(text: str) -> None:
    try:
        Identifier()(text)
    except CellError:
        return
    assert re.fullmatch("[A-Za-z0-9][A-Za-z0-9._-]*", text, re.ASCII)
    assert text.isascii()
    assert "/" not in text


@pytest.mark.parametrize(
    ("kind", "text", "says"),
    [
        (DAY, "day 7", "'day 7' is not a number of days"),
        (DAY, "14.03.2024", "dates stand in"),
        (DAY, "\N{MINUS SIGN}7", "Write the minus as '-'"),
        (DAY, "1_000", "not a number"),
        (DAY, "٣", "not a number"),
        (POSITIVE, "0", "out of range"),
        (POSITIVE, "1,5", "decimals with a point"),
        (POSITIVE, "inf", "not a number"),
        (POSITIVE, "1e999", "out of range"),
        (FRACTION, "25%", "0.25 for 25 %"),
        (FRACTION, "25", "0.25 for 25 %"),
        (FRACTION, "-0.1", "out of range"),
        (Identifier(), "../etc", "is not an id"),
        (Identifier(), "-x", "is not an id"),
        (Identifier(), "S 1", "is not an id"),
        (Choice(("timepoint", "blank")), "timpoint", "Did you mean 'timepoint'"),
        (Choice(("timepoint", "blank")), "Blank", "Did you mean 'blank'"),
        (IsoDate(), "3/14/2024", "Write 2024-03-14"),
        (IsoDate(), "2024-02-30", "not a day of the calendar"),
        (IsoDate(), "2024-03-14T25:00", "not a day of the calendar"),
        (Text(), "#REF!", "error of the spreadsheet"),
        (Text(), "########", "error of the spreadsheet"),
        (Text(), "n/a", "Write NA"),
        (Text(), "a\u200bb", "invisible"),
    ],
)
def test_a_wrong_cell_says_what_and_how_to_mend_it(kind: Text, text: str, says: str) -> None:
    with pytest.raises(CellError, match=re.escape(says)):
        Column(name="x", kind=kind, doc="").read(text)


def test_na_and_the_empty_cell_give_the_default_unless_the_value_is_needed() -> None:
    assert math.isnan(NUMBER.read("NA"))
    assert math.isnan(NUMBER.read(""))
    with pytest.raises(CellError, match="its value is needed"):
        Column(name="x", needed=True, na=False, doc="").read("NA")


def test_days_between_moments() -> None:
    date = IsoDate()
    assert date("2024-03-14").days_since(date("2024-03-01")) == 13
    assert date("2024-02-27").days_since(date("2024-03-01")) == -3
    assert date("2024-03-02T18:00").days_since(date("2024-03-01 06:00")) == 1.5
    assert date("2024-03-02T18:00").days_since(date("2024-03-01")) == 1, "whole days where one has no time of day"
