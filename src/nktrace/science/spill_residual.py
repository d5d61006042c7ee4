"""What is left of spillover after compensation: do cells that are negative for a receiver move with the source?

A wrong coefficient tilts the negative cloud of the receiving detector: with an error of e, cells that lack the
receiver's marker lie at e times their source signal instead of at zero. Markers that are expressed together tilt
nothing: their cells leave the cloud, or lie beside it by an amount that is not proportional to the source. So the
centre of the receiver's densest cloud (in linear units the narrow negative one) is followed over levels of the source,
and a slope counts only if it stands both between negative and positive source cells and among the positive ones. The
idea is that of checking compensation at the medians of negatives (Roederer, Cytometry 2001;45:194), for cells instead
of beads.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nktrace.model.compensation import Spillover
from nktrace.model.events import Events
from nktrace.model.panel import Kind, Panel
from nktrace.model.quality import Check, Verdict
from nktrace.model.quality_pictures import SpillPicture

Array = NDArray[np.float64]

_BINS = 90  # of the picture, per axis
_LEAST_COEFFICIENT = 1e-3
_LEVELS = 8  # of the source's positive cells
_LEVEL_EVENTS = 250  # at most, of each
_LEAST_LEVEL = 60  # at least
_LEAST_CLOUD = 25  # events of the receiver's cloud in a level
_POSITIVE = 10.0  # sd of the negatives from which a source is bright enough to show anything
_BRIGHTEST = 0.99  # of the source: beyond are doublets and the end of the scale
_SHORTEST = 0.15  # share of a level's events in the densest interval that the cloud is first looked for in
_HALF_WIDTH = 1.75  # of the cloud's core, in its sd
_RESPONSE = 0.672  # the variance of a standard normal cut off there: how far its mean follows
_BEYOND_ONE_SD = 0.3173  # of the events below the centre of a normal
_MOST_UNCERTAIN = 0.015  # half-width of the interval: a wider one has followed cells that express the receiver
_LEAST_LEVELS = 5  # of source values that a line is laid through, the negatives among them
_STRAY = 5.0  # standard errors from the robust line: the level's densest cloud is another one
_PROPORTIONAL = 0.5  # of the slope from negatives to positives that the slope among positives must have
_SMALL = 0.01  # a slope that is nothing either way
_CERTAIN = 0.75  # share of the limit that the lower end of both slopes' intervals must exceed
_Z = 1.96


@dataclass(frozen=True, slots=True, kw_only=True)
class Residual:
    """What one source leaves in one receiver.

    Attributes:
        source, receiver: markers.
        slope: residual spillover, receiver's signal per source's signal; positive where compensated too little.
        low, high: its 95 % interval.
        sure: how much of it is certain by both slopes, without sign.
        x, y: the source's level and the centre of the receiver's cloud there, linear units, shape (levels,).
        intercept: the receiver's cloud where the source is zero.
    """

    source: str
    receiver: str
    slope: float
    low: float
    high: float
    sure: float
    x: Array
    y: Array
    intercept: float


def spill_pairs(spillover: Spillover | None, detectors: Mapping[str, str], panel: Panel) -> tuple[tuple[str, str], ...]:
    """The (source, receiver) markers to be judged: those with a coefficient, or all where none was taken out.

    Only detectors on a logicle or asinh scale: linear ones hold values that were transformed before. Not the viability
    dye: live cells are negative for it as a source, and what they bind as a receiver follows their size and protein.

    Args:
        spillover: the matrix that was taken out, by $PnN.
        detectors: $PnN by marker.
        panel: for kinds and transforms.
    """
    left_out = (Kind.TIME, Kind.SCATTER, Kind.BEAD, Kind.VIABILITY)
    stained = [d.marker for d in panel.used if d.kind not in left_out and d.transform != "linear"]
    pairs = [(source, receiver) for source in stained for receiver in stained if receiver != source]
    if spillover is None:
        return tuple(pairs)
    index = {name: i for i, name in enumerate(spillover.detectors)}

    def coefficient(source: str, receiver: str) -> float:
        row, column = index.get(detectors[source]), index.get(detectors[receiver])
        return 0.0 if row is None or column is None else float(spillover.matrix[row, column])

    # A matrix of nothing is written for unmixed data, with a rounding error in it here and there.
    return tuple(pair for pair in pairs if abs(coefficient(*pair)) >= _LEAST_COEFFICIENT) or tuple(pairs)


def spill_check(events: Events, pairs: Sequence[tuple[str, str]], *, limit: float) -> tuple[Check, SpillPicture | None]:
    """The pair with the largest certain residual spillover; a warning where that exceeds the limit.

    Args:
        events: live single cells, compensated and not transformed.
        pairs: (source, receiver) markers.
        limit: on the residual coefficient, 0.02 being two percentage points.
    """
    found = residuals(events, pairs) if len(events) >= _LEAST_LEVEL * _LEVELS else []
    if not found:
        reason = f"none of {len(pairs)} pairs of detectors has enough source-positive, receiver-negative cells"
        if not pairs:
            reason = "no detector on a logicle or asinh scale spills into another"
        return Check(check="compensation_residual", limit=limit, status=Verdict.SKIPPED, reason=reason), None
    worst = max(found, key=lambda residual: (residual.sure, abs(residual.slope)))
    value = abs(worst.slope)
    over = value > limit and worst.sure > _CERTAIN * limit
    points = f"{100 * worst.slope:+.1f} percentage points ({100 * worst.low:+.1f} to {100 * worst.high:+.1f})"
    side = "too little" if worst.slope > 0 else "too much"
    words = f"{worst.source} into {worst.receiver}: {points.replace('-', '−')} left"
    reason = f"{words}, {side} compensated; {len(found)} of {len(pairs)} pairs could be judged"
    status = Verdict.WARN if over else Verdict.PASS
    check = Check(check="compensation_residual", value=value, limit=limit, status=status, reason=reason)
    return check, _picture(events, worst)


def _picture(events: Events, worst: Residual) -> SpillPicture:
    """Source against receiver in linear units, where the negatives and the line through them can be seen."""
    x, y = events.column(worst.source), events.column(worst.receiver)
    x_low, x_high = float(np.quantile(x, 0.005)), 1.15 * float(worst.x[-1])
    around = y[(y < np.median(y)) & (x < worst.x[-1])]
    spread = max(float(np.ptp(worst.y)), 4 * float(np.quantile(around, 0.5) - np.quantile(around, 0.02)), 1.0)
    middle = float(np.median(worst.y))
    y_low, y_high = middle - spread, middle + 1.6 * spread
    inside = (x >= x_low) & (x < x_high) & (y >= y_low) & (y < y_high)
    column = ((x[inside] - x_low) * (_BINS / (x_high - x_low))).astype(np.intp)
    row = ((y[inside] - y_low) * (_BINS / (y_high - y_low))).astype(np.intp)
    position = np.minimum(column, _BINS - 1) * _BINS + np.minimum(row, _BINS - 1)
    return SpillPicture(
        source=worst.source,
        receiver=worst.receiver,
        x_range=(x_low, x_high),
        y_range=(y_low, y_high),
        counts=np.bincount(position, minlength=_BINS * _BINS).reshape(_BINS, _BINS).astype(np.uint32),
        x=worst.x,
        y=worst.y,
        slope=worst.slope,
        low=worst.low,
        high=worst.high,
        intercept=worst.intercept,
    )


def residuals(events: Events, pairs: Sequence[tuple[str, str]]) -> list[Residual]:
    """The residual spillover of each pair that can be judged, in the order of the pairs.

    A pair can't be judged where too few cells are positive for the source, where no cloud is left in the receiver, or
    where source-positive cells lie elsewhere by an amount that does not grow with the source: they express the
    receiver.

    Args:
        events: live single cells, compensated and not transformed, some 20,000 of them.
        pairs: (source, receiver) markers.
    """
    receivers: dict[str, list[str]] = {}
    for source, receiver in pairs:
        receivers.setdefault(source, []).append(receiver)
    found = {}
    for source, names in receivers.items():
        levels = _levels(events.column(source))
        if levels is None:
            continue
        x = np.median(events.column(source)[levels], axis=1).astype(np.float64)
        columns = [events.channels.index(name) for name in names]
        clouds, errors = _clouds(events.values[:, columns][levels])
        for i, receiver in enumerate(names):
            residual = _fit(source, receiver, x, clouds[:, i], errors[:, i])
            if residual is not None:
                found[source, receiver] = residual
    return [found[pair] for pair in pairs if pair in found]


def _levels(values: NDArray[np.floating]) -> NDArray[np.intp] | None:
    """Events of each level of a source, shape (levels + 1, events): its negatives first, then equal parts of the rest.

    None where too few events are positive, or no negatives are there to compare with.
    """
    low, below, top = np.quantile(values, (0.02, 0.10, _BRIGHTEST))
    sd = float(below - low)  # about that of the negatives, be these a third of all events or all of them
    negative = np.flatnonzero(values < below + 2 * sd)
    positive = np.flatnonzero((values > below + _POSITIVE * sd) & (values <= top))
    size = min(positive.shape[0] // _LEVELS, _LEVEL_EVENTS)
    if sd <= 0 or size < _LEAST_LEVEL or negative.shape[0] < size:
        return None
    positive = positive[np.argsort(values[positive], kind="stable")]
    chosen = np.linspace(0, positive.shape[0] - 1, size * _LEVELS).astype(np.intp)
    negatives = negative[np.linspace(0, negative.shape[0] - 1, size).astype(np.intp)]
    return np.concatenate([negatives[None, :], positive[chosen].reshape(_LEVELS, size)])


def _clouds(values: NDArray[np.floating]) -> tuple[Array, Array]:
    """Centre of the densest cloud of each level and receiver, and its standard error; nan where it holds too little.

    The shortest interval of 15 % of the events finds the cloud; then its centre is the mean of its core. The cloud's
    sd is read on its lower side, since cells that express the receiver stand above.

    Args:
        values: shape (levels, events, receivers).

    Returns:
        Shape (levels, receivers) each.
    """
    ordered = np.sort(values, axis=1)
    size = ordered.shape[1]
    within = max(10, round(_SHORTEST * size))
    start = np.argmin(ordered[:, within:] - ordered[:, :-within], axis=1)[:, None, :]
    centre = np.take_along_axis(ordered, start + within // 2, axis=1)
    sd = number = np.zeros_like(centre)
    for _ in range(4):
        below = (ordered < centre).sum(axis=1, keepdims=True)
        sd = centre - np.take_along_axis(ordered, (below * _BEYOND_ONE_SD).astype(np.intp), axis=1)
        core = np.abs(ordered - centre) < _HALF_WIDTH * sd
        number = core.sum(axis=1, keepdims=True)
        mean = np.where(core, ordered, 0.0).sum(axis=1, keepdims=True) / np.maximum(number, 1)
        centre = np.where(number > 0, centre + np.clip((mean - centre) / _RESPONSE, -sd, sd), centre)
    error = sd / np.sqrt(_RESPONSE * np.maximum(number, 1))
    known = (number >= _LEAST_CLOUD) & (sd > 0)
    return np.where(known, centre, np.nan)[:, 0], np.where(known, error, np.nan)[:, 0]


def _fit(source: str, receiver: str, x: Array, y: Array, error: Array) -> Residual | None:
    """Two slopes, from the negatives to the positives and among the positives; what both say is what is left."""
    known = ~np.isnan(y)
    if not known[0] or np.count_nonzero(known) < _LEAST_LEVELS:
        return None
    x, y, error = _without_strays(x[known], y[known], error[known])
    slope, intercept, slope_error = _line(x, y, error)
    within, _, within_error = _line(x[1:], y[1:], error[1:])
    side = math.copysign(1.0, slope)
    expressed = side * within + _Z * within_error < _PROPORTIONAL * abs(slope)
    if _Z * max(slope_error, within_error) > _MOST_UNCERTAIN or (expressed and abs(slope) > _SMALL):
        return None
    sure = min(side * slope - _Z * slope_error, side * within - _Z * within_error)
    if side * within < side * slope:
        # Less among the positives: that part may be spillover, the rest is expression.
        slope, slope_error = side * max(side * within, 0.0), within_error
        intercept = float(np.mean(y - slope * x))
    low, high = slope - _Z * slope_error, slope + _Z * slope_error
    return Residual(
        source=source,
        receiver=receiver,
        slope=slope,
        low=low,
        high=high,
        sure=max(sure, 0.0),
        x=x,
        y=y,
        intercept=intercept,
    )


def _without_strays(x: Array, y: Array, error: Array) -> tuple[Array, Array, Array]:
    """Without at most two levels far from the robust line of the others (Theil 1950, Sen 1968): of other cells.

    The negatives of the source, which come first, stay.
    """
    first, second = np.triu_indices(x.shape[0], k=1)
    slope = float(np.median((y[second] - y[first]) / (x[second] - x[first])))
    apart = y - slope * x
    apart = np.abs(apart - np.median(apart))
    stray = apart / np.maximum(error, 1.4826 * float(np.median(apart)))
    stray[0] = 0.0
    worst = np.argsort(stray)[-2:]
    keep = np.ones(x.shape[0], dtype=np.bool_)
    keep[worst[stray[worst] > _STRAY]] = False
    return (x[keep], y[keep], error[keep]) if np.count_nonzero(keep) >= _LEAST_LEVELS else (x, y, error)


def _line(x: Array, y: Array, error: Array) -> tuple[float, float, float]:
    """Weighted least squares: slope, intercept, and the slope's standard error, larger where points scatter."""
    weight = 1 / error**2
    x_mean, y_mean = float(np.average(x, weights=weight)), float(np.average(y, weights=weight))
    squares = float((weight * (x - x_mean) ** 2).sum())
    slope = float((weight * (x - x_mean) * (y - y_mean)).sum()) / squares
    intercept = y_mean - slope * x_mean
    scatter = float((weight * (y - intercept - slope * x) ** 2).sum()) / max(x.shape[0] - 2, 1)
    return slope, intercept, math.sqrt(max(scatter, 1.0) / squares)
