"""`control`: a cut from cells that lack the marker: an FMO tube, or a negative population of the same sample.

FMO tubes are gated with the other samples of their batch when the reference is fitted; what they say arrives as a prior
of source `control`, which is then the cut itself.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from nktrace.model.events import FloatArray
from nktrace.model.gates import ControlSettings, Edge, Gate, GatingRow, Rectangle, Source, Status, ValleySettings
from nktrace.science.density import Counts, histogram, on_grid, resample
from nktrace.science.gating import valley
from nktrace.science.gating.parent import Parent, gate_of, rectangle_of, settings_of

_MIN_CONTROL = 30
FMO = "fmo"


def shape(row: GatingRow, edges: tuple[Edge, ...]) -> Rectangle:
    """Half a line."""
    return rectangle_of(row, edges)


def estimate(parent: Parent, row: GatingRow) -> Gate:
    """The cut from the control; a valley, with the reason, where the control is missing or too small."""
    settings = settings_of(row, ControlSettings)
    channel = row.markers[0]
    edge = "min" if settings.sign == "+" else "max"
    found = (
        _from_fmo(parent, channel, edge, settings)
        if settings.of == FMO
        else _from_population(parent, channel, edge, settings)
    )
    return gate_of(row, shape(row, (found,)), (found,))


def _from_fmo(parent: Parent, channel: str, edge: str, settings: ControlSettings) -> Edge:
    prior = parent.expected.get((channel, edge))
    if parent.without == channel:
        values = parent.values(channel)
        if values.shape[0] >= _MIN_CONTROL:
            return _quantile_edge(parent, values, channel, edge, settings)
    if prior is not None and prior.source is Source.CONTROL:
        half = parent.z * prior.sd
        return Edge(
            channel=channel,
            edge=edge,
            value=prior.mean,
            low=prior.mean - half,
            high=prior.mean + half,
            prior=prior.mean,
            source=Source.CONTROL,
        )
    return _without_control(parent, channel, edge, settings, f"no FMO control of {channel} in this batch")


def _from_population(parent: Parent, channel: str, edge: str, settings: ControlSettings) -> Edge:
    if settings.of not in parent.masks:
        return _without_control(parent, channel, edge, settings, f"this panel has no {settings.of}")
    control = parent.values(channel, settings.of)
    if control.shape[0] < _MIN_CONTROL:
        return _without_control(
            parent, channel, edge, settings, f"{control.shape[0]} events in the control {settings.of}"
        )
    if settings.rule == "quantile":
        return _quantile_edge(parent, control, channel, edge, settings)
    return _excess_edge(parent, control, channel, edge, settings)


def _without_control(parent: Parent, channel: str, edge: str, settings: ControlSettings, why: str) -> Edge:
    """A valley instead. For `excess`, which looks for a brighter part of one population, the cut that made that
    population is no answer, so the tail of the lone peak comes next.
    """
    fallback = ValleySettings(sign=settings.sign, which="last")
    if settings.rule == "quantile":
        found = valley.cut(parent, channel, edge=edge, settings=fallback)
    else:
        values = parent.values(channel)
        missing = valley.missing_valley(parent, values)
        if (channel, edge) in parent.expected:
            return Edge(channel=channel, edge=edge, value=math.nan, clear=False, status=Status.WARN, reason=why)
        found = valley.valley_edge(parent, values, channel, edge=edge, settings=fallback) or valley.lone_peak_edge(
            parent, values, channel, edge=edge, lone="negative", why=missing
        )
    reason = "; ".join((why, found.reason or "the valley in the parent is used"))
    return replace(
        found, clear=False, status=Status.FAIL if found.status is Status.FAIL else Status.WARN, reason=reason
    )


def _quantile_edge(parent: Parent, control: FloatArray, channel: str, edge: str, settings: ControlSettings) -> Edge:
    """A quantile and its interval by order statistics (no distribution assumed)."""
    control = control[np.isfinite(control)]
    q = settings.quantile
    half = parent.z * math.sqrt(q * (1 - q) / control.shape[0])
    low, value, high = np.quantile(control, (max(q - half, 0.0), q, min(q + half, 1.0)))
    return Edge(channel=channel, edge=edge, value=float(value), low=float(low), high=float(high), source=Source.CONTROL)


def _excess_edge(parent: Parent, control: FloatArray, channel: str, edge: str, settings: ControlSettings) -> Edge:
    """Where the parent begins to hold more than twice what the control's distribution explains."""
    grid = histogram(parent.values(channel))
    if grid is None or grid.events < parent.options.min_events:
        return _without_control(parent, channel, edge, settings, f"few events in {parent.population}")
    control_counts = on_grid(control, grid).counts
    place, share = excess_cut(grid.counts, control_counts)
    if share < 2 / math.sqrt(grid.events):
        found = _quantile_edge(parent, control, channel, edge, settings)
        reason = f"no population above {settings.of} on {channel}: cut at its {settings.quantile:g} quantile"
        return replace(found, clear=False, status=Status.WARN, reason=reason)
    times = parent.options.bootstrap
    draws = zip(
        resample(grid.counts, times=times, rng=parent.rng),
        resample(control_counts, times=times, rng=parent.rng),
        strict=True,
    )
    places = [excess_cut(whole, part)[0] for whole, part in draws]
    value = grid.low + (place + 1) * grid.width
    half = parent.z * math.hypot(float(np.std(places, ddof=1)), math.sqrt(1 / 12)) * grid.width
    return Edge(channel=channel, edge=edge, value=value, low=value - half, high=value + half, source=Source.CONTROL)


def excess_cut(parent: Counts, control: Counts) -> tuple[float, float]:
    """The cut above which most events are in excess of the control, and their share of the parent.

    The control is scaled to the parent's events below the control's median, where nothing but its like stands. The cut
    maximises events above it minus twice the scaled control above it: the fewest events on the wrong side, a count and
    not a ratio of two noisy densities.

    Args:
        parent, control: counts on one grid, shape (bins,).

    Returns:
        The last bin below the cut, and the excess above it as a share of the parent.
    """
    cumulative = np.cumsum(control)
    median = int(np.searchsorted(cumulative, cumulative[-1] / 2))
    scale = float(parent[: median + 1].sum()) / max(float(control[: median + 1].sum()), 1.0)
    above_parent = parent.sum() - np.cumsum(parent)
    above_control = scale * (cumulative[-1] - cumulative)
    gain = above_parent - 2 * above_control
    gain[:median] = -math.inf
    best = int(np.argmax(gain))
    return float(best), float(max(above_parent[best] - above_control[best], 0.0) / max(parent.sum(), 1.0))
