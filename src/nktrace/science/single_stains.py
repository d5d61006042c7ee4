"""Which events of a single stain tell its spillover: single cells (or beads) that are bright, and others alike that are
dark, so that nothing but the fluorochrome makes the difference between them.

Positive events are found first, their scatter then says which dark events are alike (of the unstained tube of the same
kind, else of the control itself): autofluorescence goes with size, and a difference of it would be taken for spillover.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nktrace.model.events import Events, Mask
from nktrace.model.panel import marker_key
from nktrace.model.spillover import Chosen, ControlReport, ControlTube, Usability
from nktrace.science.density import histogram, valleys
from nktrace.science.gating.ellipse import main_population
from nktrace.science.gating.singlets import band, ridge
from nktrace.science.split_normals import even_odds, fit

Array = NDArray[np.float64]

_TOP = 0.999  # of a detector's scale; events beyond have no known value
_MOST_SATURATED = 0.2  # of the positive events
_SINGLETS_SD = 4.0
_CORE = 6.0  # squared distance that holds 95 % of a normal population in two dimensions
_BRIGHT = 6.0  # robust sd above the negative events
_OF_SIGNAL = 0.25  # of the bright events' signal: dimmer ones tell little, and among them is most that is no stain
_ALIKE = 0.2  # least overlap of an unstained tube's scatter with the control's; that of cells and beads is less
_BINS = 256


@dataclass(frozen=True, slots=True)
class Needs:
    """What a control must have to be used.

    events: positive events; negative ones too. stain_index: see `ControlReport`.
    """

    events: int
    stain_index: float


@dataclass(frozen=True, slots=True)
class _Dark:
    """Where the negative events of a detector lie: median, upper robust sd (84th percentile less the median)."""

    centre: float
    sd: float

    @property
    def bright(self) -> float:
        return self.centre + _BRIGHT * self.sd


def choose(tube: ControlTube, unstained: Sequence[ControlTube], markers: Sequence[str], needs: Needs) -> Chosen:
    """The positive and negative events of a control, or the reason why it cannot be used.

    Args:
        tube: the control.
        unstained: tubes of the batch without a stain, cells or beads.
        markers: whose detectors see fluorescence.
        needs: of a control.

    Returns:
        Events with a report whose status is `used` where the control can be.
    """
    report = ControlReport(marker=tube.marker, sample=tube.sample, events=len(tube.events), status=Usability.USED)
    single = tube.events.select(singlets(tube.events))
    dark_tube = _like(tube, unstained)
    dark_events = dark_tube.events.select(singlets(dark_tube.events)) if dark_tube else None
    own = _float(single, tube.marker)
    dark = _dark_of(_float(dark_events, tube.marker)) if dark_events else _lower_population(own, tube)
    if dark is None:
        reason = "no unstained tube of its kind, and no negative events of its own that stand apart"
        return _unused(report, markers, Usability.NO_NEGATIVES, reason)
    positive = _bright(own, dark, needs)
    gate = scatter_gate(single, positive)
    inside = gate(single)
    chosen = single.select(positive & inside)
    from_own, alike = _negatives(single.select(own < dark.bright), dark_events, gate, needs)
    saturated = _saturated(chosen, tube, markers)
    report = replace(
        report,
        negative=tube.sample if from_own or dark_tube is None else dark_tube.sample,
        positive_events=len(chosen),
        negative_events=len(alike),
        saturated=float(np.mean(saturated)) if len(chosen) else float("nan"),
    )
    kept = chosen.select(~saturated)
    high, low = _table(kept, markers), _table(alike, markers)
    report = _judged(report, high, low, markers, needs)
    if report.status in (Usability.TOO_DIM, Usability.TOO_FEW) and dark_events:
        report = _elsewhere(report, single, dark_events, markers, needs)
    return Chosen(report=report, positive=high, negative=low)


def singlets(events: Events) -> Mask:
    """Events on the line of height against area, as the gate `singlets` has it; all where the panel lacks either."""
    area, height = (_scatter(events, name) for name in ("fsca", "fsch"))
    keep = np.ones(len(events), dtype=np.bool_)
    if area is None or height is None:
        return keep
    inside = (area > 0) & (height > 0)
    line = ridge(area[inside], height[inside]) if np.count_nonzero(inside) >= 100 else None
    if line is None:
        return keep
    expected = line.at(area)
    off = np.where(expected > 0, height / np.where(expected > 0, expected, 1.0) - 1, np.inf)
    residual = histogram(off[np.abs(off) < 1], bins=_BINS)
    if residual is None:
        return keep
    lower, upper = band(residual, sd=_SINGLETS_SD, doublets_above=False)
    return (off >= lower) & (off <= upper)


@dataclass(frozen=True, slots=True)
class ScatterGate:
    """An ellipse on the logarithms of forward and side scatter; everything where there is none."""

    mean: Array | None = None
    inverse: Array | None = None

    def __call__(self, events: Events) -> Mask:
        places = _places(events)
        if self.mean is None or self.inverse is None or places is None:
            return np.ones(len(events), dtype=np.bool_)
        apart = places - self.mean
        inside: Mask = np.einsum("ij,jk,ik->i", apart, self.inverse, apart) <= _CORE
        return inside


def scatter_gate(events: Events, among: Mask) -> ScatterGate:
    """The main population of some events by their scatter: neither debris, dead cells nor clumps are in it."""
    places = _places(events)
    if places is None or np.count_nonzero(among) < 20:
        return ScatterGate()
    mean, covariance, _ = main_population(places[among])
    return ScatterGate(mean, np.linalg.inv(covariance).astype(np.float64, copy=False))


def _like(tube: ControlTube, unstained: Sequence[ControlTube]) -> ControlTube | None:
    """The unstained tube whose events scatter most as the control's do: cells for cells, beads for beads."""
    if _places(tube.events) is None:
        return next((other for other in unstained if other.material == tube.material), None)
    own = _scatter_shares(tube.events)
    overlaps = [float(np.minimum(own, _scatter_shares(other.events)).sum()) for other in unstained]
    best = max(range(len(overlaps)), key=overlaps.__getitem__, default=None)
    return unstained[best] if best is not None and overlaps[best] >= _ALIKE else None


def _scatter_shares(events: Events) -> Array:
    """Shares of a tube's events on a coarse grid of its scatter, each bin a factor of e^½ wide."""
    places = _places(events)
    if places is None or len(places) == 0:
        return np.zeros((1, 1))
    edges = np.arange(0.0, 18.0, 0.5)
    counts, _, _ = np.histogram2d(places[:, 0], places[:, 1], bins=(edges, edges))
    shares: Array = counts / len(places)
    return shares


def _negatives(own: Events, unstained: Events | None, gate: ScatterGate, needs: Needs) -> tuple[bool, Events]:
    """Dark events that scatter as the stained ones do, those of the unstained tube first; whether they are the own.

    Where nothing scatters as the stained events do, as with dead cells or beads of two sizes, all dark events serve.
    """
    alike = [(False, unstained.select(gate(unstained)))] if unstained else []
    alike.append((True, own.select(gate(own))))
    anything = [(False, unstained)] if unstained else []
    for is_own, events in (*alike, *anything, (True, own)):
        if len(events) >= needs.events:
            return is_own, events
    return alike[0]


def _dark_of(values: Array) -> _Dark | None:
    if values.size == 0:
        return None
    centre, upper = (float(q) for q in np.quantile(values, (0.5, 0.8413)))
    return _Dark(centre, upper - centre)


def _lower_population(values: Array, tube: ControlTube) -> _Dark | None:
    """The events of a control below the valley of its own detector; None where there is but one population."""
    top = tube.tops.get(tube.marker, float("nan"))
    cofactor = (top if top > 0 else float(np.max(values, initial=1.0))) / 2_000
    scaled = np.arcsinh(values / cofactor)
    binned = histogram(scaled, bins=_BINS)
    if binned is None:
        return None
    found = valleys(binned, min_depth=0.3, min_share=0.01, piled=False)
    if found:
        cut = binned.at(max(found, key=lambda valley: valley.score).bin)
    else:
        cut = binned.at(even_odds(*fit(binned.counts)))
    return _dark_of(values[scaled < cut]) if cut == cut else None


def _bright(values: Array, dark: _Dark, needs: Needs) -> Mask:
    """Events above the negative ones, and at least a quarter as bright as those that carry the signal.

    The signal's median, not the events', tells how bright these are: stained cells may be fewer than sticky ones. A
    handful brighter than all others is not what is stained: as many as half of the needed events count no more.
    """
    above = values[values > dark.bright] - dark.centre
    if above.size == 0:
        return np.zeros(values.size, dtype=np.bool_)
    ordered = np.sort(above)
    ordered = np.minimum(ordered, ordered[-min(needs.events // 2, ordered.size)])
    half = ordered[np.searchsorted(np.cumsum(ordered), 0.5 * ordered.sum())]
    found: Mask = values > max(dark.bright, dark.centre + _OF_SIGNAL * float(half))
    return found


def _judged(report: ControlReport, high: Array, low: Array, markers: Sequence[str], needs: Needs) -> ControlReport:
    """The report with brightness and verdict."""
    if len(low) < needs.events:
        reason = f"{len(low)} negative events that scatter as its positive ones do, fewer than {needs.events}"
        return replace(report, status=Usability.NO_NEGATIVES, reason=reason)
    if len(high) == 0:
        return replace(report, status=Usability.TOO_DIM, reason="no event is brighter than the negative ones")
    own = markers.index(report.marker)
    signals = np.median(high, axis=0) - np.median(low, axis=0)
    signal, sd = float(signals[own]), float(np.quantile(low[:, own], 0.8413) - np.median(low[:, own]))
    brightest = markers[int(np.argmax(signals))]
    index = signal / (2 * sd) if sd > 0 else float("inf")
    report = replace(report, signal=signal, stain_index=index, brightest=brightest)
    few = len(high) < needs.events  # in any tube some dead or sticky cells are bright, wherever they glow
    if brightest != report.marker and not few:
        times = float(np.max(signals)) / signal if signal > 0 else float("inf")
        reason = (
            f"it is brightest in the detector of {brightest}, {times:.2g} times its own: a wrong label, or no stain"
        )
        return replace(report, status=Usability.WRONG_DETECTOR, reason=reason)
    if index < needs.stain_index or (few and brightest != report.marker):
        reason = f"stain index {index:.2g} of {len(high)} positive events; {needs.stain_index:g} is the least"
        return replace(report, status=Usability.TOO_DIM, reason=reason)
    if few:
        reason = f"{len(high)} positive events, fewer than {needs.events}"
        return replace(report, status=Usability.TOO_FEW, reason=reason)
    if report.saturated > _MOST_SATURATED:
        reason = f"{report.saturated:.0%} of its positive events are at the top of a detector"
        return replace(report, status=Usability.SATURATED, reason=reason)
    return report


def _elsewhere(
    report: ControlReport, single: Events, dark_events: Events, markers: Sequence[str], needs: Needs
) -> ControlReport:
    """A control that is dark in its own detector and bright in another's has the wrong label."""
    signals = {}
    for marker in markers:
        values, dark = _float(single, marker), _dark_of(_float(dark_events, marker))
        bright = values[_bright(values, dark, needs)] if dark else values[:0]
        # some events of any tube are bright, as dead cells are: those of a stain are many more than of none
        chance = float(np.mean(_float(dark_events, marker) > dark.bright)) if dark else 1.0
        if dark and bright.size >= max(needs.events, 3 * chance * len(single)):
            signals[marker] = float(np.median(bright)) - dark.centre
    brightest = max(signals, key=signals.__getitem__, default=report.marker)
    if brightest == report.marker:
        return report
    reason = f"it is dark in its own detector and bright in that of {brightest}: a wrong label"
    return replace(report, brightest=brightest, status=Usability.WRONG_DETECTOR, reason=reason)


def _unused(report: ControlReport, markers: Sequence[str], status: Usability, reason: str) -> Chosen:
    nothing = np.empty((0, len(markers)))
    return Chosen(report=replace(report, status=status, reason=reason), positive=nothing, negative=nothing)


def _saturated(events: Events, tube: ControlTube, markers: Sequence[str]) -> Mask:
    full = np.zeros(len(events), dtype=np.bool_)
    for marker in markers:
        top = tube.tops.get(marker, float("nan"))
        if top > 0:
            full |= events.column(marker) >= _TOP * top
    return full


def _places(events: Events) -> Array | None:
    """Logarithms of forward and side scatter areas, shape (events, 2); None where the panel lacks either."""
    forward, side = (_scatter(events, name) for name in ("fsca", "ssca"))
    if forward is None or side is None:
        return None
    return np.log(np.maximum(np.stack([forward, side], axis=1), 1.0))


def _scatter(events: Events, name: str) -> Array | None:
    found = next((channel for channel in events.channels if marker_key(channel) == name), None)
    return None if found is None else _float(events, found)


def _float(events: Events, marker: str) -> Array:
    return events.column(marker).astype(np.float64)


def _table(events: Events, markers: Sequence[str]) -> Array:
    return np.stack([_float(events, marker) for marker in markers], axis=1)
