"""Rows of qc.tsv on how a sample's NK cells stand to the cluster reference: its shifts and its unassigned events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from nktrace.model.clusters import UNASSIGNED, ClusterReference
from nktrace.model.nk_drift import MarkerShift
from nktrace.model.quality import Check, Verdict
from nktrace.science.intervals import clopper_pearson
from nktrace.science.nk_drift import left_out_reason

SHIFT = "nk_shift:"
FAIL_SHIFT = 2.0  # times the limit
FAIL_UNASSIGNED = 5.0  # times the limit
_USUAL = 3.0  # sd between the samples of the reference
_WIDEST = 2.0  # times the limit that is asked for: however the reference scatters, a threefold signal stands out


def shift_checks(
    shifts: Sequence[MarkerShift], *, limit: float, between: Mapping[str, float] | None = None
) -> list[Check]:
    """A row of qc.tsv for each marker: the shift that is left after alignment, where there was one.

    Few events say little: a shift counts for no more than twice the end of its interval that is nearer to none. A
    sample that no population of the reference is near fails.

    Args:
        shifts: of one sample.
        limit: share of the range that warns; `FAIL_SHIFT` times as much fails.
        between: the sd between the samples of the reference, by marker. Where there is one marker alone three of them
            are no warning, up to twice the limit: its shift is all gain, which among several they would hide.
    """
    usual = between if between and len(shifts) == 1 else {}
    checks = [
        _shift_check(shift, max(limit, min(_USUAL * usual.get(shift.marker, 0.0), _WIDEST * limit))) for shift in shifts
    ]
    aside = [
        check.status in (Verdict.WARN, Verdict.FAIL) and not shift.lost
        for check, shift in zip(checks, shifts, strict=True)
    ]
    if sum(aside) < 2:
        return checks
    hint = f" ({sum(aside)} markers at once: one that is lost or far off can move the others)"
    return [
        replace(check, reason=check.reason + hint) if is_aside else check
        for check, is_aside in zip(checks, aside, strict=True)
    ]


def _shift_check(found: MarkerShift, limit: float) -> Check:
    check = SHIFT + found.marker
    shift = found.aligned if found.aligned.known else found.shift
    if found.lost:
        after = " after alignment" if found.shift.known else ""
        reason = (
            f"no population of the reference is near{after}: the sample does not belong to it, or has another scale"
        )
        return Check(check=check, limit=limit, status=Verdict.FAIL, reason=reason)
    if not shift.known:
        return Check(check=check, limit=limit, status=Verdict.SKIPPED, reason=found.reason)
    size = abs(shift.value)
    counted = min(size, 2 * max(shift.low, -shift.high))
    status = Verdict.FAIL if counted > FAIL_SHIFT * limit else Verdict.WARN if counted > limit else Verdict.PASS
    interval = f"{shift.low:+.1%} to {shift.high:+.1%}"
    reason = ""
    if status is not Verdict.PASS:
        side = "above" if shift.value > 0 else "below"
        before = f"{found.shift.value:+.1%} before" if found.shift.known else "too far to tell before"
        after = f" after alignment ({before})" if found.aligned.known else ""
        reason = (
            f"in {found.marker} the NK populations stand {size:.1%} of the range ({interval}) {side} those of "
            f"the reference{after}: another scale, gain or lot, or do most cells now carry it?"
        )
    elif size > limit:
        reason = f"within the error of few events ({interval})"
    return Check(check=check, value=size, limit=limit, status=status, reason=reason)


def unassigned_check(
    cluster: NDArray[np.int32],
    novelty: NDArray[np.float32],
    reference: ClusterReference,
    *,
    max_novelty: float,
    limit: float,
    level: float,
    left_out: str = "",
) -> Check:
    """The share of NK events in no cluster of the reference, judged by the lower end of its exact interval.

    Args:
        cluster: of each NK event of a sample.
        novelty: of each; nan where a value of the event is not finite.
        reference: that they were mapped onto.
        max_novelty: beyond which an event is in no cluster, for the reason.
        limit: share that warns; `FAIL_UNASSIGNED` times as much fails.
        level: of the interval.
        left_out: the marker that an FMO control lacks: its cells stand aside by what it is.
    """
    skipped = "" if reference.clusters else f"the reference has no clusters: {reference.reason}"
    skipped = skipped or ("" if cluster.size else "no NK events")
    skipped = skipped or (left_out_reason(left_out) if left_out in reference.markers else "")
    if skipped:
        return Check(check="nk_unassigned", limit=limit, status=Verdict.SKIPPED, reason=skipped)
    events, unreadable = np.count_nonzero(cluster == UNASSIGNED), np.count_nonzero(np.isnan(novelty))
    share = int(events) / cluster.size
    if share <= limit:
        return Check(check="nk_unassigned", value=share, limit=limit, status=Verdict.PASS)
    low = clopper_pearson(int(events), cluster.size, level).low
    status = Verdict.FAIL if low > FAIL_UNASSIGNED * limit else Verdict.WARN if low > limit else Verdict.PASS
    parts = []
    if events > unreadable:
        parts.append(
            f"{events - unreadable} of {cluster.size} NK events are farther than {max_novelty:g} times its radius from "
            "the nearest prototype of the reference"
        )
    if unreadable:
        parts.append(f"{unreadable} of {cluster.size} NK events have values that are not finite")
    if status is Verdict.PASS:
        parts.append(f"within the error of few events (from {low:.1%})")
    return Check(check="nk_unassigned", value=share, limit=limit, status=status, reason="; ".join(parts))
