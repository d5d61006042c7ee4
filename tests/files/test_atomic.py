"""Outputs are written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from nktrace.files.atomic import publishing, replacing


def test_a_failed_write_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "table.tsv"
    path.write_text("old")
    with pytest.raises(RuntimeError), replacing(path) as draft:
        draft.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_finished_write_replaces_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "table.tsv"
    for text in ("old", "new"):
        with replacing(path) as draft:
            draft.write_text(text)
    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o444


def test_a_directory_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    place = tmp_path / "reference"
    with pytest.raises(RuntimeError), publishing(place) as draft:
        (draft / "a").write_text("half")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    for text in ("old", "new"):
        with publishing(place) as draft:
            (draft / text).write_text(text)
    assert [path.name for path in place.iterdir()] == ["new"]
