"""Spillover from single stains: robust regression of every detector on the stained one, repeated on compensated events
until no slope is left (Roca et al., Nat Commun 2021;12:2890), with the spread that spillover leaves behind (Nguyen et
al., Cytometry A 2013;83:306).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nktrace.model.compensation import Spillover
from nktrace.model.spillover import Chosen, ControlReport, ControlTube, PairReport, SpilloverEstimate, Usability
from nktrace.science.autofluorescence import excess
from nktrace.science.single_stains import Needs, choose
from nktrace.science.slopes import Slopes, slopes

Array = NDArray[np.float64]

TOLERANCE = 1e-5  # a residual slope below it is none: 2.6 units at the top of an 18-bit detector
_ROUNDS = 30
_MOST_EVENTS = 20_000  # of a control


def estimate(
    tubes: Sequence[ControlTube],
    markers: Sequence[str],
    needs: Needs,
    *,
    unreadable: Sequence[ControlReport] = (),
) -> SpilloverEstimate:
    """The spillover matrix of a batch from its single stains.

    Where a detector has several controls that can be used, the brightest is taken. A detector without one has a unit
    row.

    Args:
        tubes: single stains and unstained tubes, in any order.
        markers: whose detectors see fluorescence, in the order of the matrix.
        needs: of a control.
        unreadable: reports of single stains that could not be read.
    """
    unstained = [tube for tube in tubes if not tube.marker]
    all_chosen = [choose(tube, unstained, markers, needs) for tube in tubes if tube.marker]
    used: dict[str, Chosen] = {}
    for one in all_chosen:
        rival = used.get(one.report.marker)
        if one.report.status is Usability.USED and (rival is None or one.report.signal > rival.report.signal):
            used[one.report.marker] = one
    used = {marker: used[marker] for marker in markers if marker in used}
    ready = [_ready(one, markers) for one in used.values()]
    matrix, rounds, final = _solve(ready, len(markers))
    pairs = [pair for one, left in zip(ready, final, strict=True) for pair in _pairs(one, left, matrix, markers)]
    left = dict(zip(used, final, strict=True))
    reports = [*unreadable, *(_finished(one.report, used, rounds, left) for one in all_chosen)]
    without = [
        ControlReport(marker=marker, status=Usability.NO_CONTROL, reason="the batch has no single stain for it")
        for marker in markers
        if all(report.marker != marker for report in reports)
    ]
    order = {marker: place for place, marker in enumerate(markers)}
    controls = sorted([*reports, *without], key=lambda report: (order[report.marker], report.sample or ""))
    return SpilloverEstimate(spillover=Spillover(tuple(markers), matrix), controls=tuple(controls), pairs=tuple(pairs))


@dataclass(frozen=True, slots=True)
class _Ready:
    """A control's events of one background; `unlike`: by how much it may still differ, one sd, per detector."""

    sample: str
    place: int
    positive: Array
    negative: Array
    unlike: Array


def _ready(control: Chosen, markers: Sequence[str]) -> _Ready:
    """A control's events, not more than are needed, less the background that the positive ones have in excess."""
    place = markers.index(control.report.marker)
    positive, negative = _thinned(control.positive), _thinned(control.negative)
    found = slopes(positive, negative, place)
    more, background = excess(found, place), found.background[0]
    positive = positive - more.share * background
    return _Ready(str(control.report.sample), place, positive, negative, more.sd * np.abs(background))


def _solve(controls: Sequence[_Ready], size: int) -> tuple[Array, int, list[Slopes]]:
    """The matrix under which no control has a slope left.

    With S the matrix so far, the events of a control lie along row i of (I + E)·S, E the slopes that are left in its
    compensated events: that row, over its diagonal element, is the next one.

    Returns:
        Matrix, number of rounds, and the slopes that are left.
    """
    matrix, rounds = np.eye(size), 0
    while True:
        rounds += 1
        inverse = np.linalg.inv(matrix)
        left = [slopes(one.positive @ inverse, one.negative @ inverse, one.place) for one in controls]
        if rounds == _ROUNDS or all(np.max(np.abs(one.value)) < TOLERANCE for one in left):
            return matrix, rounds, left
        rows = [matrix[one.place] + slope.value @ matrix for one, slope in zip(controls, left, strict=True)]
        for one, row in zip(controls, rows, strict=True):
            matrix[one.place] = row / row[one.place]


def _thinned(values: Array) -> Array:
    return values[:: max(1, -(-len(values) // _MOST_EVENTS))]


def _pairs(control: _Ready, left: Slopes, matrix: Array, markers: Sequence[str]) -> list[PairReport]:
    own = control.place
    # a change E of the slopes changes row i of the matrix by E·S, less what the diagonal's being 1 takes back
    change = left.influence @ matrix
    change -= np.outer(change[:, own], matrix[own])
    unlike = (control.unlike - matrix[own] * control.unlike[own]) / left.signal
    se = np.sqrt((change**2).sum(axis=0) + unlike**2)
    return [
        PairReport(
            source=markers[own],
            receiver=marker,
            sample=control.sample,
            spillover=float(matrix[own, column]),
            se=float(se[column]),
            residual=float(left.value[column]),
            spread=float(left.spread[column]),
        )
        for column, marker in enumerate(markers)
        if column != own
    ]


def _finished(report: ControlReport, used: dict[str, Chosen], rounds: int, left: dict[str, Slopes]) -> ControlReport:
    """The report of a control after the matrix is known."""
    if report.status is not Usability.USED:
        return report
    taken = used[report.marker].report
    if taken.sample != report.sample:
        return replace(report, status=Usability.SPARE, reason=f"{taken.sample} is brighter")
    residual = float(np.max(np.abs(left[report.marker].value)))
    return replace(report, rounds=rounds, residual=residual)
