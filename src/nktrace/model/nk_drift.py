"""How far the markers of a sample's NK cells stand from the cluster reference."""

from __future__ import annotations

from dataclasses import dataclass

from nktrace.model.intervals import UNKNOWN, Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkerShift:
    """The shift of one marker, as a share of the reference's range; a row of nk_drift.tsv.

    Attributes:
        marker: name.
        shift: with its interval; unknown where it was not estimated.
        aligned: the same after alignment by the batch's control; unknown where nothing was aligned.
        lost: whether the sample, aligned where it was, stands so far off that no population of the reference is near.
        reason: why the shift is unknown; empty where it is known.
    """

    marker: str
    shift: Interval = UNKNOWN
    aligned: Interval = UNKNOWN
    lost: bool = False
    reason: str = ""
