"""The blanks of a panel's reference: how many of their cells look like donor cells, for the scatter between tubes.

results/reference/{panel}/v{N}/blanks.tsv: a row per patient, marker and lineage, each counted at that patient's own
cut. Frozen as the rest of the reference: a later patient changes no earlier one's limits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from nktrace.files.tables import read_rows, write_rows
from nktrace.model.chimerism import MarkerCounts
from nktrace.model.errors import NktraceError

COLUMNS = ("patient", "panel", "marker", "direction", "population", "events", "marker_events")
Key = tuple[str, str, str, str]  # panel, marker, direction, population


def write_blanks(path: Path | str, rows: Iterable[Mapping[str, object]]) -> None:
    """Write blanks.tsv; rows have the `COLUMNS`."""
    write_rows(path, COLUMNS, rows)


def read_blanks(paths: Sequence[Path | str]) -> dict[Key, tuple[MarkerCounts, ...]]:
    """Counts of every patient's blank, by panel, marker, direction and population, over the files of some panels.

    Raises:
        NktraceError: a file is missing or was not written by `nktrace fit-blanks`.
    """
    found: dict[Key, tuple[MarkerCounts, ...]] = {}
    for path in paths:
        try:
            for row in read_rows(path):
                key = row["panel"], row["marker"], row["direction"], row["population"]
                counts = MarkerCounts(events=int(row["events"]), positive=int(row["marker_events"]))
                found[key] = (*found.get(key, ()), counts)
        except (KeyError, ValueError) as error:
            raise NktraceError(f"not a table of blanks ({error})", where=str(path)) from None
    return found
