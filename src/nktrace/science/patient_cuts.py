"""Where a patient's HLA markers are cut: per lineage, from blank and donor reference, carried to the sample's batch.

A cut stands in the batch of its blank, the home batch. Batch controls stained there and in another batch say how the
marker moved between them; donor references and pooled blanks of other batches are moved home by it before the cut is
searched, and the cut is moved out to every batch that it is known for. What is in the home batch is never moved.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from nktrace.model.chimerism import ALL_DONORS, HlaCut, MarkerCounts
from nktrace.model.events import FloatArray
from nktrace.model.hla import Antibody, Direction, Information, Verdict
from nktrace.model.intervals import UNKNOWN, Interval
from nktrace.model.study import Donor, Patient, Role
from nktrace.science.batch_shift import BatchShift, batch_shift
from nktrace.science.hla_controls import (
    ALL,
    CUT_LINEAGES,
    NK,
    POOLED,
    Tube,
    blanks_of,
    donors_of,
    joined,
    target_of,
    usable,
)
from nktrace.science.hla_positivity import best_cut, peak_cut


@dataclass(frozen=True, slots=True, kw_only=True)
class CutChoices:
    """The settings that bear on cuts.

    Attributes:
        min_events: a lineage with fewer events in blank or donor reference borrows from a larger one.
        assumed_sensitivity, assumed_events: what stands for a missing donor reference, and what it is worth.
    """

    level: float
    min_separation: float
    min_events: int
    assumed_sensitivity: float
    assumed_events: int
    bootstrap: int


def hla_cuts(
    patient: Patient,
    tubes: Sequence[Tube],
    *,
    donors: Sequence[Donor],
    others: Sequence[Patient],
    antibodies: Mapping[tuple[str, str], Antibody],
    choices: CutChoices,
    seed: int,
) -> list[HlaCut]:
    """Where each HLA marker of each panel is positive, per lineage and over all lymphocytes.

    Args:
        tubes: the patient's blanks, donor references, other patients' blanks, and batch controls.
        donors: whose cells the patient met.
        others: the patients of those other blanks, for their typings.
        antibodies: the antibody of each (panel, marker) of kind `hla`.
    """
    cuts = []
    for number, ((panel, marker), antibody) in enumerate(sorted(antibodies.items(), key=lambda item: item[0])):
        target, verdict = target_of(patient, antibody, donors)
        if verdict.direction is None:
            cuts.append(_without(panel, marker, verdict, target))
            continue
        stained = [tube for tube in tubes if usable(tube, panel, marker)]
        blanks, flag = blanks_of(patient, stained, others=others, antibody=antibody, direction=verdict.direction)
        own = [tube for tube in tubes if tube.sample.patient == patient.patient and tube.sample.role is Role.BLANK]
        lost = [t.sample.sample for t in own if t.sample.panel == panel and not usable(t, panel, marker)]
        meant = [one for one in donors if target in (one.donor, ALL_DONORS)]
        references = donors_of(patient, stained, meant, of=len(donors))
        unseen = [one.donor for one in meant if not donors_of(patient, stained, [one], of=len(donors))]
        notes = [
            flag,
            f"own_blank_not_usable ({', '.join(lost)})" if lost else "",
            verdict.caution,
            f"no_reference_of_donor ({', '.join(unseen)})" if references and unseen else "",
        ]
        stain = _Stain(
            panel=panel,
            marker=marker,
            direction=verdict.direction,
            antibody=antibody.antibody,
            whose=target,
            donors=references,
            controls=[tube for tube in stained if tube.sample.role is Role.BATCH_CONTROL],
            note=joined(notes),
            choices=choices,
        )
        groups = _by_batch(blanks) if flag != POOLED else {_home_of_pooled(blanks, references): blanks}
        for place, population in enumerate(CUT_LINEAGES):
            if population == ALL or any(population in tube.lineages.member for tube in stained):
                cuts += stain.rows(population, groups, seed=(seed, number, place))
    return cuts


def _by_batch(blanks: Sequence[Tube]) -> dict[str, list[Tube]]:
    """A patient's own blanks by batch, that of the latest first: it is the nearest to all that comes after."""
    latest = sorted(blanks, key=lambda tube: (-tube.sample.day, tube.sample.sample))
    batches = dict.fromkeys(tube.sample.batch for tube in latest)
    return {batch: [tube for tube in blanks if tube.sample.batch == batch] for batch in batches} or {"": []}


def _home_of_pooled(blanks: Sequence[Tube], donors: Sequence[Tube]) -> str:
    """The batch of the donor reference if a blank is of it, which then needs no move; else that of the first blank."""
    batches = [tube.sample.batch for tube in blanks]
    return next((tube.sample.batch for tube in donors if tube.sample.batch in batches), batches[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stain:
    """A marker of a panel in one patient's tubes."""

    panel: str
    marker: str
    antibody: str
    direction: Direction
    whose: str
    donors: Sequence[Tube]
    controls: Sequence[Tube]
    note: str
    choices: CutChoices

    def rows(self, population: str, groups: Mapping[str, Sequence[Tube]], *, seed: tuple[int, ...]) -> Iterator[HlaCut]:
        """The cut of a lineage: by the first blanks, in batches that have blanks of their own, and moved to others."""
        done: list[str] = []
        for home, blanks in groups.items():
            found, shifts = self._at_home(population, home, blanks, rng=np.random.default_rng([*seed, len(done)]))
            yield found if not done else replace(found, batch=home)
            done.append(home)
            if len(done) == 1:
                moved = {batch: shift for batch, shift in shifts.items() if batch not in groups}
                yield from (self._moved(found, batch, shift) for batch, shift in moved.items())

    def _moved(self, row: HlaCut, batch: str, shift: BatchShift) -> HlaCut:
        cut = shift.cut(Interval(row.cut, row.cut_low, row.cut_high), level=self.choices.level)
        reason = joined([row.reason, f"shifted_by_batch_control ({shift})"])
        return replace(row, batch=batch, cut=cut.value, cut_low=cut.low, cut_high=cut.high, reason=reason)

    def _at_home(
        self, population: str, home: str, blanks: Sequence[Tube], *, rng: np.random.Generator
    ) -> tuple[HlaCut, dict[str, BatchShift]]:
        """The row of the home batch, and how the marker moved from there to other batches."""
        sides = self._sides(population, blanks, {})
        cut, status, note = self._cut(sides, rng)
        shifts = self._shifts(population, home, cut.value, sides)
        if any(tube.sample.batch in shifts for tube in (*blanks, *self.donors)):
            sides = self._sides(population, blanks, shifts)
            cut, status, note = self._cut(sides, rng)
        far = {t.sample.batch for t in self.donors} - {home, *shifts}
        counted = [self._positive(side.values, cut.value) for side in sides]
        if not self.donors and blanks:
            worth = self.choices.assumed_events
            like_donor = round(worth * self.choices.assumed_sensitivity)
            positive = like_donor if self.direction is Direction.DONOR_POSITIVE else worth - like_donor
            counted[1] = MarkerCounts(events=worth, positive=positive)
        gap = abs(counted[1].rate - counted[0].rate)
        if status == "ok" and gap < self.choices.min_separation:
            status, note = "indeterminate", f"no_separation ({gap:.3g} < {self.choices.min_separation:g})"
        row = HlaCut(
            panel=self.panel,
            marker=self.marker,
            antibody=self.antibody,
            population=population,
            direction=self.direction.value,
            blank_samples=tuple(tube.sample.sample for tube in blanks),
            donor_samples=tuple(tube.sample.sample for tube in self.donors),
            cut=cut.value,
            cut_low=cut.low,
            cut_high=cut.high,
            blank=counted[0],
            blank_tubes=tuple(self._positive(values, cut.value) for values in sides[0].tubes if values.size),
            donor=counted[1],
            status=status,
            whose=self.whose,
            reason=joined(
                [note, *(side.note for side in sides), "donor_batch_differs" if far and blanks else "", self.note]
            ),
        )
        return row, shifts

    def _sides(self, population: str, blanks: Sequence[Tube], shifts: Mapping[str, BatchShift]) -> tuple[_Side, _Side]:
        """Blank and donor values of a lineage, or of a larger one, as they would be in the home batch."""
        least = self.choices.min_events
        return (
            _side(blanks, self.marker, (population, ALL), least, shifts, name="cut_blank"),
            _side(self.donors, self.marker, (population, NK, ALL), least, shifts, name="cut_donor"),
        )

    def _cut(self, sides: tuple[_Side, _Side], rng: np.random.Generator) -> tuple[Interval, str, str]:
        blank, donor = (side.values for side in sides)
        if not blank.size:
            return UNKNOWN, Information.INDETERMINATE.value, "no_blank"
        level, bootstrap = self.choices.level, self.choices.bootstrap
        if not donor.size:
            cut = peak_cut(blank, direction=self.direction, level=level, bootstrap=bootstrap, rng=rng)
            return cut, "assumed", "no_donor_reference"
        return best_cut(blank, donor, direction=self.direction, level=level, bootstrap=bootstrap, rng=rng), "ok", ""

    def _positive(self, values: FloatArray, cut: float) -> MarkerCounts:
        return MarkerCounts(events=int(values.size), positive=int(np.count_nonzero(values >= np.float64(cut))))

    def _shifts(self, population: str, home: str, cut: float, sides: tuple[_Side, _Side]) -> dict[str, BatchShift]:
        """How the marker moved from the home batch to every other that has a control of the same person."""
        if math.isnan(cut):
            return {}
        blank, donor = (side.values for side in sides)
        dark, bright = (blank, donor) if self.direction is Direction.DONOR_POSITIVE else (donor, blank)
        found = {}
        for batch in sorted({tube.sample.batch for tube in self.controls} - {home}):
            for place in dict.fromkeys(
                (population, ALL)
            ):  # a lineage without cells in the control moves like the others
                pairs = self._in_both(place, home, batch)
                least = self.choices.min_events
                shift = batch_shift(pairs, cut=cut, dark=dark, bright=bright, least_events=least)
                if shift is not None:
                    found[batch] = shift
                    break
        return found

    def _in_both(self, population: str, home: str, batch: str) -> dict[str, tuple[FloatArray, FloatArray]]:
        """Values of the controls of two batches, by whose cells they are (`donor`, of the same material)."""
        by_person: dict[str, dict[str, list[Tube]]] = {}
        for tube in self.controls:
            person = f"{tube.sample.donor or ''}/{tube.sample.material}"
            by_person.setdefault(person, {}).setdefault(tube.sample.batch, []).append(tube)
        return {
            person: (
                _together(_by_tube(of[home], self.marker, population, {})),
                _together(_by_tube(of[batch], self.marker, population, {})),
            )
            for person, of in by_person.items()
            if home in of and batch in of
        }


@dataclass(frozen=True, slots=True)
class _Side:
    """Marker values of blank or donor reference by tube, and what to say about them."""

    tubes: tuple[FloatArray, ...]
    note: str

    @property
    def values(self) -> FloatArray:
        return _together(self.tubes)


def _side(
    tubes: Sequence[Tube],
    marker: str,
    populations: Sequence[str],
    min_events: int,
    shifts: Mapping[str, BatchShift],
    *,
    name: str,
) -> _Side:
    """Of a lineage, of the next larger one where it has too few, or of the one with most events if all have."""
    own = populations[0]
    found = {place: _by_tube(tubes, marker, place, shifts) for place in dict.fromkeys(populations)}
    sizes = {place: sum(values.size for values in each) for place, each in found.items()}
    enough = [place for place, size in sizes.items() if size >= min_events]
    chosen = enough[0] if enough else max(sizes, key=lambda place: sizes[place])
    borrowed = f"{name}_from_{chosen}" if chosen != own and sizes[chosen] else ""
    few = f"{name}_few_events ({sizes[chosen]})" if 0 < sizes[chosen] < min_events else ""
    return _Side(found[chosen], joined([borrowed, few]))


def _by_tube(
    tubes: Sequence[Tube], marker: str, population: str, shifts: Mapping[str, BatchShift]
) -> tuple[FloatArray, ...]:
    """Marker values of a population in each tube that has it, as they would be in the home batch."""
    parts = []
    for tube in tubes:
        mask = tube.mask(population) if population == ALL or population in tube.lineages.member else None
        if mask is not None:
            values = tube.lineages.hla[marker][mask]
            shift = shifts.get(tube.sample.batch)
            parts.append(shift.back(values) if shift else values)
    return tuple(parts)


def _together(parts: Sequence[FloatArray]) -> FloatArray:
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.float32)


def _without(panel: str, marker: str, verdict: Verdict, whose: str) -> HlaCut:
    none = MarkerCounts(events=0, positive=0)
    return HlaCut(
        panel=panel,
        marker=marker,
        antibody=verdict.antibody,
        population=ALL,
        direction="",
        blank_samples=(),
        donor_samples=(),
        cut=math.nan,
        cut_low=math.nan,
        cut_high=math.nan,
        blank=none,
        donor=none,
        status=verdict.information.value,
        whose=whose,
        reason=f"{verdict.information.value}: {', '.join(verdict.deciding)}",
    )
