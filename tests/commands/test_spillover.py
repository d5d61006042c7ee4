"""`nktrace spillover`: from the FCS files of single stains to a matrix that the other steps take."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.single_stains import Laboratory, demo_laboratory
from nktrace.cli import main
from nktrace.files.compensation_report import read_controls
from nktrace.files.fcs_write import write_fcs
from nktrace.files.matrices import read_matrix
from nktrace.files.rows import dump_sample
from nktrace.files.tables import read_table
from nktrace.model.events import Events
from nktrace.model.spillover import Usability
from nktrace.model.study import Role, Sample

DARK, GONE = "CD19", "CD8"  # a stain as good as none; a detector without a control


@dataclass(frozen=True)
class Batch:
    """The files of a batch's controls, and where the results of the command go."""

    path: Path
    laboratory: Laboratory
    samples: list[Sample]

    def run(self, samples: list[Sample] | None = None) -> int:
        samples = self.samples if samples is None else samples
        out = self.path / "results" / "b1.main"
        words = ["--samples", *map(dump_sample, samples), "--fcs", *(str(self.path / s.fcs) for s in samples)]
        words += ["--panel", str(self.path / "main.tsv"), "--settings", "{}", "--output", f"{out}.csv"]
        words += ["--report", f"{out}.report.tsv", "--pairs", f"{out}.pairs.tsv", "--page", f"{out}.html"]
        return main(["spillover", *words])

    def result(self, suffix: str) -> Path:
        return self.path / "results" / f"b1.main{suffix}"


@pytest.fixture(scope="module")
def batch(tmp_path_factory: pytest.TempPathFactory) -> Batch:
    """Single stains of the counting panel, where CD19 is hardly stained and CD8 has no control."""
    path = tmp_path_factory.mktemp("batch")
    laboratory = demo_laboratory("counting")
    detectors = laboratory.panel.detectors
    kept = [d for d in detectors if d.marker != "Beads"]
    laboratory = replace(laboratory, panel=replace(laboratory.panel, detectors=tuple(kept)))
    rows = [f"{d.channel}\t{d.marker}\t{d.kind}" for d in kept]
    (path / "main.tsv").write_text("\n".join(["channel\tmarker\tkind", *rows]) + "\n")
    samples = []
    for stain in ("", *laboratory.markers):
        if stain == GONE:
            continue
        tube = laboratory.tube(stain, seed=3, gain=0.01 if stain == DARK else 1.0)
        name = f"{stain or 'unstained'}.fcs"
        write_fcs(
            path / name,
            Events(tube.events.values, tuple(d.channel for d in kept)),
            tops=[tube.tops[d.marker] for d in kept],
        )
        role = Role.SINGLE_STAIN if stain else Role.UNSTAINED
        # a stain is written as its marker or as its channel
        written = "PE-A" if stain == "CD16_CD56" else stain or None
        samples.append(Sample(sample=name[:-4], role=role, stain=written, panel="main", batch="b1", fcs=name))
    batch = Batch(path, laboratory, samples)
    assert batch.run() == 0
    return batch


def test_the_matrix_is_that_of_the_instrument_under_the_files_own_names(batch: Batch) -> None:
    found = read_matrix(batch.result(".csv"))
    fluorescent = batch.laboratory.fluorescent
    assert found.detectors == tuple(detector.channel for detector in fluorescent)
    markers = batch.laboratory.markers
    usable = [markers.index(m) for m in markers if m not in (DARK, GONE)]
    assert np.abs(found.matrix - batch.laboratory.truth)[usable].max() < 0.004


def test_a_detector_without_a_usable_control_has_a_unit_row_and_is_named(batch: Batch) -> None:
    found = read_matrix(batch.result(".csv"))
    reports = {control.marker: control for control in read_controls(batch.result(".report.tsv"))}
    for marker, status in ((DARK, Usability.TOO_DIM), (GONE, Usability.NO_CONTROL)):
        row = batch.laboratory.markers.index(marker)
        assert np.array_equal(found.matrix[row], np.eye(len(found.detectors))[row])
        assert reports[marker].status is status
        assert reports[marker].reason
        assert marker in batch.result(".html").read_text()


def test_every_pair_of_a_used_control_has_its_coefficient_with_an_interval(batch: Batch) -> None:
    pairs = read_table(batch.result(".pairs.tsv"), "compensation_pairs")
    markers = batch.laboratory.markers
    usable = [marker for marker in markers if marker not in (DARK, GONE)]
    assert len(pairs) == len(usable) * (len(markers) - 1)
    matrix = read_matrix(batch.result(".csv")).matrix
    for pair in pairs:
        value = matrix[markers.index(pair["source"]), markers.index(pair["receiver"])]
        assert pair["spillover"] == pytest.approx(value, rel=1e-6, abs=1e-9)
        assert pair["ci_low"] < pair["spillover"] < pair["ci_high"]
        assert abs(pair["residual"]) < 1e-5


def test_the_same_files_give_the_same_bytes(batch: Batch) -> None:
    suffixes = (".csv", ".report.tsv", ".pairs.tsv", ".html")
    before = [batch.result(suffix).read_bytes() for suffix in suffixes]
    assert batch.run() == 0
    assert [batch.result(suffix).read_bytes() for suffix in suffixes] == before


def test_a_control_that_cannot_be_read_is_a_row_with_the_reason(batch: Batch, tmp_path: Path) -> None:
    (batch.path / "broken.fcs").write_bytes(b"FCS3.1 and nothing else")
    broken = [replace(s, fcs="broken.fcs") if s.stain == "CD3" else s for s in batch.samples]
    assert replace(batch, path=batch.path).run(broken) == 0
    report = next(c for c in read_controls(batch.result(".report.tsv")) if c.marker == "CD3")
    assert report.status is Usability.UNREADABLE
    assert report.reason
    assert batch.run() == 0


def test_a_sample_that_is_no_control_is_refused(batch: Batch, capsys: pytest.CaptureFixture[str]) -> None:
    assert batch.run([replace(batch.samples[0], role=Role.TIMEPOINT)]) == 2
    assert "timepoint" in capsys.readouterr().err
