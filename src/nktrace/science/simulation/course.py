"""What is in a person's blood on a day: kinetics of the recipient's own cells, of infused ones and of a graft's."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from nktrace.model.simulated import Draw
from nktrace.model.simulation import (
    OTHER_LEUKOCYTES,
    Blood,
    Conditions,
    Curve,
    DonorCells,
    Graft,
    SimulatedPatient,
    Simulation,
)

ONE_CELL = 1.0 / 5e6  # per microlitre: a single cell in five litres of blood


def value_at(curve: Curve, day: float) -> float:
    """A curve between its points: log-linear, constant before the first and after the last."""
    days = sorted(curve)
    return float(np.exp(np.interp(day, days, [math.log(curve[point]) for point in days])))


def donor_cells(spec: DonorCells, day: float) -> float:
    """Infused cells per microlitre: none before day 0, a linear rise to the peak, then two exponential phases."""
    if day <= 0:
        return 0.0
    if day < spec.peak_day:
        return spec.peak * day / spec.peak_day
    since = day - spec.peak_day
    fast = (1.0 - spec.lasting) * 0.5 ** (since / spec.half_life)
    slow = spec.lasting * 0.5 ** (since / spec.lasting_half_life)
    left = spec.peak * (fast + slow)
    return left if left > ONE_CELL else 0.0


def graft_cells(spec: Graft, day: float) -> dict[str, float]:
    """Cells of the graft per microlitre, by cell kind: all at once on the day of transplantation, then halving."""
    left = spec.cells * 0.5 ** ((day - spec.day) / spec.half_life) if day >= spec.day else 0.0
    return {kind: left * share for kind, share in spec.shares.items()} if left > ONE_CELL else {}


def own_cells(
    blood: Blood, day: float, *, profiles: Mapping[str, Mapping[str, float]], few_nk: float
) -> dict[str, float]:
    """A person's own cells per microlitre by cell kind; `few_nk` scales the NK cells alone."""
    nk = value_at(blood.nk, day)
    others = max(value_at(blood.lymphocytes, day) - nk, 0.0)
    cells = {kind: nk * few_nk * share for kind, share in profiles[blood.nk_profile].items()}
    cells |= {kind: others * share for kind, share in blood.others.items()}
    for kind in OTHER_LEUKOCYTES:
        cells[kind] = value_at(getattr(blood, kind), day)
    return cells


def draw_of_recipient(simulation: Simulation, patient: SimulatedPatient, day: float) -> Draw:
    """The recipient's blood on a day, with what is there of infused cells and of the graft's."""
    conditions = conditions_of(simulation, patient)
    infused = donor_cells(patient.donor_cells, day)
    donor = graft_cells(patient.graft, day) if patient.graft is not None else {}
    if infused > 0:
        for kind, share in simulation.nk_profiles[patient.product_profile].items():
            donor[kind] = donor.get(kind, 0.0) + infused * share
    fading = 0.5 ** (max(day, 0.0) / conditions.activation_half_life)
    return Draw(
        own=own_cells(patient.blood, day, profiles=simulation.nk_profiles, few_nk=conditions.few_nk),
        donor=donor,
        activation=conditions.activation * fading,
    )


def draw_of_donor(simulation: Simulation, patient: SimulatedPatient) -> Draw:
    """The donor's blood at donation: all of it is donor cells."""
    cells = own_cells(patient.donor_blood, 0.0, profiles=simulation.nk_profiles, few_nk=1.0)
    return Draw(own={}, donor=cells, activation=0.0)


def conditions_of(simulation: Simulation, patient: SimulatedPatient) -> Conditions:
    """The cohort's conditions with the patient's own in their place."""
    return replace(simulation.conditions, **patient.conditions)
