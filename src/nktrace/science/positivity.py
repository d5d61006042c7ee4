"""How probable it is that a cell is truly positive for a marker, given its value: the overlap of two populations.

A gate says on which side of a cut a cell lies, and the cut is decided once, by gating. Here is only how sure that is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nktrace.model.events import FloatArray
from nktrace.science.density import Histogram, histogram, main_peak, smooth
from nktrace.science.split_normals import even_odds, fit_beside

_BINS = 256
_POINTS = 2048  # of the curve
_FEW = 100  # events below which no peak is read, and only the cut's own error counts
_SURE = 1e-6  # from certainty: no event is surer than this, so that odds stay finite

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Positivity:
    """P(positive | value) on ascending values, constant beyond them; both of shape (points,)."""

    value: Array
    probability: Array

    def of(self, values: FloatArray) -> Array:
        """The probability of each event, shape (events,)."""
        found: Array = np.interp(values, self.value, self.probability)
        return found


def positivity(values: FloatArray, *, cut: float, error: float) -> Positivity:
    """How the probability of being positive rises with the value: it is even at the cut.

    The odds are those of two skewed populations, fitted to all events from what lies on either side of the cut, with a
    constant factor that makes them even there (Bayes' rule with the prior odds that the gate implies). They rise from
    the mode of the lower population to that of the higher, and stay what they are beyond. Where there are no two
    populations on either side of the cut, the odds change at it as fast as the one peak falls off there, were it
    normal: d log odds / dx = |cut - mode| / sd², at least 1 / sd. The curve is then averaged over where the cut may
    lie, a normal distribution around it.

    Args:
        values: of all events that the cut parts, shape (events,).
        cut: on the same scale.
        error: standard error of the cut; 0 or nan where it has none.
    """
    values = values[np.isfinite(values)]
    counts = histogram(values, bins=_BINS) if values.shape[0] >= _FEW else None
    error = error if math.isfinite(error) else 0.0
    if counts is None:
        reach = 5 * error or 1.0
        low, high = cut - reach, cut + reach
    else:
        reach = 5 * error + 2 * counts.width
        low = min(counts.low, cut) - reach
        high = max(counts.low + _BINS * counts.width, cut) + reach
    place = np.linspace(low, high, _POINTS)
    log_odds = np.where(place < cut, -np.inf, np.inf) if counts is None else _log_odds(counts, place, cut)
    probability = smooth(_logistic(log_odds), error / (place[1] - place[0]))
    odds = _logit(np.clip(probability, _SURE, 1 - _SURE))
    return Positivity(place, _logistic(odds - np.interp(cut, place, odds)))


def _log_odds(counts: Histogram, place: Array, cut: float) -> Array:
    """Of the higher population beside the lower one, up to a constant; rising everywhere."""
    bins = (place - counts.low) / counts.width - 0.5
    cut_bin = (cut - counts.low) / counts.width - 0.5
    below = counts.counts[: max(0, math.ceil(cut_bin))].sum()
    if 0 < below < counts.counts.sum():
        low, high = fit_beside(counts.counts, cut_bin)
        if low.mode < cut_bin < high.mode and not math.isnan(even_odds(low, high)):
            between = np.clip(bins, low.mode, high.mode)
            return _log(high.density(between)) - _log(low.density(between))
    mode, sd = main_peak(counts.counts)
    slope: Array = (bins - cut_bin) * max(abs(cut_bin - mode) / sd, 1.0) / sd
    return slope


def _log(density: Array) -> Array:
    logarithm: Array = np.log(np.maximum(density, 1e-300))
    return logarithm


def _logit(probability: Array) -> Array:
    odds: Array = np.log(probability) - np.log1p(-probability)
    return odds


def _logistic(log_odds: Array) -> Array:
    """1 / (1 + e^-x), without overflow."""
    value: Array = 0.5 + 0.5 * np.tanh(0.5 * log_odds)
    return value
