"""Checks of the run: its clock, its flow rate, and the drift of its signals. What was cut out is the time gate's."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from nktrace.model.events import Events, Mask
from nktrace.model.panel import Kind, Panel
from nktrace.model.quality import Check, Verdict
from nktrace.model.quality_pictures import Course, DriftPicture, FlowPicture
from nktrace.science.clock import Clock, stretch_of, stretches
from nktrace.science.gating.time import counts_of, expected_rate
from nktrace.science.populations_over_time import centres, peaks

_STRETCHES = 100
_LEAST_STRETCHES = 10
_DRIFT_EVENTS = 15_000
_LEAST_DRIFT_EVENTS = 500
_COURSE = 20  # stretches of equal numbers of events that signals are followed over
_FIFTH = _COURSE // 5
_CERTAIN = 4.0  # standard errors that a drift must exceed: some forty are looked at
_SHOWN = 4  # courses in the picture
_NAMES: tuple[tuple[str, ...], ...] = ((), ("",), ("negative", "positive"))  # of so many populations


def clock_check(clock: Clock) -> Check:
    """Whether the Time channel starts anew within the file, is out of order or too coarse to judge the flow by."""
    notes = []
    if clock.restarts:
        many = "once" if clock.restarts == 1 else f"{clock.restarts} times"
        notes.append(f"the clock starts anew {many} within the file; a bad stretch is cut out of every pass")
    if not clock.ordered:
        notes.append("the events do not stand in the order of their times")
    if 0 < clock.ticks < _LEAST_STRETCHES:
        notes.append(f"the clock has only {clock.ticks} ticks over the run")
    status = Verdict.WARN if clock.restarts else Verdict.PASS
    return Check(check="clock", value=clock.restarts, limit=0, status=status, reason="; ".join(notes))


def flow_check(clock: Clock, kept: Mask | None, *, limit: float) -> tuple[Check, FlowPicture | None]:
    """The largest deviation of the flow rate from its median over a hundred stretches of the run, counting noise apart.

    Args:
        clock: of all events.
        kept: what the time gate kept, shape (events,); None without such a gate.
        limit: on the relative deviation: 0.5 is half or one and a half times the median rate.
    """
    borders = stretches(clock, bins=_STRETCHES)
    if borders.shape[0] - 1 < _LEAST_STRETCHES or clock.ticks < _LEAST_STRETCHES:
        size = clock.seconds.shape[0]
        reason = f"{size} events on {clock.ticks} ticks of the clock make too few stretches to judge the flow by"
        return Check(check="flow_rate", limit=limit, status=Verdict.SKIPPED, reason=reason), None
    counts = counts_of(clock, borders)
    usual = expected_rate(clock, borders)[0]
    expected = usual * np.diff(borders)
    apart = np.maximum(np.abs(counts - expected) - 3 * np.sqrt(expected), 0.0) / expected
    if counts[-1] < expected[-1]:
        apart[-1] = 0.0  # cut short by the end of the run
    worst = int(np.argmax(apart))
    value = float(apart[worst])
    removed = np.zeros(counts.shape[0])
    if kept is not None:
        position = stretch_of(clock.seconds[~kept], borders)
        removed = np.bincount(position, minlength=counts.shape[0]) / np.maximum(counts, 1)
    reason = ""
    if value > limit:
        rate, start = counts[worst] / expected[worst], borders[worst] - borders[0]
        gone = "cut out" if removed[worst] > 0.5 else "not cut out"
        reason = f"{rate:.0%} of the median rate of {usual:.0f} events/s at {start:.3g} s; this stretch is {gone}"
    status = Verdict.WARN if value > limit else Verdict.PASS
    # The last stretch ends with the run, or it would look like a clog.
    ends = np.append(borders[:-1], min(borders[-1], max(clock.passes[-1].end, borders[-2] + clock.tick))) - borders[0]
    picture = FlowPicture(borders=ends, rate=counts / np.diff(ends), removed=removed, usual=usual, limit=limit)
    return Check(check="flow_rate", value=value, limit=limit, status=status, reason=reason), picture


def drift_check(
    events: Events, clock: Clock, rows: NDArray[np.intp], *, panel: Panel, limit: float
) -> tuple[Check, DriftPicture | None]:
    """The largest shift of a population from the first fifth of the run to the last, in its sd.

    Args:
        events: all events, on the scale of the gates.
        clock: of all events.
        rows: the events to be judged: live single cells that the time gate kept.
        panel: for the kinds of detectors.
        limit: on the shift, in sd of the population.
    """
    if rows.shape[0] < _LEAST_DRIFT_EVENTS:
        reason = f"{rows.shape[0]} events tell no drift"
        return Check(check="signal_drift", limit=limit, status=Verdict.SKIPPED, reason=reason), None
    rows = rows[:: max(1, rows.shape[0] // _DRIFT_EVENTS)]
    rows = rows[np.argsort(clock.seconds[rows], kind="stable")]
    position = np.arange(rows.shape[0]) * _COURSE // rows.shape[0]
    size = np.bincount(position, minlength=_COURSE)
    seconds = np.bincount(position, weights=clock.seconds[rows], minlength=_COURSE) / size - clock.passes[0].start
    found: list[tuple[float, float, Course]] = []
    for detector in panel.used:
        if detector.kind in (Kind.TIME, Kind.BEAD):
            continue
        values = events.column(detector.marker)[rows]
        places = peaks(values)
        for peak, name in zip(places, _NAMES[len(places)], strict=True):
            shift, error = centres(values, peak, position, stretches=_COURSE)
            drift, uncertain = _first_to_last(shift, error)
            if math.isnan(drift):
                continue
            shift -= np.nanmedian(shift)
            course = Course(channel=detector.marker, peak=name, seconds=seconds, shift=shift, error=error, drift=drift)
            found.append((abs(drift) - 2 * uncertain, uncertain, course))
    if not found:
        reason = "no population is large enough to be followed over the run"
        return Check(check="signal_drift", limit=limit, status=Verdict.SKIPPED, reason=reason), None
    found.sort(key=lambda item: -item[0])
    _, uncertain, worst = found[0]
    value = abs(worst.drift)
    over = value > limit and value > _CERTAIN * uncertain
    named = f"{worst.channel} ({worst.peak})" if worst.peak else worst.channel
    change = f"{worst.drift:+.2f} ± {2 * uncertain:.2f} sd".replace("-", "−")
    reason = f"{named} moves by {change} from the first fifth of the run to the last" if over else ""
    check = Check(
        check="signal_drift", value=value, limit=limit, status=Verdict.WARN if over else Verdict.PASS, reason=reason
    )
    channels: dict[str, Course] = {}
    for _, _, course in found:
        channels.setdefault(course.channel, course)
    return check, DriftPicture(courses=tuple(channels.values())[:_SHOWN], limit=limit)


def _first_to_last(shift: NDArray[np.float64], error: NDArray[np.float64]) -> tuple[float, float]:
    """Mean of the last fifth minus mean of the first, and its standard error; nan where too few stretches are known.

    The error is what the counting says or the scatter between neighbouring stretches, whichever is more.
    """
    known = ~np.isnan(shift)
    sizes = np.count_nonzero(known[:_FIFTH]), np.count_nonzero(known[-_FIFTH:])
    steps = np.diff(shift[known])
    if min(sizes) <= _FIFTH // 2 or steps.shape[0] < _COURSE // 2:
        return math.nan, math.nan
    scatter = 1.4826 * float(np.median(np.abs(steps))) / math.sqrt(2)
    noise = max(scatter, float(np.median(error[known]))) * math.sqrt(1 / sizes[0] + 1 / sizes[1])
    return float(np.nanmean(shift[-_FIFTH:]) - np.nanmean(shift[:_FIFTH])), noise
