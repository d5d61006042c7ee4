"""A sample's survey: a draw of compensated events in linear units, and what the fit of a reference needs besides."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nktrace.files.atomic import replacing
from nktrace.model.errors import NktraceError
from nktrace.model.events import Events


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """results/work/survey/{sample}.parquet.

    Attributes:
        sample, panel, batch: ids.
        events: the draw, compensated and not transformed, shape (at most the setting `survey.events`, markers).
        tops: top of scale per marker.
        without: the marker that an FMO control lacks; empty for other samples.
        role: of the sample; batch controls are kept with the reference.
        failure: why the file could not be read; empty where it could, and then there are events.
    """

    sample: str
    panel: str
    batch: str
    events: Events
    tops: Mapping[str, float]
    without: str = ""
    role: str = ""
    failure: str = ""


def write_survey(path: Path | str, survey: Survey) -> None:
    """Write a survey as Parquet, one float32 column per marker."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    note = {
        "sample": survey.sample,
        "panel": survey.panel,
        "batch": survey.batch,
        "tops": dict(survey.tops),
        "without": survey.without,
        "role": survey.role,
        "failure": survey.failure,
    }
    arrays = {marker: pa.array(survey.events.column(marker), pa.float32()) for marker in survey.events.channels}
    table = pa.table(arrays).replace_schema_metadata({"nktrace": json.dumps(note)})
    with replacing(path) as draft:
        pq.write_table(table, draft, compression="zstd", compression_level=1)


def read_survey(path: Path | str) -> Survey:
    """Read a survey.

    Raises:
        NktraceError: the file was not written by `nktrace survey`.
    """
    import pyarrow.parquet as pq

    table = pq.read_table(path, use_threads=False)
    metadata = table.schema.metadata or {}
    if b"nktrace" not in metadata:
        raise NktraceError("is not a survey", where=str(path), mend="Run `nktrace survey` again")
    values = np.empty((table.num_rows, table.num_columns), dtype=np.float32, order="F")
    for column in range(table.num_columns):
        values[:, column] = table.column(column).to_numpy()
    return Survey(**json.loads(metadata[b"nktrace"]), events=Events(values, tuple(table.column_names)))
