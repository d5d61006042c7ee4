"""A study: its samples, patients and what else its sheets say."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Role(StrEnum):
    """What a sample is for."""

    TIMEPOINT = "timepoint"
    BASELINE = "baseline"
    BLANK = "blank"
    DONOR = "donor"
    FMO = "fmo"
    SINGLE_STAIN = "single_stain"
    UNSTAINED = "unstained"
    BATCH_CONTROL = "batch_control"


ON_THE_TIMELINE = (Role.TIMEPOINT, Role.BASELINE, Role.BLANK)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A row of samples.tsv: one FCS file (tube). `None` and `nan` stand for NA.

    Attributes:
        day: days from the first infusion (computed from `collected` where the sheet gives a date).
        fcs: path as the workflow uses it: relative to the study, or absolute.
        compensation: `keyword`, `none`, `controls` or the path of a matrix CSV.
        beads_per_tube, blood_ul, dilution, acquired_ul, wbc_per_ul, lymphocyte_fraction: for counting; nan if NA.
    """

    sample: str
    patient: str | None = None
    day: float = math.nan
    role: Role
    stain: str | None = None
    panel: str
    batch: str
    fcs: str
    compensation: str = "keyword"
    donor: str | None = None
    specimen: str = ""
    material: str = "whole_blood"
    condition: str = "ex_vivo"
    wbc_per_ul: float = math.nan
    lymphocyte_fraction: float = math.nan
    beads_per_tube: float = math.nan
    blood_ul: float = math.nan
    dilution: float = 1.0
    acquired_ul: float = math.nan


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """A row of patients.tsv."""

    patient: str
    arm: str = ""
    infusion_date: str = ""
    dose_per_kg: float = math.nan
    weight_kg: float = math.nan
    sex: str = ""
    age_years: float = math.nan
    donor: str = ""
    recipient_hla: str = ""
    donor_hla: str = ""
    prior_graft_hla: str = ""
    first_donor_exposure_day: float = 0.0
    last_followup_day: float = math.nan
    death_day: float = math.nan


@dataclass(frozen=True, slots=True)
class Study:
    """Everything that the sheets of a study say, checked.

    Attributes:
        samples, patients: by id, in the order of their sheets.
        panels, gating: paths of the panel sheets and gating tables, by panel name.
        reference_samples: ids of reference_samples.tsv; empty where the reference is fitted on all.
        infusions, events, external_chimerism: rows of the optional sheets, as text by column.
    """

    samples: Mapping[str, Sample]
    patients: Mapping[str, Patient]
    panels: Mapping[str, str] = field(default_factory=dict)
    gating: Mapping[str, str] = field(default_factory=dict)
    reference_samples: frozenset[str] = frozenset()
    infusions: tuple[Mapping[str, str], ...] = ()
    events: tuple[Mapping[str, str], ...] = ()
    external_chimerism: tuple[Mapping[str, str], ...] = ()

    def samples_of(self, patient: str) -> tuple[Sample, ...]:
        """A patient's samples on the timeline, by day."""
        mine = [s for s in self.samples.values() if s.patient == patient and s.role in ON_THE_TIMELINE]
        return tuple(sorted(mine, key=lambda s: (s.day, s.sample)))

    def donor_references(self, patient: str) -> tuple[Sample, ...]:
        """The donor references of a patient: its own, and those of its donor that stand under no patient."""
        donor = self.patients[patient].donor
        return tuple(
            s
            for s in self.samples.values()
            if s.role is Role.DONOR and (s.patient == patient or (s.patient is None and donor and s.donor == donor))
        )

    def own_blanks(self, patient: str) -> tuple[Sample, ...]:
        """A patient's samples in which no donor cell can be: its blank, and a baseline before the first exposure."""
        exposed = self.patients[patient].first_donor_exposure_day
        return tuple(
            s for s in self.samples_of(patient) if s.role is Role.BLANK or (s.role is Role.BASELINE and s.day < exposed)
        )

    def pooled_blanks(self, patient: str) -> tuple[Sample, ...]:
        """The blanks of the other patients, for a patient who has none of its own; else none."""
        if self.own_blanks(patient):
            return ()
        return tuple(s for s in self.samples.values() if s.role is Role.BLANK and s.patient not in (None, patient))

    def hla_controls(self, patient: str) -> tuple[Sample, ...]:
        """What a patient's HLA cuts rest on: blanks and donor references, never a time point itself."""
        return (self.own_blanks(patient) or self.pooled_blanks(patient)) + self.donor_references(patient)
