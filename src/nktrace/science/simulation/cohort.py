"""A cohort on paper: which tubes there are, the rows of their sheets, and what is to be expected of each."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from nktrace.model.simulated import Draw, SimulatedFile, Tube
from nktrace.model.simulation import SimulatedPanel, SimulatedPatient, Simulation
from nktrace.model.study import Patient, Role, Sample
from nktrace.science.simulation.cells import MEMBERS
from nktrace.science.simulation.course import conditions_of, draw_of_donor, draw_of_recipient
from nktrace.science.simulation.tube import abundance, generator


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What a perfect analysis of one population of one sample would find; nan where it does not apply.

    Attributes:
        cells_per_ul: in the blood of the draw; donor_cells_per_ul: the donor's, infused or of a graft.
        donor_fraction: expected, of the population; realised_donor_fraction: among the events of the file.
        abundance: in the tube as prepared, cells per microlitre of blood: shares of populations are its ratios.
        events: live single cells of the population in the file; donor_events: of the donor.
    """

    sample: str
    patient: str
    day: float
    panel: str
    population: str
    cells_per_ul: float
    donor_cells_per_ul: float
    donor_fraction: float
    realised_donor_fraction: float
    abundance: float
    events: int
    donor_events: int


def tubes_of(simulation: Simulation, patient: SimulatedPatient) -> Iterator[Tube]:
    """Every tube of a patient: blank, baseline, visits, donor reference; for each draw one tube per panel."""
    before = [("blank", Role.BLANK, simulation.blank_day)]
    if simulation.baseline_day is not None:
        before.append(("baseline", Role.BASELINE, simulation.baseline_day))
    for name, role, day in (*before, *((f"d{day:02g}", Role.TIMEPOINT, day) for day in simulation.visits)):
        draw = draw_of_recipient(simulation, patient, day)
        for number, panel in enumerate(patient.panels):
            yield _tube(simulation, patient, draw, name=name, role=role, day=day, panel=panel, first=number == 0)
    yield _tube(
        simulation,
        patient,
        draw_of_donor(simulation, patient),
        name="donor",
        role=Role.DONOR,
        day=math.nan,
        panel=simulation.donor_panel,
        first=True,
    )


def patient_row(simulation: Simulation, patient: SimulatedPatient) -> Patient:
    """The patient's row of patients.tsv."""
    return Patient(
        patient=patient.patient,
        arm=patient.arm,
        infusion_date=patient.infusion_date,
        dose_per_kg=patient.dose_per_kg,
        weight_kg=patient.weight_kg,
        sex=patient.sex,
        age_years=patient.age_years,
        donor=patient.donor,
        recipient_hla=patient.recipient_hla,
        donor_hla=patient.donor_hla,
        first_donor_exposure_day=patient.graft.day if patient.graft is not None else 0.0,
        last_followup_day=max(simulation.visits),
    )


def expectations(tube: Tube, file: SimulatedFile, *, panel: SimulatedPanel) -> Iterator[Expectation]:
    """What is to be expected of every population of a tube."""
    kept = abundance(tube, panel)
    truth = file.truth
    for population, kinds in MEMBERS.items():
        own = sum(tube.draw.own.get(kind, 0.0) for kind in kinds)
        donor = sum(tube.draw.donor.get(kind, 0.0) for kind in kinds)
        members = truth.single & np.array([word in kinds for word in truth.words])[truth.kind]
        events, donor_events = int(members.sum()), int((members & truth.donor).sum())
        yield Expectation(
            sample=tube.sample.sample,
            patient=tube.sample.patient or "",
            day=tube.sample.day,
            panel=tube.sample.panel,
            population=population,
            cells_per_ul=own + donor,
            donor_cells_per_ul=donor,
            donor_fraction=donor / (own + donor) if own + donor else math.nan,
            realised_donor_fraction=donor_events / events if events else math.nan,
            abundance=sum(value for (kind, _), value in kept.items() if kind in kinds),
            events=events,
            donor_events=donor_events,
        )


def _tube(
    simulation: Simulation,
    patient: SimulatedPatient,
    draw: Draw,
    *,
    name: str,
    role: Role,
    day: float,
    panel: str,
    first: bool,
) -> Tube:
    made = simulation.panels[panel]
    specimen = f"{patient.patient}-{name}"
    sample = specimen if first else f"{specimen}-{panel}"
    batch = next(b.batch for b in simulation.batches if role is Role.DONOR or day <= b.until_day)
    wbc, lymphocytes = math.nan, math.nan
    if role is not Role.DONOR and not made.counting:
        wbc, lymphocytes = _analyser(simulation, patient, specimen, draw)
    return Tube(
        sample=Sample(
            sample=sample,
            patient=patient.patient,
            day=day,
            role=role,
            panel=panel,
            batch=f"{patient.enrolment}-{batch}",
            fcs=f"{sample}.fcs",
            donor=patient.donor if role is Role.DONOR else None,
            specimen=specimen,
            material=made.material,
            wbc_per_ul=wbc,
            lymphocyte_fraction=lymphocytes,
            beads_per_tube=made.beads_per_tube,
            blood_ul=made.blood_ul,
        ),
        person=patient.patient,
        donor=patient.donor,
        draw=draw,
        own_hla=patient.recipient_hla,
        donor_hla=patient.donor_hla,
        infusion_date=patient.infusion_date,
        conditions=conditions_of(simulation, patient),
        events=simulation.events[panel],
    )


def _analyser(simulation: Simulation, patient: SimulatedPatient, specimen: str, draw: Draw) -> tuple[float, float]:
    """What the haematology analyser prints: leukocytes per microlitre and the share of lymphocytes, with its error."""

    def per_ul(population: str) -> float:
        return sum(draw.own.get(kind, 0.0) + draw.donor.get(kind, 0.0) for kind in MEMBERS[population])

    errors = generator(simulation.seed, "analyser", specimen).standard_normal(2)
    errors = np.exp(conditions_of(simulation, patient).analyser_cv * errors)
    share = per_ul("lymphocytes") / per_ul("leukocytes")
    return round(per_ul("leukocytes") * float(errors[0]), -1), round(min(share * float(errors[1]), 1.0), 3)
