"""Integers of every width, against the slow twin."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nktrace.files import fcs_data
from nktrace.files.fcs import read_fcs
from nktrace.model.errors import UnsupportedFcs
from tests.files.fcs_bytes import column, file_of, keywords, text_of
from tests.reference.fcs_integers import decode


def _file(path: Path, widths: list[int], ranges: list[int], *, events: int, big_endian: bool, seed: int) -> bytes:
    size = -(-events * sum(widths) // 8)
    data = np.random.default_rng(seed).integers(0, 256, size, dtype=np.uint8).tobytes()
    columns = [
        column(n, bits=width, top=str(top)) for n, (width, top) in enumerate(zip(widths, ranges, strict=True), 1)
    ]
    pairs = keywords(columns, events=events, size=size, kind="I")
    pairs["$BYTEORD"] = "4,3,2,1" if big_endian else "1,2,3,4"
    path.write_bytes(file_of(text_of(pairs), data))
    return data


@pytest.mark.parametrize("big_endian", [False, True])
@pytest.mark.parametrize(
    ("widths", "ranges"),
    [
        ([8, 16, 24, 32, 40, 48, 56, 64], [2**8, 2**16, 2**24, 2**32, 2**40, 2**48, 2**56, 2**64]),
        ([8, 16, 24, 32, 40, 48, 56, 64], [100, 1024, 30_000, 262_144, 2**33, 2**47 + 1, 3, 2**63]),
        ([16, 16, 16], [1024, 1025, 65_536]),
    ],
)
def test_whole_bytes(tmp_path: Path, widths: list[int], ranges: list[int], big_endian: bool) -> None:
    path = tmp_path / "a.fcs"
    data = _file(path, widths, ranges, events=300, big_endian=big_endian, seed=1)
    expected = decode(data, widths=widths, ranges=ranges, events=300, big_endian=big_endian)
    file = read_fcs(path)
    assert [values.tolist() for values in file.raw()] == expected
    assert all(values.dtype.isnative for values in file.raw())
    np.testing.assert_array_equal(file.scale_values(np.float64).values, np.array(expected, np.float64).T)
    np.testing.assert_array_equal(file.scale_values().values, np.array(expected, np.float64).T.astype(np.float32))


@pytest.mark.parametrize("widths", [[10, 10, 12], [1, 7, 64, 9], [63], [10, 16]])
@pytest.mark.parametrize("events", [1, 7, 301])
def test_values_that_share_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, widths: list[int], events: int
) -> None:
    monkeypatch.setattr(fcs_data, "SMALLEST_BLOCK", 16)  # many blocks, which begin within the stream of bits
    monkeypatch.setattr(fcs_data, "BLOCK_BYTES", 16)
    path = tmp_path / "a.fcs"
    ranges = [2**width for width in widths]
    data = _file(path, widths, ranges, events=events, big_endian=True, seed=2)
    expected = decode(data, widths=widths, ranges=ranges, events=events, big_endian=True)
    assert [values.tolist() for values in read_fcs(path).raw()] == expected


def test_values_that_share_bytes_have_no_little_endian_order(tmp_path: Path) -> None:
    _file(tmp_path / "a.fcs", [10, 10], [1024, 1024], events=8, big_endian=False, seed=3)
    with pytest.raises(UnsupportedFcs, match="share bytes"):
        read_fcs(tmp_path / "a.fcs")
