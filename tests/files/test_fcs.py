"""What an FCS file says is what is read: layout, scale, offsets, and refusal by name of all else."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from nktrace.files.fcs import FcsFile, read_fcs
from nktrace.model.errors import UnreadableFcs, UnsupportedFcs
from tests.files.fcs_bytes import BEGIN_DATA, column, file_of, keywords, text_of

VALUES = np.arange(12, dtype="<f4").reshape(4, 3)


def floats(**changed: str | None) -> dict[str, str]:
    """Keywords of a file with VALUES; `None` takes one away. `P1G` stands for `$P1G`."""
    pairs = keywords([column(1), column(2), column(3)], events=4, size=VALUES.nbytes)
    pairs |= {f"${name}": value for name, value in changed.items() if value is not None}
    return {name: value for name, value in pairs.items() if changed.get(name[1:], "") is not None}


def read(path: Path, content: bytes) -> FcsFile:
    path = path / "a.fcs"
    path.write_bytes(content)
    return read_fcs(path)


def read_floats(path: Path, **changed: str | None) -> FcsFile:
    return read(path, file_of(text_of(floats(**changed)), VALUES.tobytes()))


def integers(path: Path, values: np.ndarray, *columns: dict[str, str], **changed: str) -> FcsFile:
    pairs = keywords(columns, events=len(values), size=values.nbytes, kind="I")
    pairs |= {f"${name}": value for name, value in changed.items()}
    return read(path, file_of(text_of(pairs), values.tobytes()))


class TestTypes:
    def test_float32(self, tmp_path: Path) -> None:
        file = read_floats(tmp_path, P2S="CD56", CYT="Aurora")
        assert (file.version, file.event_count, file.names) == ("3.1", 4, ("C1", "C2", "C3"))
        assert file.labels == ("", "CD56", "")
        assert file.tops == (1024, 1024, 1024)
        assert file.keywords["$cyt"] == "Aurora"
        assert file.remarks == ()
        events = file.scale_values()
        assert events.channels == file.names
        assert events.values.dtype == np.float32
        assert events.values.flags.f_contiguous
        np.testing.assert_array_equal(events.values, VALUES)

    def test_big_endian_float64(self, tmp_path: Path) -> None:
        values = np.array([[1 / 3, -1e300]], ">f8")
        pairs = keywords([column(1, bits=64), column(2, bits=64)], events=1, size=16, kind="D")
        file = read(tmp_path, file_of(text_of(pairs | {"$BYTEORD": "4,3,2,1"}), values.tobytes()))
        assert [column.tolist() for column in file.raw()] == [[1 / 3], [-1e300]]
        assert file.scale_values(np.float64).values.tolist() == [[1 / 3, -1e300]]
        assert file.scale_values().values.tolist() == [[float(np.float32(1 / 3)), -np.inf]]

    def test_a_type_per_parameter_in_3_2(self, tmp_path: Path) -> None:
        record = np.dtype([("1", "<u2"), ("2", "<f4"), ("3", "<f8"), ("4", "u1")])
        values = np.array([(1023 + 4096, 1.5, 2.5, 7), (2, -1.5, np.nan, 255)], record)
        columns = [column(1, bits=16), column(2), column(3, bits=64), column(4, bits=8, top="256")]
        pairs = keywords(columns, events=2, size=values.nbytes, kind="I")
        pairs |= {"$P2DATATYPE": "F", "$P3DATATYPE": "D", "$P4DATATYPE": "I"}
        content = file_of(text_of(pairs), values.tobytes(), version="3.2")
        file = read(tmp_path, content)
        assert [column.dtype for column in file.raw()] == [np.uint16, np.float32, np.float64, np.uint8]
        np.testing.assert_array_equal(
            file.scale_values().values, np.array([[1023, 1.5, 2.5, 7], [2, -1.5, np.nan, 255]], np.float32)
        )
        with pytest.raises(UnreadableFcs, match=r"\$P2DATATYPE.*from FCS 3.2 on"):
            read(tmp_path, content.replace(b"FCS3.2", b"FCS3.1"))

    def test_widths_given_as_bits_in_use_but_stored_in_whole_bytes(self, tmp_path: Path) -> None:
        """Beckman Coulter CXP: 10 bits, stored in 16."""
        values = np.array([[1, 1023], [2, 1024 + 5]], "<u2")
        file = integers(tmp_path, values, column(1, bits=10), column(2, bits=10))
        assert [column.tolist() for column in file.raw()] == [[1, 2], [1023, 5]]
        assert "whole bytes" in file.remarks[0]

    def test_no_events(self, tmp_path: Path) -> None:
        file = read(tmp_path, file_of(text_of(floats(TOT="0", BEGINDATA="0", ENDDATA="0")), b"", offsets=(0, 0)))
        assert file.scale_values().values.shape == (0, 3)

    @pytest.mark.parametrize(
        ("changed", "what"),
        [
            ({"DATATYPE": "A"}, "numbers as text"),
            ({"MODE": "C"}, "no list of events"),
            ({"BYTEORD": "3,4,1,2"}, "byte order"),
            ({"BYTEORD": "1"}, "byte order"),
        ],
    )
    def test_other_kinds_are_not_supported(self, tmp_path: Path, changed: dict[str, str], what: str) -> None:
        with pytest.raises(UnsupportedFcs, match=what):
            read_floats(tmp_path, **changed)

    @pytest.mark.parametrize(
        ("changed", "what"),
        [
            ({"DATATYPE": None}, r"\$DATATYPE: the required keyword is missing"),
            ({"MODE": None}, r"\$MODE: the required"),
            ({"BYTEORD": ""}, r"\$BYTEORD: the required"),
            ({"TOT": None}, r"\$TOT: the required"),
            ({"P2B": None}, r"\$P2B: the required"),
            ({"P2B": "16"}, r"\$P2B: a value of type F has 32 bits, not 16"),
            ({"P2R": None}, r"\$P2R: the required"),
            ({"PAR": "0"}, "no parameters"),
            ({"PAR": "-3"}, "no whole number"),
            ({"PAR": "1000000000"}, "1000000000 parameters"),
            ({"PAR": "9" * 5000}, "no whole number"),
            ({"DATATYPE": "X"}, "no type 'X'"),
            ({"P1G": "-2"}, "no gain"),
            ({"P1G": "2,5"}, "no gain"),
            ({"TOT": "5"}, r"5 events of 96 bits need 60 bytes, but DATA has 48 bytes"),
            ({"TOT": "3"}, r"3 events of 96 bits need 36 bytes, but DATA has 48 bytes"),
            ({"TOT": "0"}, "no events, but DATA has 48 bytes"),
            ({"PAR": "2"}, "need 32 bytes"),
            ({"BEGINDATA": "x"}, "no offsets"),
            ({"BEGINSTEXT": "60", "ENDSTEXT": "9999999999999999999"}, "supplementary TEXT: it goes to byte"),
        ],
    )
    def test_what_is_missing_or_wrong_is_named(self, tmp_path: Path, changed: dict[str, str | None], what: str) -> None:
        with pytest.raises(UnreadableFcs, match=what):
            read_floats(tmp_path, **changed)

    def test_a_keyword_given_twice_with_two_values_is_refused_if_the_reading_depends_on_it(
        self, tmp_path: Path
    ) -> None:
        pairs = [*floats().items(), ("$P1N", "C1"), ("$COM", "a"), ("$COM", "b")]
        file = read(tmp_path, file_of(text_of(pairs), VALUES.tobytes()))
        assert file.keywords["$COM"] == "a"
        assert file.keywords.every("$com") == ("a", "b")
        with pytest.raises(UnreadableFcs, match=r"\$P1R: the keyword stands there twice, with '1024' and '2048'"):
            read(tmp_path, file_of(text_of([*pairs, ("$P1R", "2048")]), VALUES.tobytes()))


class TestScale:
    def test_log_amplification(self, tmp_path: Path) -> None:
        values = np.array([[0, 0, 0], [512, 512, 512], [1023, 1023, 1023]], "<u2")
        file = integers(
            tmp_path,
            values,
            column(1, bits=16, log="4,1"),
            column(2, bits=16, log=" 4.0,0.1024"),
            column(3, bits=16, log="3,0"),
        )
        x = values[:, 0].astype(float)
        expected = np.column_stack(
            [10 ** (4 * x / 1024), 10 ** (4.0 * x / 1024) * 0.1024, 10 ** (3 * x / 1024)]  # f2 = 0 is read as 1
        )
        np.testing.assert_array_equal(file.scale_values(np.float64).values, expected)
        np.testing.assert_array_equal(file.scale_values().values, expected.astype(np.float32))
        assert file.tops == (1e4, 1024, 1e3)

    def test_log_amplification_of_many_channels(self, tmp_path: Path) -> None:
        values = np.array([[0], [150_000], [262_143]], "<u4")
        file = integers(tmp_path, values, column(1, log="5,1", top="262144"))
        np.testing.assert_array_equal(
            file.scale_values(np.float64).values, 10 ** (5 * values.astype(np.float64) / 262_144)
        )

    def test_the_range_of_the_log_scale_is_not_rounded_up_as_the_mask_is(self, tmp_path: Path) -> None:
        values = np.array([[0b1111_1000_0000_0000 + 1000]], "<u2")
        file = integers(tmp_path, values, column(1, bits=16, log="4,1", top="1000"))
        assert file.raw()[0].tolist() == [1000]
        assert file.scale_values(np.float64).values.tolist() == [[1e4]]

    def test_float_values_are_linear_whatever_they_say(self, tmp_path: Path) -> None:
        file = read_floats(tmp_path, P2E="4,0")
        np.testing.assert_array_equal(file.scale_values().values, VALUES)
        assert "$P2E" in file.remarks[0]
        assert np.isnan(file.tops[1])

    def test_gain(self, tmp_path: Path) -> None:
        file = read_floats(tmp_path, P2G="8", P3G="0")
        np.testing.assert_array_equal(file.scale_values().values, VALUES / [1, 8, 1])
        assert file.tops == (1024, 128, 1024)
        assert file.remarks == ("$P3G 0 is read as no gain",)

    def test_gain_is_of_linear_values(self, tmp_path: Path) -> None:
        file = integers(tmp_path, np.array([[1024]], "<u2"), column(1, bits=16, log="4,1", top="2048"), P1G="10")
        assert file.scale_values(np.float64).values.tolist() == [[100.0]]
        assert "$P1G" in file.remarks[0]

    def test_time_is_in_seconds_and_has_no_gain(self, tmp_path: Path) -> None:
        """FACSDiva writes `$TIMESTEP` 0.01 and a gain of 0.01 for the same thing."""
        file = read_floats(tmp_path, P3N="TIME", P3G="0.01", TIMESTEP="0.01")
        assert file.time_step == 0.01
        np.testing.assert_array_equal(file.scale_values(np.float64).values[:, 2], VALUES[:, 2].astype(float) * 0.01)
        assert file.tops[2] == 10.24
        np.testing.assert_array_equal(file.raw()[2], VALUES[:, 2])

    @pytest.mark.parametrize("step", [None, "xxxxxxxxx", "0,01", "0", "-1", "nan"])
    def test_time_stays_in_ticks_if_their_length_is_unknown(self, tmp_path: Path, step: str | None) -> None:
        file = read_floats(tmp_path, P3N="Time", TIMESTEP=step)
        assert file.time_step is None
        np.testing.assert_array_equal(file.scale_values().values, VALUES)
        assert bool(file.remarks) == (step is not None)

    def test_nan_and_inf_stay(self, tmp_path: Path) -> None:
        values = np.array([[np.nan, np.inf, -np.inf]], "<f4")
        pairs = keywords([column(1), column(2), column(3)], events=1, size=12)
        file = read(tmp_path, file_of(text_of(pairs), values.tobytes()))
        np.testing.assert_array_equal(file.scale_values().values, values)

    @pytest.mark.parametrize("log", ["4", "a,b", "-1,1", "4,-1", "4,1,2", "9e99,1", "30,1e9"])
    def test_amplification_that_is_none(self, tmp_path: Path, log: str) -> None:
        with pytest.raises(UnreadableFcs, match=r"\$P1E"):
            integers(tmp_path, np.array([[1]], "<u2"), column(1, bits=16, log=log))

    @pytest.mark.parametrize(("version", "fine"), [("2.0", True), ("3.0", False)])
    def test_integers_without_amplification(self, tmp_path: Path, version: str, fine: bool) -> None:
        """FCS 2.0 does not require `$PnE`; from 3.0 on linear would be a guess."""
        described = column(1, bits=16)
        del described["$P1E"]
        content = file_of(
            text_of(keywords([described], events=1, size=2, kind="I")),
            np.array([700], "<u2").tobytes(),
            version=version,
        )
        if fine:
            assert read(tmp_path, content).scale_values().values.tolist() == [[700]]
        else:
            with pytest.raises(UnreadableFcs, match=r"\$P1E"):
                read(tmp_path, content)

    @pytest.mark.parametrize("top", ["0", "-1", "abc"])
    def test_integers_without_range_have_no_mask(self, tmp_path: Path, top: str) -> None:
        with pytest.raises(UnreadableFcs, match=r"\$P1R"):
            integers(tmp_path, np.array([[1]], "<u2"), column(1, bits=16, top=top))
        assert np.isnan(read_floats(tmp_path, P1R=top).tops[0])


class TestNames:
    def test_repeated_and_missing_names(self, tmp_path: Path) -> None:
        assert read_floats(tmp_path, P1N="FL1", P2N="FL1 (P3)", P3N="FL1").names == ("FL1", "FL1 (P3)", "FL1 (P3) (P3)")
        assert read_floats(tmp_path, P1N=None, P2N=" A ", P3N="").names == ("P1", "A", "P3")

    def test_unicode(self, tmp_path: Path) -> None:
        assert read_floats(tmp_path, P1S="CD3ε", OP="Ångström").labels[0] == "CD3ε"

    def test_latin_1_of_older_instruments_beside_utf_8(self, tmp_path: Path) -> None:
        text = text_of(floats(OP="XX", P1S="CD3ε")).replace(b"XX", b"M\xfcller")
        file = read(tmp_path, file_of(text, VALUES.tobytes()))
        assert (file.keywords["$OP"], file.labels[0]) == ("Müller", "CD3ε")


class TestPlace:
    def test_in_text_only(self, tmp_path: Path) -> None:
        """Files over 99,999,999 bytes have zeros in HEADER."""
        file = read(tmp_path, file_of(text_of(floats()), VALUES.tobytes(), offsets=(0, 0)))
        np.testing.assert_array_equal(file.scale_values().values, VALUES)
        assert file.remarks == ()

    def test_in_header_only(self, tmp_path: Path) -> None:
        np.testing.assert_array_equal(read_floats(tmp_path, BEGINDATA=None, ENDDATA=None).scale_values().values, VALUES)

    def test_neither(self, tmp_path: Path) -> None:
        with pytest.raises(UnreadableFcs, match="neither HEADER nor TEXT"):
            read(tmp_path, file_of(text_of(floats(BEGINDATA="0")), VALUES.tobytes(), offsets=(0, 0)))

    def test_of_two_places_the_one_with_the_right_size_counts(self, tmp_path: Path) -> None:
        file = read(tmp_path, file_of(text_of(floats()), VALUES.tobytes(), offsets=(1900, BEGIN_DATA + 47)))
        np.testing.assert_array_equal(file.scale_values().values, VALUES)
        assert file.remarks == ("HEADER and TEXT differ on where DATA lies: TEXT has the size of the events",)

    def test_two_places_of_the_right_size_are_refused(self, tmp_path: Path) -> None:
        with pytest.raises(UnreadableFcs, match="DATA begins at byte 1998, TEXT at 2000"):
            read(tmp_path, file_of(text_of(floats()), VALUES.tobytes(), offsets=(1998, 1998 + 47)))

    def test_data_cannot_lie_in_text(self, tmp_path: Path) -> None:
        with pytest.raises(UnreadableFcs, match="DATA from byte 100 on would lie in HEADER or TEXT"):
            read(
                tmp_path,
                file_of(text_of(floats(BEGINDATA="100", ENDDATA="147")), VALUES.tobytes(), offsets=(100, 147)),
            )

    def test_an_end_that_is_the_byte_after_it(self, tmp_path: Path) -> None:
        end = BEGIN_DATA + VALUES.nbytes
        text = text_of(floats(ENDDATA=str(end)))
        file = read(tmp_path, file_of(text, VALUES.tobytes(), offsets=(BEGIN_DATA, end)))
        np.testing.assert_array_equal(file.scale_values().values, VALUES)
        assert file.remarks == ("the end of DATA is given one byte too late",)

    def test_an_end_of_text_that_is_the_byte_after_it(self, tmp_path: Path) -> None:
        pairs = floats()
        begin = 58 + len(text_of(pairs))
        pairs |= {"$BEGINDATA": f"{begin:4}", "$ENDDATA": f"{begin + 47:4}"}
        text = text_of(pairs)
        header = "FCS3.1    " + "".join(f"{value:>8}" for value in (58, begin, begin, begin + 47, 0, 0))
        np.testing.assert_array_equal(
            read(tmp_path, header.encode() + text + VALUES.tobytes()).scale_values().values, VALUES
        )

    @pytest.mark.parametrize("missing", [1, 47, 48, 1000])
    def test_a_file_that_is_cut_off(self, tmp_path: Path, missing: int) -> None:
        content = file_of(text_of(floats()), VALUES.tobytes())
        path = tmp_path / "a.fcs"
        path.write_bytes(content[:-missing])
        with pytest.raises(UnreadableFcs, match="the file ends at byte"):
            read_fcs(path, header_only=True)

    def test_fcs_2_without_tot(self, tmp_path: Path) -> None:
        content = file_of(text_of(floats(TOT=None)), VALUES.tobytes(), version="2.0")
        assert read(tmp_path, content).event_count == 4
        content = file_of(text_of(floats(TOT=None)), VALUES.tobytes() + b"123", version="2.0")
        with pytest.raises(UnreadableFcs, match="no whole number of events"):
            read(tmp_path, content)

    def test_several_data_sets(self, tmp_path: Path) -> None:
        second = file_of(text_of(floats()), (VALUES + 100).tobytes())
        first = file_of(text_of(floats(NEXTDATA=str(BEGIN_DATA + VALUES.nbytes))), VALUES.tobytes())
        file = read(tmp_path, first + second)
        np.testing.assert_array_equal(file.scale_values().values, VALUES)
        assert file.remarks == ("the file holds further data sets",)
        np.testing.assert_array_equal(read_fcs(file.path, data_set=1).scale_values().values, VALUES + 100)
        with pytest.raises(UnreadableFcs, match="no such data set"):
            read_fcs(file.path, data_set=2)

    def test_a_file_that_changes_after_its_header_was_read(self, tmp_path: Path) -> None:
        file = read_floats(tmp_path)
        os.utime(file.path, ns=(1, 1))
        with pytest.raises(UnreadableFcs, match="changed"):
            file.raw()
        file.path.unlink()
        with pytest.raises(UnreadableFcs, match="cannot be read"):
            file.scale_values()


class TestHeader:
    @pytest.mark.parametrize("content", [b"", b"F", b"FCS", b"FCS3.1", b"FCS3.1    ", b"PK\3\4" * 99, b"FCS3.1" * 99])
    def test_what_is_no_fcs_file(self, tmp_path: Path, content: bytes) -> None:
        with pytest.raises(UnreadableFcs, match=r"a\.fcs"):
            read(tmp_path, content)

    @pytest.mark.parametrize("version", ["1.0", "4.0", "abc"])
    def test_other_versions(self, tmp_path: Path, version: str) -> None:
        with pytest.raises(UnsupportedFcs, match=version):
            read(tmp_path, file_of(text_of(floats()), VALUES.tobytes(), version=version))

    def test_a_path_that_leads_nowhere(self, tmp_path: Path) -> None:
        with pytest.raises(UnreadableFcs, match="No such file"):
            read_fcs(tmp_path / "none.fcs")
        with pytest.raises(UnreadableFcs, match="cannot be read"):
            read_fcs(tmp_path)

    def test_the_events_of_a_header_cannot_be_asked_for(self, tmp_path: Path) -> None:
        file = read_fcs(read_floats(tmp_path).path, header_only=True)
        assert file.event_count == 4
        with pytest.raises(ValueError, match="header_only"):
            file.scale_values()
