"""Quality of one sample, read off its gates: each check with its value, its limit and the reason.

A check that fails stops nothing: it is a row. What a panel makes impossible is a row too (`skipped`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from nktrace.model.events import Events, FloatArray, Mask
from nktrace.model.gates import ROOT, Gate, GatedSample, Source, Status
from nktrace.model.panel import Kind, Panel
from nktrace.model.quality import Check, Verdict

_MIN_DRIFT_EVENTS = 500
_TOP = 1023 / 1024  # as the margin gate has it


class Limits(Protocol):
    """The section `qc` of the settings."""

    @property
    def min_events(self) -> int: ...
    @property
    def max_time_removed(self) -> float: ...
    @property
    def max_drift(self) -> float: ...
    @property
    def max_margin(self) -> float: ...
    @property
    def max_doublets(self) -> float: ...
    @property
    def max_dead(self) -> float: ...
    @property
    def min_nk_events(self) -> int: ...


def checks(
    gated: GatedSample, events: Events, *, panel: Panel, off_scale: Mapping[str, float], limits: Limits
) -> list[Check]:
    """The checks of a gated sample, in a fixed order.

    Args:
        gated: masks over all events of the file.
        events: all events, compensated and not transformed.
        panel: for the kinds of detectors.
        off_scale: share of events at the top of each detector, as `off_scale_share` gives it.
        limits: of the checks.
    """
    gates = {gate.population: gate for gate in gated.gates}
    method = {gate.method: gate for gate in reversed(gated.gates)}
    found = [
        _at_least("events", len(events), limits.min_events, "events in the file"),
        _removed("time_removed", gated, method.get("time"), limits.max_time_removed, fail=2 * limits.max_time_removed),
        _drift(gated, events, panel=panel, limit=limits.max_drift),
        _removed("margin", gated, method.get("margin"), limits.max_margin),
        _off_scale(off_scale, panel=panel, limit=limits.max_margin),
        _removed("doublets", gated, method.get("singlets"), limits.max_doublets),
        _removed("dead", gated, gates.get("live"), limits.max_dead),
    ]
    if "nk" in gated.masks:
        found.append(_at_least("nk_events", _size(gated.masks["nk"]), limits.min_nk_events, "NK events"))
    else:
        found.append(Check(check="nk_events", status=Verdict.SKIPPED, reason="the gating has no nk for this panel"))
    found.append(_gates_check(gated))
    for row in gated.skipped:
        what = "left out" if row.dropped else "skipped, its children hang on its parent"
        found.append(Check(check=f"gate:{row.population}", status=Verdict.SKIPPED, reason=f"{row.reason}: {what}"))
    return found


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


def off_scale_share(values: FloatArray, top: float) -> float:
    """Share of events at the top of a detector's scale, before compensation; nan where there is no top or no event."""
    return float(np.mean(values >= _TOP * top)) if top > 0 and values.size else math.nan


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


def _drift(gated: GatedSample, events: Events, *, panel: Panel, limit: float) -> Check:
    """The largest shift of a detector from the first fifth of the run to the last, in sd of its events (by ranks).

    Ranks make it independent of the scale; a shift of one marker by a whole sd moves its mean rank by about .28.
    """
    clock = panel.of_kind(Kind.TIME)
    if not clock:
        return Check(check="signal_drift", limit=limit, status=Verdict.SKIPPED, reason="the panel has no time detector")
    judged = next((gated.masks[name] for name in ("live", "singlets", "time") if name in gated.masks), None)
    rows = np.arange(len(events)) if judged is None else np.flatnonzero(judged)
    if rows.shape[0] < _MIN_DRIFT_EVENTS:
        reason = f"{rows.shape[0]} events tell no drift"
        return Check(check="signal_drift", limit=limit, status=Verdict.SKIPPED, reason=reason)
    rows = rows[:: max(1, rows.shape[0] // 20_000)]
    order = np.argsort(events.column(clock[0].marker)[rows], kind="stable")
    rows = rows[order]
    fifth = rows.shape[0] // 5
    largest, channel = 0.0, ""
    for detector in panel.used:
        if detector.kind in (Kind.TIME, Kind.BEAD):
            continue
        values = events.column(detector.marker)[rows]
        rank = _mid_ranks(values)
        # A normal marker that moves by d sd moves its mean rank by d / (2 sqrt(pi)) to first order.
        shift = abs(float(rank[-fifth:].mean() - rank[:fifth].mean())) * 2 * math.sqrt(math.pi)
        if shift > largest:
            largest, channel = shift, detector.marker
    over = largest > limit
    reason = f"{channel} moves by {largest:.2f} sd from the first fifth of the run to the last" if over else ""
    status = Verdict.WARN if over else Verdict.PASS
    return Check(check="signal_drift", value=largest, limit=limit, status=status, reason=reason)


def _mid_ranks(values: FloatArray) -> NDArray[np.float64]:
    """Ranks from 0 to 1; equal values share the middle of theirs, so that ties are not ranked by time."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: NDArray[np.float64] = ((last - counts / 2) / values.shape[0])[inverse]
    return ranks


def _gates_check(gated: GatedSample) -> Check:
    """How many gates rest on doubtful cuts."""
    doubtful = [gate.population for gate in gated.gates if gate.status is not Status.OK]
    failed = any(gate.status is Status.FAIL for gate in gated.gates)
    status = Verdict.FAIL if failed else Verdict.WARN if doubtful else Verdict.PASS
    borrowed = sum(gate.source in (Source.COHORT, Source.REFERENCE) for gate in gated.gates)
    reasons = [f"doubtful: {', '.join(doubtful)}"] if doubtful else []
    reasons += [f"{borrowed} from the cohort"] if borrowed else []
    return Check(check="doubtful_gates", value=len(doubtful), limit=0, status=status, reason="; ".join(reasons))
