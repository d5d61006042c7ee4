"""Cells of the CSV files that leave the laboratory: numbers plain, no formulas, no file names and no dates."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path, PurePath
from typing import Any

from nktrace.files.atomic import replacing
from nktrace.files.tables import cell
from nktrace.model.study import Study

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
_DATE = re.compile(r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?(?:\.\d+)?Z?)?", re.ASCII)


class Redaction:
    """Takes file names and dates out of the reasons of a study's tables: ids and days say the same."""

    def __init__(self, study: Study) -> None:
        named: dict[str, str] = {}
        for sample in study.samples.values():
            named[sample.fcs] = sample.sample
            if sample.compensation not in ("keyword", "none", "controls"):
                named[sample.compensation] = "matrix"
        for imported in study.imports.values():
            named |= {imported.gates: "imported gates", imported.names: "table of names"}
        named |= {PurePath(path).name: word for path, word in named.items()}
        self._named = {path: word for path, word in named.items() if path and path != word}
        longest_first = sorted(self._named, key=lambda path: (-len(path), path))
        self._paths = re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")

    def __call__(self, text: str) -> str:
        """The text without them."""
        return _DATE.sub("[date]", self._paths.sub(lambda match: self._named[match[0]], text))


def plain(value: Any) -> str:
    """A value as people and databases read it: empty for NA and for infinite bounds, no exponent, as many digits as
    the tables have."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    if isinstance(value, float):
        text = cell(value)
        return format(Decimal(text), "f") if "e" in text else text
    return cell(value) if isinstance(value, bool | int) else guarded(str(value))


def guarded(text: str) -> str:
    """Text that no spreadsheet takes for a formula: an apostrophe goes before what begins like one."""
    one_line = " ".join(text.split())
    return f"'{one_line}" if one_line.startswith(_FORMULA) else one_line


def write_csv(path: Path | str, columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> None:
    """Write a CSV (UTF-8, commas, quoted where needed) whole or not at all; a missing cell is empty.

    Args:
        path: the file.
        columns: its header.
        rows: cells by column, ready as text (`plain`, `guarded`).
    """
    with replacing(path) as draft, draft.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
