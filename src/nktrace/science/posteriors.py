"""Distributions of what was counted, as values on a fixed lattice: arithmetic on them is arithmetic on arrays.

A donor fraction, a difference of two or a product with a count is computed point by point, and its interval is read
off as quantiles. The lattice is quadrature, not simulation: no generator, no seed, the same numbers every time.
"""

from __future__ import annotations

from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, gammaincinv, ndtr, ndtri
from scipy.stats.qmc import Sobol

Points = NDArray[np.float64]

POINTS = 2048
# Axes of the lattice: one per independent source of uncertainty.
SAMPLE, BLANK, DONOR, BETWEEN, COUNT, BASELINE, BETWEEN_BASELINE, SCATTER = range(8)
BLANK_CLEAR, DONOR_CLEAR, GATES, BASELINE_GATES = range(8, 12)
DONOR_BETWEEN, DONOR_BETWEEN_BASELINE, HIDDEN, BASELINE_HIDDEN = range(12, 16)
_AXES = 16

CENTRES: Points = (np.arange(POINTS) + 0.5) / POINTS  # coordinates of every axis, in order
_SCORES = ndtri(CENTRES)
_HALF_SCORES = ndtri((np.arange(POINTS // 2) + 0.5) / (POINTS // 2))
_GRID = np.linspace(-3.6, 3.6, 73)  # normal scores on which quantile functions are tabulated
_TAILS = ndtr(_GRID)


@cache
def ranks(along: int) -> NDArray[np.intp]:
    """Place of every point on an axis, shape (POINTS,): Sobol's sequence (Joe & Kuo 2008) takes each place once."""
    return np.asarray(_cube()[:, along] * POINTS, dtype=np.intp)


@cache
def _cube() -> Points:
    return np.asarray(Sobol(_AXES, scramble=False).random(POINTS))


def axis(along: int) -> Points:
    """Coordinates in (0, 1) of all points on one axis, shape (POINTS,)."""
    return np.asarray(CENTRES[ranks(along)])


@cache
def shuffled() -> NDArray[np.intp]:
    """An order of the points in which they say nothing of their own: what is taken in it shares no axis any more."""
    return np.random.default_rng(0).permutation(POINTS)


@lru_cache(maxsize=256)
def jeffreys_rate(positive: int, events: int, along: int) -> Points:
    """A proportion under Jeffreys' posterior, Beta(x + 1/2, n - x + 1/2), along one axis; not to be written to."""
    return np.asarray(_beta(positive + 0.5, events - positive + 0.5, _SCORES)[ranks(along)])


def mid_p_rate(positive: float, events: float, along: int) -> Points:
    """A proportion under the mid-p confidence distribution: half Beta(x, n - x + 1), half Beta(x + 1, n - x).

    Its quantiles are the mid-p interval, which unlike Jeffreys' keeps its level at one or two events
    (Lancaster 1961; Brown, Cai & DasGupta 2001, section 4.1.4).
    """
    lower = _beta(positive, events - positive + 1, _HALF_SCORES) if positive else np.zeros(POINTS // 2)
    upper = _beta(positive + 1, events - positive, _HALF_SCORES) if positive < events else np.ones(POINTS // 2)
    return np.asarray(np.concatenate([lower, upper])[ranks(along)])


@lru_cache(maxsize=64)
def scatter(cv: float) -> Points:
    """Factors of mean 1 and coefficient of variation `cv`, gamma distributed, in the order of `CENTRES`."""
    if cv == 0:
        return np.ones(POINTS)
    size = 1.0 / cv**2
    return np.asarray(gammaincinv(size, CENTRES) / size)


def moved(rate: Points, sd: float, along: int) -> Points:
    """A proportion with a further, normal error along an axis of its own; it stays within 0..1."""
    return np.asarray(np.clip(rate + sd * _SCORES[ranks(along)], 0.0, 1.0)) if sd else rate


def two_piece_lognormal(value: float, low: float, high: float, z: float, along: int) -> Points:
    """A positive quantity with its interval: log-normal on either side of its point; zero below `low` = 0."""
    score = _SCORES[ranks(along)]
    down = np.log(value / low) / z if low > 0 else np.inf
    up = np.log(high / value) / z
    with np.errstate(over="ignore"):
        return np.asarray(value * np.exp(np.where(score < 0, score * down, score * up)))


def central(points: Points, level: float) -> tuple[float, float]:
    """The two quantiles between which the central `level` of the points lies."""
    low, high = np.interp([(1 - level) / 2, (1 + level) / 2], CENTRES, np.sort(points))
    return float(low), float(high)


def _beta(a: float, b: float, scores: Points) -> Points:
    """A beta distribution's quantiles at normal scores in ascending order, through a table."""
    table = betaincinv(a, b, _TAILS)
    # Small quantiles are interpolated as logarithms; the smallest that can be written stands for what is smaller.
    return np.asarray(np.exp(np.interp(scores, _GRID, np.log(np.maximum(table, 1e-300)))))
