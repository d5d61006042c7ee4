"""Where the workflow and the knowledge tables are."""

from __future__ import annotations

from pathlib import Path

import pytest

from nktrace.files import installation
from nktrace.model.errors import NktraceError


def test_a_checkout_has_its_files() -> None:
    assert (installation.home() / "Snakefile").is_file()
    assert installation.resource("gating/nk.tsv").is_file()


def test_a_wheel_carries_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "_PACKAGE", tmp_path / "nktrace")
    monkeypatch.setattr(installation, "_CHECKOUT", tmp_path / "nowhere")
    with pytest.raises(NktraceError, match="not completely installed"):
        installation.home()
    study = tmp_path / "nktrace" / "_study"
    (study / "resources").mkdir(parents=True)
    (study / "Snakefile").touch()
    assert installation.home() == study


def test_a_study_uses_its_own_tables_first(tmp_path: Path) -> None:
    assert Path(installation.knowledge("grades.tsv", tmp_path)) == installation.resource("grades.tsv")
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "grades.tsv").touch()
    assert installation.knowledge("grades.tsv", tmp_path) == "config/grades.tsv"


def test_the_paths_of_a_study_in_the_checkout_are_relative() -> None:
    assert installation.knowledge("grades.tsv", installation.home()) == "resources/grades.tsv"
