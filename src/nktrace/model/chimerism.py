"""Words of donor chimerism."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from nktrace.model.hla import Direction
from nktrace.model.intervals import UNKNOWN, Interval

Row = TypeVar("Row", bound=Mapping[str, Any])

ALL_DONORS = "all"  # `donor` of rows about the cells of several donors together

# Coefficients of variation between blanks that are not 0: less is counting alone, more is not what a gamma describes.
LEAST_BLANK_CV, MOST_BLANK_CV = 0.01, 3.0
BLANK_CV_ASSUMED = "blank_cv_assumed"  # flag of rows without enough blanks to tell it


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

    Attributes:
        events: those that look like the one or the other; by one antibody all of them.
        positive: those that look like donor cells.
        unclear: by two antibodies, events that are positive for both or for neither, which are in no class.
        neither: those of them that are positive for neither.
        hidden: share of all events that are positive for neither beyond what the controls have, and may be anybody's
            (science/stain_checks.py); a sum has none.
        gate_sd: standard error of `rate` from the place of the gates (science/donor_gate_error.py); a sum has none.
    """

    events: int
    positive: int
    unclear: int = 0
    neither: int = 0
    hidden: float = 0.0
    gate_sd: float = 0.0

    @property
    def rate(self) -> float:
        """Share of the events in a class that look like donor cells."""
        return self.positive / self.events if self.events else math.nan

    @property
    def total(self) -> int:
        """All events of the population."""
        return self.events + self.unclear

    @property
    def rate_of_total(self) -> float:
        """Share of all events of the population that look like donor cells."""
        return self.positive / self.total if self.total else math.nan

    @property
    def clear(self) -> float:
        """Share of the events that are in a class."""
        return self.events / self.total if self.total else math.nan

    def __add__(self, other: MarkerCounts) -> MarkerCounts:
        return MarkerCounts(
            events=self.events + other.events,
            positive=self.positive + other.positive,
            unclear=self.unclear + other.unclear,
            neither=self.neither + other.neither,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Controls:
    """What a marker does in cells of known origin, in the same population.

    Attributes:
        blank: recipient cells before any donor cell: its rate is the false-positive rate.
        donor: cells of the donor: its rate is the sensitivity. For an assumed sensitivity, as many events as it
            is worth.
        blank_cv: coefficient of variation of the false-positive rate between tubes, beyond counting; used where fewer
            than five of `scatter_of` tell of it.
        against_recipient: whether an antibody against the recipient is used: donor cells that look like the recipient's
            are then false positives too, and scatter likewise.
        tubes: the tubes that `blank` is the sum of; empty for one.
        scatter_of: tubes that the scatter of the false-positive rate is estimated from.
    """

    blank: MarkerCounts
    donor: MarkerCounts
    blank_cv: float = 0.0
    against_recipient: bool = False
    tubes: tuple[MarkerCounts, ...] = ()
    scatter_of: tuple[MarkerCounts, ...] = ()

    @property
    def separation(self) -> float:
        """Sensitivity less false-positive rate, among the events in a class."""
        return self.donor.rate - self.blank.rate

    @property
    def told_apart(self) -> float:
        """The same of all events, for donor or recipient cells, whichever is less; by one antibody they agree."""
        if not (self.donor.total and self.blank.total):
            return math.nan
        of_recipient = [1 - counts.clear + counts.rate_of_total for counts in (self.blank, self.donor)]
        return min(self.donor.rate_of_total - self.blank.rate_of_total, of_recipient[1] - of_recipient[0])


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
        batch: whose tubes it is for; empty for the batch of the blank and every batch without a row of its own.
        direction: `donor_positive` or `recipient_positive`; empty where the antibody does not inform.
        blank_samples, donor_samples: what it was estimated from.
        blank_tubes: the tubes that `blank` is the sum of; empty where that is not known.
        status: `ok`, `assumed` (no donor reference), `indeterminate` or `uninformative`.
        whose: the donor whose cells it tells from all others; `all` for several together, empty for one without an id.
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
    batch: str = ""
    whose: str = ""
    blank_tubes: tuple[MarkerCounts, ...] = ()

    def like_donor(self, counts: MarkerCounts) -> MarkerCounts:
        """Of the marker-positive events of `blank` or `donor` as they stand here those that look like donor cells."""
        if self.direction == Direction.DONOR_POSITIVE:
            return counts
        return MarkerCounts(events=counts.events, positive=counts.events - counts.positive)


@dataclass(frozen=True, slots=True)
class MarkerCuts:
    """The rows of hla_cuts.tsv of one marker and panel, as they apply to a tube of some batch.

    Attributes:
        rows: by batch and population, `("", "all")` always among them.
        batch: of the sample that is judged.
    """

    rows: Mapping[tuple[str, str], HlaCut]
    batch: str

    def at(self, population: str, batch: str | None = None) -> HlaCut:
        """The row for a lineage in a batch (default: the sample's), else that of the controls' batch, else of all."""
        own = self.batch if batch is None else batch
        places = ((own, population), ("", population), (own, "all"), ("", "all"))
        return next(self.rows[place] for place in places if place in self.rows)


def cuts_by_marker(cuts: Iterable[HlaCut], *, panel: str, batch: str) -> dict[str, MarkerCuts]:
    """The cuts of each marker of a panel, for a sample of a batch."""
    rows: dict[str, dict[tuple[str, str], HlaCut]] = {}
    for cut in cuts:
        if cut.panel == panel:
            rows.setdefault(cut.marker, {})[cut.batch, cut.population] = cut
    return {marker: MarkerCuts(found, batch) for marker, found in rows.items()}


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
    donor: str = ""


def of_all_donors(rows: Sequence[Row]) -> list[Row]:
    """The rows of chimerism.tsv that tell of all donor cells: of patients with several donors those of `all`."""
    several = _with_several_donors(rows)
    return [row for row in rows if row["patient"] not in several or row["donor"] == ALL_DONORS]


def of_one_donor(rows: Sequence[Row]) -> list[Row]:
    """The other rows: those about one of several donors."""
    several = _with_several_donors(rows)
    return [row for row in rows if row["patient"] in several and row["donor"] != ALL_DONORS]


def _with_several_donors(rows: Sequence[Mapping[str, Any]]) -> set[str]:
    return {row["patient"] for row in rows if row["donor"] == ALL_DONORS}
