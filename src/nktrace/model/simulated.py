"""What a simulation makes: tubes to be filled, and their files with the truth of every event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nktrace.model.events import Events, Mask
from nktrace.model.simulation import Carrier, Conditions
from nktrace.model.study import Role, Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """Blood of one person at one time: cells per microlitre by stratum, own and of the donor.

    Attributes:
        own, donor: cells per microlitre by cell kind; the donor's are infused or of a graft.
        activation: share of NK cells that are activated.
    """

    own: Mapping[str, float]
    donor: Mapping[str, float]
    activation: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Tube:
    """A file to be written: its row of samples.tsv and the blood it is made from.

    Attributes:
        person, donor: whose antigen densities the own and the donor's cells have.
        draw: what it holds; without a cell where beads carry the antibody.
        own_hla, donor_hla: typings of the own and of the donor's cells.
        infusion_date: of the patient; empty for a control tube.
        events: in the file, everything included.
    """

    sample: Sample
    person: str
    donor: str = ""
    draw: Draw
    own_hla: str
    donor_hla: str = ""
    infusion_date: str = ""
    conditions: Conditions
    events: int
    carrier: Carrier = Carrier.CELLS

    def stained_with(self, marker: str) -> bool:
        """Whether the antibody against a marker is in the tube."""
        if self.sample.role is Role.UNSTAINED:
            return False
        if self.sample.role is Role.SINGLE_STAIN:
            return self.sample.stain == marker
        return self.sample.role is not Role.FMO or self.sample.stain != marker


@dataclass(frozen=True, slots=True, kw_only=True)
class EventTruth:
    """What each event of a file is, in the order of the file; arrays of shape (events,).

    Attributes:
        words: the names that the codes stand for.
        kind: cell kind, as in cells.tsv; of a doublet its first cell. A code, as the next two.
        population: the contract's name (`nk_dim`, `cd4_t`, …), or `debris`, `dead`, `doublet`, `beads`, and of capture
            beads `stained_beads`, `blank_beads`.
        subset: exclusive NK subset, the empty word for others.
        single: a live single cell; nk: one that is an NK cell; donor: of the donor.
        disturbed: acquired during a clog or at the limit of a scatter detector.
    """

    words: tuple[str, ...]
    kind: NDArray[np.int8]
    population: NDArray[np.int8]
    subset: NDArray[np.int8]
    single: Mask
    nk: Mask
    donor: Mask
    disturbed: Mask


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedFile:
    """The events of a tube as an instrument would write them, and their truth."""

    events: Events
    labels: tuple[str, ...]
    tops: tuple[float, ...]
    keywords: Mapping[str, str]
    truth: EventTruth
