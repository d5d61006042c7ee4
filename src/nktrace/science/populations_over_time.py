"""Where the populations of a detector stand, stretch of the run by stretch.

A detector's mean moves when the mixture of cells does; the place of a population moves with the instrument. So each
detector is cut into its populations once, over the whole run, and the centre of each is followed (as PeacoQC follows
peaks, Emmaneel et al., Cytometry A 2022;101:325).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nktrace.model.events import FloatArray
from nktrace.science.density import Histogram, histogram, main_peak, valleys

_BINS = 256
_SHAPE_EVENTS = 10_000  # show the populations of a detector
_SD = 2.0  # half-width of what counts as a population's own, in its sd
_LEAST_EVENTS = 20  # of a population in a stretch, to place it there
_LEAST_SHARE = 0.05  # of the events: rarer populations are not followed
# What the mean of a normal cut off at two sd moves when the normal moves by one: the variance of what is left.
_RESPONSE = 0.774


@dataclass(frozen=True, slots=True)
class Peak:
    """A population of one detector, low ≤ x < high: its mode, and its sd on the narrower side, on the values' scale."""

    centre: float
    sd: float
    low: float = -math.inf
    high: float = math.inf


def peaks(values: FloatArray) -> list[Peak]:
    """The main population of a detector, or the two beside its deepest valley.

    Args:
        values: shape (events,).
    """
    found = histogram(values[:: max(1, values.shape[0] // _SHAPE_EVENTS)], bins=_BINS)
    if found is None:
        return []
    dips = valleys(found, min_depth=0.3, min_share=_LEAST_SHARE)
    if not dips:
        return [_peak(found, 0, _BINS)]
    cut = round(max(dips, key=lambda dip: dip.score).bin)
    border = found.at(cut - 0.5)
    return [
        replace(_peak(found, 0, cut), high=border),
        replace(_peak(found, cut, _BINS), low=border),
    ]


def _peak(grid: Histogram, first: int, last: int) -> Peak:
    mode, width = main_peak(grid.counts[first:last])
    return Peak(grid.at(first + mode), width * grid.width)


def centres(
    values: FloatArray, peak: Peak, position: NDArray[np.intp], *, stretches: int, rounds: int = 2
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How far a population's centre lies from its place over the whole run, in its sd, for each stretch.

    The centre is the mean of what lies within two sd, which is then laid about that mean, and so on. It is nan where
    fewer than 20 events are left.

    Args:
        values: of one detector, shape (events,).
        peak: the population over the whole run.
        position: the stretch of each event, shape (events,).
        stretches: how many.
        rounds: one tells that a population moved, two how far.

    Returns:
        Shift and its standard error, shape (stretches,) each.
    """
    with np.errstate(invalid="ignore"):
        near = np.flatnonzero(
            (np.abs(values - np.float32(peak.centre)) < np.float32(2 * _SD * peak.sd))
            & (values >= np.float32(peak.low))
            & (values < np.float32(peak.high))
        )
    position = position[near]
    standard = (values[near] - np.float32(peak.centre)) * np.float32(1 / peak.sd)
    shift = np.zeros(stretches)
    size = np.zeros(stretches)
    for _ in range(rounds):
        own = np.flatnonzero(np.abs(standard - shift.astype(np.float32)[position]) < np.float32(_SD))
        where = position[own]
        size = np.bincount(where, minlength=stretches).astype(np.float64)
        mean = np.bincount(where, weights=standard[own], minlength=stretches) / np.maximum(size, 1)
        shift = shift + np.where(size > 0, mean - shift, 0.0) / _RESPONSE
    known = size >= _LEAST_EVENTS
    error = math.sqrt(_RESPONSE) / _RESPONSE / np.sqrt(np.maximum(size, 1))
    return np.where(known, shift, np.nan), np.where(known, error, np.nan)
