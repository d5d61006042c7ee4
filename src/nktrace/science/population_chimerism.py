"""Donor chimerism of one population of one sample, by one antibody or by two that must agree."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from nktrace.model.chimerism import ChimerismRow, ChimerismStatus, Controls, Estimate, HlaCut, MarkerCounts
from nktrace.model.errors import NktraceError
from nktrace.model.events import Mask
from nktrace.model.hla import Direction
from nktrace.model.intervals import UNKNOWN, Interval
from nktrace.model.study import Patient, Role
from nktrace.science.chimerism import between_blank_cv, change, donor_cells, estimate, infused_bound
from nktrace.science.doubt import Flags, failed
from nktrace.science.hla_controls import ALL, EX_VIVO, LINEAGE_OF, NK, Tube, joined
from nktrace.science.hla_positivity import looks_donor

NO_COUNTS = MarkerCounts(events=0, positive=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """The settings that bear on chimerism (files/settings.py says what each means)."""

    level: float
    min_separation: float
    min_events: int
    min_reference_events: int
    blank_cv: float
    assumed_sensitivity: float
    assumed_sensitivity_events: int
    complete: float
    mixed: float


@dataclass(frozen=True, slots=True)
class Markers:
    """One marker, or two that must agree, with their cut per lineage."""

    cuts: tuple[Mapping[str, HlaCut], ...]

    def cut(self, number: int, lineage: str) -> HlaCut:
        return self.cuts[number].get(lineage) or self.cuts[number][ALL]

    @property
    def any(self) -> tuple[HlaCut, ...]:
        return tuple(cuts[ALL] for cuts in self.cuts)

    @property
    def antibody(self) -> str:
        return "+".join(dict.fromkeys(cut.antibody for cut in self.any))

    @property
    def direction(self) -> str:
        directions = dict.fromkeys(cut.direction for cut in self.any)
        return Direction.BOTH.value if len(directions) > 1 else next(iter(directions))

    def usable(self, lineage: str) -> bool:
        return all(not math.isnan(self.cut(number, lineage).cut) for number in range(len(self.cuts)))

    def donor_like(self, tube: Tube, lineage: str) -> list[Mask]:
        """Per marker, which events of a tube look like donor cells by the lineage's cut."""
        return [
            looks_donor(tube.lineages.hla[cut.marker], cut.cut, Direction(cut.direction))
            for cut in (self.cut(number, lineage) for number in range(len(self.cuts)))
        ]


@dataclass(frozen=True, slots=True)
class Population:
    """One population of one sample, with all that its estimate needs; `flags` tell of doubtful gates (doubt.py)."""

    patient: Patient
    tube: Tube
    name: str
    mask: Mask
    by_sample: Mapping[str, Tube]
    cells_per_ul: Mapping[tuple[str, str], Interval]
    dose_per_kg: float
    choices: Choices
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
        blanks, donors, notes = self._references(markers)
        if not blanks:
            return self._row(events, _indeterminate(), reason=joined(["no_blank", *notes]), markers=markers)
        counts, shares = _counted(self.tube, self.mask, markers, lineage)
        controls, more = self._controls(markers, lineage, blanks, donors)
        result = estimate(
            counts,
            controls,
            level=self.choices.level,
            min_separation=self.choices.min_separation,
            min_events=self.choices.min_events,
            complete=self.choices.complete,
            mixed=self.choices.mixed,
        )
        cells = change_ = UNKNOWN
        if result.fraction.known:
            count = self.cells_per_ul.get((self.tube.sample.sample, self.name), UNKNOWN)
            cells = donor_cells(counts, controls, count, level=self.choices.level)
            if result.status is ChimerismStatus.NOT_DETECTED and cells.known:  # as the fraction: there may be none
                cells = Interval(cells.value, 0.0, cells.high)
            change_ = self._change(markers, lineage, counts, controls, blanks)
        flags = [*self.flags, *result.reasons, *notes, *more, *shares, *self._flags(counts, controls, cells)]
        return self._row(
            counts, result, controls=controls, cells=cells, change_=change_, reason=joined(flags), markers=markers
        )

    def _references(self, markers: Markers) -> tuple[list[Tube], list[Tube], list[str]]:
        """Blanks and donor references of all markers, and what to say about them."""
        blanks, donors = (
            [self._control(name) for name in names]
            for names in (
                _shared([cut.blank_samples for cut in markers.any]),
                _shared([cut.donor_samples for cut in markers.any]),
            )
        )
        notes = list(dict.fromkeys(note for cut in markers.any for note in cut.reason.split("; ") if note))
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

    def _controls(
        self, markers: Markers, lineage: str, blanks: Sequence[Tube], donors: Sequence[Tube]
    ) -> tuple[Controls, list[str]]:
        """False-positive rate and sensitivity of this population, borrowed from a larger one where it is small."""
        fallback = tuple(dict.fromkeys((self.name, lineage, ALL)))
        blank, blank_from, each = self._pooled(markers, lineage, blanks, fallback)
        donor, donor_from, _ = self._pooled(markers, lineage, donors, tuple(dict.fromkeys((*fallback[:-1], NK, ALL))))
        notes = [f"blank_from_{blank_from}"] if blank_from != self.name else []
        if not donors:
            assumed = self.choices.assumed_sensitivity ** len(markers.cuts)
            worth = self.choices.assumed_sensitivity_events
            donor = MarkerCounts(events=worth, positive=round(worth * assumed))
        elif donor_from != self.name:
            notes.append(f"sensitivity_from_{donor_from}")
        found = between_blank_cv(each)
        blank_cv = self.choices.blank_cv if math.isnan(found) else max(found, self.choices.blank_cv)
        return Controls(blank=blank, donor=donor, blank_cv=blank_cv), notes

    def _pooled(
        self, markers: Markers, lineage: str, tubes: Sequence[Tube], populations: Sequence[str]
    ) -> tuple[MarkerCounts, str, list[MarkerCounts]]:
        """Counts over tubes in the first population that is large enough, which that was, and the counts per tube."""
        best = (NO_COUNTS, populations[0], list[MarkerCounts]())
        for population in populations:
            each = [
                _counted(tube, mask, markers, lineage)[0]
                for tube in tubes
                if (mask := tube.mask(population)) is not None
            ]
            total = sum(each, NO_COUNTS)
            if total.events > best[0].events:
                best = (total, population, each)
            if total.events >= self.choices.min_reference_events:
                break
        return best

    def _change(
        self, markers: Markers, lineage: str, counts: MarkerCounts, controls: Controls, blanks: Sequence[Tube]
    ) -> Interval:
        """Against the patient's last baseline, unless that is the blank or this sample."""
        used = {tube.sample.sample for tube in blanks} | {self.tube.sample.sample}
        baselines = [
            tube
            for tube in self.by_sample.values()
            if tube.sample.role is Role.BASELINE
            and tube.sample.patient == self.patient.patient
            and tube.lineages.panel == self.tube.lineages.panel
            and not tube.lineages.failure
            and tube.sample.condition == EX_VIVO
        ]
        if not baselines or any(tube.sample.sample in used for tube in baselines):
            return UNKNOWN
        baseline = max(baselines, key=lambda tube: (tube.sample.day, tube.sample.sample))
        mask = baseline.mask(self.name)
        if mask is None or mask.sum() < self.choices.min_events or self.tube.sample.day < baseline.sample.day:
            return UNKNOWN
        before = _counted(baseline, mask, markers, lineage)[0]
        return change(counts, controls, before, controls, level=self.choices.level)

    def _flags(self, counts: MarkerCounts, controls: Controls, cells: Interval) -> Iterator[str]:
        if counts.rate > controls.donor.rate:
            yield "more marker events than the donor reference has"
        if self.patient.first_donor_exposure_day < 0:
            yield "graft_cells_possible (donor cells were there before the infusion: origin is not attributable)"
        bound = infused_bound(self.dose_per_kg)
        if self.name == NK and cells.value > bound and self.tube.sample.day >= 0:
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


def _counted(tube: Tube, mask: Mask, markers: Markers, lineage: str) -> tuple[MarkerCounts, list[str]]:
    """Events that look like donor by every marker; for two markers also the shares that are in no class."""
    donor_like = [like[mask] for like in markers.donor_like(tube, lineage)]
    events = int(mask.sum())
    agreed = donor_like[0] if len(donor_like) == 1 else donor_like[0] & donor_like[1]
    counts = MarkerCounts(events=events, positive=int(agreed.sum()))
    if len(donor_like) == 1 or not events:
        return counts, []
    # a donor-positive and a recipient-positive marker: donor-like means positive for the first, negative for the second
    double_positive = (donor_like[0] & ~donor_like[1]).sum() / events
    double_negative = (~donor_like[0] & donor_like[1]).sum() / events
    return counts, [f"double_positive {double_positive:.2%}", f"double_negative {double_negative:.2%}"]


def _shared(names: Sequence[tuple[str, ...]]) -> list[str]:
    """Names that stand in every list."""
    return [name for name in names[0] if all(name in other for other in names)]


def _indeterminate() -> Estimate:
    return Estimate(status=ChimerismStatus.INDETERMINATE)
