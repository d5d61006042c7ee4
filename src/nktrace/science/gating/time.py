"""`time`: stretches of the run in which the flow or the signal was off are cut out.

A clog, a burst, an air bubble or a jump of the signal lasts some seconds; a slow drift is not cut but shows in the
quality checks. The same two questions as flowAI and PeacoQC ask (Monaco 2016; Emmaneel 2022), by robust limits.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nktrace.model.events import FloatArray, Mask
from nktrace.model.gates import Edge, Gate, GatingRow, Source, TimeSettings, Windows
from nktrace.model.panel import Kind
from nktrace.science.gating.parent import Parent, settings_of

_EVENTS_PER_BIN = 100  # fewer, and the counting noise hides everything but a stop
_SIGNAL_EVENTS = 60_000
_FLAT = 0.05  # a change of rate or of a mean signal (in sd of the events) below this times the limit is never material


def shape(row: GatingRow, edges: tuple[Edge, ...]) -> Windows:
    """The stretches kept: `min0 ≤ t < max0`, `min1 ≤ t < max1`, …"""
    value = {edge.edge: edge.value for edge in edges}
    return Windows(row.markers[0], tuple((value[f"min{i}"], value[f"max{i}"]) for i in range(len(edges) // 2)))


def estimate(parent: Parent, row: GatingRow) -> Gate:
    """The union of good stretches; the whole run where nothing is off or too few events tell."""
    settings = settings_of(row, TimeSettings)
    time = parent.values(row.markers[0])
    borders = rate_grid(time, bins=settings.bins)
    bad = np.zeros(borders.shape[0] - 1, dtype=np.bool_)
    reasons = []
    if bad.shape[0] >= 10:
        slow = off_rate(time, borders, max_deviation=settings.max_deviation)
        shifted = _off_signal(parent, time, borders, settings=settings)
        bad = slow | shifted
        reasons = [word for word, mask in (("flow rate", slow), ("signal", shifted)) if mask.any()]
    if bad.all():
        bad[:] = False
    edges = _kept(row.markers[0], borders, bad)
    return Gate(
        population=row.population,
        parent=row.parent,
        method=row.method,
        shape=shape(row, edges),
        edges=edges,
        source=Source.DATA,
        reason=f"stretches cut out for their {' and '.join(reasons)}" if reasons else "",
    )


def _kept(channel: str, borders: NDArray[np.float64], bad: Mask) -> tuple[Edge, ...]:
    good = np.concatenate([[False], ~bad, [False]])
    starts = np.flatnonzero(~good[:-1] & good[1:])
    ends = np.flatnonzero(good[:-1] & ~good[1:])
    return tuple(
        Edge(channel=channel, edge=f"{name}{i}", value=float(borders[place]), source=Source.DATA)
        for i, (start, end) in enumerate(zip(starts, ends, strict=True))
        for name, place in (("min", start), ("max", end))
    )


def rate_grid(time: FloatArray, *, bins: int) -> NDArray[np.float64]:
    """Borders of equally long stretches over the run, each a whole number of clock ticks, shape (bins + 1,).

    Without whole ticks some stretches would hold one tick more than their neighbours and look like bursts. The last
    border lies beyond the last event.
    """
    if time.shape[0] == 0:
        return np.array([0.0, 1.0])
    first, last = float(time.min()), float(time.max())
    bins = max(1, min(bins, time.shape[0] // _EVENTS_PER_BIN))
    steps = np.diff(np.unique(time[: min(time.shape[0], 20_000)]).astype(np.float64))
    tick = float(steps.min()) if steps.shape[0] else 0.0
    width = (last - first) / bins
    if tick > 0 and width > tick:
        width = np.ceil(width / tick - 1e-6) * tick
    bins = max(1, int(np.ceil((last - first) / width - 1e-9))) if width > 0 else 1
    borders = first + width * np.arange(bins + 1) - tick / 2
    borders[0] = min(borders[0], first)
    borders[-1] = max(float(borders[-1]), np.nextafter(np.float32(last), np.float32(np.inf)))
    return np.asarray(borders, dtype=np.float64)


def off_rate(time: FloatArray, borders: NDArray[np.float64], *, max_deviation: float) -> Mask:
    """Stretches whose number of events is far from the median. The last, cut short, may be low."""
    position = np.clip(np.searchsorted(borders, time, side="right") - 1, 0, borders.shape[0] - 2)
    counts = np.bincount(position, minlength=borders.shape[0] - 1).astype(np.float64)
    middle = float(np.median(counts))
    spread = max(_robust_sd(counts), np.sqrt(max(middle, 1.0)), _FLAT * middle)
    off: Mask = np.abs(counts - middle) > max_deviation * spread
    off[-1] = counts[-1] - middle > max_deviation * spread
    return off


def _off_signal(parent: Parent, time: FloatArray, borders: NDArray[np.float64], *, settings: TimeSettings) -> Mask:
    """Stretches in which the mean of any channel is far from the median stretch, shape (bins,)."""
    step = max(1, time.shape[0] // _SIGNAL_EVENTS)
    position = np.clip(np.searchsorted(borders, time[::step], side="right") - 1, 0, borders.shape[0] - 2)
    size = np.bincount(position, minlength=borders.shape[0] - 1)
    enough = size >= 20
    off = np.zeros(size.shape[0], dtype=np.bool_)
    if np.count_nonzero(enough) < 10:
        return off
    rows = np.flatnonzero(parent.masks[parent.population])[::step]
    for channel in parent.events.channels:
        if parent.kinds.get(channel) in (Kind.TIME, Kind.BEAD, Kind.IGNORE):
            continue
        values = parent.events.column(channel)[rows].astype(np.float64)
        values = np.clip(np.nan_to_num(values), *np.nanquantile(values, (0.01, 0.99)))
        sd = float(values.std())
        if sd == 0:
            continue
        means = np.bincount(position, weights=values, minlength=size.shape[0]) / np.maximum(size, 1)
        middle = float(np.median(means[enough]))
        spread = np.maximum(max(_robust_sd(means[enough]), _FLAT * sd), sd / np.sqrt(np.maximum(size, 1)))
        off |= enough & (np.abs(means - middle) > settings.max_deviation * spread)
    return off


def _robust_sd(values: NDArray[np.float64]) -> float:
    return 1.4826 * float(np.median(np.abs(values - np.median(values))))
