"""Panel sheets, config/panels/NAME.tsv: one row per detector."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

from nktrace.files.cells import CellError, Choice, Column
from nktrace.files.sheet_text import Row, Sheet, read_sheet
from nktrace.files.table_columns import CLUSTERS_BEFORE, CLUSTERS_BEHIND
from nktrace.model.errors import StudyFaults
from nktrace.model.panel import Detector, Kind, Panel, marker_key

_COFACTOR = re.compile(r"\d+(\.\d+)?([eE][+-]?\d+)?", re.ASCII)
_LINEAR_KINDS = (Kind.TIME, Kind.SCATTER)
# columns of nk.parquet and clusters.tsv that are not markers, and the word for "all events" in a gating table
_TAKEN = frozenset(
    {"event", "cluster", "subset", "subset_probability", "novelty", "root", "sample", "patient", "batch"}
    | {*CLUSTERS_BEFORE, *CLUSTERS_BEHIND}
)


def _transform(text: str) -> None:
    name, _, cofactor = text.partition(":")
    if name == "asinh":
        if not (_COFACTOR.fullmatch(cofactor) and float(cofactor) > 0):
            raise CellError(f"'{text}' has no cofactor", mend="Write asinh:150, or asinh:5 for mass cytometry.")
    else:
        Choice(("logicle", "asinh:COFACTOR", "linear"))(text)


def _marker(text: str) -> None:
    for mark in ",|;&!()=":
        if mark in text:
            raise CellError(
                f"'{text}' has a '{mark}', which gating tables use", mend="Join two antibodies by '+' or '_'."
            )
    if not marker_key(text):
        raise CellError(f"'{text}' has neither letter nor digit", mend="Give the marker its name.")
    if text in _TAKEN:
        raise CellError(f"'{text}' is the name of something else in the results", mend="Give the marker another name.")


COLUMNS = (
    Column(
        name="channel",
        needed=True,
        na=False,
        doc="The detector in the FCS file: `$PnN`, or `$PnS`, or aliases of these as `A|B`, looked up in this order.",
    ),
    Column(
        name="marker",
        check=_marker,
        doc="The name that gates, tables and pages use; unique. Two antibodies in one detector are one marker, joined "
        "by `+` or `_` (`CD14+CD19`). Default: the first alias of `channel`.",
    ),
    Column(name="fluorochrome", default="", doc="What the detector is lit by; for people."),
    Column(
        name="kind",
        kind=Choice(tuple(Kind)),
        needed=True,
        na=False,
        doc="What the detector is for. `ignore`: it is not used, and the file may lack it.",
    ),
    Column(
        name="transform",
        check=_transform,
        doc="The scale it is gated and drawn on: `logicle`, `asinh:COFACTOR` or `linear`. "
        "Default: `linear` for time and scatter, else `logicle`. Data that come transformed are `linear`.",
    ),
    Column(name="clone", default="", doc="The antibody's clone; for people."),
    Column(
        name="antibody",
        default="",
        when="for kind `hla`",
        doc="The id of a row of `hla_antibodies.tsv`, such as `BB7.2`; whether it marks donor or recipient is "
        "decided per patient, from the typings.",
    ),
)


def read_panel(path: Path | str, *, antibodies: Collection[str] | None = None, shown: str = "") -> Panel:
    """Read a panel sheet; the panel has the name of the file.

    Args:
        path: config/panels/NAME.tsv.
        antibodies: the ids that `antibody` may hold; unchecked without.
        shown: the name of the file in faults; the path by default.

    Raises:
        StudyFaults: all faults of the sheet at once.
    """
    path = Path(path)
    sheet = read_sheet(path, COLUMNS, shown=shown)
    detectors = [detector for row in sheet.rows if (detector := _detector(row, sheet, antibodies)) is not None]
    _refuse_doubles(detectors, sheet)
    if not sheet.rows and not sheet.faults:
        sheet.fault("the panel has no detectors", mend="Write one row per detector.")
    if sheet.faults:
        raise StudyFaults(sheet.faults)
    return Panel(path.stem, tuple(detector for _, detector in detectors))


def _detector(row: Row, sheet: Sheet, antibodies: Collection[str] | None) -> tuple[Row, Detector] | None:
    if not all(column.name in row for column in COLUMNS):
        return None
    values = dict(row.values)
    aliases = [alias.strip() for alias in values["channel"].split("|")]
    if not all(aliases):
        sheet.fault(f"'{values['channel']}' has an empty alias", row=row.number, column="channel")
        return None
    if values["marker"] is None:
        values["marker"] = aliases[0]
        try:
            _marker(aliases[0])
        except CellError as error:
            sheet.fault(error.what, row=row.number, column="marker", mend="Give the detector a marker.")
    kind = values["kind"] = Kind(values["kind"])
    if values["transform"] is None:
        values["transform"] = "linear" if kind in _LINEAR_KINDS else "logicle"
    if kind is Kind.HLA and not values["antibody"]:
        what = "a detector of kind hla needs its antibody"
        sheet.fault(what, row=row.number, column="antibody", mend="It is an id of hla_antibodies.tsv, such as BB7.2.")
    elif kind is Kind.HLA and antibodies is not None and values["antibody"] not in antibodies:
        what = f"hla_antibodies.tsv has no '{values['antibody']}'"
        mend = "Add a row to config/hla_antibodies.tsv, a copy of the table that comes with nktrace."
        sheet.unknown(values["antibody"], antibodies, what=what, row=row.number, column="antibody", mend=mend)
    return row, Detector(**values)


def _refuse_doubles(detectors: list[tuple[Row, Detector]], sheet: Sheet) -> None:
    """Each marker and each channel stands once."""
    markers: dict[str, int] = {}
    channels: dict[str, int] = {}
    for row, detector in detectors:
        if (first := markers.setdefault(marker_key(detector.marker), row.number)) != row.number:
            what = f"'{detector.marker}' stands in row {first} already, letter case and marks apart"
            sheet.fault(what, row=row.number, column="marker", mend="Give each detector its own marker.")
        for alias in detector.aliases:
            if (first := channels.setdefault(alias, row.number)) != row.number:
                what = f"'{alias}' stands in row {first} already"
                sheet.fault(what, row=row.number, column="channel", mend="Keep one row per detector.")
