"""What `nktrace assign` says of a sample that does not belong to the reference, and what it does with alignment."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from nktrace.files.clusters import read_reference
from nktrace.files.rows import dump_sample
from nktrace.files.settings import Settings, part
from nktrace.files.tables import read_table
from nktrace.model.events import Events
from nktrace.model.lineages import Lineages
from nktrace.model.study import Role, Sample
from tests.commands.test_nk_clusters import MARKERS, SETTINGS, Study, contents, lineages

CLUSTERED = ("CD56", "CD16", "CD57", "NKG2A")
_CHOSEN = {"prototypes": 20, "metaclusters": 4, "bootstrap": 3, "align": "batch_control"}
ALIGNED = part(Settings.model_validate({"data_dir": "", "clustering": _CHOSEN}), "clustering")


def moved(sample: Lineages, by: float, *markers: str, batch: str = "B1") -> Lineages:
    """A sample whose markers all stand aside, on the transformed scale."""
    values = sample.nk_markers.values.copy(order="F")
    for marker in markers:
        values[:, MARKERS.index(marker)] += by
    return replace(sample, nk_markers=Events(values, MARKERS), batch=batch)


@pytest.fixture
def fitted(tmp_path: Path) -> Study:
    study = Study(tmp_path)
    assert study.fit(*(study.add(lineages(name, seed=seed)) for seed, name in enumerate(("S1", "S2", "S3")))) == 0
    return study


def checks(study: Study, sample: str) -> dict[str, dict[str, Any]]:
    return {row["check"]: row for row in read_table(study.directory / sample / "qc.tsv", "qc")}


def shifts(study: Study, sample: str) -> dict[str, dict[str, Any]]:
    return {row["marker"]: row for row in read_table(study.directory / sample / "nk_drift.tsv", "nk_drift")}


def test_a_sample_of_the_reference_passes_and_its_gate_checks_come_first(fitted: Study) -> None:
    assert fitted.assign("S1") == 0
    found = checks(fitted, "S1")
    assert list(found) == ["readable", "nk_unassigned", *(f"nk_shift:{marker}" for marker in CLUSTERED)]
    assert {row["status"] for row in found.values()} == {"pass"}
    assert list(shifts(fitted, "S1")) == list(CLUSTERED)


def test_a_sample_of_another_scale_is_flagged_by_marker(fitted: Study) -> None:
    fitted.add(moved(lineages("odd", seed=8), 0.15, *CLUSTERED))
    fitted.add(moved(lineages("one", seed=9), 0.15, "CD57"))
    for sample, named in (("odd", set(CLUSTERED)), ("one", {"CD57"})):
        assert fitted.assign(sample) == 0
        flagged = {name for name, row in checks(fitted, sample).items() if row["status"] in ("warn", "fail")}
        assert flagged - {"nk_unassigned"} == {f"nk_shift:{marker}" for marker in named}
    row = shifts(fitted, "one")["CD57"]
    assert row["ci_low"] < row["shift"] < row["ci_high"]
    assert np.isnan(row["aligned_shift"])


def test_events_far_from_every_cluster_are_in_none_and_counted(fitted: Study) -> None:
    strange = lineages("new", seed=8)
    values = strange.nk_markers.values.copy(order="F")
    values[:90, [MARKERS.index(marker) for marker in CLUSTERED]] = (2.0, -1.0, 2.0, -1.0)
    fitted.add(replace(strange, nk_markers=Events(values, MARKERS)))
    assert fitted.assign("new") == 0
    nk = pq.read_table(fitted.directory / "new" / "nk.parquet")
    cluster, novelty = nk.column("cluster").to_pylist(), np.array(nk.column("novelty"))
    assert cluster[:90] == [None] * 90
    assert (novelty[:90] > 1.5).all()
    row = checks(fitted, "new")["nk_unassigned"]
    assert row["status"] == "fail"
    assert row["value"] == pytest.approx(cluster.count(None) / 600)


def test_a_sample_that_could_not_be_read_keeps_its_reason(fitted: Study) -> None:
    nothing = Events(np.empty((0, 0), np.float32), ())
    empty = np.empty(0, np.int32)
    fitted.add(replace(lineages("bad", seed=1, events=0, failure="truncated"), event=empty, nk_markers=nothing))
    assert fitted.assign("bad") == 0
    (row,) = checks(fitted, "bad").values()
    assert (row["check"], row["status"], row["reason"]) == ("readable", "fail", "truncated")
    assert shifts(fitted, "bad") == {}


def test_an_fmo_control_is_not_blamed_for_the_marker_that_it_lacks(fitted: Study) -> None:
    fitted.add(moved(lineages("fmo", seed=8), -0.2, "CD57"))
    row = Sample(sample="fmo", role=Role.FMO, stain="CD57", panel="nk14", batch="B1", fcs="x.fcs")
    assert fitted.assign("fmo", "--sample", dump_sample(row)) == 0
    found = checks(fitted, "fmo")
    assert found["nk_shift:CD57"]["reason"] == "CD57 is left out of this tube"
    assert {row["status"] for name, row in found.items() if name.startswith("nk_")} == {"skipped", "pass"}


def batches(study: Study) -> list[str]:
    """Two batches with a control each; NKG2A stands aside in the second, and still more in the third, a later one."""
    for seed, (batch, by) in enumerate((("B1", 0.0), ("B2", 0.06), ("B3", 0.12))):
        for name in ("S", "C"):
            sample = lineages(f"{name}-{batch}", seed=10 * seed + (name == "C"))
            study.add(moved(sample, by, "NKG2A", batch=batch))
    return [str(study.directory / f"{name}" / "lineages.parquet") for name in ("S-B1", "S-B2", "C-B1", "C-B2")]


@pytest.fixture
def aligned(tmp_path: Path) -> Study:
    study = Study(tmp_path)
    first, second, *controls = batches(study)
    assert study.fit("--controls", *controls, "--settings", ALIGNED, first, second) == 0
    return study


def controls(study: Study, batch: str) -> tuple[str, ...]:
    return ("--settings", ALIGNED, "--controls", str(study.directory / f"C-{batch}" / "lineages.parquet"))


def test_a_later_batch_is_aligned_by_its_control_and_says_from_where(aligned: Study) -> None:
    assert aligned.assign("S-B3", *controls(aligned, "B3")) == 0
    row = shifts(aligned, "S-B3")["NKG2A"]
    width = read_reference(aligned.reference).width[CLUSTERED.index("NKG2A")]
    assert row["shift"] == pytest.approx(0.09 / width, abs=0.02)  # 0.12 beside the mean of 0 and 0.06
    assert abs(row["aligned_shift"]) < 0.02
    found = checks(aligned, "S-B3")
    assert found["nk_alignment"]["status"] == found["nk_shift:NKG2A"]["status"] == "pass"
    stored = pq.read_table(aligned.directory / "S-B3" / "nk.parquet").column("NKG2A").to_numpy()
    original = moved(lineages("S-B3", seed=20), 0.12, "NKG2A").nk_markers.column("NKG2A")
    assert np.array_equal(stored, original), "the values that are stored stay what they were"


def test_an_aligned_sample_alone_is_what_it_is_in_the_batch(aligned: Study) -> None:
    for sample in ("S-B3", "C-B3"):
        assert aligned.assign(sample, *controls(aligned, "B3")) == 0
    before = contents(aligned.directory / "S-B3")
    assert aligned.assign("S-B3", *controls(aligned, "B3"), to="again") == 0
    after = contents(aligned.directory / "again")
    assert {name: before[name] for name in after} == after


def test_a_batch_without_a_control_is_not_aligned_and_warned_of(aligned: Study) -> None:
    assert aligned.assign("S-B3", "--settings", ALIGNED) == 0
    row = checks(aligned, "S-B3")["nk_alignment"]
    assert row["status"] == "warn"
    assert "not aligned: no control of batch B3" in row["reason"]
    assert np.isnan(shifts(aligned, "S-B3")["NKG2A"]["aligned_shift"])


def test_a_reference_is_used_as_it_was_fitted(
    fitted: Study, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fitted.assign("S1", "--settings", ALIGNED) == 2
    assert "was fitted with clustering.align: none, and is used with batch_control" in capsys.readouterr().err
    (tmp_path / "other").mkdir()
    other = Study(tmp_path / "other")
    first, second, *of_batches = batches(other)
    assert other.fit("--controls", *of_batches, "--settings", ALIGNED, first, second) == 0
    assert other.assign("S-B1", "--settings", SETTINGS) == 2
    assert "fitted with clustering.align: batch_control, and is used with none" in capsys.readouterr().err
    assert not (other.directory / "S-B1" / "nk.parquet").exists()


def test_without_alignment_controls_change_nothing(fitted: Study, tmp_path: Path) -> None:
    before = contents(fitted.reference)
    paths = [str(fitted.directory / name / "lineages.parquet") for name in ("S1", "S2", "S3")]
    assert fitted.fit("--controls", paths[0], "--settings", SETTINGS, *paths, to=tmp_path / "again") == 0
    assert contents(tmp_path / "again") == before


def test_many_reference_samples_still_give_places(tmp_path: Path) -> None:
    study = Study(tmp_path)
    paths = [study.add(lineages(f"S{seed}", seed=seed)) for seed in range(20)]
    chosen = _CHOSEN | {"align": "none", "max_events": 1_000}  # 50 events of each sample are clustered
    few = part(Settings.model_validate({"data_dir": "", "clustering": chosen}), "clustering")
    assert study.fit("--settings", few, *paths) == 0
    known = read_reference(study.reference)
    assert set(known.samples.values()) == {50}
    assert len(known.places) >= 2
    assert (known.between > 0).all()
    assert study.fit("--settings", few, *reversed(paths), to=tmp_path / "again") == 0
    assert contents(tmp_path / "again") == contents(study.reference)
    assert study.assign("S1", "--settings", few) == 0
    assert {row["status"] for name, row in checks(study, "S1").items() if name.startswith("nk_shift")} == {"pass"}


def test_a_sample_far_from_the_reference_fails_by_every_marker(fitted: Study) -> None:
    fitted.add(moved(lineages("far", seed=8), 1.0, *CLUSTERED))
    assert fitted.assign("far") == 0
    found = checks(fitted, "far")
    assert {found[f"nk_shift:{marker}"]["status"] for marker in CLUSTERED} == {"fail"}
    assert all(np.isnan(row["shift"]) for row in shifts(fitted, "far").values())


def test_a_reference_without_nk_cells_aligns_nothing_and_says_so(tmp_path: Path) -> None:
    study = Study(tmp_path)
    none = lineages("none", seed=1)
    values = Events(none.nk_markers.values[:0].copy(order="F"), MARKERS)
    member = {name: mask & False for name, mask in none.member.items()}
    sample = study.add(replace(none, member=member, nk_rows=np.empty(0, np.int64), nk_markers=values))
    study.add(lineages("S1", seed=2))
    control = study.add(lineages("C-B1", seed=3))
    assert study.fit("--controls", control, "--settings", ALIGNED, sample) == 0
    assert not read_reference(study.reference).quantiles.size
    assert study.assign("S1", *controls(study, "B1")) == 0
    row = checks(study, "S1")["nk_alignment"]
    assert (row["status"], row["reason"].partition(":")[0]) == ("skipped", "the reference has no clusters")
