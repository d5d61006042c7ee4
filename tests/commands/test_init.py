"""`nktrace init`: what it writes says what to fill in, and runs once it is filled in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nktrace.cli import main
from nktrace.files.fcs import write_fcs
from nktrace.files.panels import read_panel
from nktrace.model.events import Events


def fill_in(study: Path) -> None:
    """What a person does next: take the '#' off the example rows and put the files there."""
    for name in ("samples.tsv", "patients.tsv"):
        path = study / "config" / name
        lines = path.read_text(encoding="utf-8").split("\n")
        path.write_text("\n".join(line.removeprefix("#") if "\t" in line else line for line in lines), encoding="utf-8")
    channels = tuple(detector.channel for detector in read_panel(study / "config/panels/main.tsv").detectors)
    events = Events(np.asfortranarray(np.ones((20, len(channels)), np.float32)), channels)
    (study / "data").mkdir()
    for name in ("P01_pre", "P01_d07", "D01_product"):
        write_fcs(study / "data" / f"{name}.fcs", events)


def test_a_new_study_says_what_to_fill_in_and_is_then_right(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = tmp_path / "study"
    assert main(["init", str(study)]) == 0
    assert "nktrace check" in capsys.readouterr().out
    assert main(["check", str(study)]) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2
    assert "column data_dir: there is no directory 'data'" in said[0]
    assert "config/samples.tsv: there are no samples. Write one row per FCS file." in said[1]

    fill_in(study)
    assert main(["check", str(study)]) == 0, capsys.readouterr().err
    assert "No faults." in capsys.readouterr().out


def test_nothing_is_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "config").mkdir()
    own = tmp_path / "config" / "patients.tsv"
    own.write_text("patient\nmine\n")
    assert main(["init", str(tmp_path)]) == 2
    assert "there is already patients.tsv. Nothing was written" in capsys.readouterr().err
    assert own.read_text() == "patient\nmine\n"
    assert [path.name for path in (tmp_path / "config").iterdir()] == ["patients.tsv"]


def test_a_file_is_no_place_for_a_study(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "study").touch()
    assert main(["init", str(tmp_path / "study")]) == 2
    assert "this is a file, not a directory" in capsys.readouterr().err


def test_data_dir_may_be_given(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", str(tmp_path), "--data-dir", "../my files: new"]) == 0
    assert main(["check", str(tmp_path)]) == 2
    assert "there is no directory '../my files: new'" in capsys.readouterr().err
