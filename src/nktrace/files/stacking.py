"""The same table of many samples or patients, one below the other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nktrace.files.atomic import replacing
from nktrace.files.table_columns import COLUMNS
from nktrace.model.errors import NktraceError


def stack_tables(paths: Sequence[Path], name: str, output: Path | str) -> None:
    """Write the rows of these tables, in the order given, under one header. Rows are copied as they stand.

    Raises:
        NktraceError: a table is missing or has another header than the contract's.
    """
    header = "\t".join(COLUMNS[name])
    with replacing(output) as draft, draft.open("w", encoding="utf-8", newline="") as stacked:
        stacked.write(header + "\n")
        for path in paths:
            try:
                found, _, rows = path.read_text(encoding="utf-8").partition("\n")
            except FileNotFoundError:
                raise NktraceError("there is no such table", where=str(path)) from None
            if found != header:
                raise NktraceError(f"its header is not that of {name}.tsv", where=str(path), mend="Run its step again")
            stacked.write(rows)
