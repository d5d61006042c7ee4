"""How far a sample's NK cells stand from the cluster reference, marker by marker, whatever their composition is.

A patient whose CD57+ cells have grown has not drifted, a tube stained brighter has. The two are told apart by a
mixture: every population of the reference keeps its place and its spread, its share is free, and all of them are moved
together by one shift per marker. That is coherent point drift (Myronenko & Song 2010, 10.1109/TPAMI.2010.46) with a
translation, free shares, and populations instead of points; events that fit no population go to an even background.

Only populations that more than a third of the reference samples have, each at the median of the samples' places, are
registered to: one odd sample among those that the reference was fitted on does not vouch for itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nktrace.model.clusters import ClusterReference
from nktrace.model.events import FloatArray, Mask
from nktrace.model.intervals import UNKNOWN, Interval
from nktrace.model.nk_drift import MarkerShift
from nktrace.science.drawing import draw_rows
from nktrace.science.intervals import normal_quantile
from nktrace.science.mapping import nearest_prototype, scaled_values

_LEAST_EVENTS = 50  # of a sample; a shift of fewer says little
_LEAST_IN_CLUSTER = 20  # of a reference sample, for its place to count
_LEAST_OF_SAMPLE = 0.02  # of its events, likewise: among many small populations each shift finds some to lie on
_LEAST_OF_POPULATION = 5.0  # of a sample, for the population to count
_LEAST_IN_ANY = 0.05  # of a sample's events, in all populations together: fewer are strays
_LEAST_SAMPLES = 5  # of a reference, for the sd between them
_COMMON = 1 / 3  # of the reference samples: a population that more have
_SMALLEST_SPREAD = 0.01  # of the range
_MOST_EVENTS = 2_000  # of a sample: the interval is then a tenth of the limit
_GROUPS = 10  # of the jackknife
_WIDENED = (3.0, 2.0, 1.5, 1.0)  # spreads, from wide to their own: a large shift is found from afar
_ROUNDS, _WIDE_ROUNDS, _STILL = 60, 5, 1e-5
_SMALLEST_SHARE = 1e-3  # of the background

_LOST = "no population of the reference is near the NK events of the sample"

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SamplePlaces:
    """Where the clusters of one reference sample stand, on the clustered scale.

    Attributes:
        events: in each cluster, shape (clusters,).
        places, spreads: median and half the distance between the quantiles one sd from it, shape (clusters, markers);
            nan where a cluster has fewer than 20 events, or 2 % of the sample.
    """

    events: NDArray[np.int64]
    places: Floats
    spreads: Floats


def sample_places(values: FloatArray, reference: ClusterReference) -> SamplePlaces:
    """What one sample says of the places of the populations.

    Args:
        values: NK events, finite, on the transformed scale, shape (events, markers), in the reference's order of
            markers.
        reference: with clusters.
    """
    scaled = scaled_values(values, reference.center, reference.width)
    cluster = reference.metaclusters[nearest_prototype(scaled, reference.prototypes)[0]]
    events = np.array([np.count_nonzero(cluster == of.number) for of in reference.clusters], dtype=np.int64)
    quantiles = np.full((3, len(events), len(reference.markers)), np.nan)
    for row in np.flatnonzero(events >= max(_LEAST_IN_CLUSTER, _LEAST_OF_SAMPLE * len(values))):
        own = scaled[cluster == reference.clusters[row].number].astype(np.float64)
        quantiles[:, row] = np.quantile(own, (0.1587, 0.5, 0.8413), axis=0)
    return SamplePlaces(events, quantiles[1], (quantiles[2] - quantiles[0]) / 2)


def with_places(reference: ClusterReference, samples: Iterable[SamplePlaces]) -> ClusterReference:
    """The reference with the place and spread of each population that its samples have in common.

    Beside them `between`: how far its samples stand from these places themselves, as a robust sd (1.4826 times the
    median absolute deviation) over samples; 0 where there are too few.

    Args:
        reference: with clusters.
        samples: of the reference, in any order; one of few events says nothing.
    """
    held = [sample for sample in samples if sample.events.sum() >= _LEAST_EVENTS]
    if not held or not reference.clusters:
        return reference
    places = np.stack([sample.places for sample in held])
    common = np.isfinite(places).all(axis=2).mean(axis=0) > _COMMON
    if not common.any():
        return reference
    place = np.nanmedian(places[:, common], axis=0)
    spread = np.nanmedian(np.stack([sample.spreads[common] for sample in held]), axis=0)
    spread = np.maximum(spread, _SMALLEST_SPREAD)
    own = [_mean_shift(sample.places[common] - place, sample.events[common], spread) for sample in held]
    shifts = np.array([shift for shift in own if np.isfinite(shift).all()]).reshape(-1, len(reference.markers))
    between = np.zeros(len(reference.markers))
    if len(shifts) >= _LEAST_SAMPLES:
        between = 1.4826 * np.median(np.abs(shifts - np.median(shifts, axis=0)), axis=0)
    return replace(reference, places=place.astype(np.float32), spreads=spread.astype(np.float32), between=between)


def _mean_shift(moved: Floats, events: Floats | NDArray[np.int64], spreads: Floats) -> Floats:
    """The mean over populations of how far each has moved, by the square root of its events over its spread.

    The largest population, which may have changed by itself, is then not alone in what it says.

    Args:
        moved: shape (populations, markers); nan where a population says nothing.
        events: shape (populations,).
        spreads: shape (populations, markers).

    Returns:
        Shape (markers,); nan where no population says anything.
    """
    weight = np.where(np.isfinite(moved), np.sqrt(events)[:, None] / spreads, 0)
    total = weight.sum(axis=0)
    mean: Floats = np.nansum(moved * weight, axis=0) / np.where(total > 0, total, np.nan)
    return mean


def marker_shifts(
    values: FloatArray,
    reference: ClusterReference,
    *,
    level: float,
    rng: np.random.Generator,
    aligned: FloatArray | None = None,
    left_out: str = "",
) -> tuple[MarkerShift, ...]:
    """The shift of each marker of the reference, as a share of its range (`reference.width`).

    Intervals are those of the sample alone: normal, by a delete-a-group jackknife. A sample that stands so far off that
    hardly any of its events is near a population has no shift: it is lost.

    Args:
        values: NK events on the transformed scale, shape (events, markers), in the reference's order of markers.
        reference: with `places` and `spreads`.
        level: of the intervals.
        rng: draws the events where there are many, and the groups.
        aligned: the same events after alignment, where there was one.
        left_out: the marker that an FMO control lacks.
    """
    finite = np.flatnonzero(np.isfinite(values).all(axis=1))
    reason = ""
    if not len(reference.places):
        reason = "there is no NK population that more than a third of the reference samples have"
    elif len(finite) < _LEAST_EVENTS:
        reason = f"{len(finite)} NK events, {_LEAST_EVENTS} are needed"
    stained = np.array([marker != left_out for marker in reference.markers], dtype=np.bool_)
    if reason or not stained.any():
        return tuple(
            MarkerShift(marker=marker, reason=reason or left_out_reason(marker)) for marker in reference.markers
        )
    rows = rng.permutation(draw_rows(finite, _MOST_EVENTS, rng))
    before = _intervals(values[rows], reference, stained, level=level)
    after = before if aligned is None else _intervals(aligned[rows], reference, stained, level=level)
    then = [UNKNOWN] * stained.size if aligned is None else after or [UNKNOWN] * stained.size
    return tuple(
        MarkerShift(marker=marker, reason=left_out_reason(marker))
        if not is_stained
        else MarkerShift(marker=marker, shift=shift, aligned=left, lost=not after, reason="" if before else _LOST)
        for marker, is_stained, shift, left in zip(
            reference.markers, stained, before or [UNKNOWN] * stained.size, then, strict=True
        )
    )


def left_out_reason(marker: str) -> str:
    return f"{marker} is left out of this tube"


def _intervals(values: FloatArray, reference: ClusterReference, stained: Mask, *, level: float) -> list[Interval]:
    """The shift of each marker, unknown where it is not stained; none at all where no population is near.

    Args:
        values: in random order, shape (events, markers).
    """
    scaled = scaled_values(values, reference.center, reference.width)[:, stained].astype(np.float64)
    places = reference.places[:, stained].astype(np.float64)
    spreads = reference.spreads[:, stained].astype(np.float64)
    registered = _registered(scaled, places, spreads, None)
    if registered is None:
        return []
    likeliest, shift = registered
    parts = np.arange(len(scaled)) % _GROUPS
    others = [_registered(scaled[parts != part], places, spreads, likeliest) for part in range(_GROUPS)]
    without = [other[1] for other in others if other is not None]
    if len(without) < _GROUPS:
        return []
    half = normal_quantile(level) * np.sqrt((_GROUPS - 1) * np.var(without, axis=0))
    found = [UNKNOWN] * stained.size
    for marker, value, wide in zip(np.flatnonzero(stained), shift.tolist(), half.tolist(), strict=True):
        found[marker] = Interval(value, value - wide, value + wide)
    return found


def _registered(values: Floats, places: Floats, spreads: Floats, start: Floats | None) -> tuple[Floats, Floats] | None:
    """The shift of each marker that makes the events most likely, by expectation maximisation, and the same robustly.

    None where hardly any event is near a population.

    Args:
        values: shape (events, markers), on the clustered scale.
        places, spreads: of each population, shape (populations, markers).
        start: a likeliest shift near this one; without it, it is found from widened populations.
    """
    shift = np.zeros(values.shape[1]) if start is None else start
    share, background = np.full(len(places), 0.95 / len(places)), 0.05
    for widened in _WIDENED if start is None else _WIDENED[-1:]:
        precision = 1 / (widened * spreads) ** 2
        constant = 0.5 * (np.log(precision) - math.log(2 * math.pi)).sum(axis=1)
        for _ in range(_ROUNDS if widened == _WIDENED[-1] else _WIDE_ROUNDS):
            moved = places + shift
            distance = (values * values) @ precision.T - 2 * values @ (moved * precision).T
            distance += (moved * moved * precision).sum(axis=1)
            likely = np.log(np.maximum(share, 1e-12)) + constant - distance / 2
            top = np.maximum(likely.max(axis=1), math.log(background))[:, None]  # the background's density is 1
            member = np.exp(likely - top)
            member /= member.sum(axis=1, keepdims=True) + background * np.exp(-top)
            events = member.sum(axis=0)
            share = events / len(values)
            background = max(_SMALLEST_SHARE, 1 - float(share.sum()))
            if events.max() < _LEAST_OF_POPULATION:
                return None
            before = shift
            weight = (events[:, None] * precision).sum(axis=0)
            shift = ((member.T @ values - events[:, None] * places) * precision).sum(axis=0) / weight
            if np.abs(shift - before).max() < _STILL:
                break
    if events.sum() < _LEAST_IN_ANY * len(values):
        return None
    return shift, _median_shift(values, member, places, spreads)


def _median_shift(values: Floats, member: Floats, places: Floats, spreads: Floats) -> Floats:
    """The mean over populations of how far the median of their events stands from their place.

    Medians, since cells that begin to carry a marker are no shift of it.

    Args:
        values: shape (events, markers).
        member: how likely each event is of each population, shape (events, populations).
        places, spreads: shape (populations, markers).
    """
    events = member.sum(axis=0)
    counted = events >= _LEAST_OF_POPULATION
    medians = np.empty_like(places)
    for marker in range(values.shape[1]):
        order = np.argsort(values[:, marker], kind="stable")
        below = np.cumsum(member[order], axis=0)
        medians[:, marker] = values[order[(below < below[-1] / 2).sum(axis=0)], marker]
    return _mean_shift((medians - places)[counted], events[counted], spreads[counted])
