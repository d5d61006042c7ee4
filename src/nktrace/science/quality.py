"""Quality of one sample, read off its gates: each check with its value, its limit and the reason.

A check that fails stops nothing: it is a row. What a panel makes impossible is a row too (`skipped`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from nktrace.model.events import Events, FloatArray, Mask
from nktrace.model.gates import ROOT, Gate, GatedSample, Source, Status
from nktrace.model.panel import Kind, Panel
from nktrace.model.quality import Check, Verdict
from nktrace.model.quality_pictures import DriftPicture, FlowPicture, QualityPictures, SpillPicture
from nktrace.science.clock import Clock, read_clock
from nktrace.science.run_checks import clock_check, drift_check, flow_check
from nktrace.science.spill_residual import spill_check

_JUDGED_EVENTS = 20_000  # of compensation
_ENOUGH_LYMPHOCYTES = 3_000


class Limits(Protocol):
    """The section `qc` of the settings."""

    @property
    def min_events(self) -> int: ...
    @property
    def max_time_removed(self) -> float: ...
    @property
    def max_flow_deviation(self) -> float: ...
    @property
    def max_drift(self) -> float: ...
    @property
    def max_spill_residual(self) -> float: ...
    @property
    def max_margin(self) -> float: ...
    @property
    def max_doublets(self) -> float: ...
    @property
    def max_dead(self) -> float: ...
    @property
    def min_nk_events(self) -> int: ...


def checks(
    gated: GatedSample,
    events: Events,
    scaled: Events,
    *,
    panel: Panel,
    off_scale: Mapping[str, float],
    pairs: Sequence[tuple[str, str]],
    limits: Limits,
) -> tuple[list[Check], QualityPictures]:
    """The checks of a gated sample, in a fixed order, and their pictures.

    Args:
        gated: masks over all events of the file.
        events: all events, compensated and not transformed.
        scaled: the same on the scale of the gates.
        panel: for the kinds of detectors.
        off_scale: share of events at the top of each detector, as `off_scale_share` gives it.
        pairs: (source, receiver) markers whose compensation is judged.
        limits: of the checks.
    """
    gates = {gate.population: gate for gate in gated.gates}
    method = {gate.method: gate for gate in reversed(gated.gates)}
    rows = judged_rows(gated, len(events))
    run, flow, drift = _run_checks(gated, scaled, rows, panel=panel, limits=limits)
    spilled, spill = _compensation(gated, events, rows, pairs, limit=limits.max_spill_residual)
    found = [
        _at_least("events", len(events), limits.min_events, "events in the file"),
        *run[:-1],
        _removed("time_removed", gated, method.get("time"), limits.max_time_removed, fail=2 * limits.max_time_removed),
        run[-1],
        _removed("margin", gated, method.get("margin"), limits.max_margin),
        _off_scale(off_scale, panel=panel, limit=limits.max_margin),
        _removed("doublets", gated, method.get("singlets"), limits.max_doublets),
        _removed("dead", gated, gates.get("live"), limits.max_dead),
        spilled,
    ]
    if "nk" in gated.masks:
        found.append(_at_least("nk_events", _size(gated.masks["nk"]), limits.min_nk_events, "NK events"))
    else:
        found.append(Check(check="nk_events", status=Verdict.SKIPPED, reason="the gating has no nk for this panel"))
    found.append(_gates_check(gated))
    for row in gated.skipped:
        what = "left out" if row.dropped else "skipped, its children hang on its parent"
        found.append(Check(check=f"gate:{row.population}", status=Verdict.SKIPPED, reason=f"{row.reason}: {what}"))
    return found, QualityPictures(flow=flow, drift=drift, spill=spill)


def judged_rows(gated: GatedSample, size: int) -> NDArray[np.intp]:
    """The cells that signals are judged on: live ones, else singlets, else what the time gate kept, else all."""
    judged = next((gated.masks[name] for name in ("live", "singlets", "time") if name in gated.masks), None)
    return np.arange(size) if judged is None else np.flatnonzero(judged)


def _run_checks(
    gated: GatedSample, scaled: Events, rows: NDArray[np.intp], *, panel: Panel, limits: Limits
) -> tuple[list[Check], FlowPicture | None, DriftPicture | None]:
    """Clock, flow rate and drift, in this order."""
    detector = panel.of_kind(Kind.TIME)
    if not detector:
        reason = "the panel has no time detector"
        limit_of = {"clock": 0.0, "flow_rate": limits.max_flow_deviation, "signal_drift": limits.max_drift}
        none = [Check(check=n, limit=limit, status=Verdict.SKIPPED, reason=reason) for n, limit in limit_of.items()]
        return none, None, None
    clock = _clock(scaled.column(detector[0].marker))
    gate = next((gate for gate in gated.gates if gate.method == "time"), None)
    kept = gated.masks[gate.population] if gate else None
    flow, rate = flow_check(clock, kept, limit=limits.max_flow_deviation)
    drift, courses = drift_check(scaled, clock, rows, panel=panel, limit=limits.max_drift)
    return [clock_check(clock), flow, drift], rate, courses


def _clock(time: FloatArray) -> Clock:
    """The clock of all events; one that is no number stands at the time of the event before."""
    known = np.isfinite(time)
    if known.all():
        return read_clock(time)
    before = np.maximum.accumulate(np.where(known, np.arange(time.shape[0]), 0))
    return read_clock(np.nan_to_num(time[before], nan=0.0, posinf=0.0, neginf=0.0))


def _compensation(
    gated: GatedSample, events: Events, rows: NDArray[np.intp], pairs: Sequence[tuple[str, str]], *, limit: float
) -> tuple[Check, SpillPicture | None]:
    """Of lymphocytes, where these are gated: monocytes and granulocytes shine by themselves, and more the larger."""
    alike = gated.masks.get("lymphocytes")
    if alike is not None and np.count_nonzero(alike) >= _ENOUGH_LYMPHOCYTES:
        rows = np.flatnonzero(alike)
    step = max(1, -(-rows.shape[0] // _JUDGED_EVENTS))
    return spill_check(events.select(rows[::step]) if pairs else events, pairs, limit=limit)


def _size(mask: Mask) -> int:
    return int(np.count_nonzero(mask))


def _at_least(name: str, value: int, limit: int, what: str) -> Check:
    enough = value >= limit
    reason = "" if enough else f"{value} {what}, fewer than {limit}"
    return Check(check=name, value=value, limit=limit, status=Verdict.PASS if enough else Verdict.WARN, reason=reason)


def _removed(name: str, gated: GatedSample, gate: Gate | None, limit: float, *, fail: float = math.inf) -> Check:
    """The share of the parent's events that an exclusion takes away."""
    if gate is None:
        return Check(
            check=name, limit=limit, status=Verdict.SKIPPED, reason="the panel or the gating table has no such gate"
        )
    inside = gated.masks[gate.population]
    parent = inside.shape[0] if gate.parent == ROOT else _size(gated.masks[gate.parent])
    if parent == 0:
        return Check(check=name, limit=limit, status=Verdict.SKIPPED, reason=f"{gate.parent} has no events")
    share = 1 - _size(inside) / parent
    status = Verdict.PASS if share <= limit else Verdict.WARN if share <= fail else Verdict.FAIL
    over = f"{share:.1%} of {_events_of(gate.parent)} removed, more than {limit:.0%}" if share > limit else ""
    reason = "; ".join(filter(None, (over, gate.reason)))
    return Check(check=name, value=share, limit=limit, status=status, reason=reason)


def _events_of(population: str) -> str:
    return "all events" if population == ROOT else f"the events of `{population}`"


def _off_scale(shares: Mapping[str, float], *, panel: Panel, limit: float) -> Check:
    """The largest share of events at the top of a fluorescence detector."""
    left_out = (Kind.TIME, Kind.SCATTER, Kind.BEAD)
    judged = {d.marker: shares[d.marker] for d in panel.used if d.kind not in left_out and d.marker in shares}
    known = {marker: share for marker, share in judged.items() if not math.isnan(share)}
    if not known:
        reason = "no detector's top of scale is known"
        return Check(check="off_scale", limit=limit, status=Verdict.SKIPPED, reason=reason)
    channel = max(known, key=lambda marker: known[marker])
    over = known[channel] > limit
    reason = f"{known[channel]:.1%} of all events are at the top of {channel}" if over else ""
    status = Verdict.WARN if over else Verdict.PASS
    return Check(check="off_scale", value=known[channel], limit=limit, status=status, reason=reason)


def _gates_check(gated: GatedSample) -> Check:
    """How many gates rest on doubtful cuts; that an FMO control lacks a population is what it is for."""
    judged = [gate for gate in gated.gates if not any(edge.left_out for edge in gate.edges)]
    doubtful = [gate.population for gate in judged if gate.status is not Status.OK]
    failed = any(gate.status is Status.FAIL for gate in judged)
    status = Verdict.FAIL if failed else Verdict.WARN if doubtful else Verdict.PASS
    borrowed = sum(gate.source in (Source.COHORT, Source.REFERENCE) for gate in gated.gates)
    reasons = [f"doubtful: {', '.join(doubtful)}"] if doubtful else []
    reasons += [f"{borrowed} from the cohort"] if borrowed else []
    return Check(check="doubtful_gates", value=len(doubtful), limit=0, status=status, reason="; ".join(reasons))
