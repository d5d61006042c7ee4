"""Words of an in-silico dilution: a laboratory's donor reference mixed into its blank at known fractions."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from nktrace.model.intervals import Interval

Grid = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How many events of each half make the mixture of a level; `level` is the donor fraction of NK cells asked for."""

    level: float
    blank_events: int
    donor_events: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixture:
    """The events of a mixture in the order of their acquisition, shape (events,) each.

    Attributes:
        is_donor: of the donor reference.
        row: in the file that the event comes from.
        clock: row of the blank's file whose time the event takes.
    """

    is_donor: NDArray[np.bool_]
    row: NDArray[np.intp]
    clock: NDArray[np.intp]


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """What one antibody found in one population over all levels and draws, shape (levels, draws) each.

    Attributes:
        levels: donor fraction of NK cells asked for, ascending, the first is 0 (the blank), shape (levels,).
        events, marker_events: of the gated population.
        expected: donor fraction of the population by the gates of the two whole files; the gates count as error.
        true: donor fraction of what was gated, by the origin of each event; the gates do not count.
        estimate, low, high: what chimerism.tsv would say; nan where it would say nothing.
        detected: more marker events than the limit of blank.
        lob, lod: limits as donor fractions.
        lod_by_counts: the limit of detection without the floor of 20 donor events.
    """

    levels: NDArray[np.float64]
    events: Grid
    expected: Grid
    true: Grid
    estimate: Grid
    low: Grid
    high: Grid
    detected: Grid
    lob: Grid
    lod: Grid
    lod_by_counts: Grid


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelFinding:
    """One level over its draws.

    Attributes:
        draws: with an estimate.
        recovery: mean estimate over mean truth of what was gated.
        gate_recovery: that truth over the fraction expected; what the gates add or take.
        deviation: of the mean estimate from the line of the series, as a share of the line (EP6).
        sd, cv: between draws: repeatability, with the sampling of cells.
        hit_rate: share of draws in which donor cells were detected.
        coverage: share of draws whose interval holds the fraction expected; `coverage_gated`: the truth of what was
            gated.
    """

    level: float
    draws: int
    events: float
    expected: float
    true: float
    estimate: Interval
    recovery: Interval
    gate_recovery: Interval
    deviation: Interval
    sd: float
    cv: float
    hit_rate: Interval
    coverage: Interval
    coverage_gated: Interval


class Goal(StrEnum):
    """Whether recovery and linearity are within what the laboratory allows."""

    MET = "met"
    MISSED = "missed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesFinding:
    """A whole series, or several of different files together.

    Attributes:
        pairs: pairs of files.
        recovery: mean over the levels from the goal's level up.
        slope, intercept: of the line through each draw's series, mean over draws.
        max_deviation: the level mean that is furthest from the line, from the goal's level up.
        false_positives: share of blanks in which donor cells were detected.
        lob_found: 95th percentile of the blank's estimates; `lob`: predicted.
        lod_found: where donor cells are detected in 95 % of the draws.
        lod, lod_by_counts: predicted, with and without the floor of 20 donor events.
        hit_rate_at_lod: share of the mixtures of the lowest level that is not below `lod` in which they were detected.
        levels: of one pair only.
    """

    pairs: int
    draws: int
    events: float
    recovery: Interval
    gate_recovery: Interval
    slope: Interval
    intercept: Interval
    max_deviation: float
    false_positives: Interval
    lob: float
    lob_found: float
    lod: float
    lod_by_counts: float
    lod_found: Interval
    hit_rate_at_lod: Interval
    coverage: Interval
    goal: Goal
    levels: tuple[LevelFinding, ...] = ()
