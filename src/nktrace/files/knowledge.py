"""Readers of the knowledge tables in resources/: antibodies, reference ranges, grades. A laboratory may bring its own.

Each reports everything that is wrong with its table at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from nktrace.files.tables import NA, read_rows
from nktrace.model.counting import GradeBand, ReferenceRange
from nktrace.model.errors import Fault, StudyFaults, TypingError
from nktrace.model.hla import Antibody, Target
from nktrace.science.hla_typing import parse_target

ANTIBODY_COLUMNS = ("antibody", "specificity", "reacts", "cross_reacts", "condition", "source")
RANGE_COLUMNS = ("population", "sex", "age_min", "age_max", "low", "high", "unit", "source")
GRADE_COLUMNS = ("population", "grade", "from", "below", "source")
UNIT = "cells/uL"
LLN = "LLN"

T = TypeVar("T")


class _CellError(Exception):
    """A cell that cannot be read: its column, what is wrong, how to mend it."""

    def __init__(self, column: str, what: str, mend: str = "") -> None:
        super().__init__(what)
        self.column, self.what, self.mend = column, what, mend


@dataclass(frozen=True, slots=True)
class _Cells:
    """The cells of one row, read with the name of the column in every complaint."""

    row: dict[str, str]

    def text(self, column: str) -> str:
        if self.row[column] in ("", NA):
            raise _CellError(column, "the cell is empty")
        return self.row[column]

    def number(self, column: str, *, missing: float | None = None) -> float:
        text = self.row[column]
        if text in ("", NA) and missing is not None:
            return missing
        try:
            value = float(text)
        except ValueError:
            raise _CellError(column, f"'{text}' is not a number") from None
        if not math.isfinite(value) or value < 0:
            raise _CellError(column, f"'{text}' is not a number from 0 up")
        return value

    def targets(self, column: str) -> list[tuple[bool, Target]]:
        """Targets, each with whether it is spared (`!B*27:08`)."""
        if self.row[column] in ("", NA):
            return []
        found = []
        for word in self.row[column].split():
            try:
                found.append((word.startswith("!"), parse_target(word.removeprefix("!"))))
            except TypingError as error:
                raise _CellError(column, error.what, error.mend) from None
        return found


def read_antibodies(path: Path | str) -> dict[str, Antibody]:
    """hla_antibodies.tsv, by the antibody's id.

    Raises:
        NktraceError: the file is missing or is not a table.
        StudyFaults: all that is wrong with it, at once.
    """
    antibodies = _read(path, ANTIBODY_COLUMNS, _antibody, key=lambda antibody: antibody.antibody)
    return {antibody.antibody: antibody for antibody in antibodies}


def read_ranges(path: Path | str) -> tuple[ReferenceRange, ...]:
    """reference_ranges.tsv: adult (or other) reference intervals, cells/µL.

    Raises:
        NktraceError: the file is missing or is not a table.
        StudyFaults: all that is wrong with it, at once.
    """
    return _read(path, RANGE_COLUMNS, _range, key=lambda r: (r.population, r.sex, r.age_min))


def read_grades(path: Path | str) -> tuple[GradeBand, ...]:
    """grades.tsv: bands of cells/µL, `from` ≤ x < `below`; `LLN` stands for the lower limit of the reference range.

    Raises:
        NktraceError: the file is missing or is not a table.
        StudyFaults: all that is wrong with it, at once.
    """
    return _read(path, GRADE_COLUMNS, _grade, key=lambda g: (g.population, g.grade))


def _antibody(cells: _Cells) -> Antibody:
    reacts = cells.targets("reacts")
    if not any(not spared for spared, _ in reacts):
        raise _CellError("reacts", "the antibody marks nothing", "Write groups such as A*02, separated by blanks")
    told = "rare" in cells.row  # a laboratory's own table may lack it, and `clone`
    rare = cells.targets("rare") if told else []
    if not {target for _, target in rare} <= {target for _, target in reacts if target.protein}:
        mend = "Write those of its proteins that are rare in their group, such as B*08:02, without `!`"
        raise _CellError("rare", "not all of it stands in `reacts` as a protein", mend)
    crossing = cells.targets("cross_reacts")
    for column, targets in (("rare", rare), ("cross_reacts", crossing)):
        if any(spared for spared, _ in targets):
            raise _CellError(column, "`!` has no meaning here", "Leave it out")
    return Antibody(
        antibody=cells.text("antibody"),
        specificity=cells.text("specificity"),
        reacts=tuple(target for spared, target in reacts if not spared),
        spares=tuple(target for spared, target in reacts if spared),
        rare=tuple(target for _, target in rare) if told else None,
        cross_reacts=tuple(target for _, target in crossing),
        condition="" if cells.row["condition"] == NA else cells.row["condition"],
        source=cells.text("source"),
        clone="" if cells.row.get("clone", NA) == NA else cells.row["clone"],
    )


def _range(cells: _Cells) -> ReferenceRange:
    sex = cells.text("sex")
    if sex not in ("F", "M", "any"):
        raise _CellError("sex", f"'{sex}' is not a sex", "Write F, M or any")
    if cells.text("unit") != UNIT:
        raise _CellError("unit", f"'{cells.row['unit']}' is not {UNIT}", "Convert the limits: 10^9/L times 1000")
    low, high = cells.number("low"), cells.number("high")
    if low >= high:
        raise _CellError("high", f"the range {low:g} to {high:g} is empty")
    return ReferenceRange(
        population=cells.text("population"),
        sex=sex,
        age_min=cells.number("age_min", missing=0.0),
        age_max=cells.number("age_max", missing=math.inf),
        low=low,
        high=high,
        source=cells.text("source"),
    )


def _grade(cells: _Cells) -> GradeBand:
    below = None if cells.row["below"] == LLN else cells.number("below")
    start = cells.number("from")
    if below is not None and start >= below:
        raise _CellError("below", f"the band {start:g} to {below:g} is empty")
    return GradeBand(
        population=cells.text("population"),
        grade=cells.text("grade"),
        low=start,
        below=below,
        source=cells.text("source"),
    )


def _read(
    path: Path | str, columns: Sequence[str], parse: Callable[[_Cells], T], *, key: Callable[[T], object]
) -> tuple[T, ...]:
    file = str(path)
    rows = read_rows(path)
    missing = [column for column in columns if rows and column not in rows[0]]
    if missing or not rows:
        what = f"columns are missing: {', '.join(missing)}" if missing else "there are no rows"
        raise StudyFaults([Fault(file=file, what=what, mend=f"The columns are {', '.join(columns)}")])
    faults: list[Fault] = []
    found: dict[object, T] = {}
    for number, row in enumerate(rows, 2):
        try:
            item = parse(_Cells(row))
        except _CellError as bad:
            faults.append(Fault(file=file, row=number, column=bad.column, what=bad.what, mend=bad.mend))
            continue
        if key(item) in found:
            faults.append(Fault(file=file, row=number, column=columns[0], what="stands twice", mend="Keep one row"))
        found[key(item)] = item
    if faults:
        raise StudyFaults(faults)
    return tuple(found.values())
