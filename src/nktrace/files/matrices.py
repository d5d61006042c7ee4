"""Spillover matrices as CSV: detectors in the header and in the first column, a row per fluorochrome."""

from __future__ import annotations

import csv
import difflib
import io
from pathlib import Path

import numpy as np

from nktrace.files.atomic import replacing
from nktrace.model.compensation import Spillover
from nktrace.model.errors import CompensationError
from nktrace.science.compensation import checked


def read_matrix(path: Path | str) -> Spillover:
    """Read a spillover matrix: our own CSV, one exported by FlowJo, or one without a column of row names.

    Labels such as `Comp-FITC-A :: CD4` lose what follows ` :: `; the prefix `Comp-` is looked at when the detectors are
    matched with a file's. Rows stand in any order where they are named, in the header's order where they are not.
    Columns may be separated by commas, tabs or semicolons.

    Raises:
        CompensationError: no such file, not text, not square, a cell that is not a finite number, a row that is no
            column's, a detector twice; with row and column.
    """
    rows = _rows(Path(path))
    if len(rows) < 2:
        raise CompensationError("a matrix needs a header and one row per detector", where=str(path))
    header, *body = rows
    long = len(body[0]) == len(header) + 1  # the header leaves out a name for the first column
    named = long or header[0] == "" or not _is_number(body[0][0])
    columns = tuple(_detector(label) for label in (header[1:] if named and not long else header))
    if len(body) != len(columns):
        raise CompensationError(f"{len(body)} rows for {len(columns)} detectors: not square", where=str(path))
    for number, row in enumerate(body, start=2):
        if len(row) != len(columns) + named:
            what = f"{len(row) - named} values for {len(columns)} detectors"
            raise CompensationError(what, where=f"{path}, row {number}")
    order = _places([row[0] for row in body], columns, path=path) if named else range(len(columns))
    matrix = np.empty((len(columns), len(columns)))
    for number, (place, row) in enumerate(zip(order, body, strict=True), start=2):
        for column, cell in enumerate(row[named:]):
            matrix[place, column] = _number(cell, where=f"{path}, row {number}, column {columns[column]}")
    try:
        return checked(Spillover(columns, matrix))
    except CompensationError as error:
        raise CompensationError(error.what, where=str(path), mend=error.mend) from None


def write_matrix(path: Path | str, spillover: Spillover) -> None:
    """Write a spillover matrix so that `read_matrix` gives the same numbers."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["detector", *spillover.detectors])
    for detector, row in zip(spillover.detectors, spillover.matrix.tolist(), strict=True):
        writer.writerow([detector, *map(repr, row)])
    with replacing(path) as draft:
        draft.write_text(text.getvalue(), encoding="utf-8")


def _rows(path: Path) -> list[list[str]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise CompensationError(f"cannot be read: {error.strerror}", where=str(path)) from None
    except UnicodeDecodeError:
        raise CompensationError("is not a text file in UTF-8", where=str(path)) from None
    first = text.partition("\n")[0]
    delimiter = next((mark for mark in (",", "\t", ";") if mark in first), ",")
    try:
        rows = [[cell.strip() for cell in row] for row in csv.reader(io.StringIO(text), delimiter=delimiter)]
    except csv.Error as error:
        raise CompensationError(f"is not a CSV file: {error}", where=str(path)) from None
    return [row for row in rows if any(row)]


def _detector(label: str) -> str:
    return label.partition(" :: ")[0].strip()


def _places(labels: list[str], columns: tuple[str, ...], *, path: Path | str) -> list[int]:
    """Which column each row's name stands for; a running number stands for its position."""
    if any(labels == [str(place + start) for place in range(len(columns))] for start in (0, 1)):
        return list(range(len(columns)))
    plain = [column.removeprefix("Comp-") for column in columns]
    places: list[int] = []
    for number, label in enumerate(labels, start=2):
        wanted = _detector(label).removeprefix("Comp-")
        if wanted not in plain:
            near = difflib.get_close_matches(wanted, plain, n=1, cutoff=0.5)
            hint = f" (nearest: {near[0]!r})" if near else ""
            raise CompensationError(f"{label!r} is no detector of the header{hint}", where=f"{path}, row {number}")
        if plain.index(wanted) in places:
            raise CompensationError(f"the row of {wanted} stands twice", where=f"{path}, row {number}")
        places.append(plain.index(wanted))
    return places


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _number(cell: str, *, where: str) -> float:
    if not _is_number(cell):
        raise CompensationError(f"{cell[:40]!r} is not a number", where=where, mend="Decimals are written with a dot.")
    return float(cell)
