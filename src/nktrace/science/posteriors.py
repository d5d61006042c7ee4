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

POINTS = 8192
# Axes of the lattice: one per independent source of uncertainty.
SAMPLE, BLANK, DONOR, BETWEEN, COUNT, BASELINE, BETWEEN_BASELINE = range(7)

_GRID = np.linspace(-6.5, 6.5, 131)  # normal scores on which quantile functions are tabulated


@cache
def axis(number: int) -> Points:
    """Coordinates in (0, 1) of all points on one axis, shape (POINTS,): Sobol's sequence (Joe & Kuo 2008), centred."""
    return np.ascontiguousarray(_cube()[:, number])


@cache
def _cube() -> Points:
    sequence = Sobol(BETWEEN_BASELINE + 1, scramble=False).random(POINTS)
    return np.asarray(sequence + 0.5 / POINTS)


@lru_cache(maxsize=256)
def jeffreys_rate(positive: int, events: int, along: int) -> Points:
    """A proportion under Jeffreys' posterior, Beta(x + 1/2, n - x + 1/2), along one axis; not to be written to."""
    return _beta(positive + 0.5, events - positive + 0.5, _score(along))


def mid_p_rate(positive: float, events: float, along: int) -> Points:
    """A proportion under the mid-p confidence distribution: half Beta(x, n - x + 1), half Beta(x + 1, n - x).

    Its quantiles are the mid-p interval, which unlike Jeffreys' keeps its level at one or two events
    (Lancaster 1961; Brown, Cai & DasGupta 2001, section 4.1.4).
    """
    lower, score = _halves(along)
    rate = np.empty(POINTS)
    rate[lower] = _beta(positive, events - positive + 1, score[lower]) if positive else 0.0
    rate[~lower] = _beta(positive + 1, events - positive, score[~lower]) if positive < events else 1.0
    return rate


@lru_cache(maxsize=64)
def dispersed_mean(positive: int, events: int, cv: float, along: int) -> Points:
    """The mean rate behind one tube, when rates of tubes scatter about it (gamma, coefficient of variation `cv`).

    The count is negative binomial; the prior is Jeffreys'.
    """
    size = 1.0 / cv**2
    log_mean = np.linspace(np.log(1e-12), 0.0, 4001)
    expected = events * np.exp(log_mean)
    spread = np.log1p(expected / size)
    log_density = positive * log_mean - (positive + size) * spread + 0.5 * (log_mean - spread)
    cumulative = np.cumsum(np.exp(log_density - log_density.max()))
    return np.asarray(np.exp(np.interp(axis(along), cumulative / cumulative[-1], log_mean)))


@lru_cache(maxsize=8)
def scatter(cv: float, along: int) -> Points:
    """Factors of mean 1 and coefficient of variation `cv`, gamma distributed."""
    size = 1.0 / cv**2
    return np.asarray(gammaincinv(size, axis(along)) / size)


def two_piece_lognormal(value: float, low: float, high: float, z: float, along: int) -> Points:
    """A positive quantity with its interval: log-normal on either side of its point; zero below `low` = 0."""
    score = _score(along)
    down = np.log(value / low) / z if low > 0 else np.inf
    up = np.log(high / value) / z
    with np.errstate(over="ignore"):
        return np.asarray(value * np.exp(np.where(score < 0, score * down, score * up)))


@cache
def _score(along: int) -> Points:
    """Normal scores of the points on an axis."""
    return np.asarray(ndtri(axis(along)))


@cache
def _halves(along: int) -> tuple[NDArray[np.bool_], Points]:
    """Which points of an axis lie in its lower half, and the normal score of each within its own half."""
    lower = axis(along) < 0.5
    return lower, np.asarray(ndtri(np.clip(np.where(lower, 2 * axis(along), 2 * axis(along) - 1), 1e-9, 1 - 1e-9)))


def _beta(a: float, b: float, score: Points) -> Points:
    """A beta distribution's quantiles at normal scores, through a table."""
    table = betaincinv(a, b, ndtr(_GRID))
    # Small quantiles are interpolated as logarithms; the smallest that can be written stands for what is smaller.
    return np.asarray(np.exp(np.interp(score, _GRID, np.log(np.maximum(table, 1e-300)))))
