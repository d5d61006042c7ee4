"""A sheet as a person saved it: rows of typed cells with their line numbers, and every fault of its form.

Tab-separated UTF-8 with a header; lines that begin with `#` are comments. Quotation marks as spreadsheets write them,
a byte-order mark, Windows line ends and trailing tabs are read; what would be guessed at is a fault.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nktrace.files.cells import Column, is_excel_error
from nktrace.files.nearest import nearest, suggestion
from nktrace.model.errors import Fault, NktraceError

_LINE_END = re.compile(r"\r\n|\n|\r")
MAX_SUGGESTIONS = 50  # the search for the nearest name is slow: a sheet that is all wrong gets the first ones only


@dataclass(slots=True)
class Row:
    """A row: its line in the file, the text and the value of each cell; a cell at fault is in neither."""

    number: int
    texts: dict[str, str] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)

    def __getitem__(self, column: str) -> Any:
        return self.values[column]

    def __contains__(self, column: object) -> bool:
        return column in self.values


@dataclass(slots=True)
class Sheet:
    """A sheet that was read: the columns it has, its rows, and its faults, to which later checks add theirs."""

    file: str
    columns: tuple[str, ...] = ()
    rows: list[Row] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    suggestions: int = 0

    def fault(self, what: str, *, row: int | None = None, column: str = "", mend: str = "") -> None:
        self.faults.append(Fault(file=self.file, row=row, column=column, what=what, mend=mend))

    def unknown(self, name: str, valid: Iterable[str], *, what: str, row: int, column: str, mend: str = "") -> None:
        """A name that does not exist, with the nearest that does."""
        self.suggestions += 1
        near = suggestion(name, valid) if self.suggestions <= MAX_SUGGESTIONS else ""
        self.fault(what, row=row, column=column, mend=near or mend)

    def refuse_twice(self, column: str) -> None:
        """Every value of a column stands once; letter case does not tell two apart, since they name directories."""
        first: dict[str, Row] = {}
        for row in self.rows:
            if row.values.get(column) is None:
                continue
            earlier = first.setdefault(str(row[column]).casefold(), row)
            if earlier is not row:
                alike = "" if earlier[column] == row[column] else f" as '{earlier[column]}', but for letter case"
                what = f"'{row[column]}' stands in row {earlier.number} already{alike}"
                self.fault(what, row=row.number, column=column, mend="Give each its own name.")


def read_sheet(path: Path, columns: Sequence[Column], *, shown: str = "") -> Sheet:
    """Read a sheet and check each cell by its column; rows keep the cells that are right.

    Args:
        path: the file.
        columns: what the sheet may hold; the first is the key of its rows.
        shown: the name of the file in faults; the path by default.
    """
    sheet = Sheet(shown or str(path))
    text = _text(path, sheet)
    lines = [(n, line) for n, line in enumerate(_LINE_END.split(text), 1) if not _is_comment(line)]
    if not lines:
        if not sheet.faults:
            sheet.fault("the sheet is empty, not even a header", mend=f"Begin with {', '.join(_needed(columns))}.")
        return sheet
    (number, header), *body = lines
    names = _header(header, number, columns, sheet)
    if not names:
        return sheet
    readers: dict[str, tuple[Column, dict[str, Any]]] = {column.name: (column, {}) for column in columns}
    absent = {column.name: column.default for column in columns if column.name not in names and not column.needed}
    for number, line in body:
        cells = _cells(line)
        while len(cells) > len(names) and not cells[-1]:
            cells.pop()
        row = Row(number)
        sheet.rows.append(row)
        whole = _is_whole(line, cells, names, row, sheet)
        for name, cell in zip(names, cells, strict=False):
            if name in readers and (whole or name == columns[0].name):
                _read_cell(*readers[name], cell, row, sheet)
        if whole:
            row.values |= absent
    return sheet


def _is_whole(line: str, cells: list[str], names: list[str], row: Row, sheet: Sheet) -> bool:
    """Whether each cell stands under its column; of a row that is not, only the key can be trusted."""
    if '"' in line and any(cell.count('"') % 2 for cell in line.split("\t") if cell.strip().startswith('"')):
        sheet.fault("a quotation mark opens and does not close (a line break in a cell?)", row=row.number)
        return False
    if len(cells) != len(names):
        mend = "Each column has a cell; write NA where there is nothing."
        sheet.fault(f"{len(cells)} cells where the header has {len(names)}", row=row.number, mend=mend)
        return False
    return True


def _read_cell(column: Column, known: dict[str, Any], cell: str, row: Row, sheet: Sheet) -> None:
    """Read a cell into its row; `known` remembers the values of the column, since most cells repeat."""
    if cell not in known:
        try:
            known[cell] = column.read(cell)
        except NktraceError as error:
            sheet.fault(error.what, row=row.number, column=column.name, mend=error.mend)
            return
    row.values[column.name] = known[cell]
    row.texts[column.name] = cell


def _text(path: Path, sheet: Sheet) -> str:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        beside = {other.stem: other.name for other in path.parent.glob("*")}  # .tsv alike makes no name near
        near = nearest(path.stem, beside)
        sheet.fault("there is no such file", mend=f"Is it '{beside[near]}'? Its name is {path.name}." if near else "")
        return ""
    except OSError as error:
        sheet.fault(f"the file can't be read ({error.strerror})")
        return ""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        sheet.fault("the sheet is UTF-16", mend="Save it as UTF-8, tab-separated.")
        return ""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = 1 + len(_LINE_END.findall(data[: error.start].decode("latin-1")))
        what = f"byte {error.start} (0x{data[error.start]:02x}) is not UTF-8"
        sheet.fault(what, row=row, mend="Save the sheet as UTF-8, tab-separated.")
        return ""


def _is_comment(line: str) -> bool:
    first = line.split("\t", 1)[0].strip()
    return not line.strip() or (first.startswith("#") and not is_excel_error(first))


def _cells(line: str) -> list[str]:
    cells = [cell.strip() for cell in line.split("\t")]
    return [_unquoted(cell) for cell in cells] if '"' in line else cells


def _unquoted(cell: str) -> str:
    if len(cell) >= 2 and cell[0] == cell[-1] == '"':
        return cell[1:-1].replace('""', '"').strip()
    return cell


def _needed(columns: Iterable[Column]) -> Iterator[str]:
    return (column.name for column in columns if column.needed)


def _header(line: str, number: int, columns: Sequence[Column], sheet: Sheet) -> list[str]:
    """The names of the header's cells; faults for unknown, repeated and missing ones."""
    names = _cells(line)
    while names and not names[-1]:
        names.pop()
    valid = [column.name for column in columns]
    missing = [name for name in _needed(columns) if name not in names]
    for mark, word in ((",", "commas"), (";", "semicolons"), (" ", "spaces")):
        if len(names) == 1 and names[0] not in valid and len(set(re.split(rf"{mark}+", names[0])) & set(valid)) > 1:
            sheet.fault(f"the columns are separated by {word}, not by tabs", row=number, mend="Save it tab-separated.")
            return []
    for name in names:
        if name in valid:
            continue
        near = nearest(name, valid)
        if near in missing:
            missing.remove(near)
        mend = f"Did you mean '{near}'?" if near else f"Columns are: {', '.join(valid)}."
        what = f"there is no column '{name}'" if name else "a column has no name"
        sheet.fault(what, row=number, column=name, mend=mend)
    for name in sorted({name for name in names if name in valid and names.count(name) > 1}):
        sheet.fault("the column stands twice", row=number, column=name, mend="Keep one.")
    for name in missing:
        sheet.fault("the column is missing", row=number, column=name, mend=f"Columns are: {', '.join(valid)}.")
    sheet.columns = tuple(name for name in names if name in valid)
    return names
