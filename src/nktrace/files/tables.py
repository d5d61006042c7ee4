"""How cells of tables are written and read: UTF-8 TSV with a header, one fact per row, `NA` for "not available"."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from nktrace.files.atomic import replacing
from nktrace.files.table_columns import COLUMNS
from nktrace.model.errors import NktraceError

NA = "NA"


def cell(value: Any) -> str:
    """How a value is written: NA for None and nan, seven significant digits, no tab or line break."""
    if value is None:
        return NA
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return " ".join(value.split()) or NA
    if isinstance(value, int):
        return str(value)
    number = float(value)
    if math.isnan(number):
        return NA
    if math.isinf(number):
        return "inf" if number > 0 else "-inf"
    return f"{number:.7g}" if number else "0"


def write_rows(path: Path | str, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write a TSV whole or not at all; a row with an unknown or a missing column is a programming error."""
    with replacing(path) as draft, draft.open("w", encoding="utf-8", newline="") as handle:
        handle.write("\t".join(columns) + "\n")
        for row in rows:
            if row.keys() != set(columns):
                raise ValueError(f"{path}: columns differ by {set(row) ^ set(columns)}")
            handle.write("\t".join(cell(row[column]) for column in columns) + "\n")


def write_table(path: Path | str, name: str, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write a table of the contract. No rows give a header-only table."""
    write_rows(path, list(COLUMNS[name]), rows)


def read_rows(path: Path | str) -> list[dict[str, str]]:
    """The cells of any TSV as text.

    Raises:
        NktraceError: the file is missing, or a row has more or fewer cells than the header.
    """
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as handle:
            lines = list(csv.reader(handle, delimiter="\t", quoting=csv.QUOTE_NONE))
    except FileNotFoundError:
        raise NktraceError("there is no such table", where=str(path)) from None
    if not lines:
        raise NktraceError("the table is empty, not even a header", where=str(path))
    header = lines[0]
    for number, line in enumerate(lines[1:], 2):
        if len(line) != len(header):
            raise NktraceError(f"{len(line)} cells where the header has {len(header)}", where=f"{path}, row {number}")
    return [dict(zip(header, line, strict=True)) for line in lines[1:]]


def read_table(path: Path | str, name: str) -> list[dict[str, Any]]:
    """The rows of a table of the contract, typed: NA is None in text columns, nan in float ones, None in the others.

    Raises:
        NktraceError: a column is missing or a cell is not of its type.
    """
    types = COLUMNS[name]
    rows = read_rows(path)
    if rows and not types.keys() <= rows[0].keys():
        raise NktraceError(f"columns are missing: {', '.join(types.keys() - rows[0].keys())}", where=str(path))
    return [{column: typed(row[column], kind, path) for column, kind in types.items()} for row in rows]


def typed(text: str, kind: type, path: Path | str) -> Any:
    """A cell as its type: NA is None in text columns, nan in float ones, None in the others."""
    if text == NA:
        return math.nan if kind is float else None
    if kind is bool:
        return text == "true"
    try:
        return kind(text)
    except ValueError:
        raise NktraceError(f"'{text}' is not of type {kind.__name__}", where=str(path)) from None
