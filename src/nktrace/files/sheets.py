"""A study: config.yaml and all its sheets, read and checked against each other, with every fault at once.

The workflow reads a study at each parse, so this imports neither numpy nor anything heavy.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TypeVar

from nktrace.files.cells import Column
from nktrace.files.configuration import ExaminedSettings, examine_settings
from nktrace.files.deaths import with_deaths
from nktrace.files.installation import knowledge, shipped
from nktrace.files.knowledge import read_antibodies, read_grades, read_ranges
from nktrace.files.nearest import suggestion
from nktrace.files.panels import read_panel
from nktrace.files.sample_rules import Surroundings, check_controls, sample_of
from nktrace.files.settings import Settings
from nktrace.files.sheet_columns import EVENTS, EXTERNAL_CHIMERISM, INFUSIONS, PATIENTS, REFERENCE_SAMPLES, SAMPLES
from nktrace.files.sheet_text import Row, Sheet, read_sheet
from nktrace.model.errors import Fault, NktraceError, StudyFaults
from nktrace.model.overrides import Override
from nktrace.model.panel import Kind, Panel
from nktrace.model.study import GateImport, Patient, Role, Sample, Study

T = TypeVar("T")

DEFAULT_GATING = "gating/nk.tsv"
# tables that come with nktrace and that a laboratory may replace by its own in config/
OWN_KNOWLEDGE: dict[str, Callable[[Path], object]] = {"reference_ranges.tsv": read_ranges, "grades.tsv": read_grades}


@dataclass(frozen=True, slots=True)
class Examined:
    """What could be read of a study, and all its faults.

    Attributes:
        study: the rows without faults.
        settings: None where config.yaml has faults.
        panels: all panels by name; None for one with faults.
        rows: the line of each sample in samples.tsv.
    """

    study: Study
    settings: Settings | None
    faults: tuple[Fault, ...]
    panels: Mapping[str, Panel | None]
    rows: Mapping[str, int]


def read_study(directory: Path | str) -> tuple[Study, Settings]:
    """A study and its settings. Paths in it are relative to the study, or absolute.

    Raises:
        StudyFaults: all faults of all sheets and of config.yaml, and FCS files that do not exist.
    """
    examined = examine_study(directory)
    if examined.faults or examined.settings is None:
        raise StudyFaults(examined.faults)
    return examined.study, examined.settings


def read_patients(path: Path) -> dict[str, Patient]:
    """A patients.tsv by itself, of a study that has no sample yet.

    Raises:
        StudyFaults: all faults of the sheet, a missing file too.
    """
    sheet = read_sheet(path, PATIENTS, shown=str(path))
    sheet.refuse_twice("patient")
    if not sheet.rows and not sheet.faults:
        sheet.fault("there are no patients", mend="Write one row per patient.")
    if sheet.faults:
        raise StudyFaults(sorted(sheet.faults, key=lambda fault: fault.row or 0))
    return {row["patient"]: _patient(row) for row in sheet.rows}


def examine_study(directory: Path | str) -> Examined:
    """Read all of a study that can be read, and collect the faults of the rest."""
    directory = Path(directory)
    config = directory / "config"
    if not config.is_dir():
        what = "there is no such directory" if not directory.is_dir() else "it has no directory config/"
        fault = Fault(file=str(directory), what=what, mend=f"`nktrace init {directory}` writes a study to start from.")
        return Examined(Study({}, {}), None, (fault,), {}, {})
    configuration = examine_settings(config / "config.yaml", shown="config/config.yaml")
    simulated = bool(configuration.raw.get("simulate"))
    data_dir, faults = _places(directory, configuration)
    faults = configuration.faults + faults

    antibodies = _knowledge(directory, faults)
    panels = _panels(directory, antibodies, faults)
    own_gating = _gating(directory, panels, faults)

    samples_sheet = read_sheet(config / "samples.tsv", SAMPLES, shown="config/samples.tsv")
    has_patients = any(row.values.get("patient") for row in samples_sheet.rows)
    patients_sheet = _optional_sheet(config, "patients", PATIENTS, needed=has_patients)
    patients = {row["patient"]: _patient(row) for row in patients_sheet.rows if all(c.name in row for c in PATIENTS)}
    known = {row["patient"] for row in patients_sheet.rows if "patient" in row}
    around = Surroundings(
        directory=directory,
        data_dir=data_dir,
        patients=patients | {name: Patient(patient=name) for name in known - patients.keys()},
        infusions={
            row["patient"]: row for row in patients_sheet.rows if "patient" in row and row.values.get("infusion_date")
        },
        has_patients_sheet="patient" in patients_sheet.columns,
        panels=panels,
        files_must_exist=not simulated and data_dir is not None,
    )
    samples = _samples(samples_sheet, around)
    optional = {
        "infusions": _of_patients(config, "infusions", INFUSIONS, known),
        "events": _of_patients(config, "events", EVENTS, known),
        "external_chimerism": _of_patients(config, "external_chimerism", EXTERNAL_CHIMERISM, known),
    }
    patients = with_deaths(patients, optional["events"])
    chosen = _reference_samples(config, samples_sheet)
    for sheet in (samples_sheet, patients_sheet, *optional.values(), chosen):
        faults += sorted(sheet.faults, key=lambda fault: fault.row or 0)

    used = sorted({sample.panel for sample in samples.values()})
    study = Study(
        samples=samples,
        patients=patients,
        panels={name: f"config/panels/{name}.tsv" for name in used},
        gating={name: own_gating.get(name) or shipped(DEFAULT_GATING, directory) for name in used},
        reference_samples=frozenset(row["sample"] for row in chosen.rows if "sample" in row),
        infusions=_texts(optional["infusions"], INFUSIONS),
        events=_texts(optional["events"], EVENTS),
        external_chimerism=_texts(optional["external_chimerism"], EXTERNAL_CHIMERISM),
        hla_panels=frozenset(name for name in used if (panel := panels.get(name)) and panel.of_kind(Kind.HLA)),
    )
    rows = {row["sample"]: row.number for row in reversed(samples_sheet.rows) if "sample" in row}
    overrides, wrong = _overrides(directory, study, panels, rows, configuration.settings)
    study, faults = replace(study, overrides=overrides), [*faults, *wrong]
    imports, wrong = _imports(study, rows, around)
    study, faults = replace(study, imports=imports), [*faults, *wrong]
    return Examined(study, configuration.settings, tuple(faults), panels, rows)


def _places(directory: Path, configuration: ExaminedSettings) -> tuple[str | None, list[Fault]]:
    """What stands before the files of `data_dir`, None where that is unknown; faults of the places that are set."""
    faults: list[Fault] = []

    def fault(setting: str, what: str, mend: str) -> None:
        row = configuration.lines.get((setting,))
        faults.append(Fault(file="config/config.yaml", row=row, column=setting, what=what, mend=mend))

    given, simulate = configuration.raw.get("data_dir"), configuration.raw.get("simulate")
    if simulate and not (directory / str(simulate)).is_file():
        fault("simulate", f"there is no file '{simulate}'", "Write the simulator file's path, relative to the study.")
    if not isinstance(given, str) or not given.strip():
        return None, faults
    if not simulate and not (directory / given).is_dir():
        fault("data_dir", f"there is no directory '{given}'", "Put the FCS files there, or write where they are.")
        return None, faults
    return (PurePosixPath(given) / "x").as_posix().removesuffix("x"), faults


# --- panels, gating tables, overrides ---------------------------------------------------------------------------------


def _knowledge(directory: Path, faults: list[Fault]) -> Collection[str] | None:
    """The ids of the antibodies, None where their table has faults; the study's own tables are all checked."""
    start = len(faults)
    antibodies = _collected(faults, read_antibodies, directory / knowledge("hla_antibodies.tsv", directory))
    for name, read in OWN_KNOWLEDGE.items():
        if (directory / "config" / name).is_file():
            _collected(faults, read, directory / "config" / name)
    if (directory / "config" / "nk_subsets.tsv").is_file():
        from nktrace.files.subset_rules import read_subset_rules  # with numpy, like gating tables below

        _collected(faults, read_subset_rules, directory / "config" / "nk_subsets.tsv")
    own = str(directory / "config")  # named as the other sheets are, relative to the study
    faults[start:] = [replace(fault, file=fault.file.replace(own, "config", 1)) for fault in faults[start:]]
    return antibodies


def _panels(directory: Path, antibodies: Collection[str] | None, faults: list[Fault]) -> dict[str, Panel | None]:
    """All panels of the study by name, None where one has faults."""
    paths = sorted((directory / "config" / "panels").glob("*.tsv"))
    if not paths:
        faults.append(Fault(file="config/panels", what="there is no panel", mend="Write NAME.tsv for each panel."))
    read = partial(read_panel, antibodies=antibodies)
    return {path.stem: _collected(faults, partial(read, shown=f"config/panels/{path.name}"), path) for path in paths}


def _gating(directory: Path, panels: Collection[str], faults: list[Fault]) -> dict[str, str]:
    """The study's own gating tables by panel; the default one comes with nktrace and is right."""
    tables: dict[str, str] = {}
    for path in sorted((directory / "config" / "gating").glob("*.tsv")):
        from nktrace.files.gating_table import read_gating_table  # with numpy: only where there is a table to read

        shown = tables[path.stem] = f"config/gating/{path.name}"
        if path.stem not in panels:
            mend = suggestion(path.stem, panels) or "Give it the name of a panel."
            faults.append(Fault(file=shown, what=f"there is no panel '{path.stem}'", mend=mend))
        _collected(faults, partial(read_gating_table, shown=shown), path)
    return tables


def _collected(faults: list[Fault], read: Callable[[Path], T], path: Path) -> T | None:
    """What a reader returns; None, and its faults among the others, where it raises them."""
    try:
        return read(path)
    except StudyFaults as error:
        faults += error.faults
    except NktraceError as error:
        faults.append(Fault(file=error.where or str(path), what=error.what, mend=error.mend))
    return None


def _overrides(
    directory: Path, study: Study, panels: Mapping[str, Panel | None], named: Collection[str], settings: Settings | None
) -> tuple[tuple[Override, ...], list[Fault]]:
    """The analyst's changes to single gates, and their faults."""
    if not (directory / "config" / "overrides").is_dir():
        return (), []
    from nktrace.files.override_files import examine_overrides  # with numpy, like gating tables above

    return examine_overrides(
        directory,
        samples=study.samples,
        named=named,
        panels=panels,
        gating=study.gating,
        version=settings.reference_version if settings is not None else None,
    )


def _imports(
    study: Study, named: Collection[str], around: Surroundings
) -> tuple[Mapping[str, GateImport], list[Fault]]:
    """Gates that were drawn elsewhere, by sample, and the faults of their sheet and tables of names."""
    if not (around.directory / "config" / "imports.tsv").exists():
        return {}, []
    from nktrace.files.import_sheet import examine_imports  # with numpy, like gating tables above

    return examine_imports(study, named, around)


# --- sheets -----------------------------------------------------------------------------------------------------------


def _optional_sheet(config: Path, name: str, columns: Sequence[Column], *, needed: bool = False) -> Sheet:
    path = config / f"{name}.tsv"
    shown = f"config/{name}.tsv"
    sheet = read_sheet(path, columns, shown=shown) if needed or path.exists() else Sheet(shown)
    if name == "patients":
        sheet.refuse_twice("patient")
    return sheet


def _patient(row: Row) -> Patient:
    values = {column.name: row[column.name] for column in PATIENTS}
    moment = values["infusion_date"]
    return Patient(**values | {"infusion_date": moment.text if moment else ""})


def _samples(sheet: Sheet, around: Surroundings) -> dict[str, Sample]:
    if not sheet.rows and not sheet.faults:
        sheet.fault("there are no samples", mend="Write one row per FCS file.")
    if not {"day", "collected"} & set(sheet.columns) and any(_on_a_timeline(row) for row in sheet.rows):
        sheet.fault("the column is missing", column="day", mend="Time points need their days from the infusion.")
    sheet.refuse_twice("sample")
    samples: dict[str, Sample] = {}
    for row in sheet.rows:
        sample = sample_of(row, sheet, around)
        if sample is not None:
            samples.setdefault(sample.sample, sample)
            _check_blank(row, sample, sheet, around)
    check_controls(sheet)
    return samples


def _on_a_timeline(row: Row) -> bool:
    return row.values.get("patient") is not None and row.values.get("role") in ("timepoint", "baseline", "blank")


def _check_blank(row: Row, sample: Sample, sheet: Sheet, around: Surroundings) -> None:
    """A blank after the first donor cells would turn donor cells into background."""
    if sample.role is not Role.BLANK or sample.patient is None or sample.patient not in around.patients:
        return
    exposed = around.patients[sample.patient].first_donor_exposure_day
    if sample.day > exposed:
        what = f"a blank of day {sample.day:g} is not before the first donor exposure, day {exposed:g}"
        mend = "Its role is baseline or timepoint; or mend first_donor_exposure_day in patients.tsv."
        sheet.fault(what, row=row.number, column="role", mend=mend)


def _of_patients(config: Path, name: str, columns: Sequence[Column], known: set[str]) -> Sheet:
    """An optional sheet whose rows belong to patients."""
    sheet = _optional_sheet(config, name, columns)
    infusions: dict[tuple[str, str], int] = {}
    for row in sheet.rows:
        patient = row.values.get("patient")
        if patient is not None and patient not in known:
            what = f"patients.tsv has no '{patient}'"
            sheet.unknown(patient, known, what=what, row=row.number, column="patient")
        if name == "infusions" and patient is not None and "infusion" in row:
            first = infusions.setdefault((patient, row["infusion"]), row.number)
            if first != row.number:
                what = f"infusion '{row['infusion']}' of {patient} stands in row {first} already"
                sheet.fault(what, row=row.number, column="infusion", mend="Give each its own name.")
    return sheet


def _reference_samples(config: Path, samples: Sheet) -> Sheet:
    sheet = _optional_sheet(config, "reference_samples", REFERENCE_SAMPLES)
    sheet.refuse_twice("sample")
    known = {row["sample"] for row in samples.rows if "sample" in row}
    for row in sheet.rows:
        if "sample" in row and row["sample"] not in known:
            what = f"samples.tsv has no '{row['sample']}'"
            sheet.unknown(row["sample"], known, what=what, row=row.number, column="sample")
    return sheet


def _texts(sheet: Sheet, columns: Sequence[Column]) -> tuple[dict[str, str], ...]:
    """The rows as text by column, every column there, empty for NA."""
    return tuple(
        {
            column.name: "" if row.texts.get(column.name) == "NA" else row.texts.get(column.name, "")
            for column in columns
        }
        for row in sheet.rows
    )
