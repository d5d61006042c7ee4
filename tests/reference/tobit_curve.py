"""The slow readable twin of the fit: textbook conditioning, cell by cell, one censored value by quadrature.

It knows the same model (priors, kernel, noise) and none of its machinery: no importance draws, no whitening.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
from numpy.typing import NDArray
from scipy.stats import multivariate_normal, norm

from nktrace.science import trajectories as fit

Array = NDArray[np.float64]


def kernel(a: float, b: float, length: float, amplitude: float, middle: float, span: float) -> float:
    line = fit.LEVEL_SD**2 + fit.SLOPE_SD**2 * (a - middle) / span * (b - middle) / span
    far = math.sqrt(3) * abs(math.log1p(a / fit.EARLY_DAYS) - math.log1p(b / fit.EARLY_DAYS)) / length
    return line + amplitude**2 * (1 + far) * math.exp(-far)


def posterior_moments(
    day: list[float], value: list[float], sd: list[float], limit_day: float, at: float
) -> tuple[float, float]:
    """Mean and sd of the curve on its scale at day `at`, given measured values and one value under a soft limit.

    `value` and `sd` hold the soft limit last. All days are after the infusion.
    """
    days = [*day, limit_day]
    middle, span = (min(days) + max(days)) / 2, max(days) - min(days)
    measured = np.array(value[:-1])
    weights = 1 / (np.array(sd[:-1]) ** 2 + 0.2**2)
    height = float((measured * weights).sum() / weights.sum())
    total = first = second = 0.0
    for length, amplitude, noise in itertools.product(fit.LENGTHS, fit.AMPLITUDES, fit.VISIT_NOISE):
        every = [*days, at]
        prior = np.array([[kernel(a, b, length, amplitude, middle, span) for b in every] for a in every])
        observed = prior[:-1, :-1] + np.diag(np.array(sd) ** 2 + noise**2)
        n = len(day)
        evidence = multivariate_normal(np.full(n, height), observed[:n, :n]).pdf(measured)
        inverse = np.linalg.inv(observed[:n, :n])
        mean = height + observed[n, :n] @ inverse @ (measured - height)
        spread = math.sqrt(observed[n, n] - observed[n, :n] @ inverse @ observed[:n, n])
        hidden = np.linspace(mean - 9 * spread, value[-1], 4001)
        density = norm.pdf(hidden, mean, spread) * evidence
        everything = np.linalg.inv(observed)
        link = prior[-1, :-1] @ everything
        variance = prior[-1, -1] - link @ prior[:-1, -1]
        expected = height + link[:n] @ (measured - height) + link[n] * (hidden - height)
        total += np.trapezoid(density, hidden)
        first += np.trapezoid(density * expected, hidden)
        second += np.trapezoid(density * (expected**2 + variance), hidden)
    mean = first / total
    return mean, math.sqrt(second / total - mean**2)
