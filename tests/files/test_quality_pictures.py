"""quality.npz: what was written comes back, the same bytes for the same pictures, and nothing else is read."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nktrace.files.quality_pictures import read_quality_pictures, write_quality_pictures
from nktrace.model.errors import NktraceError
from nktrace.model.quality_pictures import QualityPictures
from tests.figures.quality_values import pictures


def same(one: Any, other: Any) -> None:
    assert type(one) is type(other)
    for field in fields(one):
        np.testing.assert_equal(getattr(one, field.name), getattr(other, field.name))


def test_pictures_come_back(tmp_path: Path) -> None:
    write_quality_pictures(tmp_path / "a.npz", pictures())
    write_quality_pictures(tmp_path / "b.npz", pictures())
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    back, given = read_quality_pictures(tmp_path / "a.npz"), pictures()
    for name in ("flow", "spill", "control"):
        same(getattr(back, name), getattr(given, name))
    assert back.drift is not None
    assert given.drift is not None
    assert back.drift.limit == given.drift.limit
    same(back.drift.courses[0], given.drift.courses[0])


def test_checks_that_were_skipped_have_none(tmp_path: Path) -> None:
    write_quality_pictures(tmp_path / "a.npz", QualityPictures())
    assert read_quality_pictures(tmp_path / "a.npz") == QualityPictures()


@pytest.mark.parametrize("content", [None, b"", b"no archive"])
def test_what_is_none_is_an_error_that_names_the_file(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "quality.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(NktraceError, match=r"quality\.npz"):
        read_quality_pictures(path)
