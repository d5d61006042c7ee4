"""Words of donor chimerism."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from nktrace.model.intervals import UNKNOWN, Interval


class ChimerismStatus(StrEnum):
    """`status` of chimerism.tsv."""

    NOT_DETECTED = "not_detected"
    DETECTED = "detected"
    QUANTIFIED = "quantified"
    INDETERMINATE = "indeterminate"
    UNINFORMATIVE = "uninformative"


class Category(StrEnum):
    """`category` of chimerism.tsv."""

    COMPLETE = "complete"
    MIXED = "mixed"
    MICRO = "micro"


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkerCounts:
    """Events of one population, and how many of them look like donor cells.

    That is: marker-positive for an antibody against donor cells, marker-negative for one against recipient cells.
    """

    events: int
    positive: int

    @property
    def rate(self) -> float:
        return self.positive / self.events if self.events else math.nan

    def __add__(self, other: MarkerCounts) -> MarkerCounts:
        return MarkerCounts(events=self.events + other.events, positive=self.positive + other.positive)


@dataclass(frozen=True, slots=True, kw_only=True)
class Controls:
    """What a marker does in cells of known origin, in the same population.

    Attributes:
        blank: recipient cells before any donor cell: its rate is the false-positive rate.
        donor: cells of the donor: its rate is the sensitivity. For an assumed sensitivity, as many events as it
            is worth.
        blank_cv: coefficient of variation of the false-positive rate between tubes, beyond counting.
    """

    blank: MarkerCounts
    donor: MarkerCounts
    blank_cv: float = 0.0

    @property
    def separation(self) -> float:
        return self.donor.rate - self.blank.rate


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of blank, detection and quantitation.

    Attributes:
        lob_events: marker events that the blank reaches with 95 % probability; more is a detection.
        lob, lod, loq: as donor fractions.
    """

    lob_events: int
    lob: float
    lod: float
    loq: float


NO_LIMITS = Limits(lob_events=0, lob=math.nan, lod=math.nan, loq=math.nan)


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Donor fraction of one population with its limits. `fraction` is not clipped, its interval is."""

    status: ChimerismStatus
    fraction: Interval = UNKNOWN
    limits: Limits = NO_LIMITS
    category: Category | None = None
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HlaCut:
    """A row of hla_cuts.tsv: where a marker is positive in one lineage of a patient's samples, linear units.

    Attributes:
        population: `nk`, `cd3`, `b_cells`, `monocytes`, or `all`.
        direction: `donor_positive` or `recipient_positive`; empty where the antibody does not inform.
        blank_samples, donor_samples: what it was estimated from.
        status: `ok`, `assumed` (no donor reference), `indeterminate` or `uninformative`.
    """

    panel: str
    marker: str
    antibody: str
    population: str
    direction: str
    blank_samples: tuple[str, ...]
    donor_samples: tuple[str, ...]
    cut: float
    cut_low: float
    cut_high: float
    blank: MarkerCounts
    donor: MarkerCounts
    status: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChimerismRow:
    """A row of chimerism.tsv."""

    sample: str
    patient: str
    day: float
    population: str
    counts: MarkerCounts
    direction: str = ""
    antibody: str = ""
    controls: Controls | None = None
    estimate: Estimate
    donor_cells: Interval = UNKNOWN
    change: Interval = UNKNOWN
    reason: str = ""
