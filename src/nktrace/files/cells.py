"""What the cells of a sheet may hold: each kind reads the text of one cell or says what is wrong with it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from nktrace.files.nearest import suggestion
from nktrace.model.errors import NktraceError

NA = "NA"
_NA_LIKE = frozenset({"na", "n/a", "n.a.", "nan", "null"})
_EXCEL_ERRORS = ("#N/A", "#REF!", "#DIV/0!", "#NAME?", "#VALUE!", "#NUM!", "#NULL!", "#SPILL!", "#CALC!")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*", re.ASCII)
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_ISO = re.compile(r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?))?", re.ASCII)
_DATE_LIKE = re.compile(r"\d{1,4}[-/.]\w{1,4}[-/.]\d{1,4}( .*)?", re.ASCII)


class CellError(NktraceError):
    """The text of a cell is not of its column's kind."""


def is_excel_error(text: str) -> bool:
    """Whether a spreadsheet left an error value (`#N/A`) or a column too narrow (`####`) instead of the content."""
    return text.startswith(_EXCEL_ERRORS) or (len(text) > 2 and set(text) == {"#"})


def available(text: str) -> bool:
    """Whether a cell holds anything: an empty one means NA.

    Raises:
        CellError: NA in another spelling, or an error value of a spreadsheet.
    """
    if text in ("", NA):
        return False
    if is_excel_error(text):
        raise CellError(f"'{text}' is an error of the spreadsheet", mend="Write the value, or NA.")
    if text.casefold() in _NA_LIKE:
        raise CellError(f"'{text}' is not how a value that is not available is written", mend="Write NA.")
    if not text.isprintable():
        raise CellError(f"{text!a} has invisible characters", mend="Type it anew.")
    return True


@dataclass(frozen=True, slots=True)
class Text:
    """Any text on one line."""

    says: str = "text"

    def __call__(self, text: str) -> str:
        return text


@dataclass(frozen=True, slots=True)
class Identifier:
    """An id: it becomes the name of a directory and a word on a command line."""

    says: str = "id"
    taken: str = ""  # a word that tables use for something else

    def __call__(self, text: str) -> str:
        if text == self.taken:
            raise CellError(f"'{text}' has another meaning in the tables of results", mend="Choose another id.")
        if not _ID.fullmatch(text):
            raise CellError(
                f"'{text}' is not an id",
                mend="An id has letters, digits, '.', '_' and '-', and begins with a letter or digit.",
            )
        return text


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few words."""

    options: tuple[str, ...]

    @property
    def says(self) -> str:
        return "one of " + ", ".join(f"`{option}`" for option in self.options)

    def __call__(self, text: str) -> str:
        if text not in self.options:
            raise CellError(f"there is no '{text}'", mend=suggestion(text, self.options))
        return text


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A finite number within bounds; the lower one may be excluded."""

    low: float = -math.inf
    high: float = math.inf
    above_low: bool = False
    what: str = "number"

    @property
    def says(self) -> str:
        if math.isinf(self.low) and math.isinf(self.high):
            return self.what
        if math.isinf(self.low):
            return f"{self.what}, at most {self.high:g}"
        low = f"above {self.low:g}" if self.above_low else f"at least {self.low:g}"
        return f"{self.what} {low}" + ("" if math.isinf(self.high) else f", at most {self.high:g}")

    def __call__(self, text: str) -> float:
        if not _NUMBER.fullmatch(text):
            raise CellError(f"'{text}' is not a {self.what}", mend=self._mend(text))
        value = float(text)
        inside = (self.low < value if self.above_low else self.low <= value) and value <= self.high
        if not inside or math.isinf(value):
            raise CellError(f"{text} is out of range: it is a {self.says}", mend=self._mend_range(value))
        return value

    def _mend(self, text: str) -> str:
        if "\N{MINUS SIGN}" in text or "\N{EN DASH}" in text:
            return "Write the minus as '-'."
        if text.endswith("%"):
            return "Write a fraction: 0.25 for 25 %."
        if "," in text:
            return "Write decimals with a point and thousands without a mark."
        if _DATE_LIKE.fullmatch(text):
            return "That is a date: dates stand in `collected` and `infusion_date`, as 2024-03-14."
        return "Write a number, or NA."

    def _mend_range(self, value: float) -> str:
        return "Write a fraction: 0.25 for 25 %." if self.high == 1 and 1 < value <= 100 else ""


FRACTION = Number(low=0, high=1, what="fraction")
POSITIVE = Number(low=0, above_low=True)
DAY = Number(low=-40_000, high=40_000, what="number of days")


@dataclass(frozen=True, slots=True)
class Moment:
    """A date, with or without the time of day; `at` is None where only the date is known."""

    text: str
    date: datetime
    at: datetime | None

    def days_since(self, other: Moment) -> float:
        """Days from the other moment: a fraction where both times of day are known, else whole days."""
        if self.at is not None and other.at is not None:
            return (self.at - other.at).total_seconds() / 86_400
        return float((self.date - other.date).days)


@dataclass(frozen=True, slots=True)
class IsoDate:
    """An ISO date, which may carry a time of day."""

    says: str = "date as 2024-03-14, or 2024-03-14T09:30"

    def __call__(self, text: str) -> Moment:
        match = _ISO.fullmatch(text)
        if not match:
            raise CellError(f"'{text}' is not an ISO date", mend="Write 2024-03-14, or 2024-03-14T09:30.")
        try:
            date = datetime.fromisoformat(match[1])
            return Moment(text, date, datetime.fromisoformat(f"{match[1]}T{match[2]}") if match[2] else None)
        except ValueError:
            raise CellError(f"'{text}' is not a day of the calendar") from None


Kind = Text | Identifier | Choice | Number | IsoDate


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a sheet.

    Attributes:
        name: as in the header.
        kind: what its cells hold.
        doc: what it means, for README and the commented sheets of `nktrace init`.
        needed: the sheet must have it.
        na: a cell may be NA; where it may not, NA in a needed column is a fault.
        default: the value of a cell that is NA or of an absent column.
        when: for whom it is needed, in words, where that depends on the row.
        check: a further check of the text; raises an NktraceError.
    """

    name: str
    kind: Kind = Text()
    doc: str
    needed: bool = False
    na: bool = True
    default: Any = None
    when: str = ""
    check: Callable[[str], object] | None = None

    def read(self, text: str) -> Any:
        """The value of a cell.

        Raises:
            NktraceError: the text cannot be read.
        """
        if not available(text):
            if not self.na:
                raise CellError("the cell is empty or NA, and its value is needed")
            return self.default
        value = self.kind(text)
        if self.check is not None:
            self.check(text)
        return value
