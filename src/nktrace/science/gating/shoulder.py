"""A population that is only a shoulder of a larger one: no valley parts them, but elsewhere one shows that both exist.

Among CD3- cells the CD56-negative ones are few, and lie on the flank of the NK cells; among lymphocytes their valley is
plain. The flank of the main peak, from its mode outwards, is taken for two skewed populations.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from nktrace.model.events import FloatArray
from nktrace.model.gates import Edge, Source
from nktrace.science.density import Counts, histogram, main_peak, resample
from nktrace.science.gating.parent import Parent
from nktrace.science.split_normals import SplitNormal, even_odds, fit, lowest_between

_BINS = 256
_NEAR = 1.5  # sd of the main peak between the shoulder's cut and the valley that vouches for it
_RESAMPLES = 20
_SUPPORT = 0.8


def shoulder_edge(parent: Parent, values: FloatArray, *, anchor: Edge) -> Edge | None:
    """The cut between the main peak and a shoulder of it, near the valley of another population; None without one.

    Args:
        parent: for its settings.
        values: of the parent on one channel.
        anchor: the cut of the other population.
    """
    counts = histogram(values, bins=_BINS) if values.shape[0] >= parent.options.min_events else None
    if counts is None:
        return None
    mode, width = main_peak(counts.counts)
    below = anchor.value < counts.at(mode)
    place, fitted = _cut(counts.counts, mode, below=below)
    if math.isnan(place) or abs(counts.at(place) - anchor.value) > _NEAR * width * counts.width:
        return None
    draws = resample(counts.counts, times=min(parent.options.bootstrap, _RESAMPLES), rng=parent.rng)
    places = np.array([_cut(draw, mode, below=below, start=fitted)[0] for draw in draws])
    places = places[np.isfinite(places)]
    if places.shape[0] < _SUPPORT * len(draws):
        return None
    value = counts.at(place)
    # Even odds, the lowest density and the valley next door are three places for one boundary: how far they differ is
    # what two skewed normals and the choice among the three leave open.
    lowest = lowest_between(*fitted)
    other = counts.at(lowest if below else counts.counts.shape[0] - 1 - lowest)
    model = math.hypot(value - other, (value - anchor.value) / 2)
    half = parent.z * math.hypot(counts.error(float(places.std(ddof=1))), model)
    return replace(
        anchor,
        value=value,
        low=value - half,
        high=value + half,
        source=Source.DATA,
        reason=f"no valley in {parent.population}: cut at the shoulder of its main peak",
    )


def _cut(
    counts: Counts, mode: int, *, below: bool, start: tuple[SplitNormal, SplitNormal] | None = None
) -> tuple[float, tuple[SplitNormal, SplitNormal]]:
    """Where shoulder and main peak have even odds, in bins, and both populations on the flank read inwards."""
    flank = counts[: mode + 1] if below else counts[mode:][::-1]
    pair = fit(flank, start=start)
    place = even_odds(*pair)
    return (place if below else counts.shape[0] - 1 - place), pair
