"""config/imports.tsv: samples whose gates were drawn in another program."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from nktrace.files.gating_table import read_gating_table
from nktrace.files.population_names import read_names
from nktrace.files.sample_rules import Surroundings, place_of
from nktrace.files.sheet_columns import IMPORTS
from nktrace.files.sheet_text import Row, Sheet, read_sheet
from nktrace.model.errors import Fault, StudyFaults
from nktrace.model.study import GATED_ROLES, GateImport, Study

SHOWN = "config/imports.tsv"


def examine_imports(
    study: Study, named: Collection[str], around: Surroundings
) -> tuple[Mapping[str, GateImport], list[Fault]]:
    """Read the sheet and its tables of names.

    Args:
        study: its samples, panels' gating tables and overrides.
        named: the ids in samples.tsv, those of faulty rows too.
        around: where files stand.

    Returns:
        The rows without faults, by sample, and the faults of the sheet, then of the tables.
    """
    sheet = read_sheet(around.directory / SHOWN, IMPORTS, shown=SHOWN)
    sheet.refuse_twice("sample")
    tables: dict[str, Sheet | None] = {}
    populations = {panel: _populations(around.directory / path) for panel, path in study.gating.items()}
    faults: list[Fault] = []
    imports: dict[str, GateImport] = {}
    for row in sheet.rows:
        before = len(sheet.faults)
        _check_sample(row, sheet, study, named)
        gates = place_of("gates", row, sheet, around)
        names = _names(row, sheet, around, tables, faults)
        if names is not None and row.values.get("sample") in study.samples:
            panel = study.samples[row["sample"]].panel
            faults += _unknown_populations(tables[names], panel, populations[panel])
        if len(sheet.faults) == before and gates and names and "sample" in row:
            chosen = row.values.get("gates_sample") or ""
            imports[row["sample"]] = GateImport(sample=row["sample"], gates=gates, names=names, gates_sample=chosen)
    everything = [*sorted(sheet.faults, key=lambda fault: fault.row or 0), *dict.fromkeys(faults)]
    return imports, everything


def _check_sample(row: Row, sheet: Sheet, study: Study, named: Collection[str]) -> None:
    name = row.values.get("sample")
    if name is None:
        return
    if name not in named:
        sheet.unknown(name, named, what=f"samples.tsv has no '{name}'", row=row.number, column="sample")
        return
    sample = study.samples.get(name)
    if sample is None:
        return
    if sample.role not in GATED_ROLES:
        what = f"a sample of role {sample.role} is not gated"
        sheet.fault(what, row=row.number, column="sample", mend="Take the row out.")
    changed = sorted(override.population for override in study.overrides_of(sample))
    if changed:
        what = f"'{name}' has gates that were drawn elsewhere and overrides ({', '.join(changed)})"
        mend = "Change the gates where they were drawn, or take one of the two out."
        sheet.fault(what, row=row.number, column="sample", mend=mend)


def _names(
    row: Row, sheet: Sheet, around: Surroundings, tables: dict[str, Sheet | None], faults: list[Fault]
) -> str | None:
    """The path of a row's table of names; a table is read once, whoever names it."""
    if "names" not in row:
        return None
    text: str = row["names"]
    parts = [part for part in text.split("/") if part not in ("", ".")]
    if "\\" in text or text.startswith(("/", "-")) or ".." in parts or not parts:
        what = f"'{text}' does not stay within config/"
        sheet.fault(what, row=row.number, column="names", mend="Write a path such as names/flowjo.tsv.")
        return None
    path = "config/" + "/".join(parts)
    if path not in tables:
        tables[path] = None
        try:
            tables[path] = read_names(around.directory / path, shown=path)
        except StudyFaults as error:
            faults += error.faults
    return path


def _unknown_populations(table: Sheet | None, panel: str, known: Collection[str]) -> list[Fault]:
    """Names that the gating table of a panel does not have: later steps would know nothing of them."""
    if table is None or not known:
        return []
    found = Sheet(table.file)
    for row in table.rows:
        if row["population"] not in known:
            what = f"the gating table of panel {panel} has no population '{row['population']}'"
            found.unknown(row["population"], known, what=what, row=row.number, column="population")
    return found.faults


def _populations(path: Path) -> tuple[str, ...]:
    """The populations of a gating table; none of one that has faults, which are told elsewhere."""
    try:
        return tuple(row.population for row in read_gating_table(path).rows)
    except StudyFaults:
        return ()
