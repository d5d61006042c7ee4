"""Every series of one patient with its curve and what is read off it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nktrace.model.intervals import UNKNOWN, Interval
from nktrace.model.study import Patient
from nktrace.model.trajectories import Curve, Quantity, Series, Visit
from nktrace.science.drawing import generator
from nktrace.science.kinetics import kinetics
from nktrace.science.reconstitution import time_to_threshold
from nktrace.science.trajectories import draw_visit, fit_curve, summarise
from nktrace.science.visits import of_donor


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """One series, what was fitted at its visits and between them, and its quantities.

    Attributes:
        fitted: one per visit; unknown where no curve is identified or the visit is not part of it.
        remarks: one per visit: why it has no fitted value, or that it lies far from what the others predict.
        grid: day and fitted value of a fine grid of days; empty where no curve is identified.
        quantities: empty for a second platform of the same measure, which is shown but not reported.
        left_out: what no quantity rests on: other platforms, kept apart, and counts that failed their check.
    """

    series: Series
    curve: Curve
    fitted: tuple[Interval, ...]
    remarks: tuple[str, ...]
    grid: tuple[tuple[float, Interval], ...]
    quantities: tuple[Quantity, ...]
    left_out: str


def follow(
    series: Sequence[Series],
    patient: Patient,
    *,
    seed: int,
    level: float,
    min_points: int,
    draws: int,
    grid_points: int,
    thresholds: Mapping[str, Sequence[float]],
    confirm: bool,
    days: Sequence[float],
    window: float,
) -> list[Followed]:
    """Curves and quantities of all series of a patient. Of several platforms the first of a measure is reported."""
    followed: list[Followed] = []
    for one in series:
        rng = generator(seed, "trajectories", one.patient, one.measure, one.platform)
        # infused cells appear at once: no smooth curve leads from before the infusion to after it
        visits = one.after if of_donor(one.measure) else tuple(v for v in one.visits if v.usable)
        curve = fit_curve(
            visits,
            unit=one.unit,
            level=level,
            min_points=min_points,
            grid_points=grid_points,
            draws=draws,
            rng=rng,
        )
        platforms = [other.platform for other in series if other.measure == one.measure]
        quantities: tuple[Quantity, ...] = ()
        if one.platform == platforms[0]:
            baseline = _baseline(one, curve, level=level, draws=draws, rng=rng)
            quantities = kinetics(one, curve, baseline=baseline, level=level, days=days, window=window) + tuple(
                time_to_threshold(
                    one,
                    threshold,
                    curve=curve,
                    level=level,
                    confirm=confirm,
                    last_followup_day=patient.last_followup_day,
                    death_day=patient.death_day,
                )
                for threshold in thresholds.get(one.measure, ())
            )
        shown = _shown(curve, level)
        followed.append(
            Followed(
                series=one,
                curve=curve,
                fitted=tuple(shown.get(visit.day, UNKNOWN) if visit in visits else UNKNOWN for visit in one.visits),
                remarks=_remarks(one, visits, curve),
                grid=tuple(shown.items()),
                quantities=quantities,
                left_out=_left_out(one, platforms),
            )
        )
    return followed


def _left_out(series: Series, platforms: Sequence[str]) -> str:
    apart = f"platform {platforms[0]}; kept apart: {', '.join(platforms[1:])}" if platforms[1:] else ""
    failed = sum(visit.failed for visit in series.visits)
    return "; ".join(filter(None, (apart, f"{failed} failed count(s) left out" if failed else "")))


def _baseline(
    series: Series, curve: Curve, *, level: float, draws: int, rng: np.random.Generator
) -> NDArray[np.float64] | None:
    """Draws of the true value at the baseline: of the curve, or from the visit's own error where that lacks it."""
    visit = series.baseline
    if visit is None:
        return None
    if visit.day in curve.days:
        return curve.at([visit.day])[:, 0]
    return draw_visit(visit, unit=series.unit, level=level, size=draws, rng=rng)


def _remarks(series: Series, fitted: Sequence[Visit], curve: Curve) -> tuple[str, ...]:
    """What is to be said of each visit of a series, some of which the curve was fitted to."""
    outlying = {fitted[place]: tail for place, tail in curve.outlying.items()}

    def remark(visit: Visit) -> str:
        if not visit.usable:
            return ""
        if visit not in fitted:
            return "before the infusion: not part of the curve"
        if visit in outlying:
            return f"outlying (a value as far from what the other visits predict has p = {outlying[visit]:.2g})"
        return curve.reason

    return tuple(map(remark, series.visits))


def _shown(curve: Curve, level: float) -> dict[float, Interval]:
    if not curve.identified:
        return {}
    columns = (column.tolist() for column in (curve.days, *summarise(curve, level=level)))
    return {day: Interval(value, low, high) for day, value, low, high in zip(*columns, strict=True)}
