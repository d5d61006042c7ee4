"""`excess`: the brighter part of a population, told from cells of the same sample that are not bright.

For CD56-bright NK cells the control are the CD16+ ones. It is no pure sample of dim cells, since some bright cells
bear CD16, and what is outside of it is no pure sample of bright ones, since dim cells shed CD16. Both are mixtures of
the same two distributions, in proportions that need not be known: dim cells fill the lower half of the control, bright
ones its far end, and the ratios there separate the two (mutual contamination: Scott, Blanchard & Handy 2013).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from nktrace.model.gates import (
    Edge,
    ExcessSettings,
    Gate,
    GatingRow,
    Polygon,
    Rectangle,
    Source,
    Status,
    ValleySettings,
)
from nktrace.science.density import Counts, Histogram, bandwidth_of, histogram, on_grid, resample, smooth
from nktrace.science.gating import valley
from nktrace.science.gating.negatives import MIN_NEGATIVES, quantile_edge
from nktrace.science.gating.parent import Parent, gate_of, rectangle_of, settings_of

WITHIN = "min_control"  # the cut for members of the control
STEP = "control"  # where the control begins, on the channel that defines it: as `control_min`, `control_max`
_SIGNIFICANT = 3.0  # sd of counting noise by which a brighter part must stand out to count as one
_HINT = 2.0  # and to be shown at all
_LEAST_CONTROL = 10  # events from which a brighter part may be told; from a base others are compared by, MIN_NEGATIVES
_CONTROL_QUANTILE = 0.995  # where no brighter part stands out
_FAR = 1e9  # beyond every event, yet a corner that a file of gates can hold


@dataclass(frozen=True, slots=True)
class Parting:
    """Where the brighter part begins, as the last bins below each cut.

    Attributes:
        outside: for cells outside the control; within: for its members; anywhere: for all of them by one cut.
        sd: by how much the brighter part outside the control exceeds counting noise.
        events: of the brighter part outside the control.
        dim: the median of the control's dim cells.
        bright_within: whether members of the control are bright at all.
    """

    outside: int
    within: int
    anywhere: int
    sd: float
    events: float
    dim: int
    bright_within: bool


def shape(row: GatingRow, edges: tuple[Edge, ...]) -> Rectangle | Polygon:
    """Half a line; or, on the control's channel as well, a step: a higher cut for members of the control."""
    own = {edge.edge: edge.value for edge in edges if edge.channel == row.markers[0]}
    steps = [edge for edge in edges if edge.edge.startswith(STEP)]
    if not steps:
        return rectangle_of(row, edges)
    (step,) = steps
    outside, at = own["min"], step.value
    within = max(outside, own[WITHIN])  # of two cuts from two sources: never lower for members of the control
    below, above = (outside, within) if step.edge == f"{STEP}_min" else (within, outside)
    corners = ((below, -_FAR), (_FAR, -_FAR), (_FAR, _FAR), (above, _FAR), (above, at), (below, at))
    return Polygon((row.markers[0], step.channel), corners)


def estimate(parent: Parent, row: GatingRow) -> Gate:
    """A cut outside the control and one within it; a single one where the control is not cut out of the same parent."""
    settings = settings_of(row, ExcessSettings)
    channel = row.markers[0]
    step = _step(parent, settings.of)
    outside, within = _edges(parent, channel, settings.of, stepped=step is not None)
    edges = (outside,) if step is None else (outside, within, step)
    return gate_of(row, shape(row, edges), edges)


def _step(parent: Parent, control: str) -> Edge | None:
    """Where the control was cut out of this parent; None if it is anything but half a line of it."""
    gate = parent.gates.get(control)
    if (
        gate is None
        or gate.parent != parent.population
        or len(gate.edges) != 1
        or not isinstance(gate.shape, Rectangle)
    ):
        return None
    (edge,) = gate.edges
    if abs(edge.value) >= _FAR:
        return None
    # The cut is the control's: its own doubts stand there, and it has its prior already.
    return replace(edge, edge=f"{STEP}_{edge.edge}", clear=False, status=Status.OK, reason="")


def _edges(parent: Parent, channel: str, control: str, *, stepped: bool) -> tuple[Edge, Edge]:
    grid = histogram(parent.values(channel))
    if control not in parent.masks:
        return _without(parent, channel, f"this panel has no {control}")
    members = parent.masks[control]
    events = int(np.count_nonzero(members))
    if grid is None or events < _LEAST_CONTROL:
        return _without(parent, channel, f"{events} events in the control {control}")
    others = parent.masks[parent.population] & ~members
    shared = bool((parent.masks[parent.population] & members).any())
    counts = (
        on_grid(parent.events.column(channel)[others], grid).counts,
        on_grid(parent.values(channel, control), grid).counts,
    )
    if counts[1].sum() < _LEAST_CONTROL:
        return _without(parent, channel, f"on {channel} {control} lies outside of {parent.population}")
    bandwidth = bandwidth_of(grid.counts)
    found = parted(*smooth(np.stack(counts), bandwidth), shared=shared)
    trusted = events >= MIN_NEGATIVES
    middle = float(np.median(parent.values(channel, control))) if found is None else grid.at(found.dim)
    base = middle if trusted else math.nan
    if found is None or found.sd < _HINT:
        return _none(parent, channel, control, base)
    draws = [resample(part, times=parent.options.bootstrap, rng=parent.rng) for part in counts]
    resampled = [parted(*pair, shared=shared) for pair in smooth(np.stack(draws, axis=1), bandwidth)]
    repeats = [again for again in resampled if again is not None]
    enough = trusted and parent.size >= parent.options.min_events
    clear = enough and found.sd >= _SIGNIFICANT and len(repeats) > 1
    why = f"only {found.events:.0f} events stand out above {control} on {channel}" if enough else ""
    why = "" if clear else why or f"{events} events in the control {control}, {parent.size} in {parent.population}"
    places = [again.outside if stepped else again.anywhere for again in repeats or [found]]
    outside = _edge(parent, grid, channel, "min", places, base=base)
    within = _edge(parent, grid, channel, WITHIN, [again.within for again in repeats or [found]], base=base)
    status = Status.OK if clear else Status.WARN
    return (
        replace(outside, clear=clear, status=status, reason=why),
        replace(within, clear=clear and found.bright_within, status=status, reason=why),
    )


def _edge(parent: Parent, grid: Histogram, channel: str, edge: str, places: list[int], *, base: float) -> Edge:
    """The mean cut of the resamples, with its interval (bagging, Breiman 1996: the best of near ties is erratic)."""
    value = grid.low + (float(np.mean(places)) + 1) * grid.width
    spread = float(np.std(places, ddof=1)) if len(places) > 1 else math.nan
    half = parent.z * grid.error(spread)
    return Edge(
        channel=channel, edge=edge, value=value, low=value - half, high=value + half, base=base, source=Source.CONTROL
    )


def _none(parent: Parent, channel: str, control: str, base: float) -> tuple[Edge, Edge]:
    """Nothing is brighter than the control: its end."""
    values = parent.values(channel, control)
    values = values[np.isfinite(values)]
    found = quantile_edge(values, channel, edge="min", quantile=_CONTROL_QUANTILE, level=parent.options.level)
    why = f"no population above {control} on {channel}: cut at its {_CONTROL_QUANTILE:g} quantile"
    found = replace(found, base=base, clear=False, status=Status.WARN, reason=why)
    return found, replace(found, edge=WITHIN)


def _without(parent: Parent, channel: str, why: str) -> tuple[Edge, Edge]:
    """A valley, else the tail of the lone peak. The cut that made the parent is no answer here."""
    values = parent.values(channel)
    settings = ValleySettings(which="last")
    found = valley.valley_edge(parent, values, channel, edge="min", settings=settings) or valley.lone_peak_edge(
        parent, values, channel, edge="min", lone="negative", why=valley.missing_valley(parent, values)
    )
    reason = "; ".join((why, found.reason or "the valley in the parent is used"))
    status = Status.FAIL if found.status is Status.FAIL else Status.WARN
    found = replace(found, clear=False, status=status, reason=reason)
    return found, replace(found, edge=WITHIN)


def parted(others: Counts, control: Counts, *, shared: bool = True) -> Parting | None:
    """Part two mixtures of dim and bright cells, and cut where a cell is as likely to be one as the other.

    With d and b the counts of dim cells in the control and of bright ones outside it, control = d + r b and
    others = l d + b. Below the control's median there is no bright cell, so l is the ratio of both there; r is the
    least ratio of control to others above a cut that leaves at least half of the bright ones. Then, bin by bin,
    b = (others - l control) / (1 - l r) and d = (control - r others) / (1 - l r), and each cut maximises bright minus
    dim events above it: the fewest on the wrong side, a sum of counts and not a ratio of two noisy densities.

    Args:
        others: the cells outside the control, counts of shape (bins,), may be smoothed.
        control: on the same grid.
        shared: whether the control is part of the population that is cut.

    Returns:
        The cuts; None where nothing is in excess, or the control is empty.
    """
    cumulative = np.cumsum(control)
    if cumulative[-1] <= 0:
        return None  # a resample of few events may have none
    median = int(np.searchsorted(cumulative, cumulative[-1] / 2))
    dim = float(others[: median + 1].sum()) / max(float(cumulative[median]), 1.0)
    above_others, above_control = others.sum() - np.cumsum(others), cumulative[-1] - cumulative
    rough = _cut(others - 2 * dim * control, start=median)
    events = float(above_others[rough] - dim * above_control[rough])
    if events <= 0:
        return None
    sd = events / math.sqrt(above_others[rough] + dim**2 * above_control[rough])
    upper = np.flatnonzero(above_others >= above_others[rough] / 2)
    upper = upper[upper >= rough]
    bright = float((above_control[upper] / above_others[upper]).min())
    bright = min(bright, 0.8 / max(dim, 1e-9))  # beyond it both mixtures are one and the same
    b = (others - dim * control) / (1 - dim * bright)
    d = (control - bright * others) / (1 - dim * bright)
    outside = _cut(b - dim * d, start=median)
    gain = bright * b - d
    within = _cut(gain, start=outside)
    bright_within = bool(gain[within + 1 :].sum() > 0)
    if not bright_within:
        within = max(outside, int(np.flatnonzero(control > 0)[-1]))
    anywhere = _cut(b - dim * d + (gain if shared else 0.0), start=median)
    middle = int(np.searchsorted(dim_cells := np.cumsum(np.maximum(d, 0.0)), dim_cells[-1] / 2))
    return Parting(outside, within, anywhere, sd, events, middle, bright_within)


def _cut(gain: Counts, *, start: int) -> int:
    """The last bin below the cut, at `start` or above, that keeps most of the gain."""
    return start + int(np.argmax(gain.sum() - np.cumsum(gain)[start:]))
