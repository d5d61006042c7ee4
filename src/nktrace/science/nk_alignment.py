"""Alignment of markers by batch controls: the same cells in every batch, moved to where the reference has them.

Quantile normalisation towards the mean over batches, learnt on the controls alone (as CytoNorm does within its
clusters: Van Gassen 2020, 10.1002/cyto.a.23904): for each marker a monotone line through the quantiles of the control.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from nktrace.model.clusters import ClusterReference
from nktrace.model.errors import ReferenceUnusable
from nktrace.model.events import FloatArray
from nktrace.model.lineages import Lineages
from nktrace.model.quality import Check, Verdict

LEAST_CONTROL_EVENTS = 200
_PROBABILITIES = np.arange(1, 20) / 20
_NEIGHBOURS = 2  # on each side, of the running median

Floats = NDArray[np.float64]


def control_quantiles(controls: Iterable[Lineages], *, panel: str, markers: Sequence[str]) -> dict[str, Floats]:
    """By batch the quantiles of its controls' NK cells, shape (markers, quantiles), ascending.

    Controls of one batch count the same. One with fewer than `LEAST_CONTROL_EVENTS` NK events is left out, and a batch
    without another.

    Raises:
        ReferenceUnusable: a control is of another panel.
    """
    found: dict[str, list[FloatArray]] = {}
    for control in controls:
        if control.panel != panel:
            raise ReferenceUnusable(f"control {control.sample} is of panel {control.panel}, not of {panel}")
        if control.nk_rows.size < LEAST_CONTROL_EVENTS:
            continue
        values = control.nk_markers.take(tuple(markers)).values
        values = values[np.isfinite(values).all(axis=1)].astype(np.float64)
        if len(values) >= LEAST_CONTROL_EVENTS:
            found.setdefault(control.batch, []).append(np.quantile(values, _PROBABILITIES, axis=0).T)
    return {batch: np.mean(quantiles, axis=0) for batch, quantiles in found.items()}


def target_quantiles(by_batch: Mapping[str, Floats]) -> Floats:
    """What controls are moved to: the mean over batches, each of which counts the same; empty without any."""
    batches = [by_batch[batch] for batch in sorted(by_batch)]
    return np.mean(batches, axis=0, dtype=np.float64) if batches else np.empty((0, 0))


def aligned(values: FloatArray, own: Floats | None, target: Floats) -> FloatArray:
    """Each marker moved by what its control's quantiles are moved by; beyond the outer ones, as these.

    How far a quantile is moved is the running median over its neighbours: where a control has few cells, between its
    negative and its positive ones, a small difference of shares would otherwise tear them apart.

    Args:
        values: shape (events, markers); a value that is not finite stays what it is.
        own: quantiles of the batch's control, shape (markers, quantiles); None leaves the values as they are.
        target: of the reference, same shape; an empty one leaves the values as they are.
    """
    if own is None or not target.size:
        return values
    moved = np.array(values, dtype=np.float32, order="F")
    for marker, (places, goals) in enumerate(zip(own, target, strict=True)):
        by, last = goals - places, places.size - 1
        even = [np.median(by[max(0, i - _NEIGHBOURS) : min(last, i + _NEIGHBOURS) + 1]) for i in range(by.size)]
        ends = np.maximum.accumulate(places + even)
        at, first = np.unique(places, return_index=True)
        column = values[:, marker].astype(np.float64)
        moved[:, marker] = column + np.interp(column, at, (ends - places)[first])
    return moved


def alignment_check(own: Floats | None, reference: ClusterReference, *, batch: str) -> Check:
    """Whether a sample was aligned, and if not, why.

    Args:
        own: quantiles of the control of its batch.
        reference: with the quantiles that controls are moved to.
        batch: of the sample.
    """
    if not reference.clusters:
        reason = f"the reference has no clusters: {reference.reason}"
        return Check(check="nk_alignment", status=Verdict.SKIPPED, reason=reason)
    reason = ""
    if not reference.quantiles.size:
        reason = f"no control of the reference's batches has {LEAST_CONTROL_EVENTS} NK events (role `batch_control`)"
    elif own is None:
        reason = f"no control of batch {batch} has {LEAST_CONTROL_EVENTS} NK events (role `batch_control`)"
    status = Verdict.WARN if reason else Verdict.PASS
    return Check(check="nk_alignment", status=status, reason=f"not aligned: {reason}" if reason else "")
