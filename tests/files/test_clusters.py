"""The cluster reference as a directory of arrays and JSON."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from nktrace.files.clusters import ClusterVersions, read_reference, write_clusters_table, write_reference
from nktrace.files.tables import read_rows
from nktrace.model.clusters import AMBIGUOUS, Cluster, ClusterReference, empty_reference
from nktrace.model.errors import ReferenceUnusable
from nktrace.science.cluster_versions import crosswalk


def reference(panel: str = "nk14", marker: str = "CD57") -> ClusterReference:
    rng = np.random.default_rng(1)
    clusters = (
        Cluster(
            number=1,
            subset="bright",
            shares={"bright": 0.9, "other_dim": 0.1},
            cl_id="CL:0000938",
            medians={"CD56": 0.8, marker: 0.2},
            fraction=0.75,
            stability=0.9,
            seed_agreement=0.8,
        ),
        Cluster(
            number=2,
            subset=AMBIGUOUS,
            shares={"terminal": 0.5, "adaptive": 0.3, "other_dim": 0.2},
            cl_id="",
            medians={"CD56": 0.5, marker: 0.6},
            fraction=0.25,
            stability=0.9,
            seed_agreement=0.5,
        ),
    )
    return ClusterReference(
        panel=panel,
        markers=("CD56", marker),
        center=np.array([0.1, 0.2], np.float32),
        width=np.array([0.6, 1 / 3], np.float32),
        prototypes=rng.random((4, 2), dtype=np.float32),
        metaclusters=np.array([1, 2, 1, 1], np.int32),
        radius=rng.random(4, dtype=np.float32),
        clusters=clusters,
        samples={"S2": 200, "S1": 100},
    )


def test_what_is_written_is_read_to_the_bit(tmp_path: Path) -> None:
    write_reference(tmp_path / "clusters", reference())
    again = read_reference(tmp_path / "clusters")
    expected = reference()
    for name in ("prototypes", "metaclusters", "center", "width", "radius"):
        assert getattr(again, name).tobytes() == getattr(expected, name).tobytes()
    assert (again.panel, again.markers, again.samples) == (expected.panel, expected.markers, expected.samples)
    assert again.clusters == expected.clusters


def test_the_same_reference_is_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_reference(tmp_path / name, reference())
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert files == ["clusters.tsv", "metaclusters.npy", "prototypes.npy", "reference.json"]
    for name in files:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_an_empty_reference_keeps_its_reason(tmp_path: Path) -> None:
    write_reference(tmp_path / "clusters", empty_reference("nk14", samples={"S1": 0}, reason="no NK events"))
    again = read_reference(tmp_path / "clusters")
    assert (again.clusters, again.reason, again.samples) == ((), "no NK events", {"S1": 0})
    assert read_rows(tmp_path / "clusters" / "clusters.tsv") == []


def test_a_changed_reference_is_refused(tmp_path: Path) -> None:
    directory = tmp_path / "clusters"
    write_reference(directory, reference())
    facts = json.loads((directory / "reference.json").read_text(encoding="utf-8"))
    facts["clusters"][0]["subset"] = "adaptive"
    (directory / "reference.json").write_text(json.dumps(facts), encoding="utf-8")
    with pytest.raises(ReferenceUnusable, match="changed after it was fitted"):
        read_reference(directory)
    write_reference(directory, reference())
    np.save(directory / "metaclusters.npy", np.array([1, 1, 1, 1], np.int32))
    with pytest.raises(ReferenceUnusable, match="changed after it was fitted"):
        read_reference(directory)


@pytest.mark.parametrize("name", ["reference.json", "prototypes.npy", "metaclusters.npy"])
def test_an_incomplete_reference_is_refused_by_the_name_of_the_file(tmp_path: Path, name: str) -> None:
    write_reference(tmp_path / "clusters", reference())
    (tmp_path / "clusters" / name).unlink()
    with pytest.raises(ReferenceUnusable, match=f"there is no {name}"):
        read_reference(tmp_path / "clusters")


@pytest.mark.parametrize("text", ["", "[]", "{}", "not JSON"])
def test_what_is_no_reference_is_refused(tmp_path: Path, text: str) -> None:
    write_reference(tmp_path / "clusters", reference())
    (tmp_path / "clusters" / "reference.json").write_text(text, encoding="utf-8")
    with pytest.raises(ReferenceUnusable, match="clusters"):
        read_reference(tmp_path / "clusters")


def test_the_table_of_clusters_has_a_column_for_each_marker_of_any_panel(tmp_path: Path) -> None:
    table = tmp_path / "clusters.tsv"
    write_clusters_table(table, [(reference(), {1: 0.6, 2: 0.4}), (reference("mini", "NKG2C"), {1: 1.0, 2: 0.0})])
    rows = read_rows(table)
    behind = ["fraction", "stability", "subset_share", "members", "seed_agreement", "unstable"]
    assert list(rows[0]) == ["panel", "cluster", "subset", "cl_id", "CD56", "CD57", "NKG2C", *behind]
    assert rows[0] == {
        "panel": "nk14",
        "cluster": "1",
        "subset": "bright",
        "cl_id": "CL:0000938",
        "CD56": "0.8",
        "CD57": "0.2",
        "NKG2C": "NA",
        "fraction": "0.6",
        "stability": "0.9",
        "subset_share": "0.9",
        "members": "bright 0.90, other_dim 0.10",
        "seed_agreement": "0.8",
        "unstable": "false",
    }
    assert (rows[1]["subset"], rows[1]["cl_id"]) == ("ambiguous", "NA")
    assert (rows[1]["subset_share"], rows[1]["members"]) == ("NA", "terminal 0.50, adaptive 0.30")
    assert (rows[1]["stability"], rows[1]["seed_agreement"], rows[1]["unstable"]) == ("0.9", "0.5", "true")
    assert (rows[2]["panel"], rows[2]["CD57"]) == ("mini", "NA")


def test_what_samples_are_held_against_comes_back_to_the_last_bit(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    written = dataclasses.replace(
        reference(),
        places=rng.random((2, 2), dtype=np.float32),
        spreads=rng.random((2, 2), dtype=np.float32),
        align="batch_control",
        quantiles=rng.random((2, 19)),
    )
    write_reference(tmp_path / "clusters", written)
    read = read_reference(tmp_path / "clusters")
    assert read.align == "batch_control"
    for name in ("places", "spreads", "quantiles"):
        assert getattr(read, name).dtype == getattr(written, name).dtype
        assert np.array_equal(getattr(read, name), getattr(written, name))


def test_what_became_of_the_clusters_of_the_version_before(tmp_path: Path) -> None:
    rows = crosswalk(np.array([1, 1, 2], np.int32), np.array([2, 0, 2], np.int32))
    for directory, became, reason in (("v2", rows, ""), ("v3", (), "the panel has no CD57 any more")):
        versions = ClusterVersions(reference(), reference(), ("v1", directory), became, reason)
        write_reference(tmp_path / directory, reference(), became=versions)
    first, second, third = read_rows(tmp_path / "v2" / "became.tsv")
    assert (first["old_cluster"], first["new_cluster"], first["events"]) == ("1", "NA", "1")
    assert (second["old_subset"], second["new_subset"], second["share_of_old"]) == ("bright", "ambiguous", "0.5")
    assert (third["old_cluster"], third["share_of_new"], third["reason"]) == ("2", "0.5", "NA")
    (unknown,) = read_rows(tmp_path / "v3" / "became.tsv")
    assert (unknown["old_cluster"], unknown["reason"]) == ("NA", "the panel has no CD57 any more")
