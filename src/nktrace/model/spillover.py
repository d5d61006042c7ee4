"""Spillover from single stains: what goes into the estimate and what comes of it, control by control, pair by pair."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from nktrace.model.compensation import Spillover
from nktrace.model.events import Events

Array = NDArray[np.float64]


class Usability(StrEnum):
    """What became of a control (`status` of the report)."""

    USED = "used"
    SPARE = "spare"
    TOO_DIM = "too_dim"
    TOO_FEW = "too_few"
    SATURATED = "saturated"
    WRONG_DETECTOR = "wrong_detector"
    NO_NEGATIVES = "no_negatives"
    UNREADABLE = "unreadable"
    NO_CONTROL = "no_control"


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlTube:
    """A single stain or an unstained tube.

    Attributes:
        sample: its id.
        marker: the only one that is stained; empty for an unstained tube.
        material: of the sheet; where there is no scatter, an unstained tube serves controls of its material.
        events: finite events, not compensated; columns are the panel's markers.
        tops: top of scale per marker.
    """

    sample: str
    marker: str
    material: str
    events: Events
    tops: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlReport:
    """A row of the report: one control, or a detector that has none.

    Attributes:
        marker: whose detector it is for.
        sample: None for a detector without a control.
        negative: the unstained tube that it is held against, or the control's own sample.
        events: in the file.
        positive_events, negative_events: that the regression rests on.
        signal: median of the positive events over that of the negative ones, in the control's own detector.
        stain_index: signal over twice the negative events' robust sd.
        saturated: share of the positive events at the top of a detector.
        brightest: the marker in whose detector the control is brightest.
        rounds: of compensating and regressing again.
        residual: the largest residual slope after the last one.
    """

    marker: str
    sample: str | None = None
    negative: str | None = None
    events: int | None = None
    positive_events: int | None = None
    negative_events: int | None = None
    signal: float = math.nan
    stain_index: float = math.nan
    saturated: float = math.nan
    brightest: str | None = None
    rounds: int | None = None
    residual: float = math.nan
    status: Usability
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairReport:
    """How the fluorochrome of one detector is seen by another.

    Attributes:
        source, receiver: markers.
        sample: the control.
        spillover, se: the coefficient and its standard error.
        residual: slope that is left in the compensated control.
        spread: sd that is added to the receiver per square root of the source's signal (SSM of Nguyen et al. 2013).
    """

    source: str
    receiver: str
    sample: str
    spillover: float
    se: float
    residual: float
    spread: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The events of a control that the regression rests on, not compensated, and what is known of it.

    positive, negative: shape (events, fluorescence markers).
    """

    report: ControlReport
    positive: Array
    negative: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class SpilloverEstimate:
    """The matrix, its detectors named by marker, with a report of every control and every pair."""

    spillover: Spillover
    controls: tuple[ControlReport, ...]
    pairs: tuple[PairReport, ...]
