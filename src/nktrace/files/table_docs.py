"""What every column of every result table means: its unit, what it may hold, and in which words people are told.

The words stand in resources/tables.tsv (the tables) and resources/table_columns.tsv (their columns; a row of table `*`
holds wherever a table has none of its own). docs/tables.md and the metadata of exported Parquet files are made of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from nktrace.files.installation import resource
from nktrace.files.table_columns import CLUSTERS_BEFORE, CLUSTERS_BEHIND, COLUMNS
from nktrace.files.tables import NA, read_rows
from nktrace.model.errors import NktraceError

ANY_TABLE = "*"
ANY_MARKER = "MARKER"  # clusters.tsv has a column per marker
LIKE = {"chimerism_by_antibody": "chimerism"}  # tables with the columns of another
_NUMBERS_OF_CLUSTERS = {"cluster": int, "fraction": float, "stability": float, "subset_share": float}
_OF_CLUSTERS: dict[str, type] = _NUMBERS_OF_CLUSTERS | {"seed_agreement": float, "unstable": bool, ANY_MARKER: float}
_TYPES = {str: "text", int: "whole number", float: "number", bool: "true or false"}


@dataclass(frozen=True, slots=True)
class ColumnDoc:
    """A column of a result table.

    Attributes:
        kind: str, int, float or bool.
        unit: empty where it has none.
        values: the words that it may hold; empty where it is free.
    """

    name: str
    kind: type
    unit: str
    values: tuple[str, ...]
    meaning: str


def table_docs() -> dict[str, tuple[str, str]]:
    """Where each table stands, and what one row of it is for."""
    return {row["table"]: (row["file"], row["one_row_per"]) for row in read_rows(resource("tables.tsv"))}


def column_docs(table: str, markers: Sequence[str] = (ANY_MARKER,)) -> dict[str, ColumnDoc]:
    """Every column of a table, in order; `markers` are those of this clusters.tsv.

    Raises:
        NktraceError: a column has no description.
    """
    if table == "clusters":
        names = (*CLUSTERS_BEFORE, *markers, *CLUSTERS_BEHIND)
        types = {name: _OF_CLUSTERS.get(ANY_MARKER if name in markers else name, str) for name in names}
    else:
        types = COLUMNS[table]
    return {name: _doc(table, name, kind, is_marker=name in markers) for name, kind in types.items()}


def tables_page() -> str:
    """docs/tables.md."""
    lines = ["# Tables", "", "Every table of results and every column of it. This page is made from"]
    lines += ["`resources/tables.tsv`, `resources/table_columns.tsv` and `src/nktrace/files/table_columns.py` by"]
    lines += ["`python -m nktrace.files.study_docs`; edit those. All are UTF-8 text, cells separated by tabs, `NA` for"]
    lines += ["not available. How the numbers are made stands in [methods](methods.md)."]
    for table, (file, row) in table_docs().items():
        lines += ["", f"## {table}.tsv", "", f"In `{file}`: one row per {row}.", ""]
        if table in LIKE:
            lines.append(f"Columns as in {LIKE[table]}.tsv.")
            continue
        lines += ["| column | type | unit | meaning |", "|---|---|---|---|", *map(_line, column_docs(table).values())]
    return "\n".join(lines) + "\n"


def undescribed() -> Iterator[str]:
    """`table.column` of each that has no description, and descriptions that no table has use for."""
    described = _descriptions()
    used = set()
    for table in (*COLUMNS, "clusters"):
        if table not in table_docs():
            yield f"{table}: not in resources/tables.tsv"
        types = COLUMNS.get(table) or {*CLUSTERS_BEFORE, ANY_MARKER, *CLUSTERS_BEHIND}
        for name in types:
            key = _key(table, name)
            used.add(key)
            if key not in described:
                yield f"{table}.{name}: not in resources/table_columns.tsv"
    yield from (
        f"{table}.{name}: described, but no table has it" for table, name in described if (table, name) not in used
    )


def _doc(table: str, name: str, kind: type, *, is_marker: bool) -> ColumnDoc:
    row = _descriptions().get(_key(table, ANY_MARKER if is_marker and table == "clusters" else name))
    if row is None:
        raise NktraceError(f"column '{name}' of {table}.tsv has no description", where="resources/table_columns.tsv")
    values = () if row["values"] == NA else tuple(row["values"].split(", "))
    return ColumnDoc(name, kind, "" if row["unit"] == NA else row["unit"], values, row["meaning"])


def _key(table: str, name: str) -> tuple[str, str]:
    own = LIKE.get(table, table)
    return (own, name) if (own, name) in _descriptions() else (ANY_TABLE, name)


@cache
def _descriptions() -> Mapping[tuple[str, str], Mapping[str, str]]:
    return {(row["table"], row["column"]): row for row in read_rows(resource("table_columns.tsv"))}


def _line(column: ColumnDoc) -> str:
    words = f"; one of {', '.join(f'`{value}`' for value in column.values)}" if column.values else ""
    meaning = (column.meaning + words).replace("|", "\\|")
    return f"| `{column.name}` | {_TYPES[column.kind]} | {column.unit or '–'} | {meaning} |"
