"""What is written is what is read back: values to the bit, and every keyword."""

from __future__ import annotations

from pathlib import Path

import flowio
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nktrace.files import fcs_write
from nktrace.files.fcs import Keywords, read_fcs, write_fcs
from nktrace.files.fcs_text import BLANKS
from nktrace.model.events import Events
from tests.files.fcs_bytes import column, file_of, keywords, text_of


def events(*names: str, count: int = 10_000, dtype: type = np.float32) -> Events:
    values = np.random.default_rng(5).normal(100, 300, (count, len(names))).astype(dtype)
    return Events(np.asfortranarray(values), names)


@pytest.mark.parametrize("version", ["3.0", "3.1", "3.2"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("count", [0, 1, 10_000])
def test_values_names_labels_and_tops(tmp_path: Path, dtype: type, version: str, count: int) -> None:
    written = events("FSC-A", "Time", "BV605-A", count=count, dtype=dtype)
    if count > 1:
        written.values[0] = [np.nan, np.inf, -0.0]
    path = tmp_path / "new" / "a.fcs"
    write_fcs(path, written, labels=["", "", "CD56"], tops=[262144, 100.5, 1e30], version=version)
    file = read_fcs(path)
    assert (file.version, file.names, file.labels, file.tops) == (
        version,
        written.channels,
        ("", "", "CD56"),
        (262144, 100.5, 1e30),
    )
    assert file.remarks == ()
    assert file.time_step == 1
    assert file.scale_values(dtype).values.tobytes("F") == written.values.tobytes("F")


def test_an_unknown_top_stays_unknown(tmp_path: Path) -> None:
    write_fcs(tmp_path / "a.fcs", events("A", "B"), tops=[np.nan, np.inf])
    assert np.isnan(read_fcs(tmp_path / "a.fcs").tops).all()


def test_flowio_reads_the_same(tmp_path: Path) -> None:
    written = events("FSC-A", "Time", "BV605-A")
    write_fcs(tmp_path / "a.fcs", written, labels=["", "", "CD56"], keywords={"$CYT": "Aurora", "SPILL": "1,A,1"})
    peer = flowio.FlowData(tmp_path / "a.fcs")
    np.testing.assert_array_equal(peer.as_array(), written.values)
    assert peer.pnn_labels == list(written.channels)
    assert peer.pns_labels == ["", "", "CD56"]
    assert (peer.text["cyt"], peer.text["spill"]) == ("Aurora", "1,A,1")


def test_the_same_arguments_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.fcs", "b.fcs"):
        write_fcs(tmp_path / name, events("A", "B"), keywords={"$OP": "x"})
    assert (tmp_path / "a.fcs").read_bytes() == (tmp_path / "b.fcs").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.fcs", "b.fcs"]


_NAMES = st.text(st.characters(exclude_characters="\x0c", exclude_categories=["Cs"]), min_size=1).filter(
    lambda text: text == text.strip(BLANKS) != "" and not fcs_write.LAYOUT.fullmatch(text) and "$" not in text
)
_VALUES = st.text(st.characters(exclude_categories=["Cs"])).filter(
    lambda text: bool(text.strip(BLANKS) or not text) and not text.startswith("$")
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(_NAMES, st.one_of(_VALUES, st.text("\x0c/|\\!~^#*\x1ex").filter(str.strip)))))
def test_every_keyword_is_kept(tmp_path: Path, pairs: list[tuple[str, str]]) -> None:
    written = events("A", count=1)
    write_fcs(tmp_path / "a.fcs", written, keywords=pairs)
    file = read_fcs(tmp_path / "a.fcs")
    assert [pair for pair in file.keywords.pairs if "$" not in pair[0]] == pairs
    np.testing.assert_array_equal(file.scale_values().values, written.values)


def test_a_file_that_was_read_keeps_its_keywords_but_those_of_the_layout(tmp_path: Path) -> None:
    """Integers with log amplifier, gain and ticks become floats on the scale: what says how they were stored goes."""
    values = np.array([[512, 600, 100], [1023, 2, 250]], "<u2")
    columns = [
        column(1, bits=16, log="4,0"),
        column(2, bits=16) | {"$P2G": "8", "$P2V": "450"},
        column(3, bits=16, name="Time"),
    ]
    pairs = keywords(columns, events=2, size=values.nbytes, kind="I")
    pairs |= {"$TIMESTEP": "0.01", "$CYT": "Calibur", "$VOL": "29000", "$P2S": "CD56", "&5Prefix": "", "SPILL": "1,A,1"}
    source = tmp_path / "source.fcs"
    source.write_bytes(file_of(text_of([*pairs.items(), ("$VOL", "29001")]), values.tobytes(), version="3.0"))
    old = read_fcs(source)
    write_fcs(
        tmp_path / "a.fcs",
        old.scale_values(np.float64),
        labels=old.labels,
        tops=old.tops,
        keywords=old.keywords,
    )
    new = read_fcs(tmp_path / "a.fcs")
    np.testing.assert_array_equal(new.scale_values(np.float64).values, old.scale_values(np.float64).values)
    assert (new.names, new.labels, new.tops) == (old.names, old.labels, old.tops)
    assert new.keywords.every("$VOL") == ("29000", "29001")
    kept = {"$CYT", "$VOL", "$P2V", "&5Prefix", "SPILL", "$BEGINSTEXT", "$MODE", "$PAR", "$TOT", "$P2S"}
    assert {name: new.keywords[name] for name in kept} == {name: old.keywords[name] for name in kept}
    assert set(old.keywords) - set(new.keywords) == {"$P2G"}
    assert new.keywords["$TIMESTEP"] == "1"


def test_ticks_of_unknown_length_do_not_become_seconds(tmp_path: Path) -> None:
    write_fcs(tmp_path / "a.fcs", events("Time"), keywords=Keywords([("$CYT", "x")]))
    assert read_fcs(tmp_path / "a.fcs").time_step is None
    write_fcs(tmp_path / "a.fcs", events("Time"), keywords={"$CYT": "x"})
    assert read_fcs(tmp_path / "a.fcs").time_step == 1


def test_large_files_have_their_offsets_in_text(tmp_path: Path) -> None:
    written = Events(np.asfortranarray(np.arange(25_100_000, dtype=np.float32).reshape(-1, 4)), ("A", "B", "C", "D"))
    path = tmp_path / "large.fcs"
    write_fcs(path, written)
    assert path.stat().st_size > 100_000_000
    with path.open("rb") as stream:
        assert stream.read(58)[26:42] == b"       0       0"
    np.testing.assert_array_equal(read_fcs(path).scale_values().values, written.values)


@pytest.mark.parametrize(
    "arguments",
    [
        {"labels": ["a", "b"]},
        {"tops": [1.0, 2.0]},
        {"keywords": {" ": "x"}},
        {"keywords": {fcs_write.DELIMITERS: "x"}},
        {"keywords": {"$SRC": "$PAR"}},
        {"version": "2.0"},
    ],
)
def test_what_cannot_be_written(tmp_path: Path, arguments: dict) -> None:
    with pytest.raises(ValueError, match=r"."):
        write_fcs(tmp_path / "a.fcs", events("A"), **arguments)
    assert list(tmp_path.iterdir()) == []
