"""Donor chimerism of one population of one sample, by one antibody or by two that must agree."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from nktrace.model.chimerism import ChimerismRow, ChimerismStatus, Controls, Estimate, MarkerCounts
from nktrace.model.errors import NktraceError
from nktrace.model.events import Mask
from nktrace.model.intervals import UNKNOWN, Interval
from nktrace.model.study import EX_VIVO, Patient, Role
from nktrace.science.chimerism import change, donor_cells, estimate, infused_bound
from nktrace.science.donor_gate_error import rate_variance
from nktrace.science.doubt import Flags, failed
from nktrace.science.hla_controls import LINEAGE_OF, NK, Tube, joined
from nktrace.science.marker_classes import Classes, Markers, classes_of
from nktrace.science.population_controls import Choices, controls_of
from nktrace.science.stain_checks import STAIN_FAILED, hidden_share, stain_flags


@dataclass(frozen=True, slots=True)
class _Evidence:
    """Events by class and what they are judged by; without controls there is no blank."""

    classes: Classes
    controls: Controls | None
    blanks: tuple[Tube, ...]
    notes: list[str]


@dataclass(frozen=True, slots=True)
class Population:
    """One population of one sample, with all that its estimate needs; `flags` tell of doubtful gates (doubt.py)."""

    patient: Patient
    tube: Tube
    name: str
    mask: Mask
    by_sample: Mapping[str, Tube]
    cells_per_ul: Mapping[tuple[str, str], Interval]
    doses: Sequence[tuple[float, float]]
    choices: Choices
    blanks: Mapping[tuple[str, str, str, str], tuple[MarkerCounts, ...]]
    doubts: Mapping[tuple[str, str], Flags]
    flags: Flags = ()

    def without(self, reason: str, status: ChimerismStatus = ChimerismStatus.UNINFORMATIVE) -> ChimerismRow:
        """A row without an estimate."""
        events = MarkerCounts(events=int(self.mask.sum()), positive=0)
        return self._row(events, Estimate(status=status), reason=joined([*self.flags, reason]))

    def row(self, markers: Markers) -> ChimerismRow:
        """The row of one antibody, or of two that must agree."""
        lineage = LINEAGE_OF.get(self.name, NK)
        events = MarkerCounts(events=int(self.mask.sum()), positive=0)
        if failed(self.flags):
            return self._row(events, _indeterminate(), reason=joined(self.flags), markers=markers)
        for cut in markers.any:
            if not cut.direction:
                return self._row(
                    events, Estimate(status=ChimerismStatus(cut.status)), reason=cut.reason, markers=markers
                )
        if not markers.usable(lineage):
            return self._row(events, _indeterminate(), reason=joined([c.reason for c in markers.any]), markers=markers)
        found = self._evidence(markers, lineage)
        if found.controls is None:
            return self._row(events, _indeterminate(), reason=joined(["no_blank", *found.notes]), markers=markers)
        counts, controls = found.classes.counts, found.controls
        stain = stain_flags(self.tube, markers, counts, controls)
        result = estimate(
            counts,
            controls,
            level=self.choices.level,
            min_separation=self.choices.min_separation,
            min_events=self.choices.min_events,
            complete=self.choices.complete,
            mixed=self.choices.mixed,
        )
        if any(flag.startswith(STAIN_FAILED) for flag in stain):
            result = _indeterminate()
        cells = change_ = UNKNOWN
        about_baseline: list[str] = []
        net = math.nan
        if result.fraction.known:
            cells = donor_cells(counts, controls, self.cells, level=self.choices.level)
            if result.status is ChimerismStatus.NOT_DETECTED and cells.known:  # as the fraction: there may be none
                cells = Interval(cells.value, 0.0, cells.high)
            change_, cells_before, about_baseline = self._since_baseline(markers, lineage, found)
            net = cells.value - cells_before
        flags = (self.flags, result.reasons, stain, found.notes, found.classes.unclear, about_baseline)
        told = [*chain(*flags), *self._flags(counts, controls, net)]
        return self._row(
            counts, result, controls=controls, cells=cells, change_=change_, reason=joined(told), markers=markers
        )

    @property
    def cells(self) -> Interval:
        """All cells of this population per µL."""
        return self.cells_per_ul.get((self.tube.sample.sample, self.name), UNKNOWN)

    def _evidence(self, markers: Markers, lineage: str) -> _Evidence:
        """The events of this population by class, and the controls that they are judged by."""
        blanks, donors, notes = self._references(markers, lineage)
        classes = classes_of(self.tube, self.mask, markers, lineage)
        if not blanks:
            return _Evidence(classes, None, (), notes)
        controls, more = controls_of(
            self.name,
            markers,
            lineage,
            blanks=blanks,
            donors=donors,
            others=self.blanks,
            panel=self.tube.lineages.panel,
            choices=self.choices,
        )
        gate_sd = self._gate_sd(classes.counts, markers, lineage)
        hidden = hidden_share(classes.counts, controls)
        return _Evidence(replace(classes, gate_sd=gate_sd, hidden=hidden), controls, tuple(blanks), [*notes, *more])

    def _since_baseline(self, markers: Markers, lineage: str, now: _Evidence) -> tuple[Interval, float, list[str]]:
        """Change of the donor fraction from the baseline, donor cells per µL there, and what to say about it.

        The baseline is judged by the controls of its own batch. Where there is none, no cells were there before; where
        its gate failed nothing is known.
        """
        before = self._baseline(now.blanks)
        if before is None:
            serves = any(tube.sample.role is Role.BASELINE for tube in now.blanks)
            asked = self.tube.sample.role is not Role.BASELINE
            return UNKNOWN, 0.0, ["baseline_is_the_blank"] if serves and asked else []
        told = [f"baseline: {flag}" for flag in before.flags]
        then = before._evidence(markers.in_batch(before.tube.sample.batch), lineage)
        if failed(before.flags) or then.controls is None or now.controls is None:
            return UNKNOWN, math.nan, told
        counts = then.classes.counts
        apart = min(then.controls.told_apart, now.controls.told_apart)
        if counts.total < self.choices.min_events or not counts.events or not apart >= self.choices.min_separation:
            return UNKNOWN, 0.0, told
        cells = donor_cells(counts, then.controls, before.cells, level=self.choices.level)
        found = change(now.classes.counts, now.controls, counts, then.controls, level=self.choices.level)
        return found, cells.value if cells.known else 0.0, told

    def _references(self, markers: Markers, lineage: str) -> tuple[list[Tube], list[Tube], list[str]]:
        """Blanks and donor references of all markers, and what to say about them."""
        blanks, donors = (
            [self._control(name) for name in names]
            for names in (
                _shared([cut.blank_samples for cut in markers.any]),
                _shared([cut.donor_samples for cut in markers.any]),
            )
        )
        cuts = [markers.cut(number, lineage) for number in range(len(markers.cuts))]
        notes = list(dict.fromkeys(note for cut in cuts for note in cut.reason.split("; ") if note))
        if any(tube.sample.batch != self.tube.sample.batch for tube in blanks):
            notes.append("blank_batch_differs")
        if any(tube.sample.material != self.tube.sample.material for tube in blanks):
            notes.append("blank_material_differs")
        if any(tube.sample.sample == self.tube.sample.sample for tube in blanks):
            notes.append("this sample is the blank")
        return blanks, donors, notes

    def _control(self, name: str) -> Tube:
        if name not in self.by_sample:
            raise NktraceError(
                f"{name} is a control in hla_cuts.tsv and its gated events were not given",
                where=f"patient {self.patient.patient}",
                mend=f"Give results/samples/{name} too",
            )
        return self.by_sample[name]

    def _gate_sd(self, counts: MarkerCounts, markers: Markers, lineage: str) -> float:
        """What the place of the tube's gates adds to the error of the rate."""
        like = markers.donor_like(self.tube, lineage)
        variance = rate_variance(
            counts,
            self.name,
            self.tube.shifts,
            event=self.tube.lineages.event,
            donor_like=like[0],
            clear=like[0] == like[-1],  # one marker alone puts every event in a class
        )
        return math.sqrt(variance)

    def _baseline(self, blanks: Sequence[Tube]) -> Population | None:
        """This population at the patient's last baseline that is neither the blank nor this sample, nor comes later."""
        used = {tube.sample.sample for tube in blanks} | {self.tube.sample.sample}
        if self.tube.sample.role is Role.BASELINE:
            return None
        baselines = [
            tube
            for tube in self.by_sample.values()
            if tube.sample.role is Role.BASELINE
            and tube.sample.patient == self.patient.patient
            and tube.lineages.panel == self.tube.lineages.panel
            and not tube.lineages.failure
            and tube.sample.condition == EX_VIVO
            and tube.sample.sample not in used
            and tube.sample.day <= self.tube.sample.day
        ]
        if not baselines:
            return None
        baseline = max(baselines, key=lambda tube: (tube.sample.day, tube.sample.sample))
        mask = baseline.mask(self.name)
        if mask is None:
            return None
        flags = self.doubts.get((baseline.sample.sample, self.name), ())
        return replace(self, tube=baseline, mask=mask, flags=flags)

    def _flags(self, counts: MarkerCounts, controls: Controls, net: float) -> Iterator[str]:
        """What is to be known of an estimate; `net` are the donor cells per µL above those of the baseline."""
        if counts.rate > controls.donor.rate:
            yield "more marker events than the donor reference has"
        exposed = self.patient.first_donor_exposure_day
        if exposed < 0 and self.tube.sample.day >= exposed:
            yield "graft_cells_possible (donor cells were there before the infusion: origin is not attributable)"
        bound = infused_bound(sum(dose for day, dose in self.doses if day <= self.tube.sample.day))
        if self.name == NK and net > bound and self.tube.sample.day >= 0:
            yield f"above_infused_dose ({bound:.3g} per uL if every infused cell stayed in blood)"

    def _row(
        self,
        counts: MarkerCounts,
        result: Estimate,
        *,
        reason: str,
        markers: Markers | None = None,
        controls: Controls | None = None,
        cells: Interval = UNKNOWN,
        change_: Interval = UNKNOWN,
    ) -> ChimerismRow:
        return ChimerismRow(
            sample=self.tube.sample.sample,
            patient=self.patient.patient,
            day=self.tube.sample.day,
            population=self.name,
            counts=counts,
            direction=markers.direction if markers else "",
            antibody=markers.antibody if markers else "",
            controls=controls,
            estimate=result,
            donor_cells=cells,
            change=change_,
            reason=reason,
        )


def _shared(names: Sequence[tuple[str, ...]]) -> list[str]:
    """Names that stand in every list."""
    return [name for name in names[0] if all(name in other for other in names)]


def _indeterminate() -> Estimate:
    return Estimate(status=ChimerismStatus.INDETERMINATE)
