"""Scales are frozen with the reference: they come back to the last bit."""

from __future__ import annotations

import pytest

from nktrace.files.scale import read_scales, write_scales
from nktrace.model.errors import ReferenceUnusable
from nktrace.model.transforms import Asinh, Linear, Logicle, Scale

SCALES = {
    "batch2": Scale({"Time": Linear(), "CD56": Logicle(262144.0, 1 / 3, 4.5, 0.0)}),
    "batch1": Scale({"CD3 µ": Asinh(0.1 + 0.2)}),
}


def test_written_and_read_again(tmp_path):
    write_scales(tmp_path / "a.json", SCALES)
    got = read_scales(tmp_path / "a.json")
    assert got == SCALES
    assert list(got["batch2"].transforms) == ["Time", "CD56"]
    write_scales(tmp_path / "b.json", dict(reversed(SCALES.items())))
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"b": {"CD3": {"transform": "log"}}}',
        '{"b": {"CD3": {"transform": "asinh"}}}',
        '{"b": {"CD3": {"transform": "asinh", "cofactor": -1}}}',
        '{"b": {"CD3": {"transform": "logicle", "t": 1, "w": 9, "m": 4, "a": 0}}}',
    ],
)
def test_another_file_is_refused(tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(ReferenceUnusable):
        read_scales(tmp_path / "a.json")


def test_no_file(tmp_path):
    with pytest.raises(ReferenceUnusable, match="cannot be read"):
        read_scales(tmp_path / "a.json")
