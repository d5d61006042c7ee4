"""Drift of the batch controls: the same cells, stained in every batch, should stand at the same places.

A control is one material, so the same share of its cells is positive in every batch, whatever the staining did. Parts
are therefore told apart by that share and not by a cut, which would have to move with what is measured: with a share p
positive the median of the negative part is the quantile (1 - p) / 2, that of the positive part the quantile 1 - p / 2.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from nktrace.model.control_drift import BatchControl, Controls, MarkerPlace, MarkerShape
from nktrace.model.events import Events
from nktrace.model.panel import Kind, Panel
from nktrace.model.quality import Check, Verdict
from nktrace.model.quality_pictures import ControlPicture
from nktrace.science.density import histogram, valleys

_LEAST_EVENTS = 200
_LEAST_SHARE = 0.03  # of either part: fewer cells are no place to measure
_SD_APART = 4.0  # of a single population: about where a second one would begin to be told apart
_LEFT_OUT = (Kind.TIME, Kind.SCATTER, Kind.BEAD, Kind.VIABILITY)  # not stained, or not the control's doing


def fit_controls(controls: Sequence[tuple[str, str, Events]], *, panel: Panel) -> Controls | None:
    """The places of every control, the parts told apart on all of them together; None without a usable control.

    Args:
        controls: (sample, batch, its live single cells on the panel's scale).
        panel: for the kinds of detectors.
    """
    usable = [control for control in controls if len(control[2]) >= _LEAST_EVENTS]
    if not usable:
        return None
    markers = [detector.marker for detector in panel.used if detector.kind not in _LEFT_OUT]
    size = min(len(events) for _, _, events in usable)
    shapes = {}
    for marker in markers:
        share = _positive_share(np.concatenate([_even(events.column(marker), size) for _, _, events in usable]))
        widths = [_distance(events.column(marker), share) for _, _, events in usable]
        shapes[marker] = MarkerShape(positive_share=share, distance=float(np.median(widths)))
    samples = tuple(
        BatchControl(sample=sample, batch=batch, places=places(events, shapes)) for sample, batch, events in usable
    )
    return Controls(shapes=shapes, samples=samples)


def _even(values: NDArray[np.floating], size: int) -> NDArray[np.floating]:
    return values[np.linspace(0, values.shape[0] - 1, size).astype(np.intp)]


def _positive_share(values: NDArray[np.floating]) -> float:
    """The share above the deepest valley; 0 where there is none."""
    found = histogram(values)
    dips = valleys(found, min_depth=0.3, min_share=_LEAST_SHARE) if found else []
    if found is None or not dips:
        return 0.0
    return float(np.mean(values >= found.at(max(dips, key=lambda dip: dip.score).bin)))


def _distance(values: NDArray[np.floating], share: float) -> float:
    """From the negative to the positive part, or four sd of the only one."""
    if share:
        place = _place(values, share)
        return place.positive - place.negative
    low, high = np.quantile(values, (0.1587, 0.8413))
    return _SD_APART * float(high - low) / 2


def places(events: Events, shapes: Mapping[str, MarkerShape]) -> dict[str, MarkerPlace]:
    """Where each marker's parts stand in one control.

    Args:
        events: its live single cells on the panel's scale.
        shapes: of all controls together.
    """
    return {marker: _place(events.column(marker), shape.positive_share) for marker, shape in shapes.items()}


def _place(values: NDArray[np.floating], share: float) -> MarkerPlace:
    negative, positive = np.quantile(values, ((1 - share) / 2, 1 - share / 2) if share else (0.5, 0.5))
    return MarkerPlace(negative=float(negative), positive=float(positive))


def control_check(
    own: BatchControl | None, controls: Controls | None, *, batch: str, limit: float
) -> tuple[Check, ControlPicture | None]:
    """How far the worst marker of a batch's control stands from the median of the other batches' controls.

    Args:
        own: the sample itself, where it is a control; None for an ordinary sample, which is told of its batch's control
            as the reference knows it.
        controls: of the reference.
        batch: of the sample.
        limit: on the shift, as a share of the distance from the marker's negative to its positive part.
    """
    known = controls.samples if controls else ()
    mine = [own] if own else [control for control in known if control.batch == batch]
    others = [control for control in known if control.batch != batch]
    if not mine or not others or controls is None:
        what = "no other batch has a control" if mine else f"batch {batch} has no control"
        reason = f"{what} (role `batch_control`) in the reference"
        return Check(check="control_drift", limit=limit, status=Verdict.SKIPPED, reason=reason), None
    by_batch = {name: [c for c in others if c.batch == name] for name in sorted({c.batch for c in others})}
    worst: tuple[float, str, str] = (-math.inf, "", "")
    for marker, shape in controls.shapes.items():
        for part in ("negative", "positive") if shape.positive_share else ("positive",):
            usual = float(np.median([_mean(members, marker, part) for members in by_batch.values()]))
            shift = (_mean(mine, marker, part) - usual) / shape.distance if shape.distance > 0 else 0.0
            if abs(shift) > abs(worst[0]) or not worst[1]:
                worst = (shift, marker, part if shape.positive_share else "")
    shift, marker, part = worst
    over = abs(shift) > limit
    reason = ""
    if over:
        named = f"{marker} ({part})" if part else marker
        whose = "" if own else f"the batch's control {mine[0].sample}: "
        side = "above" if shift > 0 else "below"
        apart = "the distance from negative to positive" if part else "four sd"
        count = len(by_batch)
        reason = f"{whose}{named} stands {abs(shift):.0%} of {apart} {side} {count} other batch{'es' * (count > 1)}"
    status = Verdict.WARN if over else Verdict.PASS
    check = Check(check="control_drift", value=abs(shift), limit=limit, status=status, reason=reason)
    return check, _picture(marker, {**by_batch, batch: mine}, batch, lone=not controls.shapes[marker].positive_share)


def _mean(members: Sequence[BatchControl], marker: str, part: str) -> float:
    found = [control.places[marker] for control in members if marker in control.places]
    return float(np.mean([getattr(place, part) for place in found]))


def _picture(marker: str, by_batch: Mapping[str, Sequence[BatchControl]], own: str, *, lone: bool) -> ControlPicture:
    batches = tuple(sorted(by_batch))
    negative = np.array([math.nan if lone else _mean(by_batch[batch], marker, "negative") for batch in batches])
    positive = np.array([_mean(by_batch[batch], marker, "positive") for batch in batches])
    return ControlPicture(marker=marker, batches=batches, own=own, negative=negative, positive=positive)
