"""What is measured over the visits of a patient, the curve behind it, and what is read off that curve."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from nktrace.model.intervals import UNKNOWN, Interval

CELLS = "cells/µL"
FRACTION = "fraction"
DAYS = "days"
TIME_TO_THRESHOLD = "time_to_threshold:"  # how the name of such a quantity begins; the threshold follows


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One measurement. A replicate of the same day is a visit of its own.

    Attributes:
        day: days from the first infusion.
        observed: the value with its interval, in the unit of the series; nan where nothing could be measured.
            Under the limit of detection it is that limit, with the interval from 0 to the limit.
        censored: whether the value is under its limit of detection.
        quantified: whether the value is at or above its limit of quantification.
        after: whether the sample was taken after the (first) infusion.
        baseline: whether change is measured from this sample.
        reason: why nothing was measured, or what to keep in mind.
        sample: the tube it was measured in.
        failed: whether the count behind the value failed a check: then the value is shown, and nothing rests on it.
        found: whether cells were found, where that is known apart from the value: donor cells are by their marker, and
            no count or platform changes it.
    """

    day: float
    observed: Interval
    censored: bool = False
    quantified: bool = True
    after: bool = True
    baseline: bool = False
    reason: str = ""
    sample: str = ""
    failed: bool = False
    found: bool | None = None

    @property
    def usable(self) -> bool:
        """Whether a curve and quantities may rest on it: it has a value or a limit, and the count is sound."""
        return self.observed.known and not self.failed

    @property
    def seen(self) -> bool | None:
        """Whether cells were found; None where the visit does not tell."""
        if self.found is not None:
            return self.found
        return not self.censored if self.usable else None

    @property
    def measured(self) -> bool:
        """Whether there is a number of its own (not only an upper limit)."""
        return self.observed.known and not self.censored


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """All visits of one patient, measure and platform, by day; `elsewhere` those of its other platforms."""

    patient: str
    measure: str
    unit: str
    platform: str
    visits: tuple[Visit, ...]
    reason: str = ""
    elsewhere: tuple[Visit, ...] = ()

    @property
    def after(self) -> tuple[Visit, ...]:
        """Visits after the infusion that say something: a value or a limit, of a sound count."""
        return tuple(visit for visit in self.visits if visit.after and visit.usable)

    @property
    def sightings(self) -> dict[float, bool | None]:
        """By day after the infusion whether cells were found, on any platform; None where no visit of the day tells."""
        told: dict[float, list[bool]] = {}
        for visit in (*self.visits, *self.elsewhere):
            if visit.after:
                told.setdefault(visit.day, []).extend([] if visit.seen is None else [visit.seen])
        return {day: any(told[day]) if told[day] else None for day in sorted(told)}

    @property
    def baseline(self) -> Visit | None:
        """The visit that change is measured from: the latest baseline, as for chimerism; of replicates the first."""
        known = [visit for visit in self.visits if visit.baseline and visit.usable]
        latest = max((visit.day for visit in known), default=None)
        return next((visit for visit in known if visit.day == latest), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Draws of the true values of a series at its days.

    Attributes:
        days: increasing, distinct; the visits that were used, and between them the days of a fine grid.
        draws: (draw, day), in the unit of the series.
        bounded_below: (day,) whether measured values bound the curve from below there, or only limits of detection
            from above.
        ceiling: (day,) where only limits of detection bound the curve, that limit, in the unit of the series; 0
            elsewhere. What a sample cannot see, the curve does not rule out.
        identified: whether the points identify a smooth curve; else each visit is drawn by itself, and `days` are the
            visits only.
        reason: why they do not.
        outlying: for the few visits, by place among those of the fit, that lie far from what all others predict: the
            probability of one as far. They are part of the fit all the same.
    """

    days: NDArray[np.float64]
    draws: NDArray[np.float64]
    bounded_below: NDArray[np.bool_]
    ceiling: NDArray[np.float64]
    identified: bool
    reason: str = ""
    outlying: Mapping[int, float] = field(default_factory=dict)

    def at(self, days: list[float] | NDArray[np.float64]) -> NDArray[np.float64]:
        """Draws (draw, day) at days that are among `days`.

        Raises:
            ValueError: there are no draws of a day.
        """
        if not np.isin(days, self.days).all():
            raise ValueError(f"the curve has no draws at some of the days {days}")
        return self.draws[:, np.searchsorted(self.days, days)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """One number read off a series. `status` is `ok`, `censored` (a bound, not the value) or `not_estimable`."""

    name: str
    value: Interval = field(default=UNKNOWN)
    unit: str = ""
    n_points: int = 0
    status: str = "ok"
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Waiting:
    """When something happened to one patient: after `low`, at `high` at the latest (`low` = `high`: on that day).

    `high` = inf: not seen by the end of the observation. `death`: the day of a death before it was seen, else inf; then
    it happened by that day, or never.
    """

    low: float
    high: float
    death: float = math.inf

    @property
    def never(self) -> bool:
        """Whether death surely came first: until then it had not happened."""
        return self.death <= self.low


class Ending(StrEnum):
    """How the waiting of a patient at risk ended."""

    REACHED = "reached"
    CENSORED = "censored"  # alive, and not reached, or not surely
    DIED_BEFORE = "died_before"  # never
    DIED_LATER = "died_later"  # after a time of which no visit tells


def ending(*, value: float, status: str, death_day: float) -> Ending | None:
    """How a time to a threshold ended, as kinetics.tsv tells it; None for a patient who was not at risk.

    Args:
        death_day: of the patient; nan where alive or unknown.
    """
    if status == "not_estimable":
        return None
    if status == "ok":
        return Ending.REACHED
    if math.isinf(value):
        return Ending.DIED_BEFORE
    return Ending.CENSORED if math.isnan(death_day) else Ending.DIED_LATER
