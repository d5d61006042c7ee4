"""The cohorts of resources/simulation/ as tables, without a file of events: what counting and HLA would have found.

The tables that the page steps read are made by the steps themselves (`trajectories`, `cohort`), so that their words are
the ones that a study gets.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nktrace.cli import main
from nktrace.files.embedding import write_embeddings
from nktrace.files.installation import resource
from nktrace.files.rows import PatientRow, dump_patient, dump_rows
from nktrace.files.settings import Settings, part
from nktrace.files.simulator import read_simulation
from nktrace.files.tables import read_table, write_table
from nktrace.model.simulated import Draw
from nktrace.model.study import Patient, Role, Sample
from nktrace.science.drawing import generator
from nktrace.science.simulation.cohort import patient_row, tubes_of
from tests.pages.study_rows import row

NK_EVENTS = 2000
GRAFT = "graft_cells_possible (donor cells were there before the infusion: origin is not attributable)"
SUBSETS = {"bright": ("nk_bright",), "adaptive": ("nk_adaptive",), "terminal": ("nk_terminal",)}
SETTINGS = Settings.model_validate({"data_dir": "data", "trajectories": {"draws": 200, "grid_points": 5}})
POINTS_ONLY = Settings.model_validate({"data_dir": "data", "trajectories": {"min_points": 99}})


@dataclass(frozen=True, slots=True)
class Cohort:
    """Tables and pages of a simulator file."""

    results: Path
    patients: tuple[Patient, ...]
    samples: dict[str, tuple[Sample, ...]]

    @property
    def page(self) -> str:
        return (self.results / "report" / "index.html").read_text(encoding="utf-8")

    def patient_page(self, patient: str) -> str:
        return (self.results / "patients" / patient / "report.html").read_text(encoding="utf-8")


def cohort_of(name: str, results: Path, *, curves: int = 1) -> Cohort:
    """Everything of a simulator file from the tables of counts on; only the first `curves` patients get curves."""
    simulation, _ = read_simulation(resource(f"simulation/{name}.yaml"))
    patients = tuple(patient_row(simulation, person) for person in simulation.patients)
    samples = {}
    for place, (person, patient) in enumerate(zip(simulation.patients, patients, strict=True)):
        tubes = [tube for tube in tubes_of(simulation, person) if tube.sample.panel == "phenotyping"]
        timeline = [tube for tube in tubes if tube.sample.role is not Role.DONOR]
        mine = tuple(tube.sample for tube in timeline)
        samples[patient.patient] = mine
        events = tuple({"patient": patient.patient, **_happened(one)} for one in person.incidents)
        who = dump_patient(PatientRow(patient, mine, events=events))
        _write_tables(results, patient, [(tube.sample, tube.draw) for tube in timeline])
        _follow(results, who, mine, curve=place < curves)
        _patient_page(results, who, mine)
    _cohort_page(results, patients, samples)
    return Cohort(results, patients, samples)


def _happened(incident: Any) -> dict[str, str]:
    return {"day": str(incident.day), "kind": incident.kind, "note": incident.note}


def _write_tables(results: Path, patient: Patient, draws: list[tuple[Sample, Draw]]) -> None:
    counts, chimerism = [], []
    for sample, draw in draws:
        own, donor = (_nk(cells) for cells in (draw.own, draw.donor))
        who = {"sample": sample.sample, "patient": patient.patient, "day": sample.day, "population": "nk"}
        counted = _counted(own + donor)
        counts.append(row("counts", **who, **counted))
        lymphocytes = own + donor + sum(v for k, v in draw.own.items() if k in ("cd4_t", "cd8_t", "b_cells", "gd_t"))
        counts.append(row("counts", **{**who, "population": "lymphocytes"}, **_counted(lymphocytes)))
        chimerism.append(_chimerism(who, donor / (own + donor), own + donor, patient, sample))
        _write_sample(results / "samples" / sample.sample, sample, draw, own + donor)
    directory = results / "patients" / patient.patient
    for name, rows in (("counts", counts), ("chimerism", chimerism)):
        write_table(directory / f"{name}.tsv", name, rows)
    for name in ("count_checks", "chimerism_by_antibody", "hla_cuts"):
        write_table(directory / f"{name}.tsv", name, [])


def _nk(cells: Any) -> float:
    return float(sum(value for kind, value in cells.items() if kind.startswith("nk_")))


def _counted(value: float) -> dict[str, Any]:
    return {"cells_per_ul": value, "ci_low": value * 0.88, "ci_high": value * 1.14, "platform": "dual", "status": "ok"}


def _chimerism(who: dict[str, Any], share: float, nk: float, patient: Patient, sample: Sample) -> dict[str, Any]:
    reason = GRAFT if sample.day >= patient.first_donor_exposure_day and patient.first_donor_exposure_day < 0 else None
    known = {**who, "events": NK_EVENTS, "lob": 0.001, "lod": 0.01, "loq": 0.025, "antibody": "BB7.2", "reason": reason}
    seen = round(share * NK_EVENTS) > 4
    status = "quantified" if share >= known["loq"] else "detected" if seen else "not_detected"
    spread = 2 * math.sqrt(max(share, 1 / NK_EVENTS) / NK_EVENTS)
    values = {"donor_fraction": share, "ci_low": max(share - spread, 0.0), "ci_high": min(share + spread, 1.0)}
    cells = {"donor_cells_per_ul": "donor_fraction", "donor_cells_ci_low": "ci_low", "donor_cells_ci_high": "ci_high"}
    return row("chimerism", status=status, **known, **values, **{name: values[of] * nk for name, of in cells.items()})


def _write_sample(directory: Path, sample: Sample, draw: Draw, nk: float) -> None:
    shares = {
        name: sum(cells.get(kind, 0.0) for cells in (draw.own, draw.donor) for kind in kinds) / nk
        for name, kinds in SUBSETS.items()
    }
    shares["other_dim"] = 1 - sum(shares.values())
    drawn = generator(1, sample.sample).multinomial(NK_EVENTS, list(shares.values()))
    rows = [
        row(
            "subsets",
            sample=sample.sample,
            subset=name,
            events=events,
            nk_events=NK_EVENTS,
            fraction_of_nk=events / NK_EVENTS,
            ci_low=0.9 * events / NK_EVENTS,
            ci_high=min(1.1 * events / NK_EVENTS, 1.0),
            status="ok",
        )
        for name, events in zip(shares, drawn.tolist(), strict=True)
    ]
    write_table(directory / "subsets.tsv", "subsets", rows)
    checks = [row("qc", sample=sample.sample, check="readable", value=9e4, status="pass")]
    write_table(directory / "qc.tsv", "qc", checks)
    for name in ("populations", "gates", "overrides", "nk_drift"):
        write_table(directory / f"{name}.tsv", name, [])


def _follow(results: Path, who: str, samples: tuple[Sample, ...], *, curve: bool) -> None:
    directory = results / "patients" / samples[0].patient
    settings = part(SETTINGS if curve else POINTS_ONLY, "kinetics", "trajectories")
    options = ["--patient", who, "--settings", settings]
    options += ["--counts", str(directory / "counts.tsv"), "--chimerism", str(directory / "chimerism.tsv")]
    options += ["--output-dir", str(directory)]
    assert main(["trajectories", *options, *_directories(results, samples)]) == 0


def _patient_page(results: Path, who: str, samples: tuple[Sample, ...]) -> None:
    directory = results / "patients" / samples[0].patient
    options = ["--patient", who, "--settings", part(SETTINGS, "kinetics.thresholds"), "--results", str(directory)]
    options += ["--output", str(directory / "report.html")]
    assert main(["page-patient", *options, *_directories(results, samples)]) == 0


def _directories(results: Path, samples: tuple[Sample, ...]) -> list[str]:
    return [str(results / "samples" / sample.sample) for sample in samples]


def _cohort_page(results: Path, patients: tuple[Patient, ...], samples: dict[str, tuple[Sample, ...]]) -> None:
    rows = [
        {"sample": s.sample, "patient": s.patient, "day": s.day, "role": s.role, "panel": s.panel, "batch": s.batch}
        for mine in samples.values()
        for s in mine
    ]
    who = [
        {
            "patient": p.patient,
            "arm": p.arm,
            "dose_per_kg": p.dose_per_kg,
            "first_donor_exposure_day": p.first_donor_exposure_day,
            "last_followup_day": p.last_followup_day,
            "death_day": p.death_day,
            "infusions": [],
            "events": [],
        }
        for p in patients
    ]
    options = [
        "--samples",
        dump_rows(rows),
        "--patients",
        dump_rows({k: p[k] for k in ("patient", "arm", "death_day")} for p in who),
    ]
    options += ["--settings", part(SETTINGS, "kinetics.days", "kinetics.window"), "--results", str(results)]
    assert main(["cohort", *options]) == 0
    write_embeddings(results / "cohort" / "embedding.npz", [])
    pages = ["--samples", dump_rows(rows), "--patients", dump_rows(who), str(results / "cohort")]
    assert main(["page-cohort", *pages, "--output", str(results / "report" / "index.html")]) == 0


def summary_of(cohort: Cohort) -> list[dict[str, Any]]:
    return read_table(cohort.results / "cohort" / "cohort.tsv", "cohort")
