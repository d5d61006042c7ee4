"""Gated events between the steps, as Parquet."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from nktrace.files.atomic import replacing
from nktrace.model.errors import NktraceError
from nktrace.model.events import Events
from nktrace.model.gates import Edge
from nktrace.model.lineages import Lineages, NkGate

_MEMBER, _HLA, _MARKER = "in:", "hla:", "marker:"


def write_lineages(path: Path | str, lineages: Lineages) -> None:
    """Write lineages.parquet: `event`, `in:{population}`, `hla:{marker}`, `marker:{marker}` (nan outside NK)."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: dict[str, object] = {"event": lineages.event}
    for population, mask in lineages.member.items():
        columns[_MEMBER + population] = mask
    for marker, values in lineages.hla.items():
        columns[_HLA + marker] = values
    for marker in lineages.nk_markers.channels:
        full = np.full(len(lineages), np.nan, dtype=np.float32)
        full[lineages.nk_rows] = lineages.nk_markers.column(marker)
        columns[_MARKER + marker] = full
    note = {k: getattr(lineages, k) for k in ("sample", "panel", "batch", "failure", "doubts")}
    note["nk_gates"] = [_gate_facts(gate) for gate in lineages.nk_gates]
    table = pa.table({name: pa.array(values) for name, values in columns.items()})
    table = table.replace_schema_metadata({"nktrace": json.dumps(note)})
    with replacing(path) as draft:
        pq.write_table(table, draft, compression="zstd", compression_level=1)


def read_lineages(path: Path | str) -> Lineages:
    """Read lineages.parquet.

    Raises:
        NktraceError: the file is missing or was not written by `nktrace gate`.
    """
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path, use_threads=False)
    except (OSError, ValueError) as error:
        raise NktraceError(f"cannot be read ({error})", where=str(path)) from None
    metadata = table.schema.metadata or {}
    if b"nktrace" not in metadata:
        raise NktraceError("is not a table of gated events", where=str(path), mend="Run `nktrace gate` again")
    columns = {name: table.column(name).to_numpy() for name in table.column_names}

    def starting(prefix: str) -> dict[str, np.ndarray]:
        return {name[len(prefix) :]: values for name, values in columns.items() if name.startswith(prefix)}

    member = starting(_MEMBER)
    nk_rows = np.flatnonzero(member["nk"]) if "nk" in member else np.empty(0, np.int64)
    markers = starting(_MARKER)
    values = np.empty((nk_rows.size, len(markers)), dtype=np.float32, order="F")
    for column, full in enumerate(markers.values()):
        values[:, column] = full[nk_rows]
    note = json.loads(metadata[b"nktrace"])
    note["doubts"] = {population: tuple(flags) for population, flags in note.get("doubts", {}).items()}
    note["nk_gates"] = tuple(_gate(facts) for facts in note.get("nk_gates", ()))
    return Lineages(
        **note,
        event=columns["event"],
        member=member,
        hla=starting(_HLA),
        nk_rows=nk_rows,
        nk_markers=Events(values, tuple(markers)),
    )


_EDGE = ("channel", "edge", "value", "low", "high")


def _gate_facts(gate: NkGate) -> dict[str, Any]:
    return {
        "population": gate.population,
        "parent": gate.parent,
        "edges": [[getattr(edge, name) for name in _EDGE] for edge in gate.edges],
        "expression": gate.expression,
    }


def _gate(facts: dict[str, Any]) -> NkGate:
    edges = tuple(Edge(**dict(zip(_EDGE, cells, strict=True))) for cells in facts["edges"])
    return NkGate(**(facts | {"edges": edges}))
