"""`control`: a cut from cells that lack the marker: an FMO tube, or a negative population of the same sample.

FMO tubes are gated as the other samples of their batch when the reference is fitted; what they say arrives as a prior
of source `control`, which is then the cut itself. A batch without one borrows that of other batches, and says so.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from nktrace.model.events import FloatArray
from nktrace.model.gates import ControlSettings, Edge, Gate, GatingRow, Rectangle, Source, Status, ValleySettings
from nktrace.science.gating import valley
from nktrace.science.gating.negatives import MIN_NEGATIVES, left_out_edge, quantile_edge
from nktrace.science.gating.parent import Parent, gate_of, rectangle_of, settings_of

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
    left_out = left_out_edge(parent, channel, edge=edge, quantile=settings.quantile)
    if left_out is not None:
        return left_out
    prior = parent.expected.get((channel, edge))
    missing = f"no FMO control of {channel} in this batch"
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
    if prior is not None and prior.fmo:
        return Edge(channel=channel, edge=edge, value=math.nan, clear=False, status=Status.WARN, reason=missing)
    return _without_control(parent, channel, edge, settings, missing)


def _from_population(parent: Parent, channel: str, edge: str, settings: ControlSettings) -> Edge:
    if settings.of not in parent.masks:
        return _without_control(parent, channel, edge, settings, f"this panel has no {settings.of}")
    control = parent.values(channel, settings.of)
    if control.shape[0] < MIN_NEGATIVES:
        return _without_control(
            parent, channel, edge, settings, f"{control.shape[0]} events in the control {settings.of}"
        )
    return _quantile_edge(parent, control, channel, edge, settings)


def _without_control(parent: Parent, channel: str, edge: str, settings: ControlSettings, why: str) -> Edge:
    """A valley instead."""
    found = valley.cut(parent, channel, edge=edge, settings=ValleySettings(sign=settings.sign, which="last"))
    reason = "; ".join((why, found.reason or "the valley in the parent is used"))
    return replace(
        found, clear=False, status=Status.FAIL if found.status is Status.FAIL else Status.WARN, reason=reason
    )


def _quantile_edge(parent: Parent, control: FloatArray, channel: str, edge: str, settings: ControlSettings) -> Edge:
    finite = control[np.isfinite(control)]
    return quantile_edge(finite, channel, edge=edge, quantile=settings.quantile, level=parent.options.level)
