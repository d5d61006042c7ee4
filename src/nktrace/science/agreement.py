"""How far two methods agree over the cohort: bias, limits of agreement, concordance.

On the logit scale: an error of a donor fraction of 0.1 % and one of 50 % are not of one size, and 99 % is as near to
all as 1 % is to nothing. For small fractions a difference of logits is the logarithm of their ratio.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_ndtr, logit
from scipy.stats import norm, t

from nktrace.model.intervals import UNKNOWN, Interval

Array = NDArray[np.float64]

PATIENTS_FOR_LIMITS = 3  # below: bias at most
PATIENTS_FOR_CONCORDANCE = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two methods on the same cells. Each is known between two values, which are equal where it was measured."""

    patient: str
    flow: tuple[float, float]
    other: tuple[float, float]

    @property
    def measured(self) -> bool:
        """Whether both are numbers with a logit."""
        return all(low == high and 0 < low < 1 for low, high in (self.flow, self.other))

    @property
    def apart(self) -> tuple[float, float]:
        """Difference of logits, flow minus the other, between two bounds."""
        (low, high), (least, most) = self.flow, self.other
        with np.errstate(divide="ignore"):
            return float(logit(low) - logit(most)), float(logit(high) - logit(least))


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """One row of what was found; `value` and its interval in the unit that `quantity` has."""

    quantity: str
    value: Interval
    note: str = ""


def agreement(pairs: Sequence[Pair], *, level: float) -> Iterator[Agreement]:
    """Bias, limits of agreement and concordance of two methods.

    The patient is the unit: bias, sd and concordance rest on all pairs, intervals on leaving out one patient after
    another (jackknife; Quenouille 1956, Tukey 1958; Student's t with patients - 1 degrees of freedom), so several pairs
    of a patient count as what they are. Bias and sd are those of a normal distribution of the differences by maximum
    likelihood, in which a pair with a value below its limit of detection counts by the probability of its bounds (Tobin
    1958): neither as a number nor left out. The limits of agreement are bias ± 1.96 sd (Bland & Altman 1999,
    10.1177/096228029900800204). Concordance is Lin's coefficient (1989, 10.2307/2532051) of the measured pairs.

    Args:
        pairs: those whose denominators are equal.
        level: of the intervals.
    """
    told = [pair for pair in pairs if not any(math.isnan(end) for end in (*pair.flow, *pair.other))]
    exact = [pair for pair in told if pair.measured]
    patients = list(dict.fromkeys(pair.patient for pair in told))
    if len({pair.patient for pair in exact}) < PATIENTS_FOR_LIMITS:
        few = f"needs {PATIENTS_FOR_LIMITS} patients with both values measured"
        bias = UNKNOWN if not exact else Interval(float(np.mean([pair.apart[0] for pair in exact])), math.nan, math.nan)
        yield Agreement(quantity="bias", value=bias, note=few)
        for quantity in ("limit_low", "limit_high", "concordance"):
            yield Agreement(quantity=quantity, value=UNKNOWN, note=few)
        return
    bounds = np.array([pair.apart for pair in told])
    of = np.array([patients.index(pair.patient) for pair in told])
    reach = float(norm.ppf((1 + level) / 2))

    mean, log_sd = _jackknife(lambda kept: np.array(_normal(bounds[kept])), of, level)
    yield Agreement(quantity="bias", value=mean)
    yield Agreement(quantity="limit_low", value=_limit(mean, log_sd, -reach))
    yield Agreement(quantity="limit_high", value=_limit(mean, log_sd, reach))
    yield _concordance(exact, level)


def _limit(mean: Interval, log_sd: Interval, reach: float) -> Interval:
    """Mean plus `reach` times sd, with the interval that follows from theirs (MOVER, Zou & Donner 2008)."""
    least, sd, most = (reach * math.exp(value) for value in (log_sd.low, log_sd.value, log_sd.high))
    low, high = min(least, most), max(least, most)
    value = mean.value + sd
    below, above = math.hypot(mean.value - mean.low, sd - low), math.hypot(mean.high - mean.value, high - sd)
    return Interval(value, value - below, value + above)


def _concordance(exact: Sequence[Pair], level: float) -> Agreement:
    patients = list(dict.fromkeys(pair.patient for pair in exact))
    values = np.array([[logit(pair.flow[0]), logit(pair.other[0])] for pair in exact])
    of = np.array([patients.index(pair.patient) for pair in exact])
    point = lin(values[:, 0], values[:, 1])
    if len(patients) < PATIENTS_FOR_CONCORDANCE:
        note = f"its interval needs {PATIENTS_FOR_CONCORDANCE} patients"
        return Agreement(quantity="concordance", value=Interval(point, math.nan, math.nan), note=note)

    def fitted(kept: NDArray[np.bool_]) -> Array:
        return np.array([math.atanh(min(max(lin(values[kept, 0], values[kept, 1]), -1 + 1e-12), 1 - 1e-12))])

    (found,) = _jackknife(fitted, of, level)
    return Agreement(quantity="concordance", value=Interval(point, math.tanh(found.low), math.tanh(found.high)))


def lin(x: Array, y: Array) -> float:
    """Lin's concordance correlation coefficient, with variances over n; nan where neither varies nor differs."""
    spread = float(np.var(x) + np.var(y) + (x.mean() - y.mean()) ** 2)
    return float(2 * np.mean((x - x.mean()) * (y - y.mean())) / spread) if spread else math.nan


def _jackknife(fitted: Callable[[NDArray[np.bool_]], Array], of: NDArray[np.intp], level: float) -> list[Interval]:
    """Estimates over all, less their bias, with intervals from leaving out one patient after another."""
    n = int(of.max()) + 1
    whole = fitted(np.ones(of.size, dtype=bool))
    without = np.array([fitted(of != patient) for patient in range(n)])
    point = n * whole - (n - 1) * without.mean(axis=0)
    error = np.sqrt((n - 1) / n * ((without - without.mean(axis=0)) ** 2).sum(axis=0))
    reach = float(t.ppf((1 + level) / 2, n - 1))
    return [
        Interval(float(value), float(value - reach * se), float(value + reach * se))
        for value, se in zip(point, error, strict=True)
    ]


def _normal(bounds: Array) -> tuple[float, float]:
    """Mean and log sd of normal values, each known between two bounds, by maximum likelihood.

    Args:
        bounds: shape (n, 2); equal where the value is known, infinite where it has no bound.
    """
    exact = bounds[bounds[:, 0] == bounds[:, 1], 0]
    between = bounds[bounds[:, 0] < bounds[:, 1]]
    centre, spread = float(exact.mean()), max(float(exact.std()), 1e-3)
    if not len(between):
        return centre, math.log(spread)

    def loss(parameters: Array) -> float:
        mean, log_sd = parameters
        sd = math.exp(log_sd)
        known = -0.5 * (((exact - mean) / sd) ** 2).sum() - exact.size * log_sd
        # the mass between two bounds, from the tail in which both lie, so that it does not vanish
        low, high = (between[:, 0] - mean) / sd, (between[:, 1] - mean) / sd
        turned = low > 0
        low, high = np.where(turned, -high, low), np.where(turned, -low, high)
        upper, lower = log_ndtr(high), log_ndtr(low)
        mass = upper + np.log1p(-np.exp(np.minimum(lower - upper, -1e-12)))
        return float(-known - mass.sum())

    found = minimize(
        loss, np.array([centre, math.log(spread)]), method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-10}
    )
    return float(found.x[0]), max(float(found.x[1]), math.log(1e-3))
