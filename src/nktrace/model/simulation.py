"""What a simulated cohort is made of: the words of a simulator file (resources/simulation/*.yaml), checked.

Plain dataclasses. files/simulator.py fills them from YAML and reports every fault; science/simulation draws from them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from nktrace.model.panel import Detector, Kind

Curve = Mapping[float, float]
"""Values by day; between the days log-linear, before the first and after the last constant."""


_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")  # names of files come of these
OTHER_LEUKOCYTES = ("monocytes", "granulocytes", "basophils", "dendritic")
CONTROLS = "controls"  # where patients' files have a patient's name, those of control tubes have this one


class Spec:
    """A part of a simulator file: an unknown key is a fault."""

    __slots__ = ()
    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012  (read by the YAML reader; models know no pydantic)


def _share(**values: float) -> None:
    for name, value in values.items():
        if not 0 <= value <= 1:
            raise ValueError(f"{name} is {value}, which is not within 0..1")


def _positive(**values: float) -> None:
    for name, value in values.items():
        if not value > 0:
            raise ValueError(f"{name} is {value}, which is not above 0")


# --- what is measured -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedDetector(Spec):
    """A detector of a panel, and how it responds.

    Attributes:
        channel, marker, fluorochrome, kind, transform, clone, antibody: as in config/panels/NAME.tsv.
        antigens: for kind `hla`, the allele groups that the antibody stains (`A*02`): the truth of the simulation.
        photons: photoelectrons per unit of signal; fewer spread more.
        autofluorescence: signal of an unstained lymphocyte.
        noise: sd of the electronics, in units of signal.
        spill: share of this fluorochrome's signal that other detectors see, by channel.
    """

    channel: str
    marker: str
    fluorochrome: str = ""
    kind: Kind
    transform: str = "logicle"
    clone: str = ""
    antibody: str = ""
    antigens: tuple[str, ...] = ()
    photons: float = 0.05
    autofluorescence: float = 60.0
    noise: float = 50.0
    spill: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _positive(photons=self.photons)
        _share(**{f"spill of {self.channel} into {channel}": share for channel, share in self.spill.items()})
        if self.kind is Kind.HLA and not self.antigens:
            raise ValueError(f"{self.marker}: a detector of kind hla needs `antigens`")

    @property
    def fluorescent(self) -> bool:
        return self.kind not in (Kind.TIME, Kind.SCATTER)

    @property
    def detector(self) -> Detector:
        """The row of the panel sheet."""
        return Detector(
            channel=self.channel,
            marker=self.marker,
            fluorochrome=self.fluorochrome,
            kind=self.kind,
            transform=self.transform,
            clone=self.clone,
            antibody=self.antibody,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedPanel(Spec):
    """A tube: its detectors and its material.

    Attributes:
        keep: share of a cell kind that the preparation keeps (PBMC: most granulocytes are lost); 1 where absent.
        beads_per_tube, blood_ul: for a counting tube, which then holds beads; nan for others.
        events_per_second: speed of acquisition.
    """

    material: str = "whole_blood"
    detectors: tuple[SimulatedDetector, ...]
    keep: Mapping[str, float] = field(default_factory=dict)
    beads_per_tube: float = math.nan
    blood_ul: float = math.nan
    events_per_second: float = 1500.0

    def __post_init__(self) -> None:
        _positive(events_per_second=self.events_per_second)
        _share(**{f"keep of {kind}": share for kind, share in self.keep.items()})
        channels = [detector.channel for detector in self.detectors]
        if len(set(channels)) != len(channels):
            raise ValueError("two detectors have the same channel")
        for detector in self.detectors:
            for channel in detector.spill:
                if channel not in channels:
                    raise ValueError(f"{detector.channel} spills into {channel}, which is no channel of the panel")

    @property
    def counting(self) -> bool:
        return not math.isnan(self.beads_per_tube)

    @property
    def stained(self) -> tuple[SimulatedDetector, ...]:
        """The detectors whose antibody or dye is put on cells, so that it can be left out."""
        return tuple(detector for detector in self.detectors if detector.fluorescent and detector.kind is not Kind.BEAD)


@dataclass(frozen=True, slots=True)
class Trait:
    """How a cell kind looks in one respect: a row of cells.tsv.

    positive: share of the kind that has it; level: median signal of those; spread: sd of its logarithm.
    """

    positive: float
    level: float
    spread: float


@dataclass(frozen=True, slots=True)
class CellTable:
    """Traits by cell kind and then by marker. Kinds that name no trait of a marker lack it."""

    traits: Mapping[str, Mapping[str, Trait]]


# --- control tubes ----------------------------------------------------------------------------------------------------


class Carrier(StrEnum):
    """What an antibody is on: a person's cells, or capture beads, half of which bind it."""

    CELLS = "cells"
    BEADS = "beads"


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlTubes(Spec):
    """The control tubes of a panel: the same ones in every batch that has tubes of this panel.

    Attributes:
        batch_control: whether there is a tube of the healthy donor, stained as the patients' are.
        fmo: markers, a tube for each: the healthy donor stained with all antibodies but this one.
        single_stains: what is stained with one antibody, a tube for each; none where absent.
        unstained: what is acquired without any antibody; none where absent.
        events: per tube.
    """

    batch_control: bool = False
    fmo: tuple[str, ...] = ()
    single_stains: Carrier | None = None
    unstained: Carrier | None = None
    events: int = 20_000

    def __post_init__(self) -> None:
        _positive(events=self.events)
        if len(set(self.fmo)) != len(self.fmo):
            raise ValueError("fmo names a marker twice")

    @property
    def of_cells(self) -> bool:
        """Whether somebody's cells are needed."""
        return self.batch_control or bool(self.fmo) or Carrier.CELLS in (self.single_stains, self.unstained)


# --- what makes it hard -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions(Spec):
    """What makes files differ from the textbook. Each is a knob; 0 turns it off unless said otherwise.

    Attributes:
        batch_shift: sd of the logarithm of a marker's staining gain between batches.
        sample_shift: the same between the samples of a batch; patient_shift: between persons (antigen density).
        drift: relative change of the signals over an acquisition.
        clog: share of files with a clog (the flow nearly stops and signals shift); clog_span: its share of the time.
        dead, debris, doublets: shares of the events.
        few_nk: factor on the NK cells of the recipient (1 leaves them).
        cd16_shed: share of the NK cells that have lost their CD16.
        activation: share of NK cells activated (CD69, HLA-DR, CD56 up) on the day of infusion;
            activation_half_life: days.
        hla_background: factor on the false-positive rate of HLA antibodies; hla_background_cv: between batches;
            hla_background_tube_cv: between the tubes of a batch.
        spillover_error: sd of the relative error of the matrix in the file.
        analyser_cv: coefficient of variation of the haematology analyser, for WBC and for the differential each.
        pipette_cv: of blood and of beads in a counting tube, each.
    """

    batch_shift: float = 0.15
    sample_shift: float = 0.04
    patient_shift: float = 0.10
    drift: float = 0.03
    clog: float = 0.1
    clog_span: float = 0.12
    dead: float = 0.04
    debris: float = 0.07
    doublets: float = 0.035
    few_nk: float = 1.0
    cd16_shed: float = 0.0
    activation: float = 0.1
    activation_half_life: float = 6.0
    hla_background: float = 1.0
    hla_background_cv: float = 0.2
    hla_background_tube_cv: float = 0.0
    spillover_error: float = 0.02
    analyser_cv: float = 0.02
    pipette_cv: float = 0.02

    def __post_init__(self) -> None:
        shares = ("clog", "clog_span", "dead", "debris", "doublets", "cd16_shed", "activation")
        _share(**{name: getattr(self, name) for name in shares})
        _positive(few_nk=self.few_nk, activation_half_life=self.activation_half_life)
        if self.debris + self.doublets >= 1:
            raise ValueError("debris and doublets leave no cells")


# --- whose cells, and when --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class DonorCells(Spec):
    """Infused NK cells in blood: a rise to the peak, then two exponential phases.

    Attributes:
        peak: cells per microlitre; peak_day: when.
        half_life: days, of the first phase; lasting: share of the peak in the second; lasting_half_life: days.
    """

    peak: float
    peak_day: float = 1.0
    half_life: float = 2.5
    lasting: float = 0.0
    lasting_half_life: float = 20.0

    def __post_init__(self) -> None:
        _positive(peak_day=self.peak_day, half_life=self.half_life, lasting_half_life=self.lasting_half_life)
        _share(lasting=self.lasting)


@dataclass(frozen=True, slots=True, kw_only=True)
class Graft(Spec):
    """Donor lymphocytes that a transplanted organ brings along, from the day of transplantation on.

    Attributes:
        day: of transplantation, before the infusion; from then on donor cells can be in the blood.
        cells: per microlitre on that day; half_life: days.
        shares: of these, by cell kind; they sum to 1.
    """

    day: float
    cells: float
    half_life: float = 3.0
    shares: Mapping[str, float]

    def __post_init__(self) -> None:
        _positive(cells=self.cells, half_life=self.half_life)
        if not self.day < 0:
            raise ValueError(f"day is {self.day:g}, which is not before the infusion (day 0)")
        if not math.isclose(sum(self.shares.values()), 1.0, abs_tol=1e-6):
            raise ValueError(f"the shares of the graft sum to {sum(self.shares.values()):g}, not to 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Blood(Spec):
    """A recipient's own blood over time, cells per microlitre.

    Attributes:
        lymphocytes: all of them, NK included; nk: the NK cells among them.
        monocytes, granulocytes, basophils, dendritic: likewise.
        others: shares of the lymphocytes that are not NK, by cell kind.
        nk_profile: name of the mix of NK kinds.
    """

    lymphocytes: Curve
    nk: Curve
    monocytes: Curve = field(default_factory=lambda: {0.0: 450.0})
    granulocytes: Curve = field(default_factory=lambda: {0.0: 4200.0})
    basophils: Curve = field(default_factory=lambda: {0.0: 15.0})
    dendritic: Curve = field(default_factory=lambda: {0.0: 6.0})
    others: Mapping[str, float]
    nk_profile: str

    def __post_init__(self) -> None:
        for name in ("lymphocytes", "nk", *OTHER_LEUKOCYTES):
            curve: Curve = getattr(self, name)
            if not curve:
                raise ValueError(f"{name} has no values")
            _positive(**{f"{name} on day {day:g}": value for day, value in curve.items()})
        if not math.isclose(sum(self.others.values()), 1.0, abs_tol=1e-6):
            raise ValueError(f"the shares of `others` sum to {sum(self.others.values()):g}, not to 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident(Spec):
    """Something that happens to a patient: a row of events.tsv. It changes nothing in the blood by itself."""

    day: float
    kind: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedPatient(Spec):
    """A patient, its donor, and what its sheet says.

    Attributes:
        enrolment: group that is acquired together: batches are `{enrolment}-{batch}`.
        panels: tubes of every draw, by panel name.
        conditions: replaces single conditions of the cohort.
        donor_blood: the donor's blood on the day of donation.
        graft: what an organ of the same donor brings along before the infusion; none where absent.
        incidents: for events.tsv.
    """

    patient: str
    arm: str = "NK"
    infusion_date: str
    dose_per_kg: float
    weight_kg: float
    sex: str
    age_years: float
    enrolment: str
    donor: str
    recipient_hla: str
    donor_hla: str
    panels: tuple[str, ...]
    blood: Blood
    donor_blood: Blood
    donor_cells: DonorCells
    product_profile: str
    conditions: Mapping[str, float] = field(default_factory=dict)
    graft: Graft | None = None
    incidents: tuple[Incident, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthyDonor(Spec):
    """Whose cells the control tubes of all batches hold."""

    person: str
    hla: str = ""
    blood: Blood


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch(Spec):
    """A stretch of acquisition: samples up to and with `until_day`. Blank and donor reference are in the first."""

    batch: str
    until_day: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation(Spec):
    """A simulator file.

    Attributes:
        cells: table of cell kinds, relative to the simulator file.
        blank_day: day of the sample before any donor cell; visits: the time points.
        baseline_day: day of a sample before the infusion that change is measured from, beside the blank; none where
            absent.
        events: events per file by panel, everything included.
        donor_panel: panel of the donor reference.
        nk_profiles: shares of NK kinds, by profile name; each sums to 1.
        controls: control tubes, by panel; healthy_donor: whose cells they hold.
    """

    name: str
    seed: int
    cells: str
    blank_day: float = -1.0
    baseline_day: float | None = None
    visits: tuple[float, ...]
    events: Mapping[str, int]
    donor_panel: str
    batches: tuple[Batch, ...]
    conditions: Conditions = Conditions()
    nk_profiles: Mapping[str, Mapping[str, float]]
    panels: Mapping[str, SimulatedPanel]
    patients: tuple[SimulatedPatient, ...]
    controls: Mapping[str, ControlTubes] = field(default_factory=dict)
    healthy_donor: HealthyDonor | None = None

    def __post_init__(self) -> None:
        problems = [*self._bad_ids(), *self._bad_panels(), *self._bad_profiles(), *self._bad_patients()]
        problems += self._bad_controls()
        if not self.batches or max(self.visits, default=0.0) > self.batches[-1].until_day:
            problems.append("the last batch ends before the last visit")
        if problems:
            raise ValueError("; ".join(problems))

    def _bad_ids(self) -> Iterator[str]:
        ids = [*self.panels, *(batch.batch for batch in self.batches)]
        ids += [text for patient in self.patients for text in (patient.patient, patient.enrolment, patient.donor)]
        yield from (f"'{text}' is no id (letters, digits, `._-`)" for text in dict.fromkeys(ids) if not _ID.match(text))
        names = [patient.patient for patient in self.patients]
        yield from (f"patient {name} stands there twice" for name in sorted({n for n in names if names.count(n) > 1}))
        if CONTROLS in names:
            yield f"a patient can't be called '{CONTROLS}': control tubes are"

    def _bad_panels(self) -> Iterator[str]:
        used = (self.donor_panel, *(panel for patient in self.patients for panel in patient.panels))
        for name in dict.fromkeys(used):
            if name not in self.panels:
                yield f"there is no panel {name}"
            elif self.events.get(name, 0) < 1:
                yield f"events says nothing of panel {name}"

    def _bad_controls(self) -> Iterator[str]:
        for name, tubes in self.controls.items():
            if name not in self.panels:
                yield f"controls: there is no panel {name}"
                continue
            markers = [detector.marker for detector in self.panels[name].stained]
            yield from (f"fmo: panel {name} has no antibody {m}" for m in tubes.fmo if m not in markers)
            if tubes.of_cells and self.healthy_donor is None:
                yield f"the controls of panel {name} need a healthy_donor"

    def _bad_profiles(self) -> Iterator[str]:
        for name, shares in self.nk_profiles.items():
            if not math.isclose(sum(shares.values()), 1.0, abs_tol=1e-6):
                yield f"the NK profile {name} sums to {sum(shares.values()):g}, not to 1"
        donor = self.healthy_donor
        if donor is not None and donor.blood.nk_profile not in self.nk_profiles:
            yield f"healthy_donor: there is no NK profile {donor.blood.nk_profile}"
        for patient in self.patients:
            for name in (patient.blood.nk_profile, patient.donor_blood.nk_profile, patient.product_profile):
                if name not in self.nk_profiles:
                    yield f"patient {patient.patient}: there is no NK profile {name}"

    def _bad_patients(self) -> Iterator[str]:
        for patient in self.patients:
            try:
                replace(self.conditions, **patient.conditions)
            except (TypeError, ValueError) as error:
                yield f"patient {patient.patient}: conditions: {error}"
            graft = patient.graft
            if graft is not None and not self.blank_day < graft.day:
                yield f"patient {patient.patient}: blank_day {self.blank_day:g} is not before the graft's {graft.day:g}"
