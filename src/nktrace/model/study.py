"""A study: its samples, patients and what else its sheets say."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from nktrace.model.overrides import Override
from nktrace.model.panel import Panel, marker_named


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


GATED_ROLES = (Role.TIMEPOINT, Role.BASELINE, Role.BLANK, Role.DONOR, Role.BATCH_CONTROL, Role.FMO)
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

    def left_out(self, panel: Panel) -> str:
        """The marker that this tube lacks, as an FMO control; empty for other samples."""
        return marker_named(panel, self.stain or "") if self.role is Role.FMO else ""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class GateImport:
    """A row of imports.tsv: gates of a sample that were drawn in another program.

    Attributes:
        gates: path of the Gating-ML file or FlowJo workspace, as the workflow uses it.
        names: path of the table of names, relative to the study.
        gates_sample: the sample's name in the workspace; empty where it is that of the FCS file.
    """

    sample: str
    gates: str
    names: str
    gates_sample: str = ""


@dataclass(frozen=True, slots=True)
class Study:
    """Everything that the sheets of a study say, checked.

    Attributes:
        samples, patients: by id, in the order of their sheets.
        panels, gating: paths of the panel sheets and gating tables, by panel name.
        reference_samples: ids of reference_samples.tsv; empty where the reference is fitted on all.
        infusions, events, external_chimerism: rows of the optional sheets, as text by column.
        overrides: an analyst's changes to single gates.
        imports: gates that were drawn elsewhere, by sample.
    """

    samples: Mapping[str, Sample]
    patients: Mapping[str, Patient]
    panels: Mapping[str, str] = field(default_factory=dict)
    gating: Mapping[str, str] = field(default_factory=dict)
    reference_samples: frozenset[str] = frozenset()
    infusions: tuple[Mapping[str, str], ...] = ()
    events: tuple[Mapping[str, str], ...] = ()
    external_chimerism: tuple[Mapping[str, str], ...] = ()
    overrides: tuple[Override, ...] = ()
    imports: Mapping[str, GateImport] = field(default_factory=dict)

    def overrides_of(self, sample: Sample) -> tuple[Override, ...]:
        """The overrides of a sample's gates by population; its own go before those of its batch."""
        of_batch = {o.population: o for o in self.overrides if (o.batch, o.panel) == (sample.batch, sample.panel)}
        own = {o.population: o for o in self.overrides if o.sample == sample.sample}
        chosen = of_batch | own
        return tuple(chosen[population] for population in sorted(chosen))

    def controls_of(self, batch: str, panel: str) -> tuple[Sample, ...]:
        """What the spillover of a batch is computed from: its single stains and unstained tubes."""
        roles = (Role.SINGLE_STAIN, Role.UNSTAINED)
        return tuple(s for s in self.samples.values() if (s.batch, s.panel) == (batch, panel) and s.role in roles)

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

    def baseline_of(self, sample: Sample) -> Sample | None:
        """The baseline that a patient's other samples of its panel are gated beside: the latest, else the first blank.

        None for the baseline itself, for donor references and controls, and where the patient has none of this panel.
        """
        if sample.patient is None or sample.role not in ON_THE_TIMELINE:
            return None
        mine = [s for s in self.samples_of(sample.patient) if s.panel == sample.panel]
        baselines = [s for s in mine if s.role is Role.BASELINE][-1:] or [s for s in mine if s.role is Role.BLANK][:1]
        return baselines[0] if baselines and baselines[0].sample != sample.sample else None

    def pooled_blanks(self, patient: str) -> tuple[Sample, ...]:
        """The blanks of the other patients, for a patient who has none of its own; else none."""
        if self.own_blanks(patient):
            return ()
        return tuple(s for s in self.samples.values() if s.role is Role.BLANK and s.patient not in (None, patient))

    def hla_controls(self, patient: str) -> tuple[Sample, ...]:
        """What a patient's HLA cuts rest on: blanks and donor references, never a time point itself."""
        return (self.own_blanks(patient) or self.pooled_blanks(patient)) + self.donor_references(patient)
