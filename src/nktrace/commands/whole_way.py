"""From an FCS file to donor fractions in one process, as the steps of a study go it one by one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nktrace.commands.gate import beside_baseline, gate_tube, lineages_of, shifts_of
from nktrace.commands.hla_cuts import cut_choices
from nktrace.commands.survey import survey_of
from nktrace.files.acquisition import Acquisition, read_acquisition
from nktrace.files.blanks import Key
from nktrace.files.choices import values_of
from nktrace.files.gate_reference import GateReference
from nktrace.model.chimerism import ChimerismRow, HlaCut, MarkerCounts
from nktrace.model.events import Mask
from nktrace.model.gates import GatingRow
from nktrace.model.hla import Antibody, Direction
from nktrace.model.overrides import Override
from nktrace.model.panel import Panel
from nktrace.model.study import Patient, Sample, donors_met
from nktrace.model.subsets import SubsetRule, SubsetStatus
from nktrace.science.doubt import Flags, flags_in
from nktrace.science.subsets import call_subsets, nk_members
from nktrace.science.transforms import to_scale

if TYPE_CHECKING:
    from nktrace.files.settings import Settings
    from nktrace.science.hla_controls import Tube


@dataclass(frozen=True, slots=True)
class Source:
    """An acquired file: who it is, and how its cells are compensated and gated."""

    sample: Sample
    path: str
    matrix: str | None
    overrides: Mapping[str, Override]


@dataclass(frozen=True, slots=True)
class GatedTube:
    """A tube with its gated events, as chimerism reads it."""

    tube: Tube
    doubts: dict[tuple[str, str], Flags]

    def populations(self) -> dict[str, Mask]:
        """Members of every population that chimerism tells of, NK subsets too, per gated event."""
        from nktrace.science.hla_controls import LINEAGE_OF

        names = [*LINEAGE_OF, *sorted({str(name) for name in np.unique(self.tube.subset) if name})]
        return {name: mask for name in names if (mask := self.tube.mask(name)) is not None}

    def shares(self, events: int) -> dict[str, float]:
        """Each population's share of a file's events."""
        return {name: int(np.count_nonzero(mask)) / events for name, mask in self.populations().items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeWay:
    """The whole way from an FCS file to gated events and donor fractions, as the steps of a study go it."""

    panel: Panel
    gating: tuple[GatingRow, ...]
    reference: GateReference
    rules: Sequence[SubsetRule]
    antibodies: Mapping[tuple[str, str], Antibody]
    blanks: Mapping[Key, tuple[MarkerCounts, ...]]
    settings: Settings

    def read(self, path: Path | str, source: Source) -> Acquisition:
        limit = self.settings.compensation.max_condition
        return read_acquisition(path, source.sample, self.panel, matrix=source.matrix, max_condition=limit)

    def gated(
        self,
        path: Path | str,
        source: Source,
        *,
        sample: Sample | None = None,
        reference: GateReference | None = None,
    ) -> GatedTube:
        """The events of a file whose cells are of this source, or mixed into it as another sample."""
        from nktrace.science.hla_controls import Tube

        sample, reference = sample or source.sample, reference or self.reference
        acquired = self.read(path, source)
        events = to_scale(acquired.events, reference.scale(sample.batch))
        gated = gate_tube(
            acquired,
            events,
            self.gating,
            sample=sample,
            panel=self.panel,
            reference=reference,
            settings=self.settings,
            overrides=source.overrides,
        )
        lineages = lineages_of(sample, self.panel, acquired, events, gated, self.gating)
        calls = call_subsets(
            self.rules,
            nk_members(lineages),
            markers=self.panel.markers,
            level=self.settings.level,
            doubts=lineages.doubts,
        )
        shifts = shifts_of(gated, acquired, events, self.gating, overrides=source.overrides, level=self.settings.level)
        doubts = {(sample.sample, population): flags for population, flags in lineages.doubts.items()}
        for count in calls.counts:
            if count.status is SubsetStatus.OK:
                doubts[sample.sample, count.subset] = flags_in(count.reason)
        return GatedTube(Tube(sample, lineages, calls.labels, shifts=shifts), doubts)

    def beside(self, path: Path | str, source: Source, sample: Sample) -> GateReference:
        """The reference sharpened by the blank's half, as a patient's later samples are gated beside their baseline."""
        survey = survey_of(self.read(path, source), source.sample, self.settings)
        return beside_baseline(self.reference, survey, self.gating, sample, self.panel, self.settings)

    def cuts(self, patient: Patient, controls: Sequence[Tube]) -> list[HlaCut]:
        """Where the HLA markers are positive, from a blank and a donor reference."""
        from nktrace.science.patient_cuts import hla_cuts

        return hla_cuts(
            patient,
            controls,
            donors=donors_met(patient, ()),
            others=(),
            antibodies=self.antibodies,
            choices=cut_choices(self.settings),
            seed=self.settings.seed,
        )

    def chimerism(self, patient: Patient, gated: Sequence[GatedTube], cuts: Sequence[HlaCut]) -> Iterator[ChimerismRow]:
        """Rows of each antibody alone, and of two together where both inform."""
        from nktrace.science.patient_chimerism import patient_chimerism
        from nktrace.science.population_controls import Choices

        together, alone = patient_chimerism(
            patient,
            [each.tube for each in gated],
            cuts,
            cells_per_ul={},
            doses=[],
            choices=Choices(level=self.settings.level, **values_of(self.settings.chimerism, without="cut_bootstrap")),
            blanks=self.blanks,
            doubts={key: flags for each in gated for key, flags in each.doubts.items()},
        )
        yield from (row for row in alone if row.direction)
        yield from (row for row in together if row.direction == Direction.BOTH)
