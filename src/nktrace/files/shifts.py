"""What one standard error of each gate does to the events of a sample, as Parquet, and to its counts, as a table.

results/samples/{sample}/shifts.parquet holds the events that change, for steps that look at single cells; the tables
gate_error.tsv and subset_error.tsv hold how many more or fewer events each population or subset then has.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from nktrace.files.atomic import replacing
from nktrace.files.tables import read_table, write_table
from nktrace.model.errors import NktraceError
from nktrace.model.shifts import Moved, NetShift, Shift

_SIDES = ("low", "high")


def write_shifts(path: Path | str, shifts: Sequence[Shift]) -> None:
    """Write shifts.parquet: `shift` (number), `high`, `event` (row of the file), `change:{population}` (-1, 0, 1)."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    moves = [(number, side, getattr(shift, side)) for number, shift in enumerate(shifts) for side in _SIDES]
    sizes = [move.events.shape[0] for _, _, move in moves]
    populations = list(dict.fromkeys(name for _, _, move in moves for name in move.change))
    columns: dict[str, object] = {
        "shift": np.repeat(np.array([number for number, _, _ in moves], dtype=np.int16), sizes),
        "high": np.repeat(np.array([side == "high" for _, side, _ in moves], dtype=np.bool_), sizes),
        "event": _joined([move.events for _, _, move in moves]).astype(np.int32),
    }
    for name in populations:
        parts = [
            move.change.get(name, np.zeros(size, dtype=np.int8))
            for (_, _, move), size in zip(moves, sizes, strict=True)
        ]
        columns[f"change:{name}"] = _joined(parts).astype(np.int8)
    note = [[shift.population, shift.channel, shift.edge] for shift in shifts]
    table = pa.table({name: pa.array(values) for name, values in columns.items()})
    table = table.replace_schema_metadata({"nktrace": json.dumps(note)})
    with replacing(path) as draft:
        pq.write_table(table, draft, compression="zstd", compression_level=1)


def _joined(parts: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate(parts) if parts else np.empty(0)


def read_shifts(path: Path | str) -> tuple[Shift, ...]:
    """Read shifts.parquet.

    Raises:
        NktraceError: the file is missing or was not written by `nktrace gate`.
    """
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path, use_threads=False)
        note = json.loads((table.schema.metadata or {})[b"nktrace"])
    except (OSError, ValueError, KeyError) as error:
        raise NktraceError(f"cannot be read ({error})", where=str(path), mend="Run `nktrace gate` again") from None
    columns = {name: table.column(name).to_numpy() for name in table.column_names}
    changes = {name.removeprefix("change:"): v for name, v in columns.items() if name.startswith("change:")}

    def moved(number: int, high: bool) -> Moved:
        rows = np.flatnonzero((columns["shift"] == number) & (columns["high"] == high))
        here = {population: change[rows] for population, change in changes.items()}
        return Moved(columns["event"][rows].astype(np.intp), {name: c for name, c in here.items() if c.any()})

    return tuple(
        Shift(population, channel, edge, moved(number, False), moved(number, True))
        for number, (population, channel, edge) in enumerate(note)
    )


def write_gate_error(path: Path | str, sample: str, shifts: Iterable[NetShift]) -> None:
    """Write gate_error.tsv or subset_error.tsv: a row per uncertain number and population that it changes."""
    rows = [
        {
            "sample": sample,
            "gate": shift.population,
            "channel": shift.channel,
            "edge": shift.edge,
            "population": population,
            "events_low": shift.low.get(population, 0),
            "events_high": shift.high.get(population, 0),
        }
        for shift in shifts
        for population in dict.fromkeys((*shift.low, *shift.high))
    ]
    write_table(path, "gate_error", rows)


def read_gate_error(*paths: Path) -> tuple[NetShift, ...]:
    """The changes of all populations in several such tables; tables that do not exist are left out."""
    found: dict[tuple[str, str, str], NetShift] = {}
    for path in paths:
        for row in read_table(path, "gate_error") if path.is_file() else ():
            key = (row["gate"], row["channel"], row["edge"])
            shift = found.setdefault(key, NetShift(*key, {}, {}))
            shift.low[row["population"]] = row["events_low"]
            shift.high[row["population"]] = row["events_high"]
    return tuple(found.values())
