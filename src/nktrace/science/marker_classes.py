"""How the events of a population fall by HLA markers: like donor, like recipient, like both, like neither."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from nktrace.model.chimerism import HlaCut, MarkerCounts, MarkerCuts
from nktrace.model.events import Mask
from nktrace.model.hla import Direction
from nktrace.science.hla_controls import ALL, Tube
from nktrace.science.hla_positivity import looks_donor


@dataclass(frozen=True, slots=True)
class Markers:
    """One marker, or two that must agree, with their cut per lineage."""

    cuts: tuple[MarkerCuts, ...]

    def cut(self, number: int, lineage: str, batch: str | None = None) -> HlaCut:
        """Of the sample's batch, or of another tube's."""
        return self.cuts[number].at(lineage, batch)

    @property
    def any(self) -> tuple[HlaCut, ...]:
        return tuple(cuts.at(ALL) for cuts in self.cuts)

    @property
    def antibody(self) -> str:
        return "+".join(dict.fromkeys(cut.antibody for cut in self.any))

    @property
    def direction(self) -> str:
        directions = dict.fromkeys(cut.direction for cut in self.any)
        return Direction.BOTH.value if len(directions) > 1 else next(iter(directions))

    def usable(self, lineage: str) -> bool:
        return all(not math.isnan(self.cut(number, lineage).cut) for number in range(len(self.cuts)))

    def in_batch(self, batch: str) -> Markers:
        """The same for a tube of another batch."""
        return Markers(tuple(replace(cuts, batch=batch) for cuts in self.cuts))

    def donor_like(self, tube: Tube, lineage: str) -> list[Mask]:
        """Per marker, which events of a tube look like donor cells by the lineage's cut in the tube's batch."""
        return [
            looks_donor(tube.lineages.hla[cut.marker], cut.cut, Direction(cut.direction))
            for cut in (self.cut(number, lineage, tube.sample.batch) for number in range(len(self.cuts)))
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Classes:
    """Events of a population by what they look like; `both` and `neither` exist by two antibodies only.

    Positive for both are doublets, or cells with membrane of another; positive for neither are cells that stain dim.
    """

    donor: int
    recipient: int
    both: int = 0
    neither: int = 0
    hidden: float = 0.0
    gate_sd: float = 0.0

    @property
    def counts(self) -> MarkerCounts:
        clear = self.donor + self.recipient
        return MarkerCounts(
            events=clear,
            positive=self.donor,
            unclear=self.both + self.neither,
            neither=self.neither,
            hidden=self.hidden,
            gate_sd=self.gate_sd,
        )

    @property
    def unclear(self) -> list[str]:
        """The shares that are in no class, in words."""
        events = self.counts.total
        if not self.both + self.neither:
            return []
        return [f"double_positive {self.both / events:.2%}", f"double_negative {self.neither / events:.2%}"]


def classes_of(tube: Tube, mask: Mask, markers: Markers, lineage: str) -> Classes:
    """How the events of a population fall by every marker."""
    donor_like = [like[mask] for like in markers.donor_like(tube, lineage)]
    if len(donor_like) == 1:
        positive = int(donor_like[0].sum())
        return Classes(donor=positive, recipient=int(mask.sum()) - positive)
    # a donor-positive and a recipient-positive marker: donor-like means positive for the first, negative for the second
    by_donor, by_recipient = donor_like
    return Classes(
        donor=int((by_donor & by_recipient).sum()),
        recipient=int((~by_donor & ~by_recipient).sum()),
        both=int((by_donor & ~by_recipient).sum()),
        neither=int((~by_donor & by_recipient).sum()),
    )
