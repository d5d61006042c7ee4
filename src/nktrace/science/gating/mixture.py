"""`mixture`: two skewed populations, cut where an event belongs to either with even odds."""

from __future__ import annotations

import math

import numpy as np

from nktrace.model.events import FloatArray
from nktrace.model.gates import Edge, Gate, GatingRow, MixtureSettings, Rectangle, Source, Status, ValleySettings
from nktrace.science.density import histogram, resample
from nktrace.science.gating import valley
from nktrace.science.gating.parent import Parent, gate_of, rectangle_of, settings_of
from nktrace.science.split_normals import even_odds, fit

_BINS = 256


def shape(row: GatingRow, edges: tuple[Edge, ...]) -> Rectangle:
    """Half a line."""
    return rectangle_of(row, edges)


def estimate(parent: Parent, row: GatingRow) -> Gate:
    """The cut between two components; where they are one population, what `valley` falls back on."""
    settings = settings_of(row, MixtureSettings)
    channel = row.markers[0]
    edge = "min" if settings.sign == "+" else "max"
    found = _edge(parent, parent.values(channel), channel, edge=edge)
    if found is None:
        found = valley.cut(parent, channel, edge=edge, settings=ValleySettings(sign=settings.sign))
    return gate_of(row, shape(row, (found,)), (found,))


def _edge(parent: Parent, values: FloatArray, channel: str, *, edge: str) -> Edge | None:
    counts = histogram(values, bins=_BINS) if values.shape[0] >= parent.options.min_events else None
    if counts is None:
        return None
    low, high = fit(counts.counts)
    place = even_odds(low, high)
    if math.isnan(place):
        return None
    again = [
        even_odds(*fit(draw, start=(low, high)))
        for draw in resample(counts.counts, times=parent.options.bootstrap, rng=parent.rng)
    ]
    places = np.array([p for p in again if not math.isnan(p)])
    support = len(places) / len(again)
    if len(places) < 2:
        return None
    value = counts.at(place)
    half = parent.z * counts.error(float(places.std(ddof=1)))
    clear = support >= 0.8
    return Edge(
        channel=channel,
        edge=edge,
        value=value,
        low=value - half,
        high=value + half,
        source=Source.DATA,
        clear=clear,
        status=Status.OK if clear else Status.WARN,
        reason="" if clear else f"two components stand in {support:.0%} of resamples only",
    )
