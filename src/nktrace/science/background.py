"""How many cells of the recipient look like donor cells in a tube: what the blanks say of the next tube.

Rates of tubes scatter about a mean (gamma, coefficient of variation `cv`), so counts are negative binomial. One blank
tells the mean only: the cv is then given. From five blanks on it is estimated, and stays uncertain: a few values of it
with their posterior weights stand for what the blanks leave open.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from nktrace.model.chimerism import MarkerCounts
from nktrace.science import posteriors as at
from nktrace.science.posteriors import Points

Array = NDArray[np.float64]

FEWEST_BLANKS = 5  # that tell how much tubes scatter
LEAST_CV = 0.01  # tubes that scatter less are as good as Poisson
_CVS = np.array([0.02, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.75, 0.9, 1.1, 1.4, 1.8, 2.4])
_LEAST_CV = 0.3  # the prior of the cv falls as 1 / (cv + this): that of a scale, but for small ones
_TAIL, _COARSE = 256, 32  # points of the lattice that stand for themselves, and how many share one below
_STEPS = 201  # of the mean
_BELOW, _ABOVE = 12.0, 9.0  # standard deviations of its logarithm that the steps span


@dataclass(frozen=True, slots=True, eq=False)  # one object per set of blanks (`background`): the key of what is cached
class Background:
    """Posterior of the mean false-positive rate and of its scatter between tubes.

    Attributes:
        cvs, weights: values of the scatter and their posterior probabilities, shape (k,) each.
        means: quantiles of the mean for each of them, shape (k, POINTS), at `posteriors.CENTRES`.
    """

    cvs: Array
    weights: Array
    means: Array

    @property
    def poisson(self) -> bool:
        """Whether tubes do not scatter."""
        return bool((self.cvs == 0).all())

    def rate(self, between: int, *, mean: int = at.BLANK) -> Points:
        """The rate of a further tube on the lattice: along the axis of the mean, and of its own departure from it."""
        return _rate(self, between, mean)

    @property
    def estimated(self) -> bool:
        """Whether blanks tell how much tubes scatter."""
        return self.cvs.size > 1

    def predicted(self) -> tuple[Array, Array]:
        """Values of the rate of a further tube and their probabilities: fine in the upper tail, coarse below."""
        return _predicted(self)

    def upper_means(self, level: float) -> Array:
        """One-sided upper bounds of the mean, one for each value of the scatter, shape (k,)."""
        return np.asarray(self.means[:, min(int(level * at.POINTS), at.POINTS - 1)])


@lru_cache(maxsize=128)
def background(tubes: tuple[MarkerCounts, ...], *, cv: float, scatter_of: tuple[MarkerCounts, ...] = ()) -> Background:
    """What blanks say of the false-positive rate.

    Args:
        tubes: the blanks that the mean is taken from, at least one event in all.
        cv: between tubes; used where fewer than five tubes tell of it.
        scatter_of: the tubes that the cv is taken from, `tubes` or others.
    """
    tubes = tuple(tube for tube in tubes if tube.events)
    scatter_of = tuple(tube for tube in scatter_of if tube.events)
    if len(scatter_of) < FEWEST_BLANKS:
        if cv < LEAST_CV:
            total = sum(tubes[1:], tubes[0])
            rate = np.sort(at.mid_p_rate(total.positive, total.events, at.BLANK))
            return Background(np.zeros(1), np.ones(1), rate[None, :])
        return Background(np.array([cv]), np.ones(1), _mean(tubes, cv)[None, :])
    log_weights = np.array([_evidence(scatter_of, float(one)) for one in _CVS]) + _log_prior()
    weights = np.exp(log_weights - log_weights.max())
    return Background(_CVS, weights / weights.sum(), np.stack([_mean(tubes, float(one)) for one in _CVS]))


@lru_cache(maxsize=128)
def _rate(found: Background, between: int, mean: int) -> Points:
    if found.cvs.size == 1:
        factor = at.scatter(float(found.cvs[0]))[at.ranks(between)]
        return np.asarray(np.minimum(found.means[0][at.ranks(mean)] * factor, 1.0))
    which = np.searchsorted(np.cumsum(found.weights)[:-1], at.axis(at.SCATTER))
    factors = np.stack([at.scatter(float(cv)) for cv in found.cvs])
    return np.asarray(np.minimum(found.means[which, at.ranks(mean)] * factors[which, at.ranks(between)], 1.0))


@lru_cache(maxsize=128)
def _predicted(found: Background) -> tuple[Array, Array]:
    rate = np.sort(found.rate(at.BETWEEN))
    coarse = rate[:-_TAIL].reshape(-1, _COARSE).mean(axis=1)
    weights = np.concatenate([np.full(coarse.size, _COARSE), np.ones(_TAIL)]) / rate.size
    return np.concatenate([coarse, rate[-_TAIL:]]), weights


@lru_cache(maxsize=128)
def between_blank_cv(blanks: tuple[MarkerCounts, ...]) -> float:
    """Median of what at least five blanks say of the cv between tubes; else nan."""
    if sum(1 for blank in blanks if blank.events) < FEWEST_BLANKS:
        return math.nan
    found = background(blanks, cv=0.0, scatter_of=blanks)
    return float(found.cvs[np.searchsorted(np.cumsum(found.weights), 0.5)])


def telling_of_scatter(*groups: tuple[MarkerCounts, ...]) -> tuple[MarkerCounts, ...]:
    """Of some groups of blanks, those with five tubes or more, the one that scatters most; none where all are fewer."""
    enough = [group for group in groups if sum(1 for tube in group if tube.events) >= FEWEST_BLANKS]
    return max(enough, key=between_blank_cv, default=())


def _log_prior() -> Array:
    edges = np.concatenate([[0.0], (_CVS[1:] + _CVS[:-1]) / 2, [_CVS[-1] + (_CVS[-1] - _CVS[-2]) / 2]])
    return np.asarray(np.log(np.log((edges[1:] + _LEAST_CV) / (edges[:-1] + _LEAST_CV))))


def _mean(tubes: tuple[MarkerCounts, ...], cv: float) -> Points:
    """Quantiles of the mean rate behind some tubes, at `posteriors.CENTRES`.

    Blanks without any positive event leave it open whether there is a background at all: the mid-p confidence
    distribution has half of its mass at none, where a posterior density would deny it.
    """
    log_mean, log_likelihood, expected = _likelihood(tubes, cv)
    if not any(tube.positive for tube in tubes):
        confidence = 1 - np.exp(log_likelihood) / 2
        return np.asarray(np.where(at.CENTRES < 0.5, 0.0, np.exp(np.interp(at.CENTRES, confidence, log_mean))))
    density = _with_prior(log_likelihood, expected, flat_from=1 / cv**2)
    cumulative = np.cumsum(np.exp(density - density.max()))
    return np.asarray(np.exp(np.interp(at.CENTRES, cumulative / cumulative[-1], log_mean)))


def _evidence(tubes: tuple[MarkerCounts, ...], cv: float) -> float:
    """Logarithm of how likely the counts are at this scatter, whatever their mean, whose prior is the same for all."""
    log_mean, log_likelihood, expected = _likelihood(tubes, cv)
    density = _with_prior(log_likelihood, expected, flat_from=1.0)
    top = density.max()
    return float(top + np.log(np.exp(density - top).sum() * (log_mean[1] - log_mean[0])))


def _with_prior(log_likelihood: Array, expected: Array, *, flat_from: float) -> Array:
    """Logarithm of the mean's posterior density.

    The prior is Jeffreys': that of a Poisson mean where few events are expected, flat in the logarithm where more than
    `flat_from` are.
    """
    return np.asarray(log_likelihood + 0.5 * np.log((expected / (1 + expected / flat_from)).sum(axis=1)))


@lru_cache(maxsize=32)
def _likelihood(tubes: tuple[MarkerCounts, ...], cv: float) -> tuple[Array, Array, Array]:
    """Logarithm of the mean rate in even steps, of its likelihood, and the events expected of each tube there."""
    events = np.array([tube.events for tube in tubes], dtype=np.float64)
    positive = np.array([tube.positive for tube in tubes], dtype=np.float64)
    about = math.log((positive.sum() + 0.5) / events.sum())
    sd = math.sqrt(1 / (positive.sum() + 0.5) + cv**2 / events.size)
    log_mean = np.linspace(about - _BELOW * sd, min(about + _ABOVE * sd, 0.0), _STEPS)
    expected = np.exp(log_mean)[:, None] * events
    size = 1.0 / cv**2
    # of the negative binomial, up to a constant: x log(m) - (x + s) log(m + s) + s log(s) + log(Gamma(x + s)/Gamma(s))
    log_likelihood = (
        positive.sum() * log_mean
        - np.log1p(expected / size) @ (positive + size)
        + (gammaln(positive + size) - gammaln(size) - positive * math.log(size)).sum()
    )
    return log_mean, log_likelihood, expected
