"""Bytes that nobody vouches for are read or refused by name: no traceback, no hang, no endless memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from nktrace.files.fcs import read_fcs
from nktrace.model.errors import UnreadableFcs
from tests.files.fcs_bytes import BEGIN_DATA, column, file_of, keywords, text_of


def _small() -> bytes:
    record = np.dtype([("1", "<u2"), ("2", "<f4"), ("3", "(3,)u1"), ("4", "<f8")])
    values = np.zeros(5, record)
    columns = [
        column(1, bits=16, log="4,1"),
        column(2, name="Time"),
        column(3, bits=24, top="30000"),
        column(4, bits=64) | {"$P4G": "2"},
    ]
    pairs = keywords(columns, events=5, size=values.nbytes, kind="I")
    pairs |= {"$P2DATATYPE": "F", "$P4DATATYPE": "D", "$TIMESTEP": "0.01", "$COM": "a||b"}
    return file_of(text_of(pairs), values.tobytes(), version="3.2")


SMALL = _small()
MOST = 1000  # letters that a refusal may take, whatever the file says
TEXT_END = SMALL.index(b" " * 50)
MEANINGFUL = st.one_of(
    st.integers(0, 57), st.integers(58, TEXT_END), st.integers(BEGIN_DATA, len(SMALL) - 1)
)  # not the blanks between TEXT and DATA
SNIPPETS = st.one_of(
    st.binary(min_size=1, max_size=3),
    st.sampled_from([b"9" * 8, b"99999999999999999999", b"-1", b"|", b"||", b"nan", b"1e308", b"0", b"\0", b"$PAR|9|"]),
)


def read_all(path: Path, content: bytes) -> str:
    """Everything that can be asked of a file: what a named refusal says, or nothing; anything else is a failure."""
    path.write_bytes(content)
    try:
        file = read_fcs(path)
        assert len(file.raw()) == len(file.names) == len(file.labels) == len(file.tops)
        assert file.scale_values().values.shape == (file.event_count, len(file.names))
        read_fcs(path, data_set=1)
    except UnreadableFcs as refused:
        error = str(refused)
    else:
        return ""
    assert str(path) in error
    return error


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.lists(st.tuples(MEANINGFUL, SNIPPETS, st.booleans()), min_size=1, max_size=4))
def test_changed_bytes(tmp_path: Path, changes: list[tuple[int, bytes, bool]]) -> None:
    content = bytearray(SMALL)
    for at, snippet, insert in changes:
        content[at : at if insert else at + len(snippet)] = snippet
    assert len(read_all(tmp_path / "a.fcs", bytes(content))) < MOST


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(end=st.integers(0, len(SMALL)))
def test_cut_off_anywhere(tmp_path: Path, end: int) -> None:
    path = tmp_path / "a.fcs"
    path.write_bytes(SMALL[:end])
    if end < len(SMALL):
        with pytest.raises(UnreadableFcs):
            read_fcs(path)


_KEYS = (
    sorted({"$PAR", "$TOT", "$BEGINDATA", "$ENDDATA", "$NEXTDATA", "$BEGINSTEXT", "$ENDSTEXT", "$TIMESTEP"})
    + [f"$P{n}{letter}" for n in (1, 2, 3, 4) for letter in "BREN"]
    + ["$P4G"]
)
_NUMBERS = st.one_of(
    st.integers(-(10**25), 10**25).map(str),
    st.floats().map(repr),
    st.integers(-1, 70).map(str),
    st.tuples(st.floats(), st.floats()).map(lambda pair: f"{pair[0]!r},{pair[1]!r}"),
    st.tuples(st.floats(0, 400), st.floats(0, 1e300)).map(lambda pair: f"{pair[0]!r},{pair[1]!r}"),
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.dictionaries(st.sampled_from(_KEYS), _NUMBERS, min_size=1, max_size=3))
@example(changes={"$P1E": "1e300,1e-300", "$P1R": "1"})
@example(changes={"$P1E": "37,1e-300"})
@example(changes={"$P4G": "1e-300", "$P4R": "1e300"})
def test_absurd_numbers(tmp_path: Path, changes: dict[str, str]) -> None:
    head, _, tail = SMALL[58:TEXT_END].decode().partition("|")
    tokens = tail.split("|")
    assert not head
    for name, value in changes.items():
        tokens[tokens.index(name) + 1] = value
    text = ("|" + "|".join(tokens)).encode()
    if len(text) > BEGIN_DATA - 58:
        return
    assert len(read_all(tmp_path / "a.fcs", file_of(text, SMALL[BEGIN_DATA:], version="3.2"))) < MOST


def test_text_of_millions_of_delimiters_is_refused_soon(tmp_path: Path) -> None:
    text = b"|A" + b"|" * 30_000_000
    header = "FCS3.1    " + "".join(f"{value:>8}" for value in (58, 57 + len(text), 0, 0, 0, 0))
    (tmp_path / "a.fcs").write_bytes(header.encode() + text)
    with pytest.raises(UnreadableFcs):
        read_fcs(tmp_path / "a.fcs")


def test_data_sets_that_follow_each_other_in_a_circle_end(tmp_path: Path) -> None:
    values = np.zeros((1, 1), "<f4")
    pairs = keywords([column(1)], events=1, size=4) | {"$NEXTDATA": "1"}
    (tmp_path / "a.fcs").write_bytes(file_of(text_of(pairs), values.tobytes()))
    with pytest.raises(UnreadableFcs, match="does not begin with FCS"):
        read_fcs(tmp_path / "a.fcs", data_set=10**9)
