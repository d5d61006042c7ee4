"""What an override may say: its keys, and what its gate becomes by the gating table and the markers of its panel."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from nktrace.files.cells import CellError, Choice, Column, Identifier, Number
from nktrace.files.gating_table import parse_row, parse_settings
from nktrace.files.rows import load_rows
from nktrace.files.sheet_text import Row, Sheet
from nktrace.model.errors import NktraceError, StudyFaults
from nktrace.model.gates import METHODS, GatingRow, Skipped
from nktrace.model.overrides import SHIFT, Override, ShiftSettings
from nktrace.model.panel import Panel
from nktrace.science.gating.tree import marker_of

_NOT_MOVED = ("time", "boolean")  # windows of a run, and what has no numbers
_UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|\+00:00)", re.ASCII)


def _moment(text: str) -> None:
    """Refuse what is no date and time of day in UTC.

    Raises:
        CellError: with how it is written.
    """
    mend = "Write it as 2026-03-01T10:00:00Z, the time of day in UTC."
    if not _UTC.fullmatch(text):
        raise CellError(f"'{text}' is not a date and time in UTC", mend=mend)
    try:
        datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise CellError(f"'{text}' is not a moment of the calendar", mend=mend) from None


COLUMNS = (
    Column(name="sample", kind=Identifier(), when="or `batch` and `panel`", doc="The sample whose gate it is."),
    Column(
        name="batch",
        kind=Identifier(),
        when="with `panel`, or `sample`",
        doc="Every sample of this batch and panel; an override of a single sample goes before that of its batch.",
    ),
    Column(name="panel", kind=Identifier(), when="with `batch`", doc="The panel of these samples."),
    Column(
        name="population",
        kind=Identifier(),
        needed=True,
        na=False,
        doc="The population of the gating table whose gate it is.",
    ),
    Column(
        name="method",
        kind=Choice((*METHODS, SHIFT)),
        needed=True,
        na=False,
        doc="A method of the gating table, by which the gate is found instead; or `shift`: the gate that the sample "
        "would get by itself, moved by `x` and, where it has two channels, `y` scale units.",
    ),
    Column(
        name="settings",
        default="",
        doc="As in the gating table: `key=value`, `;`-separated. Coordinates are scale values, as in `gates.tsv`.",
    ),
    Column(name="channels", default="", doc="Other markers than those of the gate in the table, comma-separated."),
    Column(name="who", needed=True, na=False, doc="Who changed the gate."),
    Column(name="when", needed=True, na=False, check=_moment, doc="When, in UTC: `2026-03-01T10:00:00Z`."),
    Column(name="why", needed=True, na=False, doc="Why. It stands on the pages beside the gate."),
    Column(
        name="reference_version",
        kind=Number(low=1, what="whole number"),
        default=1,
        doc="The reference on whose scale the numbers are; another than that of `config.yaml` is an error, since a new "
        "reference has another scale.",
    ),
)


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """The gates of a panel, as its gating table and its markers make them."""

    panel: Panel
    rows: tuple[GatingRow, ...]
    skipped: tuple[Skipped, ...] = ()


def load_overrides(text: str, hierarchy: Hierarchy) -> dict[str, Override]:
    """The overrides of one sample by population, from the JSON that a rule hands to its step.

    Raises:
        StudyFaults: they are not of this hierarchy.
    """
    found: dict[str, Override] = {}
    sheet = Sheet("--overrides")
    for number, texts in enumerate(load_rows(text, "--overrides"), 1):
        row = read_keys(number, texts, sheet)
        change = parse_change(row, hierarchy, sheet)
        if change is not None and not sheet.faults:
            found[row["population"]] = Override(**row.values, change=change)
    if sheet.faults:
        raise StudyFaults(sheet.faults)
    return found


def read_keys(number: int, texts: Mapping[str, object], sheet: Sheet) -> Row:
    """The values of the keys; one at fault is not among them."""
    row = Row(number)
    faulty = {fault.column for fault in sheet.faults}
    for column in COLUMNS:
        if column.name in faulty:
            continue
        try:
            row.values[column.name] = column.read(str(texts.get(column.name, "")))
        except NktraceError as error:
            what = error.what.replace("the cell", "it") if column.name in texts else "the key is missing"
            sheet.fault(what, row=number, column=column.name, mend=error.mend)
    return row


def parse_change(row: Row, hierarchy: Hierarchy, sheet: Sheet) -> GatingRow | ShiftSettings | None:
    """What the gate becomes; None, with faults, where that can't be."""
    if not all(name in row for name in ("population", "method", "settings", "channels")):
        return None
    population = row["population"]
    populations = [own.population for own in hierarchy.rows]
    if population not in populations:
        left_out = [skipped for skipped in hierarchy.skipped if skipped.population == population]
        what = f"the gating of panel {hierarchy.panel.name} has no '{population}'"
        if left_out:
            sheet.fault(f"{what}: {left_out[0].reason}", row=row.number, column="population")
        else:
            sheet.unknown(population, populations, what=what, row=row.number, column="population")
        return None
    position = populations.index(population)
    own = hierarchy.rows[position]
    if row["method"] == SHIFT:
        return _shift(row, own, sheet)
    return _replaced(row, own, hierarchy, populations[:position], sheet)


def _shift(row: Row, own: GatingRow, sheet: Sheet) -> ShiftSettings | None:
    read = parse_settings(row, ShiftSettings, sheet)
    if own.method in _NOT_MOVED:
        what = f"{own.population} is gated by {own.method}, which can't be moved"
        sheet.fault(what, row=row.number, column="method", mend="Replace it by another method.")
    if row["channels"]:
        mend = "Take them away; to gate on others, replace the gate by another method."
        sheet.fault("a gate is moved on its own channels", row=row.number, column="channels", mend=mend)
    if read is None:
        return None
    shift: ShiftSettings = read[0]
    if shift == ShiftSettings():
        sheet.fault("it moves nothing", row=row.number, column="settings", mend="Write x=0.05, in scale units.")
    if shift.y and len(own.markers) < 2:
        sheet.fault(f"y={shift.y:g}, where {own.population} has one channel", row=row.number, column="settings")
    return None if sheet.faults else shift


def _replaced(row: Row, own: GatingRow, hierarchy: Hierarchy, above: Sequence[str], sheet: Sheet) -> GatingRow | None:
    default = "" if row["method"] == "boolean" else ",".join(own.markers)
    values: dict[str, Any] = {name: row[name] for name in ("population", "method", "settings")}
    values |= {"parent": own.parent, "channels": row["channels"] or default}
    everything = {other.population for other in hierarchy.rows}
    parsed = parse_row(Row(row.number, values=values), list(above), everything, sheet)
    if parsed is None:
        return None
    if re.search(r"(^|;)\s*optional\b", row["settings"]):
        sheet.fault("optional is of the gating table", row=row.number, column="settings", mend="Take it away.")
    markers = [marker_of(alternatives, hierarchy.panel) for alternatives in parsed.channels]
    for alternatives, marker in zip(parsed.channels, markers, strict=True):
        if marker is None:
            what = f"panel {hierarchy.panel.name} has no {' or '.join(alternatives)}"
            sheet.unknown(alternatives[0], hierarchy.panel.markers, what=what, row=row.number, column="channels")
    if sheet.faults:
        return None
    return replace(parsed, channels=tuple((marker,) for marker in markers if marker is not None), optional=own.optional)
