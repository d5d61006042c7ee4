"""nk.parquet: one row per NK event of a sample, with its markers, cluster, subset, novelty and HLA calls."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nktrace.files.atomic import replacing
from nktrace.model.clusters import UNASSIGNED
from nktrace.model.errors import NktraceError
from nktrace.model.events import Events, Mask

HLA_PREFIX = "hla_"


@dataclass(frozen=True, slots=True, kw_only=True)
class NkTable:
    """results/samples/{sample}/nk.parquet.

    Attributes:
        sample, panel: ids.
        event: 0-based row in the FCS file, ascending, shape (n,).
        markers: transformed values, shape (n, markers).
        cluster: from 1; `UNASSIGNED` (null in the file) where there is none.
        subset: empty (null in the file) where there is none.
        subset_probability: that the event truly is of its subset; nan (null in the file) where that is not known.
        novelty: nan where there is no cluster.
        hla: per HLA marker which events are positive; None (null in the file) where no usable cut exists.
    """

    sample: str
    panel: str
    event: NDArray[np.int32]
    markers: Events
    cluster: NDArray[np.int32]
    subset: NDArray[np.str_]
    subset_probability: NDArray[np.float32]
    novelty: NDArray[np.float32]
    hla: Mapping[str, Mask | None]

    def select(self, rows: NDArray[np.int64]) -> NkTable:
        """Only these events."""
        return NkTable(
            sample=self.sample,
            panel=self.panel,
            event=self.event[rows],
            markers=self.markers.select(rows),
            cluster=self.cluster[rows],
            subset=self.subset[rows],
            subset_probability=self.subset_probability[rows],
            novelty=self.novelty[rows],
            hla={marker: None if positive is None else positive[rows] for marker, positive in self.hla.items()},
        )


def write_nk(path: Path | str, nk: NkTable) -> None:
    """Write nk.parquet."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {"event": pa.array(nk.event, pa.int32())}
    for marker in nk.markers.channels:
        columns[marker] = pa.array(nk.markers.column(marker), pa.float32())
    columns["cluster"] = pa.array(nk.cluster, pa.int32(), mask=nk.cluster == UNASSIGNED)
    columns["subset"] = pa.array(nk.subset, pa.string(), mask=nk.subset == "")
    for name in ("subset_probability", "novelty"):
        values = getattr(nk, name)
        columns[name] = pa.array(values, pa.float32(), mask=np.isnan(values))
    for marker, positive in nk.hla.items():
        columns[HLA_PREFIX + marker] = pa.nulls(len(nk.event), pa.bool_()) if positive is None else pa.array(positive)
    note = {"sample": nk.sample, "panel": nk.panel, "markers": nk.markers.channels, "hla": list(nk.hla)}
    table = pa.table(columns).replace_schema_metadata({"nktrace": json.dumps(note)})
    with replacing(path) as draft:
        pq.write_table(table, draft, compression="zstd", compression_level=1)


def read_nk(path: Path | str) -> NkTable:
    """Read nk.parquet.

    Raises:
        NktraceError: the file is missing or was not written by `nktrace assign`.
    """
    with _reading(path):
        table = _parquet(path).read(use_threads=False)
        note = _note(table.schema)
        columns = {name: table.column(name) for name in table.column_names}
        hla: dict[str, Mask | None] = {}
        for marker in note["hla"]:
            column = columns[HLA_PREFIX + marker]
            hla[marker] = None if column.null_count else column.to_numpy().astype(bool)
        values = np.empty((table.num_rows, len(note["markers"])), dtype=np.float32, order="F")
        for index, marker in enumerate(note["markers"]):
            values[:, index] = columns[marker].to_numpy()
        return NkTable(
            sample=note["sample"],
            panel=note["panel"],
            event=columns["event"].to_numpy(),
            markers=Events(values, tuple(note["markers"])),
            cluster=columns["cluster"].fill_null(UNASSIGNED).to_numpy(),
            subset=columns["subset"].fill_null("").to_numpy().astype(np.str_),
            subset_probability=columns["subset_probability"].fill_null(math.nan).to_numpy(),
            novelty=columns["novelty"].fill_null(math.nan).to_numpy(),
            hla=hla,
        )


def count_nk(path: Path | str) -> tuple[str, int]:
    """The sample of an nk.parquet and its number of NK events, without reading them.

    Raises:
        NktraceError: the file is missing or was not written by `nktrace assign`.
    """
    with _reading(path):
        file = _parquet(path)
        return _note(file.schema_arrow)["sample"], file.metadata.num_rows


def read_clusters(path: Path | str) -> NDArray[np.int32]:
    """The cluster of each NK event of a sample alone, `UNASSIGNED` where it has none.

    Raises:
        NktraceError: the file is missing or was not written by `nktrace assign`.
    """
    with _reading(path):
        column = _parquet(path).read(["cluster"], use_threads=False).column("cluster")
        return np.asarray(column.fill_null(UNASSIGNED).to_numpy(), dtype=np.int32)


@contextmanager
def _reading(path: Path | str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, KeyError) as error:
        what = f"is not a table of NK events ({error})"
        raise NktraceError(what, where=str(path), mend="Run `nktrace assign`") from None


def _parquet(path: Path | str) -> Any:
    import pyarrow.parquet as pq

    return pq.ParquetFile(path)


def _note(schema: Any) -> dict[str, Any]:
    note: dict[str, Any] = json.loads((schema.metadata or {})[b"nktrace"])
    return note
