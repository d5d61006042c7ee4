"""A linear mixed model with a random intercept per patient, by restricted maximum likelihood.

y = X b + u(patient) + e, u ~ N(0, λ s²), e ~ N(0, s²) (Laird & Ware 1982, 10.2307/2529876). With one variance ratio λ
everything else has a closed form: the likelihood is profiled over λ, and its only maximum searched on a line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nktrace.model.intervals import Interval

Array = NDArray[np.float64]

_LOWEST, _HIGHEST = -14.0, 14.0  # of log λ: ends at which the fit counts as singular
_TOLERANCE = 1e-10
# with fewer patients the variance between them is a guess, and with fewer visits so is that within
PATIENTS_FOR_A_MODEL, VISITS_FOR_A_MODEL = 12, 3


@dataclass(frozen=True, slots=True)
class Fitted:
    """Estimates of a fit that converged.

    Attributes:
        effects: with intervals of Student's t, one per column of X.
        p: two-sided, of each effect being zero.
        between, within: sd of patients, and of one patient's values about its own mean.
    """

    effects: tuple[Interval, ...]
    p: tuple[float, ...]
    between: float
    within: float


def fit_random_intercept(y: Array, design: Array, patients: Sequence[str], *, level: float) -> Fitted | str:
    """Fit the model, or say why there is none.

    The degrees of freedom of t are patients - 1 (the patient is the unit), which is on the safe side.

    Args:
        y: values, shape (n,).
        design: X, shape (n, effects), of full rank.
        patients: whose value each is.
        level: of the intervals.
    """
    from scipy.optimize import minimize_scalar
    from scipy.stats import t

    groups = _groups(patients)
    if y.size <= design.shape[1] + 1 or np.linalg.matrix_rank(design) < design.shape[1]:
        return "too few values for its effects"
    scale = float(np.std(y))
    if scale == 0:
        return "all values are equal"

    def deviance(log_ratio: float) -> float:
        return _solve(y, design, groups, float(np.exp(log_ratio)))[0]

    found = minimize_scalar(deviance, bounds=(_LOWEST, _HIGHEST), method="bounded", options={"xatol": _TOLERANCE})
    if not found.success:
        return "its likelihood has not converged"
    if found.x < _LOWEST + 1 or deviance(_LOWEST) <= found.fun:
        return "singular: no variance between patients is found"
    if found.x > _HIGHEST - 1:
        return "singular: no variance within patients is found"
    ratio = float(np.exp(found.x))
    _, effects, covariance, variance = _solve(y, design, groups, ratio)
    errors = np.sqrt(variance * np.diag(covariance))
    freedom = len(groups) - 1
    half = t.ppf(0.5 + level / 2, freedom) * errors
    return Fitted(
        effects=tuple(Interval(float(b), float(b - h), float(b + h)) for b, h in zip(effects, half, strict=True)),
        p=tuple(float(p) for p in 2 * t.sf(np.abs(effects / errors), freedom)),
        between=float(np.sqrt(ratio * variance)),
        within=float(np.sqrt(variance)),
    )


def effects_at(y: Array, design: Array, patients: Sequence[str], *, ratio: float) -> Array:
    """The effects where the variance between patients is `ratio` times that within."""
    return _solve(y, design, _groups(patients), ratio)[1]


def _groups(patients: Sequence[str]) -> list[NDArray[np.bool_]]:
    return [np.array([name == patient for name in patients]) for patient in dict.fromkeys(patients)]


def _solve(
    y: Array, design: Array, groups: Sequence[NDArray[np.bool_]], ratio: float
) -> tuple[float, Array, Array, float]:
    """Of one λ: -2 log restricted likelihood (but a constant), effects, their covariance over s², s²."""
    weighted_x, weighted_y, spread = design.copy(), y.copy(), 0.0
    for mine in groups:
        n = int(mine.sum())
        # V⁻¹ of a group = I - λ/(1 + nλ) J, whose product with a column takes off a share of its sum
        share = ratio / (1 + n * ratio)
        weighted_x[mine] -= share * design[mine].sum(axis=0)
        weighted_y[mine] -= share * y[mine].sum()
        spread += np.log1p(n * ratio)
    information: Array = design.T @ weighted_x
    effects: Array = np.asarray(np.linalg.solve(information, design.T @ weighted_y), dtype=np.float64)
    freedom = y.size - design.shape[1]
    variance = float((y - design @ effects) @ (weighted_y - weighted_x @ effects)) / freedom
    deviance = freedom * np.log(variance) + spread + np.linalg.slogdet(information)[1]
    return float(deviance), effects, np.asarray(np.linalg.inv(information), dtype=np.float64), variance
