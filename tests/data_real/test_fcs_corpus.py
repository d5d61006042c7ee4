"""Every real file, against FlowIO where FlowIO is right, and by hand where it is not."""

from __future__ import annotations

import array
from pathlib import Path

import flowio
import numpy as np
import pytest

from nktrace.files.fcs import FcsFile, read_fcs, write_fcs
from nktrace.model.errors import UnreadableFcs

BYTE_LATE = "the end of DATA is given as the byte after it; FlowIO reads it only when told to"

# What is refused here, and why; each looked at in a hex dump.
REFUSED = {
    "fcsparser__FlowCytometers__cytek-nl-2000__sample_header.fcs": "a header only: DATA should begin at byte 5912, "
    "the file ends at byte 3930",
    "morganconrad_fcs__AriaFile1.fcs": "cut off: DATA goes to byte 482635, the file ends at byte 293160 (besides, "
    "HEADER and TEXT are two bytes apart on where it begins)",
}

# What FlowIO refuses as it is, and the option with which it reads the same as we do.
FLOWIO_NEEDS_AN_OPTION: dict[str, tuple[dict[str, object], str]] = {
    "cytoflow__instruments__Beckman_Coulter_-_Gallios.LMD": (
        {"nextdata_offset": 0},
        "two data sets: FlowIO asks which; we read the first and say that there are more",
    ),
    "flowio__fcs_files__coulter.lmd": (
        {"nextdata_offset": 0, "ignore_offset_error": True},
        "two data sets, and " + BYTE_LATE,
    ),
    "cytoflow__instruments__Partec_-_PAS.FCS": ({"ignore_offset_error": True}, BYTE_LATE),
    "cytoflow__module_examples__stabilize.fcs": ({"ignore_offset_error": True}, BYTE_LATE),
    "fcsparser__FlowCytometers__MiltenyiBiotec__FCS3.1__EY_2013-07-19_PBS_FCS_3.1_Custom_Without_Add_Well_A1.001.fcs": (
        {"ignore_offset_error": True},
        BYTE_LATE,
    ),
    "fcsparser__FlowCytometers__MiltenyiBiotec__FCS3.1__EY_2013-07-19_PBS_FCS_3.1_Well_A1.001.fcs": (
        {"ignore_offset_error": True},
        BYTE_LATE,
    ),
    "flowkit__test_comp_example.fcs": ({"ignore_offset_error": True}, BYTE_LATE),
    "flowio__fcs_files__data_start_offset_discrepancy_example.fcs": (
        {"ignore_offset_discrepancy": True},
        "HEADER has DATA begin at 5555, TEXT at 6081; only the place in TEXT has the size of the events",
    ),
}

# What FlowIO cannot give at all; see the tests below, which decode these files by hand.
FLOWIO_HAS_NO_EVENTS = {
    "cytoflow__instruments__Cytek_xP5.fcs": "24-bit integers: FlowIO gives no events",
    "cytoflow__instruments__Partec_-_CyFlow_v2.9.fcs": "blanks before the keyword $DATATYPE: FlowIO does not find it",
}

# Whose raw values agree with FlowIO's while the values on the scale cannot: the columns, and why.
OTHER_SCALE = {
    "cytoflow__module_examples__itn_02.fcs": (
        {"CD8", "CD69", "CD4", "CD3", "HLADr"},
        "$PnE 4,0 on float values, which the standard forbids: FlowIO applies it and overflows",
    ),
    "flowio__fcs_files__variable_int_example.fcs": ({"Time"}, "$TIMESTEP xxxxxxxxx: FlowIO gives up, we keep ticks"),
    "flowio__fcs_files__data_start_offset_discrepancy_example.fcs": ({"Time"}, "$TIMESTEP xxxxxxxxx, as above"),
}

# Whose keywords FlowIO misses or joins.
OTHER_KEYWORDS = {
    "cytoflow__instruments__Partec_-_PAS.FCS": "an empty $INST: FlowIO makes one keyword of it and $FIL",
    "flowio__fcs_files__data1.fcs": "empty values: FlowIO makes one keyword of four",
    "cytoflow__module_examples__stabilize.fcs": "FlowIO does not read the supplementary TEXT",
    "fcsparser__FlowCytometers__MiltenyiBiotec__FCS3.1__EY_2013-07-19_PBS_FCS_3.1_Well_A1.001.fcs": "as above",
}


@pytest.fixture(scope="module")
def paths(shared_data: Path) -> dict[str, Path]:
    """Every FCS file by its name."""
    found = {}
    for path in sorted(shared_data.rglob("*")):
        if path.is_file():
            with path.open("rb") as stream:
                if stream.read(3) == b"FCS":
                    found[path.name] = path
    assert len(found) >= 80
    assert {*REFUSED, *FLOWIO_NEEDS_AN_OPTION, *FLOWIO_HAS_NO_EVENTS, *OTHER_SCALE, *OTHER_KEYWORDS} <= set(found)
    return found


@pytest.fixture(scope="module")
def readable(paths: dict[str, Path]) -> dict[str, FcsFile]:
    return {name: read_fcs(path) for name, path in paths.items() if name not in REFUSED}


def _peer(file: FcsFile) -> flowio.FlowData:
    options, _ = FLOWIO_NEEDS_AN_OPTION.get(file.path.name, ({}, ""))
    return _flowio(file.path, **options)


def _flowio(path: Path, **options: object) -> flowio.FlowData:
    with path.open("rb") as stream:  # which FlowIO leaves open when it refuses
        return flowio.FlowData(stream, **options)


@pytest.mark.parametrize("name", REFUSED)
def test_refused(paths: dict[str, Path], name: str) -> None:
    for header_only in (False, True):
        with pytest.raises(UnreadableFcs, match="the file ends at byte"):
            read_fcs(paths[name], header_only=header_only)


@pytest.mark.parametrize("name", FLOWIO_NEEDS_AN_OPTION)
def test_what_flowio_needs_an_option_for_is_remarked_on(readable: dict[str, FcsFile], name: str) -> None:
    with pytest.raises(Exception, match=r".") as refusal:
        _flowio(readable[name].path)
    assert type(refusal.value).__module__.startswith("flowio")
    assert readable[name].remarks


@pytest.mark.filterwarnings("ignore:FCS file .* reported incorrect data offset")
def test_events_equal_flowio_s(readable: dict[str, FcsFile]) -> None:
    compared = 0
    for name, file in readable.items():
        if name in FLOWIO_HAS_NO_EVENTS:
            continue
        peer = _peer(file)
        np.testing.assert_array_equal(
            np.column_stack(file.raw()).astype(np.float64), peer.as_array(preprocess=False), err_msg=name
        )
        other, _ = OTHER_SCALE.get(name, (set(), ""))
        peer.text.update({"timestep": "1"} if "Time" in other else {})
        with np.errstate(over="ignore"):
            theirs = peer.as_array()
        exact, fast = file.scale_values(np.float64), file.scale_values()
        for index, channel in enumerate(file.names):
            same = np.array_equal(exact.values[:, index], theirs[:, index], equal_nan=True)
            assert same == (channel not in other or channel == "Time"), (name, channel)
        np.testing.assert_array_equal(fast.values, exact.values.astype(np.float32), err_msg=name)
        compared += 1
    assert compared >= 78


@pytest.mark.filterwarnings("ignore:FCS file .* reported incorrect data offset")
def test_names_and_keywords_equal_flowio_s(readable: dict[str, FcsFile]) -> None:
    for name, file in readable.items():
        if name in FLOWIO_HAS_NO_EVENTS:
            continue
        peer = _peer(file)
        assert list(file.names) == peer.pnn_labels, name
        assert list(file.labels) == [label.strip() for label in peer.pns_labels], name
        # FlowIO takes every $ away and makes names small.
        ours = {key.replace("$", "").lower(): value.replace("$", "").strip() for key, value in file.keywords.items()}
        theirs = {key.strip(): value.strip() for key, value in peer.text.items()}
        assert (ours == theirs) == (name not in OTHER_KEYWORDS), name


def test_an_empty_keyword_does_not_swallow_the_next(readable: dict[str, FcsFile]) -> None:
    keywords = readable["cytoflow__instruments__Partec_-_PAS.FCS"].keywords
    assert (keywords["$INST"], keywords["$FIL"]) == ("", "Spherotech 8 peak beads.FCS")
    keywords = readable["flowio__fcs_files__data1.fcs"].keywords
    assert (keywords["&5Data File Prefix Part #1"], keywords["&8Acquisition Doc."]) == ("", "LYMPH SUBSET ACQ")


def test_24_bit_integers_by_hand(readable: dict[str, FcsFile]) -> None:
    file = readable["cytoflow__instruments__Cytek_xP5.fcs"]
    data = file.path.read_bytes()[4096 : 559119 + 1]
    values = [int.from_bytes(data[at : at + 3], "big") for at in range(0, len(data), 3)]
    assert len(values) == 23_126 * 8
    columns = file.raw()
    for index in range(8):
        assert columns[index].tolist() == values[index::8]
    assert file.keywords["$BTIM"] == "13:22:33"
    assert file.keywords["$ETIM"] == "13:22:52"
    assert file.scale_values().column("TIME").max() == np.float32(18.988)


def test_blanks_before_a_keyword_by_hand(readable: dict[str, FcsFile]) -> None:
    file = readable["cytoflow__instruments__Partec_-_CyFlow_v2.9.fcs"]
    content = file.path.read_bytes()
    assert b"      $DATATYPE/I/" in content
    values = array.array("H", content[3022:])  # to the end of the file: 72,989 events of four
    assert len(values) == 72_989 * 4
    for index, (name, decades, zero) in enumerate([("FSC", 3, 1), ("SSC", 4, 0.1), ("FL_Green", 4, 0.1)]):
        channels = np.array(values[index::4], np.float64)
        np.testing.assert_array_equal(file.raw()[index], channels)
        np.testing.assert_allclose(
            file.scale_values().column(name), zero * 10 ** (decades * channels / 32_768), rtol=1e-6
        )


def test_float_values_exceed_a_range_of_channels(readable: dict[str, FcsFile]) -> None:
    """The evidence that `$PnE` does not count here: channels of an amplifier would stay below `$PnR`, 1024."""
    file = readable["cytoflow__module_examples__itn_02.fcs"]
    assert file.parameters[5].name == "CD3"
    assert file.keywords["$P6R"] == "1024"
    assert file.scale_values().column("CD3").max() > 9000
    assert np.isnan(file.tops[5])


def test_second_data_sets_equal_flowio_s(paths: dict[str, Path]) -> None:
    for name in ("cytoflow__instruments__Beckman_Coulter_-_Gallios.LMD", "flowio__fcs_files__coulter.lmd"):
        file = read_fcs(paths[name], data_set=1)
        first = read_fcs(paths[name])
        assert (first.version, file.version) == ("2.0", "3.0")
        assert file.event_count == first.event_count
        peer = _flowio(paths[name], nextdata_offset=first.layout.next_data, ignore_offset_error=True)
        np.testing.assert_array_equal(np.column_stack(file.raw()).astype(float), peer.as_array(preprocess=False))


def test_time_is_in_seconds_by_the_instrument_s_clock(readable: dict[str, FcsFile]) -> None:
    """The last event comes before the end that the clock of the instrument wrote, and the unit is not another one."""
    checked = 0
    for name, file in readable.items():
        time = next((channel for channel in file.names if channel.lower() == "time"), None)
        if time is None or file.time_step is None or not {"$BTIM", "$ETIM"} <= set(file.keywords):
            continue
        if name == "flowio__fcs_files__B01_KC-A-W---91-US.fcs":  # Accuri's clock runs on from the tubes before
            continue
        duration = _clock(file.keywords["$ETIM"]) - _clock(file.keywords["$BTIM"])
        values = file.scale_values().column(time)
        assert values.min() >= 0, name
        assert 0.2 * duration < values.max() < duration + 1, name
        checked += 1
    assert checked > 25


def _clock(text: str) -> float:
    hours, minutes, seconds = text.split(":")[:3]
    return 3600 * int(hours) + 60 * int(minutes) + float(seconds)


def test_written_and_read_again_every_file_is_the_same(readable: dict[str, FcsFile], tmp_path: Path) -> None:
    layout = {"$PnB", "$PnE", "$PnG", "$PnR", "$TIMESTEP", "$BYTEORD", "$DATATYPE", "$BEGINDATA", "$ENDDATA"}
    layout |= {"$BEGINSTEXT", "$ENDSTEXT", "$BEGINANALYSIS", "$ENDANALYSIS", "$NEXTDATA", "$TOT", "$PAR", "$MODE"}
    layout |= {"$PnN", "$PnS"}
    for name, old in readable.items():
        events = old.scale_values()
        write_fcs(tmp_path / "a.fcs", events, labels=old.labels, tops=old.tops, keywords=old.keywords)
        new = read_fcs(tmp_path / "a.fcs")
        assert new.scale_values().values.tobytes("F") == events.values.tobytes("F"), name
        assert (new.names, new.labels) == (old.names, old.labels), name
        np.testing.assert_array_equal(new.tops, old.tops)
        kept = [pair for pair in old.keywords.pairs if _general(pair[0], len(old.names)) not in layout]
        assert [pair for pair in new.keywords.pairs if _general(pair[0], len(old.names)) not in layout] == kept, name


def _general(name: str, count: int) -> str:
    """`$P12N` as `$PnN`."""
    number = name[2:-1]
    if name[:2].upper() == "$P" and number.isdigit() and int(number) <= count:
        return f"$Pn{name[-1].upper()}"
    return name.upper()
