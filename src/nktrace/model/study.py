"""A study: its samples, patients and what else its sheets say."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
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
EX_VIVO = "ex_vivo"  # condition of a sample that is counted, and whose HLA tells of the patient
DEATH = "death"  # kind of event in events.tsv
RESERVE = 5  # other patients whose blanks are at hand where a patient's own can't be used: enough to tell scatter


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
    condition: str = EX_VIVO
    wbc_per_ul: float = math.nan
    lymphocyte_fraction: float = math.nan
    beads_per_tube: float = math.nan
    blood_ul: float = math.nan
    dilution: float = 1.0
    acquired_ul: float = math.nan

    def left_out(self, panel: Panel) -> str:
        """The marker that this tube lacks, as an FMO control; empty for other samples."""
        return marker_named(panel, self.stain or "") if self.role is Role.FMO else ""


def roles_of_draws(samples: Iterable[Sample]) -> dict[str, frozenset[Role]]:
    """Of each sample the roles of all tubes of its draw: those of its patient that share its specimen."""
    listed = list(samples)
    shared: dict[tuple[str | None, str], set[Role]] = {}
    for sample in listed:
        shared.setdefault((sample.patient, sample.specimen), set()).add(sample.role)
    return {
        sample.sample: frozenset(shared[sample.patient, sample.specimen] if sample.specimen else {sample.role})
        for sample in listed
    }


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
class Donor:
    """Somebody whose cells a patient met: id and typing (each empty if not known), and the first day of it."""

    donor: str
    hla: str
    first_day: float


def donors_met(patient: Patient, infusions: Iterable[Mapping[str, str]]) -> tuple[Donor, ...]:
    """The donor of patients.tsv and those of the patient's rows of infusions.tsv, each once; never none.

    An infusion without a donor's id is of the patient's donor, and a patient's donor without an id is that of the first
    infusion. Of two typings of one donor the one in patients.tsv stands.
    """
    rows = [(row["donor"], row["donor_hla"], float(row["day"])) for row in infusions]
    usual = patient.donor or next((name for name, _, _ in rows if name), "")
    infused = [(name or usual, hla, day) for name, hla, day in rows]
    exposed = patient.first_donor_exposure_day
    days = [day for name, _, day in infused if name == usual]
    first = min([exposed, *days]) if exposed < 0 or not days else min(days)
    found = {usual: Donor(usual, patient.donor_hla, first)}
    for name, hla, day in infused:
        known = found.get(name, Donor(name, "", day))
        found[name] = Donor(name, known.hla or hla, min(known.first_day, day))
    return tuple(found.values())


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
        hla_panels: the panels that have an HLA marker.
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
    hla_panels: frozenset[str] = frozenset()

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
        """The donor references of a patient: its own, and those of its donors that stand under no patient."""
        donors = {one.donor for one in self.donors_of(patient)}
        return tuple(
            s
            for s in self.samples.values()
            if s.role is Role.DONOR and (s.patient == patient or (s.patient is None and s.donor and s.donor in donors))
        )

    def donors_of(self, patient: str) -> tuple[Donor, ...]:
        """Whose cells a patient met."""
        return donors_met(self.patients[patient], (row for row in self.infusions if row["patient"] == patient))

    def own_blanks(self, patient: str) -> tuple[Sample, ...]:
        """A patient's samples in which no donor cell can be: its blank, and a baseline before the first exposure."""
        exposed = self.patients[patient].first_donor_exposure_day
        return tuple(
            s
            for s in self.samples_of(patient)
            if (s.role is Role.BLANK and s.day <= exposed) or (s.role is Role.BASELINE and s.day < exposed)
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

    def product_cd3(self, sample: Sample) -> float | None:
        """The largest share of T cells of the products that a patient got before a sample; nan if not known.

        None where T cells of the donor tell nothing of the product: not a time point after an infusion, no HLA marker,
        or donor cells from before the infusion.
        """
        if sample.role is not Role.TIMEPOINT or sample.patient is None or sample.day < 0:
            return None
        exposed_before = self.patients[sample.patient].first_donor_exposure_day < 0
        if sample.panel not in self.hla_panels or sample.condition != EX_VIVO or exposed_before:
            return None
        mine = [row for row in self.infusions if row["patient"] == sample.patient]
        shares = [row["cd3_fraction"] for row in mine if float(row["day"]) <= sample.day]
        return max(map(float, shares)) if shares and all(shares) else math.nan

    def panels_without_blank(self, patient: str) -> tuple[str, ...]:
        """The panels with HLA markers on a patient's timeline in which it has no blank of its own."""
        own = {s.panel for s in self.own_blanks(patient)}
        return tuple(sorted({s.panel for s in self.samples_of(patient)} & self.hla_panels - own))

    def pooled_blanks(self, patient: str) -> tuple[Sample, ...]:
        """The blanks of other patients, in the panels in which a patient has none of its own.

        They are of all patients who stand before it in the sheet, and of those of reference_samples.tsv; where there is
        none, of the first after it. So a patient who is added at the end changes no other's, but of one that had none.
        """
        names = list(self.patients)
        later = names[names.index(patient) + 1 :]
        found: list[Sample] = []
        for panel in self.panels_without_blank(patient):
            first = next((blanks for name in later if (blanks := self._blanks(name, panel))), [])
            found += self._earlier_blanks(patient, panel) or first
        return tuple(found)

    def reserve_blanks(self, patient: str) -> tuple[Sample, ...]:
        """The blanks of a few other patients, in the panels in which a patient has its own, should that be unusable.

        They are of the nearest who stand before it in the sheet, and then of those of reference_samples.tsv: a patient
        who is added at the end is in reserve for no other.
        """
        found: list[Sample] = []
        for panel in sorted({s.panel for s in self.own_blanks(patient)} & self.hla_panels):
            blanks = self._earlier_blanks(patient, panel)
            few = list(dict.fromkeys(s.patient for s in blanks))[:RESERVE]
            found += [s for s in blanks if s.patient in few]
        return tuple(found)

    def batch_controls(self, patient: str) -> tuple[Sample, ...]:
        """The batch controls of the batches of a patient's samples and HLA controls, where there are two or more."""
        concerned = (*self.samples_of(patient), *self.pooled_blanks(patient), *self.donor_references(patient))
        batches: dict[str, set[str]] = {}
        for sample in concerned:
            if sample.panel in self.hla_panels:
                batches.setdefault(sample.panel, set()).add(sample.batch)
        return tuple(
            s
            for s in self.samples.values()
            if s.role is Role.BATCH_CONTROL and len(batches.get(s.panel, ())) > 1 and s.batch in batches[s.panel]
        )

    def blanks_of_others(self, patient: str) -> tuple[Sample, ...]:
        """Other patients' blanks that may serve a patient: for want of its own, or in reserve."""
        return self.pooled_blanks(patient) + self.reserve_blanks(patient)

    def hla_controls(self, patient: str) -> tuple[Sample, ...]:
        """What a patient's HLA cuts rest on: blanks, donor references and batch controls, never a time point itself."""
        blanks = self.own_blanks(patient) + self.blanks_of_others(patient)
        return blanks + self.donor_references(patient) + self.batch_controls(patient)

    def _earlier_blanks(self, patient: str, panel: str) -> list[Sample]:
        """Of the patients before one in the sheet, the nearest first, and of those after it that the reference has."""
        names = list(self.patients)
        place = names.index(patient)
        before = [blank for name in reversed(names[:place]) for blank in self._blanks(name, panel)]
        after = [blank for name in names[place + 1 :] for blank in self._blanks(name, panel)]
        return before + [blank for blank in after if blank.sample in self.reference_samples]

    def _blanks(self, patient: str, panel: str) -> list[Sample]:
        mine = [s for s in self.samples.values() if (s.patient, s.panel) == (patient, panel)]
        return [s for s in mine if s.role is Role.BLANK]
