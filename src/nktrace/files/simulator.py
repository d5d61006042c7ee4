"""Simulated studies: the simulator file (YAML) with its table of cells; the files, truth and sheets that come of it."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from nktrace.files.atomic import replacing
from nktrace.files.fcs import write_fcs
from nktrace.files.nearest import suggestion
from nktrace.files.tables import NA, cell, read_rows, write_rows
from nktrace.model.errors import Fault, StudyFaults
from nktrace.model.simulated import EventTruth, SimulatedFile, Tube
from nktrace.model.simulation import OTHER_LEUKOCYTES, CellTable, SimulatedPanel, Simulation, Spec, Trait
from nktrace.model.study import Patient
from nktrace.science.simulation.cohort import Expectation

SAMPLE_COLUMNS = (
    "sample", "patient", "day", "role", "stain", "panel", "batch", "fcs", "specimen", "material", "donor",
    "wbc_per_ul", "lymphocyte_fraction", "beads_per_tube", "blood_ul",
)  # fmt: skip
PATIENT_COLUMNS = (
    "patient", "arm", "infusion_date", "dose_per_kg", "weight_kg", "sex", "age_years", "donor",
    "recipient_hla", "donor_hla", "first_donor_exposure_day", "last_followup_day",
)  # fmt: skip
PANEL_COLUMNS = ("channel", "marker", "fluorochrome", "kind", "transform", "clone", "antibody")
TRAIT_COLUMNS = ("kind", "marker", "positive", "level", "spread")


def read_simulation(path: Path | str) -> tuple[Simulation, CellTable]:
    """A simulator file and the table of cells that it names; a `base` gives the keys that the file does not name.

    Raises:
        StudyFaults: every fault of the two files.
    """
    file = Path(path)
    raw = _load(file)
    if "base" in raw:
        raw = _load(file.parent / str(raw["base"])) | {key: value for key, value in raw.items() if key != "base"}
    try:
        simulation = TypeAdapter(Simulation).validate_python(raw)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False)
        raise StudyFaults([_fault(str(file), problem) for problem in problems]) from None
    table = read_cells(file.parent / simulation.cells)
    faults = [
        Fault(file=str(file), what=f"{where}: the cell table has no kind {kind}", mend=suggestion(kind, table.traits))
        for where, kind in _kinds_used(simulation)
        if kind not in table.traits
    ]
    if faults:
        raise StudyFaults(faults)
    return simulation, table


def read_cells(path: Path) -> CellTable:
    """The table of cell kinds.

    Raises:
        StudyFaults: a column is missing, or a cell is no number or an impossible one.
    """
    traits: dict[str, dict[str, Trait]] = {}
    faults = []
    rows = read_rows(path)
    if rows and tuple(rows[0]) != TRAIT_COLUMNS:
        raise StudyFaults([Fault(file=str(path), what=f"the columns are not {', '.join(TRAIT_COLUMNS)}")])
    for number, row in enumerate(rows, 2):
        try:
            trait = Trait(*(float(row[column]) for column in TRAIT_COLUMNS[2:]))
        except ValueError as error:
            faults.append(Fault(file=str(path), row=number, what=str(error)))
            continue
        if not (0 <= trait.positive <= 1 and 0 < trait.level < math.inf and 0 <= trait.spread < math.inf):
            faults.append(Fault(file=str(path), row=number, what="positive is not within 0..1, or level or spread < 0"))
        traits.setdefault(row["kind"], {})[row["marker"]] = trait
    if faults:
        raise StudyFaults(faults)
    return CellTable(traits)


def write_file(directory: Path, tube: Tube, file: SimulatedFile) -> None:
    """Write the FCS file of a tube."""
    write_fcs(
        directory / tube.sample.fcs, file.events, labels=file.labels, tops=file.tops, keywords=dict(file.keywords)
    )


def write_truth(directory: Path, tube: Tube, truth: EventTruth) -> None:
    """Write {sample}.parquet: what each event is, in the order of the FCS file."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: dict[str, Any] = {"event": np.arange(truth.nk.size, dtype=np.int32)}
    for name in ("population", "subset", "kind"):
        columns[name] = pa.DictionaryArray.from_arrays(getattr(truth, name), list(truth.words))
    columns |= {"nk": truth.nk, "is_donor": truth.donor, "disturbed": truth.disturbed}
    with replacing(directory / f"{tube.sample.sample}.parquet") as draft:
        pq.write_table(pa.table(columns), draft, compression="zstd", compression_level=1)


def write_expectations(directory: Path, name: str, rows: Iterable[Expectation]) -> None:
    """Write {name}.tsv: what a perfect analysis would find in each sample of a patient, or in the batch controls."""
    columns = [field.name for field in fields(Expectation)]
    write_rows(directory / f"{name}.tsv", columns, (asdict(row) for row in rows))


def write_sheets(
    directory: Path,
    *,
    simulation: Simulation,
    tubes: Sequence[Tube],
    patients: Sequence[Patient],
    simulate: str,
) -> None:
    """Write config/ of a simulated study: settings, samples, patients, what happened to them, and panels.

    Args:
        directory: the config directory.
        simulation: the simulator file's content.
        tubes: all tubes, in the order of the sheet.
        patients: rows of patients.tsv.
        simulate: the simulator file as the study names it where its FCS files are made on the way, else empty.
    """
    lines = ["# Every setting and its default is explained in config/README.md.", "data_dir: data"]
    lines += [f"simulate: {simulate}"] if simulate else []
    with replacing(directory / "config.yaml") as draft:
        draft.write_text("\n".join(lines) + "\n", encoding="utf-8")
    samples = [asdict(tube.sample) for tube in tubes]
    used = [name for name in SAMPLE_COLUMNS if any(cell(sample[name]) != NA for sample in samples)]
    write_rows(directory / "samples.tsv", used, ({name: sample[name] for name in used} for sample in samples))
    people, usual = [asdict(patient) for patient in patients], asdict(Patient(patient=""))
    told = [name for name in PATIENT_COLUMNS if any(cell(person[name]) != cell(usual[name]) for person in people)]
    write_rows(directory / "patients.tsv", told, ({name: person[name] for name in told} for person in people))
    _write_incidents(directory / "events.tsv", simulation, [patient.patient for patient in patients])
    for name in dict.fromkeys(tube.sample.panel for tube in tubes):
        write_rows(directory / "panels" / f"{name}.tsv", PANEL_COLUMNS, _panel_rows(simulation.panels[name]))


def _write_incidents(path: Path, simulation: Simulation, patients: Collection[str]) -> None:
    """events.tsv of these patients; no such sheet where nothing happens to any of them."""
    rows = [
        {"patient": patient.patient} | asdict(incident)
        for patient in simulation.patients
        if patient.patient in patients
        for incident in patient.incidents
    ]
    if rows:
        write_rows(path, ("patient", "day", "kind", "note"), rows)


def _load(file: Path) -> dict[str, Any]:
    try:
        raw = yaml.safe_load(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StudyFaults([Fault(file=str(file), what="there is no such file")]) from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise StudyFaults([Fault(file=str(file), what=f"this is not YAML: {error}")]) from None
    if not isinstance(raw, dict):
        raise StudyFaults([Fault(file=str(file), what="this is not a simulator file of `name: value` lines")])
    return raw


def _panel_rows(panel: SimulatedPanel) -> Iterable[dict[str, Any]]:
    for detector in panel.detectors:
        row = asdict(detector.detector)
        yield {column: row[column] for column in PANEL_COLUMNS}


def _kinds_used(simulation: Simulation) -> Iterable[tuple[str, str]]:
    needed = ["debris", *OTHER_LEUKOCYTES]
    needed += ["beads"] if any(panel.counting for panel in simulation.panels.values()) else []
    yield from (("every tube", kind) for kind in needed)
    for name, shares in simulation.nk_profiles.items():
        yield from ((f"nk_profiles.{name}", kind) for kind in shares)
    for patient in simulation.patients:
        brought = patient.graft.shares if patient.graft is not None else {}
        for shares in (patient.blood.others, patient.donor_blood.others, brought):
            yield from ((f"patient {patient.patient}", kind) for kind in shares)
    if simulation.healthy_donor is not None:
        yield from (("healthy_donor", kind) for kind in simulation.healthy_donor.blood.others)


def _fault(file: str, problem: Any) -> Fault:
    place = ".".join(str(part) for part in problem["loc"])
    what, mend = str(problem["msg"]).removeprefix("Value error, "), ""
    if problem["type"] == "unexpected_keyword_argument":
        known = {field.name for part in Spec.__subclasses__() for field in fields(part)}  # type: ignore[arg-type]
        what, mend = "there is no such key", suggestion(str(problem["loc"][-1]), known)
    return Fault(file=file, column=place, what=what, mend=mend)
