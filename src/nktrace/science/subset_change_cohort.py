"""Changes of NK subsets over the patients: exact tests and intervals, a mixed model where n carries one, and in words
what n cannot show.

The unit is the patient: of each the visit nearest to a day, replicates as one value. A visit counts for one day only,
and only values of one kind (same panel, same meaning of the subset) are put together. A value that is only bounded (no
cell of the subset in one of the samples) enters estimate and interval by its bounds, and the test as the value in
these that is nearest to zero: leaving out such patients would leave out those who changed most.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from nktrace.science.cohort import summarise_values
from nktrace.science.intervals import normal_quantile
from nktrace.science.random_intercept import PATIENTS_FOR_A_MODEL, VISITS_FOR_A_MODEL, fit_random_intercept
from nktrace.science.signed_ranks import POWER, detectable_shift, exact_p, hodges_lehmann, holm, smallest_p
from nktrace.science.subset_change import NOT_ESTIMABLE
from nktrace.science.summaries import groups

Row = Mapping[str, Any]
Kind = tuple[str, str]
"""Panel, and what the subset's cells depend on beside its rule (`meaning` of subset_change.tsv)."""

EXACT = "signed rank, exact; Hodges-Lehmann"
MODEL = "linear mixed model, random intercept per patient, REML; t with patients - 1 df"
QUANTITY = "log_ratio_change"


@dataclass(frozen=True, slots=True)
class Change:
    """One patient's change, known by its bounds (equal where it is known)."""

    low: float
    high: float
    doubtful: bool = False

    @property
    def known(self) -> bool:
        return self.low == self.high

    @property
    def least(self) -> float:
        """The possible value that is nearest to zero."""
        return min(max(self.low, 0.0), self.high)


ByDay = Mapping[float, Mapping[str, Change]]
ByKind = Mapping[Kind, ByDay]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What n patients show of one subset at one day: a row of subset_change_tests.tsv, and the quartiles of cohort.tsv.

    Attributes:
        estimate, ci_low, ci_high, level_reached: of the change; the level is under the one asked for where n is small.
        p, p_adjusted: two-sided; by Holm over the subsets of this group, day and method.
        smallest_p: that n can give, whatever the change.
        detectable, detectable_adjusted: the change that is found in 80 %, alone and as the first of its family.
        alpha: what p is held against.
    """

    subset: str
    group: str
    day: float
    n: int
    estimate: float
    ci_low: float
    ci_high: float
    level_reached: float
    p: float
    p_adjusted: float = math.nan
    method: str
    smallest_p: float = math.nan
    detectable: float = math.nan
    detectable_adjusted: float = math.nan
    note: str = ""
    alpha: float
    q1: float = math.nan
    q3: float = math.nan

    def as_row(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if name not in ("q1", "q3")}

    def cohort_row(self, *, level: float) -> dict[str, Any]:
        """The same for cohort.tsv, where an interval has `level` or is not there."""
        reached = self.level_reached >= level
        return {
            "measure": f"fraction:{self.subset}",
            "quantity": QUANTITY,
            "group": self.group,
            "day": self.day,
            "n": self.n,
            "median": self.estimate,
            "q1": self.q1,
            "q3": self.q3,
            "ci_low": self.ci_low if reached else math.nan,
            "ci_high": self.ci_high if reached else math.nan,
            "method": self.method,
            "note": self.note,
        }


def cohort_rows(comparisons: Iterable[Comparison], *, level: float) -> list[dict[str, Any]]:
    """The rows of cohort.tsv: medians, so the exact tests only; a model's mean is none."""
    return [one.cohort_row(level=level) for one in comparisons if one.method == EXACT]


def compare_changes(
    patients: Sequence[Row], changes: Sequence[Row], *, days: Sequence[float], window: float, level: float
) -> Iterator[Comparison]:
    """Every subset at every day that anyone has a value for, in all patients and each arm: exact tests, then models.

    Args:
        patients: rows with `patient` and `arm`.
        changes: rows of subset_change.tsv of all patients.
        days: after the infusion. A visit belongs to the nearest of them (of two as near the earlier) if that is at most
            `window` days away; of each patient the nearest visit with a value counts.
        level: of the intervals; 1 - level is what p is held against.
    """
    known = [row for row in changes if row["status"] != NOT_ESTIMABLE]
    for group, members in groups(patients).items():
        mine = [row for row in known if row["patient"] in members]
        subsets = {
            subset: changes_by_kind(mine, subset, days=days, window=window)
            for subset in dict.fromkeys(row["subset"] for row in mine)
        }
        models = {subset: _model(subset, group, kinds, level=level) for subset, kinds in subsets.items()}
        for day in dict.fromkeys(days):
            here = {
                subset: of_day
                for subset, kinds in subsets.items()
                if (of_day := {kind: {day: at[day]} for kind, at in kinds.items() if day in at})
            }
            family = len(here)
            found = [_exact(subset, group, day, kinds, family=family, level=level) for subset, kinds in here.items()]
            for one, p in zip(found, holm([one.p for one in found]), strict=True):
                model = models[one.subset]
                why = f"no mixed model: {model}" if isinstance(model, str) else ""
                yield _with_note(replace(one, p_adjusted=p), *_limits(one, family=family, level=level), why)
            fitted = [one for model in models.values() if not isinstance(model, str) for one in model if one.day == day]
            for one, p in zip(fitted, holm([one.p for one in fitted]), strict=True):
                yield _with_note(replace(one, p_adjusted=p), _of_family(len(fitted)))


def changes_by_kind(rows: Iterable[Row], subset: str, *, days: Sequence[float], window: float) -> ByKind:
    """Each patient's change at the visit nearest to each day, panels and meanings apart; replicates by their mean."""
    near: dict[tuple[float, Kind, str], list[Row]] = {}
    for row in rows:
        if row["subset"] == subset and row["day"] >= 0:
            # a visit is one observation: it counts for one day, however wide the window
            day = min(days, key=lambda other: (abs(row["day"] - other), other), default=math.inf)
            if abs(row["day"] - day) <= window:
                kind = (row["panel"] or "", row["meaning"] or "")
                near.setdefault((day, kind, row["patient"]), []).append(row)
    found: dict[Kind, dict[float, dict[str, Change]]] = {}
    for (day, kind, patient), mine in sorted(near.items(), key=lambda item: days.index(item[0][0])):
        nearest = min((row["day"] for row in mine), key=lambda other: (abs(other - day), other))
        visit = [row for row in mine if row["day"] == nearest]
        low, high = (math.fsum(_bounds(row)[side] for row in visit) / len(visit) for side in (0, 1))
        doubtful = any(flag in (row["reason"] or "") for row in visit for flag in ("gate_", "qc_failed"))
        found.setdefault(kind, {}).setdefault(day, {})[patient] = Change(low, high, doubtful)
    return found


def _bounds(row: Row) -> tuple[float, float]:
    value = row["log_ratio"]
    return (row["ci_low"], row["ci_high"]) if math.isnan(value) else (value, value)


def _most_frequent(kinds: ByKind) -> tuple[ByDay, str]:
    """The changes of the kind with most visits (of as many, the first by name), and whom that leaves out."""
    chosen = min(kinds, key=lambda kind: (-sum(len(at) for at in kinds[kind].values()), kind))
    if len(kinds) == 1:
        return kinds[chosen], ""
    out = {
        patient
        for kind in kinds
        for day, at in kinds[kind].items()
        for patient in at
        if patient not in kinds[chosen].get(day, {})
    }
    words = (
        f"panel {chosen[0]}" + (f" ({chosen[1]})" if chosen[1] else "") + " only, other panels or meanings beside it"
    )
    names = f": {len(out)} patient(s) left out for these ({', '.join(sorted(out))})" if out else ""
    return kinds[chosen], words + names


def _exact(subset: str, group: str, day: float, kinds: ByKind, *, family: int, level: float) -> Comparison:
    at, left_out = _most_frequent(kinds)
    changes = list(at[day].values())
    n, lows, highs = len(changes), [change.low for change in changes], [change.high for change in changes]
    least = [change.least for change in changes]
    estimate, reached = hodges_lehmann(lows, highs, level=level)
    quartiles = summarise_values(list(zip(lows, highs, strict=True)), level=level)
    sd = float(np.std(lows, ddof=1)) if n > 1 and all(change.known for change in changes) else math.nan
    bounded, doubtful = sum(not change.known for change in changes), sum(change.doubtful for change in changes)
    notes = [
        left_out,
        f"{bounded} of {n} known by a bound only" if bounded else "",
        f"{doubtful} of {n} rest on doubtful gates or samples" if doubtful else "",
    ]
    return Comparison(
        subset=subset,
        group=group,
        day=day,
        n=n,
        estimate=estimate.value,
        ci_low=estimate.low if reached else math.nan,
        ci_high=estimate.high if reached else math.nan,
        level_reached=reached,
        p=exact_p(least),
        method=EXACT,
        smallest_p=smallest_p(least),
        detectable=sd * detectable_shift(n, 1 - level),
        detectable_adjusted=sd * detectable_shift(n, (1 - level) / family),
        note="; ".join(filter(None, notes)),
        alpha=1 - level,
        q1=quartiles.q1,
        q3=quartiles.q3,
    )


def _model(subset: str, group: str, kinds: ByKind, *, level: float) -> list[Comparison] | str:
    """The mean change at each day over all patients who have any, from one fit; or why there is none."""
    if not kinds:
        return "no visit near any of the days"
    at, left_out = _most_frequent(kinds)
    visits = [(patient, day, change) for day, changes in at.items() for patient, change in changes.items()]
    names = [patient for patient, _, _ in visits]
    often = sum(names.count(patient) >= VISITS_FOR_A_MODEL for patient in set(names))
    if often < PATIENTS_FOR_A_MODEL:
        return f"{often} patient(s) with {VISITS_FOR_A_MODEL} such days, {PATIENTS_FOR_A_MODEL} are needed"
    if not all(change.known for _, _, change in visits):
        return "some values are known by a bound only"
    values = np.array([change.low for _, _, change in visits])
    design = np.array([[float(day == other) for other in at] for _, day, _ in visits])
    fitted = fit_random_intercept(values, design, names, level=level)
    if isinstance(fitted, str):
        return fitted
    spread = f"{len(set(names))} patients; sd between {fitted.between:.3g}, within {fitted.within:.3g}"
    # a change is found in 80 % if it is as large as the quantiles of both errors together
    factor = 1 + normal_quantile(2 * POWER - 1) / normal_quantile(level)
    return [
        Comparison(
            subset=subset,
            group=group,
            day=day,
            n=len(at[day]),
            estimate=effect.value,
            ci_low=effect.low,
            ci_high=effect.high,
            level_reached=level,
            p=p,
            method=MODEL,
            detectable=factor * (effect.high - effect.value),
            note="; ".join(filter(None, (left_out, spread))),
            alpha=1 - level,
        )
        for day, effect, p in zip(at, fitted.effects, fitted.p, strict=True)
    ]


def _limits(one: Comparison, *, family: int, level: float) -> Iterator[str]:
    """What n cannot show, in words."""
    alpha, together = 1 - level, min(1.0, family * one.smallest_p)
    yield f"n = {one.n}: no two-sided p under {one.smallest_p:.3g}{_out_of_reach(one.smallest_p, alpha)}"
    yield f"{_of_family(family)}: none under {together:.3g}{_out_of_reach(together, alpha)}"
    if one.level_reached < level:
        yield f"no {level:.0%} interval with n = {one.n}" + (
            f", this one has {one.level_reached:.3g}" if one.level_reached else ""
        )
    for change, at in ((one.detectable, ""), (one.detectable_adjusted, " after Holm")):
        if not math.isnan(change):
            yield f"at {alpha:.3g}{at} a change of {change:.2g} is missed in {1 - POWER:.0%}, smaller ones more often"


def _out_of_reach(p: float, alpha: float) -> str:
    return f", so no change of any size reaches {alpha:.3g}" if p > alpha else ""


def _of_family(family: int) -> str:
    return f"Holm over {family} subset(s) and states of this day and group"


def _with_note(one: Comparison, *words: str) -> Comparison:
    return replace(one, note="; ".join(filter(None, (one.note, *words))))
