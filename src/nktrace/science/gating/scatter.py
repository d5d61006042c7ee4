"""`scatter`: a line across forward and side scatter that leaves out dead cells and debris.

A dying cell shrinks and grows grainy: it scatters less forward and more to the side (Darzynkiewicz 1997). Each of
both alone parts live from dead cells badly, both together do: on logarithms, the direction is searched in which the
valley is plainest. The line is x = factor · (y / pivot)^exponent, in data values.

A valley may also part resting cells from activated or expanded ones, which are larger and grainier. What is left out
must therefore look like death: no less side scatter than what is kept, or less than half of the forward scatter.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nktrace.model.gates import Edge, Gate, GatingRow, Polygon, ScatterSettings, Source, Status
from nktrace.science.density import histogram, valleys
from nktrace.science.gating.parent import Parent, gate_of, settings_of
from nktrace.science.gating.valley import lone_cut

_EVENTS = 20_000
_BINS = 512
_STEEPNESS = np.tan(np.radians(np.arange(0.0, 61.0, 7.5)))  # of side beside forward scatter, each in its own spread
_LONE_SD = 4.0  # below the only peak: it is all there is, so nothing of it may be lost
_NEAR = 2  # steps of it that a resample is searched around the best
_RESAMPLES = 20
_SUPPORT = 0.8
_HALF = -math.log(2)  # of the forward scatter
_REACH, _BEND = 40.0, 1.5  # the curve is drawn from pivot / 40 to pivot · 40 in steps of a half more: 0.5 % exact
_FAR = 1e8  # beyond any detector
Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Cut:
    """ln x = offset + exponent · (ln y - pivot), kept above.

    Attributes:
        step: the direction's place among those searched.
        rank: dead cells before debris, which lies beyond them; then how plain the valley is.
    """

    offset: float
    exponent: float
    step: int
    rank: tuple[bool, float]


def shape(row: GatingRow, edges: tuple[Edge, ...]) -> Polygon:
    """All that lies on the forward side of the line, up to far beyond the detectors."""
    number = {edge.edge: edge.value for edge in edges}
    factor, exponent, pivot = number["factor"], number["exponent"], number["pivot"]
    steps = math.ceil(math.log(_REACH) / math.log(_BEND))
    ratios = [_BEND**step for step in range(-steps, steps + 1)]
    curve = [(factor * ratio**exponent, pivot * ratio) for ratio in ratios]
    corners = [(curve[0][0], 0.0), *curve, (curve[-1][0], _FAR), (_FAR, _FAR), (_FAR, 0.0)]
    x, y = row.markers
    return Polygon((x, y), tuple(corners))


def estimate(parent: Parent, row: GatingRow) -> Gate:
    """The line in the valley between dead and live cells; without one, below the lowest peak of forward scatter."""
    settings = settings_of(row, ScatterSettings)
    x, y = (parent.events.column(channel)[parent.masks[parent.population]] for channel in row.markers)
    keep = np.flatnonzero((x > 0) & (y > 0) & np.isfinite(x) & np.isfinite(y))
    keep = keep[:: max(1, keep.shape[0] // _EVENTS)]
    logs = np.log(np.stack([x[keep], y[keep]], axis=1).astype(np.float64))
    pivot = float(np.median(logs[:, 1])) if keep.size else 0.0
    few = keep.shape[0] < parent.options.min_events
    found = None if few else best_cut(logs, pivot, settings)
    if found is None:
        return _without_valley(parent, row, logs[:, 0], pivot, settings)
    draws = [_again(logs, pivot, settings, found, parent.rng) for _ in range(min(_RESAMPLES, parent.options.bootstrap))]
    seen = np.array([(cut.offset, cut.exponent) for cut in draws if cut is not None])
    if len(seen) < 2:
        return _without_valley(parent, row, logs[:, 0], pivot, settings)
    half = parent.z * seen.std(axis=0, ddof=1)
    support = len(seen) / len(draws)
    intervals = {
        "factor": (math.exp(found.offset - half[0]), math.exp(found.offset + half[0])),
        "exponent": (found.exponent - half[1], found.exponent + half[1]),
    }
    numbers = (math.exp(found.offset), found.exponent, math.exp(pivot))
    if support < _SUPPORT:
        reason = f"the valley stands in {support:.0%} of resamples only"
        return _gate(row, numbers, intervals, status=Status.WARN, reason=reason)
    return _gate(row, numbers, intervals)


def best_cut(logs: Array, pivot: float, settings: ScatterSettings, *, steps: slice = slice(None)) -> Cut | None:
    """The plainest valley over the directions, by depth · share^¼; None where no direction shows one.

    Args:
        logs: logarithms of forward and side scatter, shape (events, 2), finite.
        pivot: logarithm of side scatter at which the offset is read.
        settings: how deep a valley, and how large a share beside it.
        steps: the directions to be searched, all by default.
    """
    spread = np.maximum(np.diff(np.quantile(logs, (0.16, 0.84), axis=0), axis=0)[0], 1e-9)
    cuts = []
    for step in range(len(_STEEPNESS))[steps]:
        exponent = float(_STEEPNESS[step] * spread[0] / spread[1])
        across = logs[:, 0] - exponent * (logs[:, 1] - pivot)
        counts = histogram(across, bins=_BINS)
        if counts is None:
            return None
        start = -math.inf
        for valley in valleys(counts, min_depth=settings.min_depth, min_share=settings.min_share):
            place = counts.at(valley.bin)
            left_out = _left_out(logs[(across >= start) & (across < place)], logs[across >= place])
            if left_out:
                cuts.append(Cut(place, exponent, step, (left_out == "dead", valley.score)))
            start = place
    return max(cuts, key=lambda cut: cut.rank, default=None)


def _left_out(below: Array, above: Array) -> str:
    """What lies next below a line: `dead` cells, `debris`, or `` where both sides may be alive."""
    forward, side = np.median(below, axis=0) - np.median(above, axis=0)
    if side >= 0:
        return "dead"
    return "debris" if forward < _HALF else ""


def _again(logs: Array, pivot: float, settings: ScatterSettings, found: Cut, rng: np.random.Generator) -> Cut | None:
    """The cut of as many events drawn with replacement, in the directions around the one that was found."""
    drawn = logs[rng.integers(0, logs.shape[0], logs.shape[0])]
    return best_cut(drawn, pivot, settings, steps=slice(max(0, found.step - _NEAR), found.step + _NEAR + 1))


def _without_valley(parent: Parent, row: GatingRow, forward: Array, pivot: float, settings: ScatterSettings) -> Gate:
    """A line straight up, below the only peak or the lowest; below everything where too few events make one."""
    counts = histogram(forward, bins=_BINS) if forward.shape[0] >= parent.options.min_events else None
    if counts is None:
        reason = f"{forward.shape[0]} events in {parent.population}: none is left out"
        return _gate(row, (1e-3, 0.0, math.exp(pivot)), {}, status=Status.WARN, reason=reason)
    living = valleys(counts, min_depth=settings.min_depth, min_share=settings.min_share)
    if living:
        below = np.arange(counts.counts.shape[0]) <= living[0].bin
        counts = replace(counts, counts=counts.counts * below)
    # No warning: without debris and dead cells a sample is as it should be, and nothing of its only peak is lost.
    which = "lowest" if living else "only"
    reason = f"no clear valley in {parent.population}: cut {_LONE_SD:g} sd below the {which} peak"
    place = lone_cut(counts, lone="positive", sd=_LONE_SD)
    return _gate(row, (math.exp(place), 0.0, math.exp(pivot)), {}, reason=reason)


def _gate(
    row: GatingRow,
    numbers: tuple[float, float, float],
    intervals: dict[str, tuple[float, float]],
    *,
    status: Status = Status.OK,
    reason: str = "",
) -> Gate:
    x, y = row.markers
    edges = tuple(
        Edge(
            channel=channel,
            edge=name,
            value=value,
            low=intervals.get(name, (math.nan, math.nan))[0],
            high=intervals.get(name, (math.nan, math.nan))[1],
            source=Source.DATA,
            clear=not reason,
            status=status,
            reason=reason,
        )
        for name, channel, value in zip(("factor", "exponent", "pivot"), (x, y, y), numbers, strict=True)
    )
    return gate_of(row, shape(row, edges), edges)
