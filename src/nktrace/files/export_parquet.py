"""The cohort's tables as Parquet, with what each column means in the schema's metadata."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nktrace.files.atomic import replacing
from nktrace.files.table_docs import ColumnDoc, table_docs


def write_described(
    path: Path, table: str, columns: Mapping[str, ColumnDoc], rows: Sequence[Mapping[str, Any]]
) -> None:
    """Write a table as Parquet. Metadata of a column: `description`, `unit`, `values`; of the table: `table`, `row`.

    Args:
        path: the file.
        table: its name.
        columns: which columns it gets.
        rows: typed; NA is None or nan, and null in the file.
    """
    import pyarrow as pa
    from pyarrow import parquet

    types = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
    fields = [pa.field(doc.name, types[doc.kind], metadata=_metadata(doc)) for doc in columns.values()]
    arrays = [pa.array([row[field.name] for row in rows], type=field.type, from_pandas=True) for field in fields]
    said = {"table": table, "row": table_docs()[table][1]} if table in table_docs() else {"table": table}
    whole = pa.Table.from_arrays(arrays, schema=pa.schema(fields, metadata=said))
    with replacing(path) as draft:
        parquet.write_table(whole, draft, compression="zstd")


def _metadata(doc: ColumnDoc) -> dict[str, str]:
    said = {"description": doc.meaning, "unit": doc.unit, "values": ", ".join(doc.values)}
    return {key: value for key, value in said.items() if value}
