"""pictures.npz: plain, the same bytes for the same pictures, and nothing else is read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nktrace.files.pictures import read_pictures, write_pictures
from nktrace.model.errors import NktraceError
from nktrace.model.pictures import Picture

PICTURE = Picture(
    population="nk",
    parent="dump_neg",
    channels=("CD56", "CD16"),
    x_range=(0.0, 1.0),
    y_range=(-0.1, 1.0),
    counts=np.arange(4, dtype=np.uint32).reshape(2, 2),
    outlines=(np.array([[0.0, 0.5], [1.0, 0.5]]),),
    parent_events=6,
    events=3,
    x_ticks=((0.25, 0.0), (0.9, 1e5)),
    expression="cd3 & !cd56",
)


def test_the_same_pictures_give_the_same_bytes(tmp_path: Path) -> None:
    write_pictures(tmp_path / "a.npz", [PICTURE])
    write_pictures(tmp_path / "b.npz", [PICTURE])
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    (back,) = read_pictures(tmp_path / "a.npz")
    assert back.counts.dtype == np.uint32
    assert back.channels == ("CD56", "CD16")
    assert back.x_ticks == PICTURE.x_ticks
    assert back.y_ticks == ()
    assert back.expression == "cd3 & !cd56"


def test_no_pictures_are_a_file_too(tmp_path: Path) -> None:
    write_pictures(tmp_path / "none.npz", [])
    assert read_pictures(tmp_path / "none.npz") == ()


def test_what_holds_no_pictures_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.npz").write_text("no archive")
    np.savez(tmp_path / "other.npz", a=np.ones(3))
    np.savez(tmp_path / "pickle.npz", pictures=np.array([{"a": 1}], dtype=object))
    for name in ("missing", "text", "other", "pickle"):
        with pytest.raises(NktraceError, match="holds no pictures"):
            read_pictures(tmp_path / f"{name}.npz")
