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
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from nktrace.model.clusters import UNASSIGNED, ClusterReference
from nktrace.model.events import FloatArray, Mask
from nktrace.model.intervals import UNKNOWN, Interval
from nktrace.model.nk_drift import MarkerShift
from nktrace.model.quality import Check, Verdict
from nktrace.science.drawing import draw_rows
from nktrace.science.intervals import normal_quantile
from nktrace.science.mapping import nearest_prototype, scaled_values

SHIFT = "nk_shift:"
FAIL_SHIFT = 2.0  # times the limit
FAIL_UNASSIGNED = 5.0  # times the limit
_LEAST_EVENTS = 50  # of a sample; a shift of fewer says little
_LEAST_IN_CLUSTER = 20  # of a reference sample, for its place to count
_LEAST_OF_POPULATION = 5.0  # of a sample, for the population to count
_COMMON = 1 / 3  # of the reference samples: a population that more have
_SMALLEST_SPREAD = 0.01  # of the range
_MOST_EVENTS = 2_000  # of a sample: the interval is then a tenth of the limit
_GROUPS = 10  # of the jackknife
_WIDENED = (3.0, 2.0, 1.5, 1.0)  # spreads, from wide to their own: a large shift is found from afar
_ROUNDS, _WIDE_ROUNDS, _STILL = 60, 5, 1e-5
_SMALLEST_SHARE = 1e-3  # of the background

Floats = NDArray[np.float64]


def with_places(reference: ClusterReference, values: Mapping[str, FloatArray]) -> ClusterReference:
    """The reference with the place and spread of each population that its samples have in common.

    Args:
        reference: with clusters.
        values: per sample the events that it was fitted on, shape (events, markers), in its order of markers.
    """
    numbers = [cluster.number for cluster in reference.clusters]
    if not numbers:
        return reference
    places: dict[int, list[FloatArray]] = {number: [] for number in numbers}
    around: dict[int, list[FloatArray]] = {number: [] for number in numbers}
    samples = 0
    for sample in sorted(values):
        scaled = scaled_values(values[sample], reference.center, reference.width)
        cluster = reference.metaclusters[nearest_prototype(scaled, reference.prototypes)[0]]
        samples += len(scaled) >= _LEAST_EVENTS
        for number in numbers:
            own = scaled[cluster == number]
            if len(own) >= _LEAST_IN_CLUSTER:
                places[number].append(np.median(own, axis=0))
                around[number].append(own - places[number][-1])
    common = [number for number in numbers if len(places[number]) > _COMMON * samples]
    shape = (len(common), len(reference.markers))
    place = np.array([np.median(places[number], axis=0) for number in common], dtype=np.float32).reshape(shape)
    ends = [np.quantile(np.concatenate(around[number]), (0.1587, 0.8413), axis=0) for number in common]
    spread = np.array([(high - low) / 2 for low, high in ends], dtype=np.float32).reshape(shape)
    return replace(reference, places=place, spreads=np.maximum(spread, np.float32(_SMALLEST_SPREAD)))


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

    Intervals are those of the sample alone: normal, by a delete-a-group jackknife.

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
        return tuple(MarkerShift(marker=marker, reason=reason or _left_out(marker)) for marker in reference.markers)
    rows = rng.permutation(draw_rows(finite, _MOST_EVENTS, rng))
    before = _intervals(values[rows], reference, stained, level=level)
    after = before if aligned is None else _intervals(aligned[rows], reference, stained, level=level)
    return tuple(
        MarkerShift(marker=marker, shift=shift, aligned=UNKNOWN if aligned is None else then)
        if shift.known
        else MarkerShift(marker=marker, reason=_left_out(marker))
        for marker, shift, then in zip(reference.markers, before, after, strict=True)
    )


def _left_out(marker: str) -> str:
    return f"{marker} is left out of this tube"


def _intervals(values: FloatArray, reference: ClusterReference, stained: Mask, *, level: float) -> list[Interval]:
    """The shift of each marker, unknown where it is not stained; the events stand in random order."""
    scaled = scaled_values(values, reference.center, reference.width)[:, stained].astype(np.float64)
    places = reference.places[:, stained].astype(np.float64)
    spreads = reference.spreads[:, stained].astype(np.float64)
    likeliest, shift = _registered(scaled, places, spreads, None)
    parts = np.arange(len(scaled)) % _GROUPS
    without = [_registered(scaled[parts != part], places, spreads, likeliest)[1] for part in range(_GROUPS)]
    half = normal_quantile(level) * np.sqrt((_GROUPS - 1) * np.var(without, axis=0))
    found = [UNKNOWN] * stained.size
    for marker, value, wide in zip(np.flatnonzero(stained), shift.tolist(), half.tolist(), strict=True):
        found[marker] = Interval(value, value - wide, value + wide)
    return found


def _registered(values: Floats, places: Floats, spreads: Floats, start: Floats | None) -> tuple[Floats, Floats]:
    """The shift of each marker that makes the events most likely, by expectation maximisation, and the same robustly.

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
                return shift, shift  # nothing is near any population: what there is to say, the novelty says
            before = shift
            weight = (events[:, None] * precision).sum(axis=0)
            shift = ((member.T @ values - events[:, None] * places) * precision).sum(axis=0) / weight
            if np.abs(shift - before).max() < _STILL:
                break
    return shift, _median_shift(values, member, places, spreads)


def _median_shift(values: Floats, member: Floats, places: Floats, spreads: Floats) -> Floats:
    """The mean over populations of how far the median of their events stands from their place.

    A population counts by the square root of its events over its spread: the largest, which may have changed by
    itself, is then not alone in what it says. Medians, since cells that begin to carry a marker are no shift of it.

    Args:
        values: shape (events, markers).
        member: how likely each event is of each population, shape (events, populations).
        places, spreads: shape (populations, markers).
    """
    events = member.sum(axis=0)
    weight = np.where(events >= _LEAST_OF_POPULATION, np.sqrt(events), 0)[:, None] / spreads
    medians = np.empty_like(places)
    for marker in range(values.shape[1]):
        order = np.argsort(values[:, marker], kind="stable")
        below = np.cumsum(member[order], axis=0)
        medians[:, marker] = values[order[(below < below[-1] / 2).sum(axis=0)], marker]
    found: Floats = ((medians - places) * weight).sum(axis=0) / weight.sum(axis=0)
    return found


def shift_checks(shifts: Sequence[MarkerShift], *, limit: float) -> list[Check]:
    """A row of qc.tsv for each marker: the shift that is left after alignment, where there was one.

    Few events say little: a shift counts for no more than twice the end of its interval that is nearer to none.

    Args:
        shifts: of one sample.
        limit: share of the range that warns; `FAIL_SHIFT` times as much fails.
    """
    return [_shift_check(shift, limit) for shift in shifts]


def _shift_check(found: MarkerShift, limit: float) -> Check:
    check = SHIFT + found.marker
    if not found.shift.known:
        return Check(check=check, limit=limit, status=Verdict.SKIPPED, reason=found.reason)
    shift = found.aligned if found.aligned.known else found.shift
    size = abs(shift.value)
    counted = min(size, 2 * max(shift.low, -shift.high))
    status = Verdict.FAIL if counted > FAIL_SHIFT * limit else Verdict.WARN if counted > limit else Verdict.PASS
    interval = f"{shift.low:+.1%} to {shift.high:+.1%}"
    reason = ""
    if status is not Verdict.PASS:
        side = "above" if shift.value > 0 else "below"
        after = f" after alignment ({found.shift.value:+.1%} before)" if found.aligned.known else ""
        reason = (
            f"in {found.marker} the NK populations stand {size:.1%} of the range ({interval}) {side} those of "
            f"the reference{after}: another scale, gain or lot, or do most cells now carry it?"
        )
    elif size > limit:
        reason = f"within the error of few events ({interval})"
    return Check(check=check, value=size, limit=limit, status=status, reason=reason)


def unassigned_check(
    cluster: NDArray[np.int32], reference: ClusterReference, *, max_novelty: float, limit: float, left_out: str = ""
) -> Check:
    """The share of NK events in no cluster of the reference.

    Args:
        cluster: of each NK event of a sample.
        reference: that they were mapped onto.
        max_novelty: beyond which an event is in no cluster, for the reason.
        limit: share that warns; `FAIL_UNASSIGNED` times as much fails.
        left_out: the marker that an FMO control lacks: its cells stand aside by what it is.
    """
    skipped = "" if reference.clusters else f"the reference has no clusters: {reference.reason}"
    skipped = skipped or ("" if cluster.size else "no NK events")
    skipped = skipped or (_left_out(left_out) if left_out in reference.markers else "")
    if skipped:
        return Check(check="nk_unassigned", limit=limit, status=Verdict.SKIPPED, reason=skipped)
    events = int(np.count_nonzero(cluster == UNASSIGNED))
    share = events / cluster.size
    status = Verdict.FAIL if share > FAIL_UNASSIGNED * limit else Verdict.WARN if share > limit else Verdict.PASS
    reason = ""
    if status is not Verdict.PASS:
        reason = (
            f"{events} of {cluster.size} NK events are farther than {max_novelty:g} times its radius from the nearest "
            "prototype of the reference"
        )
    return Check(check="nk_unassigned", value=share, limit=limit, status=status, reason=reason)
