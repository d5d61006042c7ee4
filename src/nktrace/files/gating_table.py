"""Gating tables, config/gating/NAME.tsv: one row per population, parents above their children."""

from __future__ import annotations

import math
import re
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, get_type_hints

from nktrace.files.cells import CellError, Choice, Column, Identifier, Number
from nktrace.files.nearest import suggestion
from nktrace.files.sheet_text import Row, Sheet, read_sheet
from nktrace.model.errors import GatingError, StudyFaults
from nktrace.model.gates import METHODS, ROOT, GatingRow, GatingTable, RectangleSettings
from nktrace.model.panel import Kind
from nktrace.science.gating import boolean

# how many channels a method takes: least and most
_CHANNELS: dict[str, tuple[int, int]] = {
    "time": (1, 1),
    "margin": (1, 2),
    "singlets": (2, 2),
    "scatter": (2, 2),
    "valley": (1, 2),
    "mixture": (1, 1),
    "control": (1, 1),
    "excess": (1, 1),
    "rectangle": (1, 2),
    "polygon": (2, 2),
    "ellipse": (2, 2),
    "boolean": (0, 0),
}
_KIND = "kind:"

COLUMNS = (
    Column(
        name="population",
        kind=Identifier(),
        needed=True,
        na=False,
        doc="Its name, unique in the table. Later steps rely on `beads`, `singlets`, `live`, `leukocytes`, "
        "`lymphocytes`, `cd3`, `cd4_t`, `cd8_t`, `t_cells`, `nkt_like`, `b_cells`, `nk`, `nk_bright`, `nk_dim`.",
    ),
    Column(
        name="parent",
        kind=Identifier(),
        needed=True,
        na=False,
        doc="The population it is cut from, which stands above it; `root` is every event of the file.",
    ),
    Column(
        name="channels",
        default="",
        needed=True,
        when="but for `boolean`",
        doc="One or two markers, comma-separated. `A|B` takes the first that the panel has; `kind:viability` the "
        "panel's first marker of that kind.",
    ),
    Column(
        name="method",
        kind=Choice(tuple(METHODS)),
        needed=True,
        na=False,
        doc="How the gate is found.",
    ),
    Column(
        name="settings",
        default="",
        doc="`key=value`, `;`-separated, by method (below). `optional=yes`: an exclusion, left out where the panel "
        "lacks its markers; any other row is then dropped with all that stands below it.",
    ),
)


def read_gating_table(path: Path | str, *, shown: str = "") -> GatingTable:
    """Read a gating table; it has the name of the file.

    Args:
        path: config/gating/NAME.tsv.
        shown: the name of the file in faults; the path by default.

    Raises:
        StudyFaults: all faults of the table at once.
    """
    path = Path(path)
    sheet = read_sheet(path, COLUMNS, shown=shown)
    sheet.refuse_twice("population")
    rows: list[GatingRow] = []
    above: list[str] = []
    everything = {row["population"] for row in sheet.rows if "population" in row}
    for row in sheet.rows:
        _check_names(row, above, everything, sheet)
        parsed = parse_row(row, above, everything, sheet)
        if parsed is not None:
            rows.append(parsed)
        if "population" in row:
            above.append(row["population"])
    if not sheet.rows and not sheet.faults:
        sheet.fault("the table has no populations", mend="Write one row per population.")
    if sheet.faults:
        raise StudyFaults(sheet.faults)
    return GatingTable(path.stem, tuple(rows))


def _check_names(row: Row, above: list[str], everything: set[str], sheet: Sheet) -> None:
    if "population" in row and row["population"] == ROOT:
        sheet.fault(f"'{ROOT}' is every event of the file, not a row", row=row.number, column="population")
    if "parent" in row and row["parent"] != ROOT and row["parent"] not in above:
        _not_above(row["parent"], "parent", row, [*above, ROOT], everything, sheet)


def _not_above(name: str, column: str, row: Row, valid: list[str], everything: set[str], sheet: Sheet) -> None:
    if name == row.values.get("population"):
        sheet.fault(f"'{name}' names itself", row=row.number, column=column)
    elif name in everything:
        mend = "Move that row up: what a population is made of stands above it."
        sheet.fault(f"'{name}' stands below this row", row=row.number, column=column, mend=mend)
    else:
        sheet.unknown(name, valid, what=f"there is no population '{name}'", row=row.number, column=column)


def parse_row(row: Row, above: list[str], everything: set[str], sheet: Sheet) -> GatingRow | None:
    """A row of the columns above, its channels and settings parsed; None, with faults in the sheet, where one is wrong.

    Args:
        row: of a gating table, or of an override as if it stood in one.
        above: the populations above it, which a boolean may name.
        everything: all populations of the table.
        sheet: that gets the faults.
    """
    if not all(column.name in row for column in COLUMNS):
        return None
    method = row["method"]
    channels = _channels(row, sheet)
    if channels is None:
        return None
    read = parse_settings(row, METHODS[method], sheet)
    if read is None:
        return None
    settings, optional = read
    if method == "boolean":
        try:
            names = boolean.names(settings.of)
        except GatingError as error:
            sheet.fault(error.what, row=row.number, column="settings", mend=error.mend)
            return None
    else:
        given = (getattr(settings, setting, "") for setting in ("of", "anchor", "negative"))
        names = {name for name in given if name and (method, name) != ("control", "fmo")}
    for name in sorted(names - set(above)):
        _not_above(name, "settings", row, above, everything, sheet)
    if method == "rectangle" and (settings.y is not None) != (len(channels) == 2):
        what = f"bounds for {1 + (settings.y is not None)} channel(s) where there are {len(channels)}"
        sheet.fault(what, row=row.number, column="settings", mend="Write x=min:max for one, x=…;y=… for two.")
    if method == "valley" and len(settings.sign) != len(channels):
        what = f"sign={settings.sign} for {len(channels)} channel(s)"
        sheet.fault(what, row=row.number, column="settings", mend="Write one sign for each channel.")
    return GatingRow(
        population=row["population"],
        parent=row["parent"],
        channels=channels,
        method=method,
        settings=settings,
        optional=optional,
    )


def _channels(row: Row, sheet: Sheet) -> tuple[tuple[str, ...], ...] | None:
    text, method = row["channels"], row["method"]
    channels = tuple(tuple(name.strip() for name in part.split("|")) for part in text.split(",")) if text else ()
    least, most = _CHANNELS[method]
    before = len(sheet.faults)
    if not least <= len(channels) <= most:
        wanted = f"{least}" if least == most else f"{least} to {most}"
        what = f"{len(channels)} channel(s), where {method} takes {wanted}"
        mend = "Separate markers by commas; write NA for none."
        sheet.fault(what, row=row.number, column="channels", mend=mend)
    for name in (name for alternatives in channels for name in alternatives):
        if not name:
            sheet.fault(f"'{text}' has an empty name", row=row.number, column="channels")
        kind = name.removeprefix(_KIND)
        if kind != name and kind not in tuple(Kind):
            sheet.unknown(kind, tuple(Kind), what=f"there is no kind '{kind}'", row=row.number, column="channels")
    return channels if len(sheet.faults) == before else None


# --- settings ---------------------------------------------------------------------------------------------------------


def parse_settings(row: Row, method: type[Any], sheet: Sheet) -> tuple[Any, bool] | None:
    """The settings of a row as its method's class and whether it is optional; None, with faults, where one is wrong."""
    hints = get_type_hints(method)
    values: dict[str, Any] = {}
    optional = False
    before = len(sheet.faults)

    def fault(what: str, mend: str = "") -> None:
        sheet.fault(what, row=row.number, column="settings", mend=mend)

    given: set[str] = set()
    for pair in filter(None, (pair.strip() for pair in row["settings"].split(";"))):
        key, equals, text = (part.strip() for part in pair.partition("="))
        if not equals:
            fault(f"'{pair}' is not key=value", "Write settings as key=value, separated by ';'.")
        elif key in given:
            fault(f"{key} stands twice", "Keep one.")
        elif key == "optional":
            if text not in ("yes", "no"):
                fault(f"optional={text} is neither yes nor no")
            optional = text == "yes"
        elif key not in hints:
            fault(f"{row['method']} has no setting '{key}'", suggestion(key, [*hints, "optional"]))
        else:
            try:
                values[key] = _value(text, hints[key], bounds=method is RectangleSettings)
            except CellError as error:
                fault(f"{key}={text}: {error.what}", error.mend)
        given.add(key)
    for item in fields(method):
        if item.default is MISSING and item.name not in given:
            fault(f"{row['method']} needs the setting '{item.name}'", (method.__doc__ or "").split("\n")[0])
    if len(sheet.faults) > before:
        return None
    try:
        return method(**values), optional
    except GatingError as error:
        fault(error.what, error.mend)
        return None


def _value(text: str, kind: Any, *, bounds: bool) -> Any:
    """The value of a setting by the type of its field; two numbers are bounds, `min:max`, or a point, `x,y`.

    Raises:
        CellError: the text is not of that type.
    """
    words = str(kind)
    if kind is int:
        if not re.fullmatch(r"\d+", text, re.ASCII):
            raise CellError("not a whole number")
        return int(text)
    if kind is float:
        return Number()(text)
    if kind is str:
        if not text:
            raise CellError("empty")
        return text
    if "tuple[tuple[" in words:
        return _points(text)
    if "tuple[float, float, float]" in words:
        return _numbers(text, 3)
    return _bounds(text) if bounds else _numbers(text, 2)


def _numbers(text: str, count: int) -> tuple[float, ...]:
    parts = text.split(",")
    if len(parts) != count:
        raise CellError(f"{count} numbers are needed", mend="Separate them by commas.")
    return tuple(Number()(part.strip()) for part in parts)


def _bounds(text: str) -> tuple[float, float]:
    low_text, colon, high_text = (part.strip() for part in text.partition(":"))
    if not colon:
        raise CellError("bounds are min:max", mend="Leave a side empty where it is open.")
    low = Number()(low_text) if low_text else -math.inf
    high = Number()(high_text) if high_text else math.inf
    if not low < high:
        raise CellError("the lower bound is not below the upper one")
    return low, high


def _points(text: str) -> tuple[tuple[float, ...], ...]:
    points = tuple(_numbers(point, 2) for point in text.split())
    if len(set(points)) < 3:
        raise CellError("a polygon has at least three corners", mend="Write points=x,y x,y x,y.")
    return points
