"""nk.parquet: what is written, read and refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nktrace.files.nk import NkTable, count_nk, read_clusters, read_nk, write_nk
from nktrace.model.clusters import UNASSIGNED
from nktrace.model.errors import NktraceError
from nktrace.model.events import Events


def table(events: int = 4) -> NkTable:
    values = np.arange(2 * events, dtype=np.float32).reshape(events, 2, order="F")
    return NkTable(
        sample="S1",
        panel="nk14",
        event=np.arange(events, dtype=np.int32) * 3,
        markers=Events(np.asfortranarray(values), ("CD56", "HLA-DR")),
        cluster=np.array([2, UNASSIGNED, 1, 1], np.int32)[:events],
        subset=np.array(["bright", "", "other_dim", "terminal"])[:events],
        subset_probability=np.array([0.75, np.nan, 1.0, 0.5], np.float32)[:events],
        novelty=np.array([0.5, np.nan, 1.5, 0.1], np.float32)[:events],
        hla={"HLA-A2": np.array([True, False, True, False])[:events], "HLA-B7": None},
    )


def test_the_columns_are_those_of_the_contract(tmp_path: Path) -> None:
    write_nk(tmp_path / "nk.parquet", table())
    read = pq.read_table(tmp_path / "nk.parquet")
    assert read.schema.names == [
        "event",
        "CD56",
        "HLA-DR",
        "cluster",
        "subset",
        "subset_probability",
        "novelty",
        "hla_HLA-A2",
        "hla_HLA-B7",
    ]
    assert read.schema.field("CD56").type == pa.float32()
    assert read.schema.field("hla_HLA-A2").type == read.schema.field("hla_HLA-B7").type == pa.bool_()
    assert read.column("cluster").to_pylist() == [2, None, 1, 1]
    assert read.column("subset").to_pylist() == ["bright", None, "other_dim", "terminal"]
    assert read.schema.field("subset_probability").type == pa.float32()
    assert read.column("subset_probability").to_pylist() == [0.75, None, 1.0, 0.5]
    assert read.column("novelty").null_count == 1
    assert read.column("hla_HLA-A2").to_pylist() == [True, False, True, False]
    assert read.column("hla_HLA-B7").to_pylist() == [None] * 4


@pytest.mark.parametrize("events", [4, 0])
def test_what_is_written_is_read(tmp_path: Path, events: int) -> None:
    path = tmp_path / "nk.parquet"
    write_nk(path, table(events))
    again, expected = read_nk(path), table(events)
    assert (again.sample, again.panel, again.markers.channels) == ("S1", "nk14", ("CD56", "HLA-DR"))
    assert np.array_equal(again.markers.values, expected.markers.values)
    assert again.event.tolist() == expected.event.tolist()
    assert again.cluster.tolist() == expected.cluster.tolist() == read_clusters(path).tolist()
    assert again.subset.tolist() == expected.subset.tolist()
    assert np.array_equal(again.subset_probability, expected.subset_probability, equal_nan=True)
    assert np.array_equal(again.novelty, expected.novelty, equal_nan=True)
    positive = expected.hla["HLA-A2"]
    assert positive is not None
    assert again.hla["HLA-A2"] is not None
    assert again.hla["HLA-A2"].tolist() == positive.tolist()
    assert again.hla["HLA-B7"] is None or events == 0
    assert count_nk(path) == ("S1", events)


def test_the_same_events_are_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_nk(tmp_path / name, table())
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_another_file_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.parquet"
    pq.write_table(pa.table({"cluster_": [1]}), other)
    text = tmp_path / "text.parquet"
    text.write_text("not parquet", encoding="utf-8")
    for path in (other, text, tmp_path / "missing.parquet"):
        for read in (read_nk, read_clusters, count_nk):
            with pytest.raises(NktraceError, match=path.name):
                read(path)
