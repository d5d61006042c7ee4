"""The clock of a run: seconds that only grow, the tick of the Time channel, and equal stretches of the run.

A Time channel may start anew within a file (it wraps at the end of its range, or two runs were joined), and then the
same time stands for events of two passes. Files whose events were reordered have times all the same, but not in order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nktrace.model.events import FloatArray

Interval = tuple[float, float]
Seconds = NDArray[np.float64]

_EVENTS_PER_BIN = 100  # fewer, and the counting noise hides everything but a stop
_RESTART = 0.02  # of the span: the clock runs back by more than the disorder of one buffer of events
_RARE = 50  # events per restart at least: where the clock runs back more often, the events are not in order


@dataclass(frozen=True, slots=True)
class Pass:
    """Events from one start of the clock to the next: `start ≤ seconds < end`, seconds = time + offset."""

    start: float
    end: float
    offset: float


@dataclass(frozen=True, slots=True)
class Clock:
    """The times of a file's events.

    Attributes:
        seconds: shape (events,), float64; time since the first event's clock start, the passes one after the other.
        passes: one, or one for each start of the clock.
        tick: the least step of the channel; 0 where all times are equal.
        ticks: how many steps the longest pass has.
        ordered: whether the events stand in the order of their times, passes apart.
    """

    seconds: Seconds
    passes: tuple[Pass, ...]
    tick: float
    ticks: int
    ordered: bool

    @property
    def restarts(self) -> int:
        return len(self.passes) - 1

    @property
    def span(self) -> float:
        return float(np.ptp(self.seconds)) if self.seconds.shape[0] else 0.0


def read_clock(time: FloatArray) -> Clock:
    """The clock of events in the order of their file.

    Args:
        time: the Time channel, shape (events,), finite.
    """
    seconds = time.astype(np.float64)
    if time.shape[0] == 0:
        return Clock(seconds, (Pass(0.0, 1.0, 0.0),), 0.0, 0, True)
    steps = np.diff(time)
    span = float(time.max()) - float(time.min())
    back = np.flatnonzero(steps < -_RESTART * span)
    starts = [0]
    if back.shape[0] * _RARE < time.shape[0]:
        starts += [int(row) + 1 for row in back]
    backwards = int(np.count_nonzero(steps < 0)) - (len(starts) - 1)
    some = np.unique(seconds[: min(time.shape[0], 20_000)])
    tick = float(np.diff(some).min()) if some.shape[0] > 1 else 0.0
    passes: list[Pass] = []
    longest = 0.0
    for first, last in zip(starts, [*starts[1:], time.shape[0]], strict=True):
        part = seconds[first:last]
        least, most = float(part.min()), float(part.max())
        offset = passes[-1].end + tick - least if passes else 0.0
        if offset:
            part += offset
        end = float(np.nextafter(np.float32(most), np.float32(np.inf))) + offset
        passes.append(Pass(least + offset, end, offset))
        longest = max(longest, most - least)
    return Clock(seconds, tuple(passes), tick, round(longest / tick) if tick > 0 else 0, backwards == 0)


def stretches(clock: Clock, *, bins: int) -> Seconds:
    """Borders of equally long stretches over the run, each a whole number of clock ticks, shape (bins + 1,).

    Without whole ticks some stretches would hold one tick more than their neighbours and look like bursts. There are
    fewer stretches where one would hold fewer than 100 events. The last border lies beyond the last event.
    """
    first, last = clock.passes[0].start, clock.passes[-1].end
    bins = max(1, min(bins, clock.seconds.shape[0] // _EVENTS_PER_BIN))
    if clock.span == 0:
        return np.array([first, last])
    width = clock.span / bins
    if clock.tick > 0:
        width = max(1.0, float(np.ceil(width / clock.tick - 1e-6))) * clock.tick
    bins = max(1, int(np.ceil((clock.span + clock.tick) / width - 1e-6)))
    borders = first + width * np.arange(bins + 1) - clock.tick / 2
    borders[0] = min(borders[0], first)
    borders[-1] = max(float(borders[-1]), last)
    return np.asarray(borders, dtype=np.float64)


def stretch_of(seconds: Seconds, borders: Seconds) -> NDArray[np.intp]:
    """The stretch that each time lies in, 0 to len(borders) - 2; what lies beyond is counted in the outermost."""
    return np.clip(np.searchsorted(borders, seconds, side="right") - 1, 0, borders.shape[0] - 2)


def on_the_channel(clock: Clock, intervals: Sequence[Interval]) -> list[Interval]:
    """Stretches of seconds as values of the Time channel, merged; those of several passes may overlap."""
    found = [
        (max(low, part.start) - part.offset, min(high, part.end) - part.offset)
        for low, high in intervals
        for part in clock.passes
        if low < part.end and high > part.start
    ]
    return merged(found)


def merged(intervals: Sequence[Interval]) -> list[Interval]:
    """The union of intervals, in order, none touching the next."""
    union: list[Interval] = []
    for low, high in sorted(intervals):
        if union and low <= union[-1][1]:
            union[-1] = (union[-1][0], max(union[-1][1], high))
        elif high > low:
            union.append((low, high))
    return union


def complement(intervals: Sequence[Interval], *, low: float, high: float) -> list[Interval]:
    """What of low ≤ x < high lies in none of the intervals, which are in order and do not overlap."""
    ends = [low, *(end for _, end in intervals)]
    starts = [*(start for start, _ in intervals), high]
    return [(start, end) for start, end in zip(ends, starts, strict=True) if start < end]
