"""Donor chimerism by other methods (STR, qPCR, ddPCR) beside flow."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from nktrace.model.intervals import UNKNOWN, Interval

UNGATED = "leukocytes"  # all cells of a material, in the words of the gating table


class Rest(StrEnum):
    """What is thought of the cells in which flow measured no donor fraction (setting `external.rest`)."""

    UNKNOWN = "unknown"
    RECIPIENT = "recipient"


class Comparability(StrEnum):
    """`status` of external_chimerism.tsv.

    `ok`: both measured; `censored`: one or both below a limit of detection; `bound`: flow measured a part of the cells
    only; `not_comparable`: nothing to compare.
    """

    OK = "ok"
    CENSORED = "censored"
    BOUND = "bound"
    NOT_COMPARABLE = "not_comparable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A donor fraction by one method.

    Attributes:
        fraction: with its interval, whose ends are nan where the method gives none.
        detected: False: below the limit of detection, somewhere from 0 to `most`.
        lod: limit of detection as a donor fraction; nan where unknown.
    """

    fraction: Interval = UNKNOWN
    detected: bool = True
    lod: float = math.nan

    @property
    def range(self) -> tuple[float, float]:
        """Between which values it lies: the interval; below the limit of detection from 0 to that or the interval."""
        value, low, high = self.fraction.value, self.fraction.low, self.fraction.high
        if not self.detected:
            ends = [end for end in (high, self.lod) if not math.isnan(end)]
            return 0.0, min(max(ends, default=math.nan), 1.0)  # nan stays
        return (value if math.isnan(low) else low), (value if math.isnan(high) else high)


@dataclass(frozen=True, slots=True, kw_only=True)
class External:
    """A row of external_chimerism.tsv.

    Attributes:
        material: empty where the sheet does not say.
        population: of the gating table; `leukocytes` for all cells.
    """

    patient: str
    day: float
    material: str
    population: str
    method: str
    measured: Measured


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowLineage:
    """The donor fraction of one lineage by flow, and its share of the cells that the other method examined."""

    population: str
    measured: Measured
    share: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A value of another method with what flow says of the same cells.

    Attributes:
        samples, day: of flow; empty and nan where no sample is near enough.
        lineages: what flow's value is the weighted sum of; one for a population that is gated.
        covered: share of the examined cells that these are; nan where unknown.
        difference: flow minus the other method; the point is unknown where a value is a bound only.
    """

    external: External
    sample: str = ""
    day: float = math.nan
    lineages: tuple[str, ...] = ()
    covered: float = math.nan
    flow: Measured = Measured()
    difference: Interval = UNKNOWN
    status: Comparability = Comparability.NOT_COMPARABLE
    reason: str = ""
