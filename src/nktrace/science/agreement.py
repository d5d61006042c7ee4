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
from scipy.stats import chi2, norm, t

from nktrace.model.intervals import UNKNOWN, Interval

Array = NDArray[np.float64]

PATIENTS_FOR_SPREAD = 3  # below: bias at most
PATIENTS_FOR_LIMITS = 6  # below: limits of agreement without an interval
PATIENTS_FOR_CONCORDANCE = 5
LEAST_SD = 1e-3  # where values beyond limits would let the likelihood of equal differences grow without end
WITHIN = 0.95  # share of the differences between the limits of agreement


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two methods on the same cells. Each is known between two values, which are equal where it was measured."""

    patient: str
    flow: tuple[float, float]
    other: tuple[float, float]

    @property
    def known(self) -> bool:
        """Whether their difference is known to a side at least: two values below their limits tell nothing of it."""
        return any(map(math.isfinite, self.apart))

    @property
    def measured(self) -> bool:
        """Whether both are numbers with a logit."""
        return all(low == high and 0 < low < 1 for low, high in (self.flow, self.other))

    @property
    def apart(self) -> tuple[float, float]:
        """Difference of logits, flow minus the other, between two bounds."""
        (low, high), (least, most) = self.flow, self.other
        return float(logit(low)) - float(logit(most)), float(logit(high)) - float(logit(least))


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """One row of what was found; `value` and its interval in the unit that `quantity` has."""

    quantity: str
    value: Interval
    note: str = ""


def agreement(pairs: Sequence[Pair], *, level: float) -> Iterator[Agreement]:
    """Bias, limits of agreement and concordance of two methods.

    Mean and variance are those of a normal distribution of the differences by maximum likelihood, in which a pair with
    a value beyond a limit of detection counts by the probability of its bounds (Tobin 1958): neither as a number nor
    left out. Such a variance is too small by that of its mean, which is added: with one measured pair per patient
    this is the sample variance over n - 1, with repeated ones that of Bland & Altman's analysis of variance (2007,
    10.1080/10543400701329422). The limits of agreement are bias ± 1.96 sd (1999, 10.1177/096228029900800204).

    The patient is the unit: the error of the bias is that of leaving out one patient after another (jackknife; Tukey
    1958; Student's t, degrees of freedom by the patients with both values measured), so several pairs of a patient
    count as what they are. The sd has the degrees of freedom of its two parts, between and within patients
    (Satterthwaite 1946), and the limits combine the intervals of both (Zou 2013, 10.1177/0962280211402548).
    Concordance is Lin's coefficient (1989, 10.2307/2532051) of the measured pairs.

    Args:
        pairs: those whose denominators are equal.
        level: of the intervals.
    """
    told = [pair for pair in pairs if pair.known]
    exact = [pair for pair in told if pair.measured]
    patients = list(dict.fromkeys(pair.patient for pair in told))
    seen = len({pair.patient for pair in exact})
    if seen < PATIENTS_FOR_SPREAD:
        few = f"needs {PATIENTS_FOR_SPREAD} patients with both values measured"
        bias = UNKNOWN if not exact else Interval(float(np.mean([pair.apart[0] for pair in exact])), math.nan, math.nan)
        yield Agreement(quantity="bias", value=bias, note=few)
        for quantity in ("limit_low", "limit_high", "concordance"):
            yield Agreement(quantity=quantity, value=UNKNOWN, note=few)
        return
    bounds = np.array([pair.apart for pair in told])
    of = np.array([patients.index(pair.patient) for pair in told])

    mean, error = _jackknife(lambda kept: _normal(bounds[kept])[0], of)
    bias = _student(mean, error, seen, level)
    yield Agreement(quantity="bias", value=bias)
    variance = _normal(bounds)[1] ** 2 + error**2
    between = min(len(patients) * error**2, variance)
    freedom = _satterthwaite((between, seen - 1), (variance - between, len(exact) - seen))
    note = ""
    if seen < PATIENTS_FOR_LIMITS:
        freedom = math.nan
        note = f"its interval needs {PATIENTS_FOR_LIMITS} patients with both values measured: fewer tell no spread"
    sd = _spread(math.sqrt(variance), freedom, level)
    reach = float(norm.ppf((1 + WITHIN) / 2))
    yield Agreement(quantity="limit_low", value=_limit(bias, sd, -reach), note=note)
    yield Agreement(quantity="limit_high", value=_limit(bias, sd, reach), note=note)
    yield _concordance(exact, len(told), level)


def _student(value: float, error: float, n: int, level: float) -> Interval:
    reach = float(t.ppf((1 + level) / 2, n - 1)) * error
    return Interval(value, value - reach, value + reach)


def _spread(sd: float, freedom: float, level: float) -> Interval:
    """A standard deviation with its interval by chi squared."""
    low, high = (sd * math.sqrt(freedom / float(chi2.ppf((1 + side * level) / 2, freedom))) for side in (1, -1))
    return Interval(sd, low, high)


def _satterthwaite(*parts: tuple[float, int]) -> float:
    """Degrees of freedom of a sum of variances, from each with its own; a part of none has none."""
    spread = sum(part**2 / freedom for part, freedom in parts if freedom)
    whole = sum(part for part, freedom in parts if freedom)
    return whole**2 / spread if spread else float(sum(freedom for _, freedom in parts))


def _limit(mean: Interval, sd: Interval, reach: float) -> Interval:
    """Mean plus `reach` times sd, with the interval that follows from theirs (MOVER, Zou & Donner 2008)."""
    value = mean.value + reach * sd.value
    near, far = abs(reach) * (sd.value - sd.low), abs(reach) * (sd.high - sd.value)
    down, up = (near, far) if reach > 0 else (far, near)
    return Interval(
        value, value - math.hypot(mean.value - mean.low, down), value + math.hypot(mean.high - mean.value, up)
    )


def _concordance(exact: Sequence[Pair], told: int, level: float) -> Agreement:
    patients = list(dict.fromkeys(pair.patient for pair in exact))
    values = np.array([[logit(pair.flow[0]), logit(pair.other[0])] for pair in exact])
    of = np.array([patients.index(pair.patient) for pair in exact])
    point = lin(values[:, 0], values[:, 1])
    notes = [f"of the {len(exact)} of {told} pairs with both values measured"] if len(exact) < told else []
    if len(patients) < PATIENTS_FOR_CONCORDANCE:
        notes.append(f"its interval needs {PATIENTS_FOR_CONCORDANCE} patients")
        return Agreement(quantity="concordance", value=Interval(point, math.nan, math.nan), note="; ".join(notes))

    def fitted(kept: NDArray[np.bool_]) -> float:
        return math.atanh(min(max(lin(values[kept, 0], values[kept, 1]), -1 + 1e-12), 1 - 1e-12))

    middle, error = _jackknife(fitted, of)
    found = _student(middle, error, len(patients), level)
    interval = Interval(point, math.tanh(found.low), math.tanh(found.high))
    return Agreement(quantity="concordance", value=interval, note="; ".join(notes))


def lin(x: Array, y: Array) -> float:
    """Lin's concordance correlation coefficient, with variances over n; nan where neither varies nor differs."""
    spread = float(np.var(x) + np.var(y) + (x.mean() - y.mean()) ** 2)
    return float(2 * np.mean((x - x.mean()) * (y - y.mean())) / spread) if spread else math.nan


def _jackknife(fitted: Callable[[NDArray[np.bool_]], float], of: NDArray[np.intp]) -> tuple[float, float]:
    """An estimate over all, and its standard error from leaving out one patient after another."""
    n = int(of.max()) + 1
    without = np.array([fitted(of != patient) for patient in range(n)])
    error = math.sqrt((n - 1) / n * ((without - without.mean()) ** 2).sum())
    return fitted(np.ones(of.size, dtype=bool)), error


def _normal(bounds: Array) -> tuple[float, float]:
    """Mean and sd of normal values, each known between two bounds, by maximum likelihood.

    Args:
        bounds: shape (n, 2); equal where the value is known, infinite where it has no bound.
    """
    exact = bounds[bounds[:, 0] == bounds[:, 1], 0]
    between = bounds[bounds[:, 0] < bounds[:, 1]]
    if not len(between):
        return float(exact.mean()), float(exact.std())
    centre, spread = float(exact.mean()), max(float(exact.std()), LEAST_SD)

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
    return float(found.x[0]), max(math.exp(found.x[1]), LEAST_SD)
