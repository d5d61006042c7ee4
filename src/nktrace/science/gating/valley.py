"""`valley`: a cut at the lowest density between two populations, on one channel or on each of two.

With an anchor population that shows the boundary the cut is where the parent's main peak and the population beside it
have even odds. Where the parent shows one peak only, it comes from what is known elsewhere: the cohort's prior or that
of an FMO control, the anchor's valley, the end of a negative population of the same sample, a cut that an ancestor
already has on this channel, a valley among the events of an ancestor, and at last the tail of the lone peak. Each says
so.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from nktrace.model.events import FloatArray
from nktrace.model.gates import Edge, EdgePrior, Gate, GatingRow, Rectangle, Source, Status, ValleySettings
from nktrace.model.panel import Kind
from nktrace.science.density import (
    Histogram,
    Valley,
    bandwidth_of,
    floor_between,
    histogram,
    main_peak,
    resample,
    smooth,
    valleys,
)
from nktrace.science.gating.negatives import end_of_negatives, left_out_edge, negative_edge
from nktrace.science.gating.parent import Parent, gate_of, rectangle_of, settings_of
from nktrace.science.gating.shoulder import shoulder_edge

_LONE_SD = 3.0  # a lone peak is cut three of its sd away, where a normal one keeps 99.9 %
_SUPPORT = 0.8  # share of resamples in which a valley must be found again
_SMOOTHINGS = (0.7, 1.0, 1.4)  # of the bandwidth over the resamples: it is a choice, and the valley moves with it
_UNDERSTATED = 1.15  # sd over repeats of a tube as a multiple of that over resamples, which keep the peaks and the grid
_LINEAR_UNITS = 10.0  # transformed scales end near 1, detectors at 1,000 or more
_MIN_LONE = 20  # events that a peak's width can be read from
_NOTHING = float(np.finfo(np.float32).max)  # beyond every event, yet a number that a file of gates can hold


def shape(row: GatingRow, edges: tuple[Edge, ...]) -> Rectangle:
    """Half a line, or a quadrant."""
    return rectangle_of(row, edges)


def estimate(parent: Parent, row: GatingRow) -> Gate:
    """A cut per channel, the sign saying which side is kept."""
    settings = settings_of(row, ValleySettings)
    signs = settings.sign if len(settings.sign) > 1 else settings.sign * len(row.markers)
    edges = tuple(
        _ruled_cut(parent, channel, edge="min" if sign == "+" else "max", settings=settings)
        for channel, sign in zip(row.markers, signs, strict=False)
    )
    return gate_of(row, shape(row, edges), edges)


def _ruled_cut(parent: Parent, channel: str, *, edge: str, settings: ValleySettings) -> Edge:
    """A cut on the channel's own scale; for scatter in linear units on the logarithm of it.

    Scatter populations differ by factors and spread by shares: on a linear scale the wide ones are flat beside the
    lymphocytes, and their valleys shallow.
    """
    if (left_out := left_out_edge(parent, channel, edge=edge)) is not None:
        return left_out
    values = parent.values(channel)
    linear = parent.kinds.get(channel) is Kind.SCATTER and values.shape[0] > 0 and np.median(values) > _LINEAR_UNITS
    if not linear:
        return cut(parent, channel, edge=edge, settings=settings)
    view = replace(
        parent,
        logarithmic=frozenset((channel,)),
        expected={
            key: replace(prior, mean=math.log(prior.mean), sd=prior.sd / prior.mean)
            for key, prior in parent.expected.items()
            if key[0] == channel and prior.mean > 0
        },
        inherited={
            key: _ruled(above, _log) for key, above in parent.inherited.items() if key[0] == channel and above.value > 0
        },
    )
    return _ruled(cut(view, channel, edge=edge, settings=settings), _exp)


def _log(place: float) -> float:
    return math.log(place) if place > 0 else -math.inf


def _exp(place: float) -> float:
    return math.exp(min(place, 80.0))  # a bound far beyond any detector, still a number in float32


def _ruled(edge: Edge, ruler: Callable[[float], float]) -> Edge:
    """A cut and its interval on another scale; bounds that hold all or nothing stay as they are."""

    def moved(place: float) -> float:
        return place if math.isnan(place) or abs(place) == _NOTHING else ruler(place)

    return replace(edge, value=moved(edge.value), low=moved(edge.low), high=moved(edge.high))


def cut(parent: Parent, channel: str, *, edge: str, settings: ValleySettings) -> Edge:
    """One cut on one channel, by the best evidence that there is."""
    values = parent.values(channel)
    anchor = _anchor(parent, channel, edge, settings)
    own = valley_edge(parent, values, channel, edge=edge, settings=settings, anchor=anchor)
    prior = parent.expected.get((channel, edge))
    # Even odds before the lowest density: beside a large population the valley of a small one lies too low, and whether
    # it shows at all is a matter of how many events there are.
    if anchor is not None and anchor.clear and (beside := shoulder_edge(parent, values, anchor=anchor)) is not None:
        return replace(beside, reason="") if own is not None and own.clear else beside
    if own is not None and own.clear:
        return own if anchor is None or prior is None else _outvoted(parent, own, anchor, prior, settings)
    why = missing_valley(parent, values)
    if prior is not None and anchor is not None and anchor.clear and anchor.high - anchor.low < 2 * parent.z * prior.sd:
        # Its own valley next door tells more of this sample than other samples do.
        return replace(anchor, reason=f"{why}: the valley in {settings.anchor} is used")
    if prior is not None:
        return Edge(channel=channel, edge=edge, value=math.nan, clear=False, status=Status.WARN, reason=why)
    if anchor is not None and anchor.clear:
        return replace(anchor, clear=False, reason=f"{why}: the valley in {settings.anchor} is used")
    beyond = negative_edge(parent, channel, edge=edge, population=settings.negative, why=why)
    if beyond is not None:
        return beyond
    if own is not None:
        return own
    if (inherited := parent.inherited.get((channel, edge))) is not None:
        return replace(inherited, clear=False, reason=f"{why}: the cut above it on {channel} stands")
    # Scatter of an ancestor shows debris and dead cells, which the parent is rid of: no boundary of its own cells.
    for ancestor in () if parent.kinds.get(channel) is Kind.SCATTER else parent.ancestors:
        found = valley_edge(parent, parent.values(channel, ancestor), channel, edge=edge, settings=settings)
        if found is not None:
            return replace(found, clear=False, status=Status.WARN, reason=f"{why}: the valley in {ancestor} is used")
    return lone_peak_edge(parent, values, channel, edge=edge, lone=settings.lone, why=why)


def _outvoted(parent: Parent, own: Edge, anchor: Edge, prior: EdgePrior, settings: ValleySettings) -> Edge:
    """The anchor's valley where it is where the cohort has it and the parent's own is not.

    Then the parent's valley is another one: between dim and bright NK cells, where the negative ones are too few.
    """

    def apart(edge: Edge) -> bool:
        se = (edge.high - edge.low) / (2 * parent.z)
        return abs(edge.value - prior.mean) > parent.options.max_distance * math.hypot(prior.sd, se)

    if not anchor.clear or not apart(own) or apart(anchor):
        return own
    reason = f"the valley in {parent.population} is not that of other samples: the one in {settings.anchor} is used"
    return replace(anchor, reason=reason)


def missing_valley(parent: Parent, values: FloatArray) -> str:
    """Why a parent's own events give no cut."""
    few = values.shape[0] < parent.options.min_events
    return f"{values.shape[0]} events in {parent.population}" if few else f"no clear valley in {parent.population}"


def valley_edge(
    parent: Parent,
    values: FloatArray,
    channel: str,
    *,
    edge: str,
    settings: ValleySettings,
    anchor: Edge | None = None,
) -> Edge | None:
    """The cut at a valley of these values with its bootstrap interval; None without one.

    It is clear if at least `min_events` make it and most resamples show it again. With an `anchor` it must part the
    same two populations.
    """
    counts = histogram(values) if values.shape[0] >= _MIN_LONE else None
    if counts is None:
        return None
    beads = parent.kinds.get(channel) is Kind.BEAD  # bright and narrow: a population at the end of the range
    found = valleys(counts, min_depth=settings.min_depth, min_share=settings.min_share, piled=not beads)
    if settings.negative and found:
        # Without negatives the deepest valley parts dim from bright: below it must lie cells that lack the marker.
        end = end_of_negatives(parent, channel, settings.negative)
        found = [valley for valley in found if counts.at(valley.left) < end]
    if not found:
        return None
    expected = parent.expected.get((channel, edge))
    if anchor is not None:
        found = [valley for valley in found if counts.at(valley.left) < anchor.value < counts.at(valley.right)]
    if not found:
        return None
    chosen = choose(found, counts, which=settings.which, expected=math.nan if expected is None else expected.mean)
    se, support = _resampled(parent, counts, chosen, min_depth=settings.min_depth)
    value = counts.at(chosen.bin)
    if support < _SUPPORT:
        reason = f"the valley stands in {support:.0%} of resamples only"
    else:
        few = values.shape[0] < parent.options.min_events
        reason = f"a valley of {values.shape[0]} events only" if few else ""
    return Edge(
        channel=channel,
        edge=edge,
        value=value,
        low=value - parent.z * se,
        high=value + parent.z * se,
        source=Source.DATA,
        clear=not reason,
        status=Status.WARN if reason else Status.OK,
        reason=reason,
    )


def _anchor(parent: Parent, channel: str, edge: str, settings: ValleySettings) -> Edge | None:
    """The valley of the anchor population, None without an anchor or without a valley there."""
    if settings.anchor not in parent.masks or settings.anchor == parent.population:
        return None
    return valley_edge(parent, parent.values(channel, settings.anchor), channel, edge=edge, settings=settings)


def choose(found: list[Valley], counts: Histogram, *, which: str, expected: float) -> Valley:
    """The valley meant by the table: nearest to what the cohort has, else by its place or its depth."""
    if not math.isnan(expected):
        return min(found, key=lambda valley: abs(counts.at(valley.bin) - expected))
    if which == "first":
        return found[0]
    if which == "last":
        return found[-1]
    return max(found, key=lambda valley: valley.score)


def _resampled(parent: Parent, counts: Histogram, valley: Valley, *, min_depth: float) -> tuple[float, float]:
    """Standard error of a valley's place, and the share of resamples in which it is still deep enough."""
    places, support = [], []
    draws = resample(counts.counts, times=parent.options.bootstrap, rng=parent.rng)
    for factor, some in zip(_SMOOTHINGS, np.array_split(draws, len(_SMOOTHINGS)), strict=True):
        bandwidth = valley.bandwidth * factor
        smoothed = smooth(some, bandwidth)
        window = 2 * math.sqrt(math.pi) * bandwidth
        places.append(floor_between(smoothed, valley.left, valley.right, window=window))
        floor = smoothed[:, valley.left : valley.right + 1].min(axis=-1)
        middle = int(valley.bin) + 1
        lower = np.minimum(smoothed[:, :middle].max(axis=-1), smoothed[:, middle:].max(axis=-1))
        support.append(1 - floor / np.maximum(lower, 1e-12) >= min_depth)
    spread = float(np.concatenate(places).std(ddof=1))
    return counts.error(_UNDERSTATED * spread), float(np.concatenate(support).mean())


def lone_peak_edge(parent: Parent, values: FloatArray, channel: str, *, edge: str, lone: str, why: str) -> Edge:
    """Three sd beside the only peak there is, its width read on the side away from the cut."""
    counts = histogram(values) if values.shape[0] >= _MIN_LONE else None
    if counts is None:
        return Edge(
            channel=channel,
            edge=edge,
            value=_NOTHING if edge == "min" else -_NOTHING,
            source=Source.DATA,
            clear=False,
            status=Status.FAIL,
            reason=f"{why}, and neither a prior nor an ancestor to borrow from: the gate is empty",
        )
    place = lone_cut(counts, lone=lone)
    draws = resample(counts.counts, times=parent.options.bootstrap, rng=parent.rng)
    places = [lone_cut(replace(counts, counts=draw), lone=lone) for draw in draws if draw.sum() >= 2]
    se = counts.error(float(np.std(places, ddof=1)) / counts.width)
    side = "above" if lone == "negative" else "below"
    return Edge(
        channel=channel,
        edge=edge,
        value=place,
        low=place - parent.z * se,
        high=place + parent.z * se,
        source=Source.DATA,
        clear=False,
        status=Status.WARN,
        reason=f"{why}: one peak, taken for {lone}, cut {_LONE_SD:g} sd {side} it",
    )


def lone_cut(counts: Histogram, *, lone: str, sd: float = _LONE_SD) -> float:
    """Some sd, three by default, above (`negative`) or below (`positive`) the mode.

    The sd is that of the wider flank: the quantile on the other side, where no neighbour hides, or the flank towards
    the cut at 60 % of the height (e^-1/2, one sd of a normal density), since dyes and scatter leave skewed peaks.
    """
    smoothed = smooth(counts.counts, bandwidth_of(counts.counts))
    mode, _ = main_peak(counts.counts)
    centre = counts.at(mode)
    away, near = smoothed[mode::-1], smoothed[mode:]
    if lone == "positive":
        away, near = near, away
    cumulative = np.cumsum(away)
    flank = int(np.argmax(near < smoothed[mode] * math.exp(-0.5)))
    width = max(1.0, float(np.searchsorted(cumulative, 0.6827 * cumulative[-1])), float(flank)) * counts.width
    return centre + sd * width if lone == "negative" else centre - sd * width
