"""A mixed model of log counts over the patients of a cohort, with its diagnostics, or the reason why there is none.

log count = mean of the day + patient + rest: the days are fixed, patients a random intercept, fitted by restricted
maximum likelihood. The fit serves for what it is good at, patients with missing visits; its intervals do not trust its
variances. They come from leaving out one patient at a time (the jackknife of clusters: Bell & McCaffrey 2002, Survey
Methodology 28:169), since visits of one patient are rarely as alike as an intercept alone has it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nktrace.science.cohort import Summary
from nktrace.science.random_intercept import (
    PATIENTS_FOR_A_MODEL,
    VISITS_FOR_A_MODEL,
    Fitted,
    effects_at,
    fit_random_intercept,
)

Row = Mapping[str, Any]
Array = NDArray[np.float64]

MODEL = "linear mixed model of log counts, random intercept per patient, REML; interval: jackknife over patients"
BASELINE = -1.0  # stands for the last visit before the infusion among the days
PATIENTS_FOR_A_DAY = 6
ODD = 0.01  # p of a diagnostic under which it is mentioned
HEAVY = 1.0  # standard errors by which one patient may move an effect


@dataclass(frozen=True, slots=True)
class _Visits:
    """Values of patients at days: one per patient and day."""

    y: Array
    names: tuple[str, ...]
    days: tuple[float, ...]

    def design(self, days: Sequence[float]) -> Array:
        """A mean per day."""
        return np.array([[float(day == other) for other in days] for day in self.days])

    def of(self, kept: NDArray[np.bool_]) -> _Visits:
        where = np.flatnonzero(kept)
        return _Visits(self.y[where], tuple(self.names[i] for i in where), tuple(self.days[i] for i in where))


def model_counts(
    rows: Sequence[Row], *, days: Sequence[float], window: float, level: float
) -> list[tuple[str, float, Summary]]:
    """Quantity, day and summary of one measure: what was fitted or why not, geometric means, ratios to the baseline.

    A value that is known as a bound only has no logarithm to put in, so it refuses the model: leaving it out, or its
    limit of detection in its place, would tell of other patients than those who were seen.

    Args:
        rows: of trajectories.tsv, one measure in cells per microlitre, one platform of each patient.
        days: after the infusion; a visit belongs to the nearest if that is at most `window` days away.
        level: of the intervals.
    """
    platforms = [str(row["platform"] or "") for row in rows]
    platform = max(sorted(set(platforms)), key=platforms.count, default="")
    mine = [row for row, on in zip(rows, platforms, strict=True) if on == platform]
    others = len({row["patient"] for row in rows} - {row["patient"] for row in mine})
    visits, bounded = _visits(mine, days=days, window=window)
    n = len(set(visits.names))
    told = f"{platform} only, {others} patient(s) with other platforms left out" if others else ""
    found = _fitted(visits, bounded, level=level)
    if isinstance(found, str):
        note = "; ".join(filter(None, (f"no mixed model: {found}", told)))
        return [("model", math.nan, Summary(n=n, method="none", note=note))]
    rows_of_days, words = found
    whole = Summary(n=n, method=MODEL, note="; ".join(filter(None, (*words, told))))
    return [("model", math.nan, whole), *rows_of_days]


def _visits(rows: Sequence[Row], *, days: Sequence[float], window: float) -> tuple[_Visits, int]:
    """Log values of the nearest visits, replicates by their mean; and how many visits are known by a bound only."""
    near: dict[tuple[str, float], list[Row]] = {}
    for row in rows:
        if row["day"] < 0:
            near.setdefault((row["patient"], BASELINE), []).append(row)
            continue
        day = min(days, key=lambda other: (abs(row["day"] - other), other), default=math.inf)
        if abs(row["day"] - day) <= window:
            near.setdefault((row["patient"], day), []).append(row)
    y, names, at, bounded = [], [], [], 0
    for (patient, day), mine in near.items():
        target = 0.0 if day == BASELINE else day
        nearest = min((row["day"] for row in mine), key=lambda other: (abs(other - target), other))
        values = [row for row in mine if row["day"] == nearest]
        if any(row["censored"] or row["observed"] <= 0 for row in values):
            bounded += 1
        else:
            y.append(math.fsum(math.log(row["observed"]) for row in values) / len(values))
            names.append(patient)
            at.append(day)
    return _Visits(np.array(y), tuple(names), tuple(at)), bounded


def _fitted(visits: _Visits, bounded: int, *, level: float) -> tuple[list[tuple[str, float, Summary]], list[str]] | str:
    if bounded:
        return f"{bounded} value(s) known by a bound only, which have no logarithm"
    counted = {day: visits.days.count(day) for day in sorted(set(visits.days))}
    days = [day for day, patients in counted.items() if patients >= PATIENTS_FOR_A_DAY]
    visits = visits.of(np.array([day in days for day in visits.days], dtype=bool))
    often = sum(visits.names.count(name) >= VISITS_FOR_A_MODEL for name in set(visits.names))
    if often < PATIENTS_FOR_A_MODEL:
        needed = f"{PATIENTS_FOR_A_MODEL} are needed"
        return f"{often} patient(s) with {VISITS_FOR_A_MODEL} visits near the days of the settings, {needed}"
    design = visits.design(days)
    fit = fit_random_intercept(visits.y, design, visits.names, level=level)
    if isinstance(fit, str):
        return fit
    left_out = _without_each(visits, design, fit)
    means = np.array([effect.value for effect in fit.effects])
    from_baseline = np.eye(len(days))
    if BASELINE in days:
        from_baseline[:, days.index(BASELINE)] -= 1
    rows = []
    for place, day in enumerate(days):
        n = counted[day]
        name, at = ("model_baseline", math.nan) if day == BASELINE else ("model_mean", day)
        unit = np.eye(len(days))[place]
        rows.append((name, at, _summary(unit @ means, left_out @ unit, n, level=level, note="geometric mean")))
        if BASELINE in days and day != BASELINE:
            ratio = from_baseline[place]
            n = min(n, counted[BASELINE])
            note = "ratio of geometric means to that of the baseline"
            rows.append(("model_ratio", day, _summary(ratio @ means, left_out @ ratio, n, level=level, note=note)))
    return rows, list(_diagnostics(visits, design, fit, left_out))


def _without_each(visits: _Visits, design: Array, fit: Fitted) -> Array:
    """The effects without each patient, (patients, effects), at the variances of all."""
    ratio = (fit.between / fit.within) ** 2
    parts = []
    for patient in dict.fromkeys(visits.names):
        kept = np.array([name != patient for name in visits.names])
        names = [name for name in visits.names if name != patient]
        parts.append(effects_at(visits.y[kept], design[kept], names, ratio=ratio))
    return np.array(parts)


def _summary(value: float, left_out: Array, n: int, *, level: float, note: str) -> Summary:
    """exp of an effect with its jackknife interval: t with n - 1 degrees of freedom, n patients having the day."""
    from scipy.stats import t

    half = float(t.ppf(0.5 + level / 2, n - 1)) * _jackknife_error(left_out)
    return Summary(
        n=n, median=math.exp(value), low=math.exp(value - half), high=math.exp(value + half), method=MODEL, note=note
    )


def _jackknife_error(left_out: Array) -> float:
    """sqrt((m - 1) / m Σ (b₍ᵢ₎ - mean)²)."""
    m = left_out.size
    return math.sqrt((m - 1) / m * float(np.sum((left_out - left_out.mean()) ** 2)))


def _diagnostics(visits: _Visits, design: Array, fit: Fitted, left_out: Array) -> list[str]:
    """Variances, and what of residuals and single patients speaks against the fit."""
    from scipy.stats import levene, shapiro

    means = design @ np.array([effect.value for effect in fit.effects])
    residuals = visits.y - means
    names = np.array(visits.names)
    ratio = (fit.between / fit.within) ** 2
    own = {name: residuals[names == name] for name in dict.fromkeys(visits.names)}
    intercepts = {name: mine.size * ratio / (1 + mine.size * ratio) * mine.mean() for name, mine in own.items()}
    rest = residuals - np.array([intercepts[name] for name in visits.names])
    words = [f"sd of log between patients {fit.between:.3g}, within {fit.within:.3g}"]
    for what, values in (("residuals", rest), ("patients' intercepts", np.array(list(intercepts.values())))):
        p = float(shapiro(values).pvalue)
        words.append(f"{what}: Shapiro-Wilk p = {p:.2g}" + (", not normal" if p < ODD else ""))
    p = float(levene(*(rest[column > 0] for column in design.T), center="median").pvalue)
    words.append(f"spread over days: Brown-Forsythe p = {p:.2g}" + (", not equal" if p < ODD else ""))
    # a patient's pull is held against the errors that the others give, or it would hide itself
    others = (np.delete(left_out, place, axis=0) for place in range(len(left_out)))
    errors = np.array([[_jackknife_error(column) for column in rest_of.T] for rest_of in others])
    moved = (np.abs(left_out - np.array([effect.value for effect in fit.effects])) / errors).max(axis=1)
    worst = int(np.argmax(moved))
    patient = list(dict.fromkeys(visits.names))[worst]
    heavy = ", read the exact summaries beside it" if moved[worst] > HEAVY else ""
    words.append(f"without {patient} an effect moves by {moved[worst]:.2g} standard errors, the most{heavy}")
    return words
