"""`time`: stretches of the run in which the flow or the signal was off are cut out.

A clog, a burst, an air bubble or a jump of the signal lasts some seconds; a slow drift is not cut but shows in the
quality checks. The same two questions as flowAI and PeacoQC ask (Monaco et al., Bioinformatics 2016;32:2473; Emmaneel
et al., Cytometry A 2022;101:325), by robust limits.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from nktrace.model.events import FloatArray, Mask
from nktrace.model.gates import Edge, Gate, GatingRow, Source, TimeSettings, Windows
from nktrace.model.panel import Kind
from nktrace.science.clock import (
    Clock,
    Interval,
    Seconds,
    complement,
    merged,
    on_the_channel,
    read_clock,
    stretch_of,
    stretches,
)
from nktrace.science.gating.parent import Parent, settings_of
from nktrace.science.populations_over_time import centres, peaks

_LEAST_STRETCHES = 10  # fewer tell nothing of what is usual
_FINER = 10  # stretches of the second look, at the flow rate alone, per stretch of the first
_SIGNAL_EVENTS = 30_000
_FLAT = 0.05  # a change of rate or of a signal (in sd of the events) below this times the limit is never material
_UNSTEADY = 0.07  # … and above it always, however unsteady the flow: half the usual rate is a clog in any run
_WIDE = 5  # stretches over which places are also averaged: a small shift shows only when it lasts
_GROWTH = 0.5  # of the limit: enough for a stretch beside one that is off
_LEAST_EVENTS = 20  # of a stretch, to place its mean

Scores = NDArray[np.float64]


def shape(row: GatingRow, edges: tuple[Edge, ...]) -> Windows:
    """The stretches kept: `min0 ≤ t < max0`, `min1 ≤ t < max1`, …"""
    value = {edge.edge: edge.value for edge in edges}
    return Windows(row.markers[0], tuple((value[f"min{i}"], value[f"max{i}"]) for i in range(len(edges) // 2)))


def estimate(parent: Parent, row: GatingRow) -> Gate:
    """The union of good stretches; the whole run where nothing is off or too few events tell.

    The flow rate is looked at twice, the second time in ten times finer stretches for what is short. Where the clock
    starts anew within the file, events of all passes at the time of a bad stretch are cut out with it.
    """
    channel, limit = row.markers[0], settings_of(row, TimeSettings).max_deviation
    bins = settings_of(row, TimeSettings).bins
    clock = read_clock(parent.values(channel))
    borders = stretches(clock, bins=bins)
    whole = (float(borders[0]), float(borders[-1]))
    slow: list[Interval] = []
    shifted: dict[str, list[Interval]] = {}
    if borders.shape[0] - 1 >= _LEAST_STRETCHES:
        expected = expected_rate(clock, borders)
        fine = stretches(clock, bins=_FINER * bins)
        for grid in (borders, fine):
            slow += off(rate_scores(clock, grid, expected), grid, limit=limit)
        shifted = {name: off(scores, borders, limit=limit) for name, scores in _signals(parent, clock, borders)}
    bad = merged([*slow, *(interval for found in shifted.values() for interval in found)])
    if complement(bad, low=whole[0], high=whole[1]) == []:
        bad = []
    first = clock.passes[0].start
    last = max(part.end - part.offset for part in clock.passes)
    kept = complement(on_the_channel(clock, bad), low=min(first, whole[0]), high=max(last, whole[1]))
    edges = tuple(
        Edge(channel=channel, edge=f"{name}{i}", value=value, source=Source.DATA)
        for i, interval in enumerate(kept)
        for name, value in zip(("min", "max"), interval, strict=True)
    )
    return Gate(
        population=row.population,
        parent=row.parent,
        method=row.method,
        shape=shape(row, edges),
        edges=edges,
        source=Source.DATA,
        reason=_reason(bad, merged(slow), [name for name, found in shifted.items() if found]) if bad else "",
    )


def _reason(bad: list[Interval], slow: list[Interval], channels: list[str]) -> str:
    """`3 stretches (12.5 s) cut out for their flow rate (2) and the signal of CD3, CD56`."""
    long = sum(high - low for low, high in bad)
    named = f"{', '.join(channels[:3])}{f' and {len(channels) - 3} more' if len(channels) > 3 else ''}"
    why = ([f"flow rate ({len(slow)})"] if slow else []) + ([f"signal ({named})"] if channels else [])
    many = "1 stretch" if len(bad) == 1 else f"{len(bad)} stretches"
    return f"{many} of the run ({long:.3g} s) cut out for the {' and the '.join(why)}"


# --- flow rate --------------------------------------------------------------------------------------------------------


def counts_of(clock: Clock, borders: Seconds) -> NDArray[np.float64]:
    """Events of each stretch, shape (stretches,)."""
    if clock.ordered:
        return np.diff(np.searchsorted(clock.seconds, borders)).astype(np.float64)
    position = stretch_of(clock.seconds, borders)
    return np.bincount(position, minlength=borders.shape[0] - 1).astype(np.float64)


def expected_rate(clock: Clock, borders: Seconds) -> tuple[float, float, float]:
    """Events per second: the median over the stretches, and the robust line (Theil 1950, Sen 1968) of a slow change.

    Returns:
        Median, and the line's value at 0 s and its slope.
    """
    rate = counts_of(clock, borders) / np.diff(borders)
    middle = (borders[1:] + borders[:-1]) / 2
    rate, middle = rate[:-1], middle[:-1]  # the last stretch may be cut short
    first, second = np.triu_indices(rate.shape[0], k=1)
    slope = float(np.median((rate[second] - rate[first]) / (middle[second] - middle[first])))
    return float(np.median(rate)), float(np.median(rate - slope * middle)), slope


def rate_scores(clock: Clock, borders: Seconds, expected: tuple[float, float, float]) -> Scores:
    """How far each stretch's number of events is from the usual, in sd: from the median or the line, what is nearer.

    The sd is that of the stretches about the line, 5 to 7 % of the rate, and never below counting noise. So a slow
    change of the rate is not off, nor is a run whose line a long clog has bent. The last stretch may be
    low, cut short as it is. Positive where the flow is too fast.
    """
    width = np.diff(borders)
    counts = counts_of(clock, borders)
    median, start, slope = expected
    level = np.full(counts.shape[0], median) * width
    line = np.maximum(start + slope * (borders[1:] + borders[:-1]) / 2, 0.2 * median) * width
    about = [(counts - usual) / _spread(counts - line, usual) for usual in (level, line)]
    scores = np.where(np.abs(about[0]) < np.abs(about[1]), about[0], about[1])
    scores[-1] = max(scores[-1], 0.0)
    return np.asarray(scores, dtype=np.float64)


def _spread(residuals: NDArray[np.float64], usual: NDArray[np.float64]) -> NDArray[np.float64]:
    unsteady = np.clip(_robust_sd(residuals), _FLAT * usual, _UNSTEADY * usual)
    return np.asarray(np.maximum(unsteady, np.sqrt(np.maximum(usual, 1.0))), dtype=np.float64)


def off(scores: Scores, borders: Seconds, *, limit: float) -> list[Interval]:
    """Runs of stretches beyond the limit, each with the neighbours that are beyond half of it; single gaps are closed.

    Args:
        scores: in sd, shape (stretches,); nan tells nothing.
        borders: shape (stretches + 1,).
        limit: in sd.
    """
    size = np.nan_to_num(np.abs(scores))
    bad: Mask = size > limit
    if not bad.any():
        return []
    near = size > _GROWTH * limit
    while True:
        beside = np.zeros_like(bad)
        beside[1:] |= bad[:-1]
        beside[:-1] |= bad[1:]
        gap = np.zeros_like(bad)
        gap[1:-1] = bad[:-2] & bad[2:]
        grown = bad | (near & beside) | gap
        if np.array_equal(grown, bad):
            break
        bad = grown
    edges = np.diff(np.concatenate([[False], bad, [False]]).astype(np.int8))
    starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    return [(float(borders[start]), float(borders[end])) for start, end in zip(starts, ends, strict=True)]


# --- signal -----------------------------------------------------------------------------------------------------------


def _signals(parent: Parent, clock: Clock, borders: Seconds) -> Iterator[tuple[str, Scores]]:
    """Each detector with the largest score of each stretch: of its mean, and of the places of its populations."""
    step = max(1, clock.seconds.shape[0] // _SIGNAL_EVENTS)
    position = stretch_of(clock.seconds[::step], borders)
    size = np.bincount(position, minlength=borders.shape[0] - 1)
    if np.count_nonzero(size >= _LEAST_EVENTS) < _LEAST_STRETCHES:
        return
    rows = np.flatnonzero(parent.masks[parent.population])[::step]
    for channel in parent.events.channels:
        if parent.kinds.get(channel) in (Kind.TIME, Kind.BEAD, Kind.IGNORE):
            continue
        values = parent.events.column(channel)[rows]
        scores = [_mean_scores(values, position, size)]
        for peak in peaks(values):
            shift, error = centres(values, peak, position, stretches=size.shape[0], rounds=1)
            scores.append(_from_the_usual(shift, error))
        yield channel, np.abs(np.nan_to_num(np.stack(scores))).max(axis=0)


def _mean_scores(values: FloatArray, position: NDArray[np.intp], size: NDArray[np.intp]) -> Scores:
    """Of the mean of all events, clipped to their central 98 %."""
    clipped = np.clip(values, *np.quantile(values[::10], (0.01, 0.99)))
    sd = float(clipped.std(dtype=np.float64))
    if sd == 0:
        return np.zeros(size.shape[0])
    means = np.bincount(position, weights=clipped, minlength=size.shape[0]) / np.maximum(size, 1) / sd
    return _from_the_usual(np.where(size >= _LEAST_EVENTS, means, np.nan), 1 / np.sqrt(np.maximum(size, 1)))


def _from_the_usual(places: Scores, error: Scores) -> Scores:
    """Places in sd of the events → distance from the median stretch in sd of the stretches, alone or as one of five."""
    known = ~np.isnan(places)
    if np.count_nonzero(known) < _LEAST_STRETCHES:
        return np.zeros(places.shape[0])
    apart = np.where(known, places - np.median(places[known]), 0.0)
    noise = np.fmax(_robust_sd(apart[known]), error)
    number = np.maximum(np.convolve(known, np.ones(_WIDE), "same"), 1.0)
    mean = np.convolve(apart, np.ones(_WIDE), "same") / number
    alone = apart / np.maximum(noise, _FLAT)
    wide = np.where(apart * np.sign(mean) > 0.5 * np.abs(mean), mean, 0.0)  # none that only stands beside others
    wide /= np.maximum(noise / np.sqrt(number), _FLAT)
    return np.asarray(np.where(np.abs(alone) > np.abs(wide), alone, wide), dtype=np.float64)


def _robust_sd(values: NDArray[np.float64]) -> float:
    return 1.4826 * float(np.median(np.abs(values - np.median(values))))
