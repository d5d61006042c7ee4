"""Where markers stand in the batch controls, as kept with the gate reference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkerPlace:
    """Medians of a marker's negative and positive part on the panel's scale; both the same where it has one part."""

    negative: float
    positive: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkerShape:
    """What a marker looks like in all controls together.

    Attributes:
        positive_share: of the cells; 0 where the marker has one population.
        distance: from the negative to the positive median; with one population four sd of it.
    """

    positive_share: float
    distance: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchControl:
    """One control sample: its places by marker."""

    sample: str
    batch: str
    places: Mapping[str, MarkerPlace]


@dataclass(frozen=True, slots=True, kw_only=True)
class Controls:
    """All control samples of a panel's reference, and the shape by which each marker's parts are told apart."""

    shapes: Mapping[str, MarkerShape]
    samples: tuple[BatchControl, ...]

    @property
    def batches(self) -> tuple[str, ...]:
        return tuple(sorted({control.batch for control in self.samples}))
