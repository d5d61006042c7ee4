"""What a row of samples.tsv must be beyond its single cells: by its role, its patient, its panel and its files."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from nktrace.files.nearest import nearest
from nktrace.files.sheet_columns import SAMPLES
from nktrace.files.sheet_text import MAX_SUGGESTIONS, Row, Sheet
from nktrace.model.panel import Panel
from nktrace.model.study import ON_THE_TIMELINE, Patient, Role, Sample

COMPENSATIONS = ("keyword", "none", "controls")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the rows refer to.

    Attributes:
        directory: the study.
        data_dir: what stands before a file's path within it; None where it is unknown.
        patients, infusions: by patient; the rows of patients that have an infusion_date.
        panels: by name; None for a panel with faults.
    """

    directory: Path
    data_dir: str | None
    patients: Mapping[str, Patient]
    infusions: Mapping[str, Row]
    has_patients_sheet: bool
    panels: Mapping[str, Panel | None]
    files_must_exist: bool
    _listings: dict[Path, list[str]] = field(default_factory=dict)

    def beside(self, path: Path) -> list[str]:
        """The names in the directory of a path, listed once."""
        parent = path.parent
        if parent not in self._listings:
            self._listings[parent] = [other.name for other in parent.iterdir()] if parent.is_dir() else []
        return self._listings[parent]


def sample_of(row: Row, sheet: Sheet, around: Surroundings) -> Sample | None:
    """The sample of a row; None where a cell that it needs is at fault, which then is among the sheet's faults."""
    before = len(sheet.faults)
    _check_patient(row, sheet, around)
    day = _day(row, sheet, around)
    _check_role(row, sheet, day)
    _check_panel(row, sheet, around)
    fcs = place_of("fcs", row, sheet, around)
    _check_compensation(row, sheet, around)
    if len(sheet.faults) > before or fcs is None or len(row.values) < len(SAMPLES):
        return None
    role = Role(row["role"])
    values = row.values | {"role": role, "day": day, "fcs": fcs}
    del values["collected"]
    if values["specimen"] is None:
        values["specimen"] = _specimen(row["sample"], row["patient"], day, role)
    return Sample(**values)


def _specimen(sample: str, patient: str | None, day: float, role: Role) -> str:
    """Tubes of one patient, day and role are one draw; a tube without a patient is alone."""
    if patient is None:
        return sample
    return f"{patient}.{role}" if math.isnan(day) else f"{patient}.{day:g}.{role}"


def _check_patient(row: Row, sheet: Sheet, around: Surroundings) -> None:
    patient = row.values.get("patient")
    if patient is None or patient in around.patients or not around.has_patients_sheet:
        return
    what = f"patients.tsv has no '{patient}'"
    sheet.unknown(patient, around.patients, what=what, row=row.number, column="patient", mend="Add a row there.")


def _day(row: Row, sheet: Sheet, around: Surroundings) -> float:
    """Days from the infusion: the cell, or computed from `collected`; nan where there is none."""
    day = float(row.values.get("day", math.nan))
    collected, patient = row.values.get("collected"), row.values.get("patient")
    infusion = around.infusions.get(patient) if patient else None
    if collected is None:
        return day
    if infusion is None:
        if math.isnan(day) and "day" in row and patient in around.patients:
            what = f"'{collected.text}' is no day without the infusion_date of {patient}"
            sheet.fault(what, row=row.number, column="collected", mend="Fill in infusion_date in patients.tsv, or day.")
        return day
    elapsed: float = collected.days_since(infusion["infusion_date"])
    if math.isnan(day):
        return elapsed
    if abs(elapsed - day) > 1:
        what = f"day is {day:g}, but from infusion_date to collected it is {elapsed:g} days"
        sheet.fault(what, row=row.number, column="day", mend="Mend one of the three, or write NA for day.")
    return day


def _check_role(row: Row, sheet: Sheet, day: float) -> None:
    if "role" not in row:
        return
    role = Role(row["role"])
    patient = row.values.get("patient")

    def fault(column: str, what: str, mend: str) -> None:
        if not any(fault.row == row.number and fault.column == column for fault in sheet.faults):
            sheet.fault(what, row=row.number, column=column, mend=mend)

    unknown_day = math.isnan(day) and "day" in row and row.values.get("collected", "at fault") is None
    if role in ON_THE_TIMELINE and patient is not None and unknown_day and {"day", "collected"} & set(sheet.columns):
        fault("day", f"the {role} of a patient needs its day", "Write the days from the infusion, or collected.")
    if role in (Role.FMO, Role.SINGLE_STAIN) and row.values.get("stain", "") is None:
        which = "left out" if role is Role.FMO else "the only one present"
        fault("stain", f"a sample of role {role} needs its stain", f"Write the marker or channel that is {which}.")
    if role is Role.DONOR:
        if not math.isnan(day) and row.values.get("collected") is None:
            fault("day", "a donor reference has no day", "Write NA.")
        if patient is None and row.values.get("donor", "") is None and "patient" in row:
            fault("donor", "whose cells are these?", "A donor reference needs its patient, or a donor of patients.tsv.")


def _check_panel(row: Row, sheet: Sheet, around: Surroundings) -> None:
    name = row.values.get("panel")
    if name is None:
        return
    if name not in around.panels:
        what = f"there is no config/panels/{name}.tsv"
        sheet.unknown(name, around.panels, what=what, row=row.number, column="panel", mend="Write the panel's sheet.")
        return
    panel, stain = around.panels[name], row.values.get("stain")
    if panel is None or not stain:
        return
    names = {d.marker for d in panel.detectors} | {alias for d in panel.detectors for alias in d.aliases}
    detector = panel.stained(stain)
    if detector is not None and row.values.get("role") == Role.SINGLE_STAIN:
        if detector.marker not in panel.fluorescence:
            what = f"{detector.marker} is of kind {detector.kind}: no fluorochrome is seen there"
            mend = "Write the marker or channel that is stained."
            sheet.fault(what, row=row.number, column="stain", mend=mend)
    elif detector is None:
        what = f"panel {name} has no marker or channel '{stain}'"
        sheet.unknown(stain, names, what=what, row=row.number, column="stain")


def place_of(column: str, row: Row, sheet: Sheet, around: Surroundings) -> str | None:
    """The path as the workflow uses it: below `data_dir`, relative to the study where that is."""
    if column not in row:
        return None
    text: str = row[column]
    parts = [part for part in text.split("/") if part not in ("", ".")]
    if "\\" in text:
        sheet.fault(f"'{text}' has backslashes", row=row.number, column=column, mend="Write '/' between directories.")
        return None
    if text.startswith(("/", "-")) or ".." in parts or not parts:
        mend = "Set data_dir in config.yaml to the directory of all files, and write the path from there."
        sheet.fault(f"'{text}' does not stay within data_dir", row=row.number, column=column, mend=mend)
        return None
    if around.data_dir is None:
        return text
    inside = around.data_dir + "/".join(parts)
    if around.files_must_exist and not (around.directory / inside).is_file():
        _no_file(column, row, sheet, around, inside)
    elif around.files_must_exist and not os.access(around.directory / inside, os.R_OK):
        sheet.fault(f"no permission to read '{inside}'", row=row.number, column=column, mend="Let it be read.")
    return inside


def _no_file(column: str, row: Row, sheet: Sheet, around: Surroundings, inside: str) -> None:
    file = around.directory / inside
    sheet.suggestions += 1
    if file.is_dir():
        sheet.fault(f"'{inside}' is a directory", row=row.number, column=column, mend="Write the file within it.")
        return
    near = nearest(file.name, around.beside(file)) if sheet.suggestions <= MAX_SUGGESTIONS else None
    mend = f"Did you mean '{PurePosixPath(row[column]).with_name(near)}'?" if near else ""
    sheet.fault(f"there is no file '{inside}'", row=row.number, column=column, mend=mend)


def _check_compensation(row: Row, sheet: Sheet, around: Surroundings) -> None:
    text = row.values.get("compensation")
    if text is None or text in COMPENSATIONS:
        return
    if not (around.directory / text).is_file():
        what = f"'{text}' is neither {', '.join(COMPENSATIONS)} nor a file of the study"
        sheet.unknown(text, COMPENSATIONS, what=what, row=row.number, column="compensation")


def check_controls(sheet: Sheet) -> None:
    """Where a matrix is to come from controls there are some, of the same batch and panel; one fault for each."""

    def tube(row: Row) -> tuple[str, str]:
        return row.values.get("batch", ""), row.values.get("panel", "")

    there = {tube(row) for row in sheet.rows if row.values.get("role") == Role.SINGLE_STAIN}
    asked: dict[tuple[str, str], list[int]] = {}
    for row in sheet.rows:
        if row.values.get("compensation") == "controls" and "batch" in row and "panel" in row:
            asked.setdefault(tube(row), []).append(row.number)
    for (batch, panel), rows in asked.items():
        if (batch, panel) not in there:
            others = f" (and {len(rows) - 1} more rows)" if len(rows) > 1 else ""
            what = f"batch {batch} has no sample of role single_stain for panel {panel}{others}"
            mend = "Add its single stains, or write keyword, none, or a matrix CSV."
            sheet.fault(what, row=rows[0], column="compensation", mend=mend)
