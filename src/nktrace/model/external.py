"""Donor chimerism by other methods (STR, qPCR, ddPCR) beside flow."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

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

    @property
    def told(self) -> tuple[float, float]:
        """Between which values the method tells that it lies: equal where it is a number with a logit.

        As what is below the limit of detection may be nothing, what lies as near to 1 may be all, unless its interval
        excludes 1. nan: without such a limit and an interval nothing is known.
        """
        value, low, high = self.fraction.value, self.fraction.low, self.fraction.high
        if not self.detected or value <= 0:
            return replace(self, detected=False).range
        if value >= 1 or (value >= 1 - self.lod and not high < 1):  # each may be nan
            ends = [end for end in (low, 1 - self.lod) if not math.isnan(end)]
            return min(ends, default=math.nan), 1.0
        return value, value


def measured_by(method: str, row: Mapping[str, Any]) -> Measured:
    """The value of one method, `flow` or `external`, in a row of external_chimerism.tsv."""
    value, low, high, lod = (row[f"{method}_{name}"] for name in ("fraction", "low", "high", "lod"))
    return Measured(fraction=Interval(value, low, high), detected=not row[f"{method}_censored"], lod=lod)


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
