"""How many events a limit of detection needs, before a tube is stained: `limits` turned round.

The limit of detection falls with the number of events n of the lineage, but not steadily: wherever one more event lifts
the limit of blank by one count, it jumps up. What is planned is the n from which on it holds for good.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import cast

from scipy.special import betaincinv, gammaincinv
from scipy.stats import nbinom

from nktrace.model.chimerism import Limits, MarkerCounts
from nktrace.model.errors import NktraceError
from nktrace.science import posteriors as at
from nktrace.science.background import background
from nktrace.science.limits import DETECTION_EVENTS, ERROR, QUANTITATION_EVENTS, limits

MOST_EVENTS = 10**9  # of one lineage, and of all cells in one sample: more is no plan
TOO_MANY = f"it takes more than {MOST_EVENTS:.0e} events of the lineage"
KNOWN = math.inf  # events of a blank whose rate is taken as known


class Unreachable(NktraceError):
    """A limit of detection that no number of events reaches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Marker:
    """What the antibody, or both together, will do in cells of known origin.

    Attributes:
        background: false-positive rate of the recipient's cells, a.
        sensitivity: share of donor cells that are found, b.
        blank_cv: coefficient of variation of the false-positive rate between tubes, beyond counting.
        blanks: tubes of blank.
        in_class: of two antibodies, sensitivity minus background among the cells that are in a class; nan for one.
        level: confidence of the one-sided bounds of the blank's rate.
    """

    background: float
    sensitivity: float
    blank_cv: float = 0.0
    blanks: int = 1
    in_class: float = math.nan
    level: float = 0.95

    @property
    def separation(self) -> float:
        return self.sensitivity - self.background

    def rate_bounds(self, blank_events: float) -> tuple[float, float]:
        """One-sided bounds of the background as a blank of so many events will tell it, if it shows just this rate.

        As `chimerism.limits_of` has them: Clopper & Pearson's, or those of the posterior where tubes scatter. The
        marker events that the blank is expected to show, a times its events, need not be whole. `KNOWN`: it is known.
        """
        return _rate_bounds(self.background, self.blank_cv, self.level, blank_events, self.blanks)

    def limits(self, events: float, blank_events: float) -> Limits:
        """LoB, LoD and LoQ of a population of so many events beside such a blank."""
        low, high = self.rate_bounds(blank_events)
        return limits(events, a=self.background, a_low=low, a_high=high, b=self.sensitivity, blank_cv=self.blank_cv)

    def floor(self, blank_events: float) -> float:
        """What the limit of detection comes down to as the events of the sample grow without end."""
        low, high = self.rate_bounds(blank_events)
        return max(0.0, (high * _factor(self.blank_cv, 1 - ERROR) - low) / self.separation)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What was asked for, and the events that it needs.

    Attributes:
        lod: the limit of detection that was asked for, as a donor fraction.
        share: of the lineage among all events that are acquired.
        blank_asked: lineage events in the blank; None for as many as in the sample, `KNOWN` for a known rate.
        events: of the lineage in the sample; None where no number does, and `reason` says why.
        least_events: the same beside a blank so large that its rate is known; None where even that does not help.
        least_blank: the smallest blank that allows this limit, for a sample without end; None where none does.
        limits: those of the planned number of events; no LoQ (nan) where it would be above 1, and `reason` says so.
    """

    lod: float
    share: float
    marker: Marker
    blank_asked: float | None
    events: int | None = None
    least_events: int | None = None
    least_blank: int | None = None
    limits: Limits | None = None
    reason: str = ""

    @property
    def blank_events(self) -> float:
        """Lineage events in the blank, nan where they are not known."""
        if self.blank_asked is not None:
            return self.blank_asked
        return math.nan if self.events is None else float(self.events)


def plan(marker: Marker, lod: float, *, share: float, blank_events: float | None, min_separation: float) -> Plan:
    """The plan for one limit of detection; where none is possible its `reason` says why."""
    asked = Plan(lod=lod, share=share, marker=marker, blank_asked=blank_events)
    separation = marker.separation if math.isnan(marker.in_class) else marker.in_class
    if separation < min_separation:
        what = f"sensitivity {marker.sensitivity:.3g} and background {marker.background:.3g}"
        return replace(asked, reason=f"no_separation ({what} differ by less than {min_separation:g})")
    try:
        asked = replace(asked, least_events=events_needed(marker, lod, blank_events=KNOWN))
        asked = replace(asked, least_blank=blank_events_needed(marker, lod))
        events = events_needed(marker, lod, blank_events=blank_events)
        _possible(events, share)
        if blank_events is not None and blank_events != KNOWN:
            _possible(blank_events, share)
    except Unreachable as error:
        return replace(asked, reason=error.what)
    found = marker.limits(events, events if blank_events is None else blank_events)
    if found.loq > 1:
        reason = f"no_loq (it takes {QUANTITATION_EVENTS} donor events)"
        return replace(asked, events=events, limits=replace(found, loq=math.nan), reason=reason)
    return replace(asked, events=events, limits=found)


def both(first: Marker, *, shared_background: float = 0.0) -> Marker:
    """Two antibodies of opposite direction that must agree, each as good as the first.

    Their errors are taken to be independent but for `shared_background`: cells that look like donor cells to both
    (doublets, debris), which only the blank of a tube with both tells. Cells on which they disagree are in no class.
    """
    a, b = first.background, first.sensitivity
    joint = shared_background + (1 - shared_background) * a**2
    in_class = b**2 / (b**2 + (1 - b) ** 2) - joint / (joint + (1 - a) ** 2)
    return replace(first, background=joint, sensitivity=b**2, in_class=in_class)


def events_needed(marker: Marker, lod: float, *, blank_events: float | None) -> int:
    """The smallest number of lineage events from which on the limit of detection is `lod` or less.

    Args:
        lod: donor fraction.
        blank_events: of the lineage in the blank; None for a blank that has as many as the sample.

    Raises:
        Unreachable: background, its scatter or the size of the blank forbid it at any number of events.
    """
    _check(marker, lod, blank_events)

    def bounds(events: float) -> Limits:
        return marker.limits(events, events if blank_events is None else blank_events)

    @cache
    def step(count: int) -> float:
        """The number of events, not rounded, at which LoB becomes `count`; infinite where it never does."""
        return _first(lambda events: bounds(events).lob_events >= count)

    def holds(count: int) -> bool:
        start = step(count)
        return math.isinf(start) or bounds(start).lod <= lod

    # The peaks of the saw, at the beginning of each step, fall with every step (the ratio of the two Poisson means that
    # reach a count in 5 % and pass it in 95 % does): so there is a first step from which on all hold.
    last = 1
    while not holds(last):
        last *= 2
    count = _least(holds, last // 2, last)
    # Whole numbers of events begin a step a little behind its peak: an earlier step may hold as well.
    while count > 0:
        start = max(1, math.ceil(step(count - 1))) if count > 1 else 1
        end = step(count)
        if math.isinf(end):
            end = float(start)
            while bounds(end).lod > lod:
                end *= 2
        if bounds(start).lod > lod:
            needed = _least(lambda events: bounds(events).lod <= lod, start, math.ceil(end))
            break
        count -= 1
    else:
        needed = 1
    if needed > MOST_EVENTS:
        raise Unreachable(TOO_MANY)
    return needed


def blank_events_needed(marker: Marker, lod: float) -> int:
    """The smallest blank beside which a sample that is large enough reaches this limit of detection.

    Raises:
        Unreachable: the background's scatter between tubes forbids it beside any blank.
    """
    _reachable_beside_any_blank(marker, lod)
    return _least(lambda events: marker.floor(events) < lod, 0, MOST_EVENTS)


def events_to_acquire(events: int, share: float, *, assurance: float = 0.95) -> int:
    """How many events of all kinds give `events` of a lineage with this probability, its share being known.

    The number of the other events seen before is negative binomial.

    Args:
        share: of the lineage among all events that are acquired, above 0.
    """
    return events + int(nbinom.ppf(assurance, events, share))


def _possible(events: float, share: float) -> None:
    if events > MOST_EVENTS * share:
        raise Unreachable(
            f"{events:.3g} events of a lineage that is {share:.3g} of all take more than {MOST_EVENTS:.0e} in all"
        )


def _check(marker: Marker, lod: float, blank_events: float | None) -> None:
    if DETECTION_EVENTS / lod > MOST_EVENTS:
        raise Unreachable(TOO_MANY)
    _reachable_beside_any_blank(marker, lod, known=blank_events == KNOWN)
    if blank_events is not None and marker.floor(blank_events) >= lod:
        raise Unreachable(
            f"a blank of {blank_events:.0f} events leaves the background up to "
            f"{marker.rate_bounds(blank_events)[1]:.3g}: the limit of detection stays above "
            f"{marker.floor(blank_events):.3g}, whatever the sample's events. "
            f"The blank needs at least {blank_events_needed(marker, lod)}"
        )


def _reachable_beside_any_blank(marker: Marker, lod: float, *, known: bool = False) -> None:
    best = marker.floor(KNOWN)
    floor = best if known else marker.floor(MOST_EVENTS)
    if floor < lod:
        return
    raise Unreachable(
        f"not below {floor:.3g} whatever the events, for a background of {marker.background:.3g} that scatters between "
        f"tubes by {marker.blank_cv:.0%} and is told by {marker.blanks} blank{'s' if marker.blanks > 1 else ''}; "
        f"many blanks get to {best:.3g}"
    )


@lru_cache(maxsize=100_000)
def _rate_bounds(rate: float, cv: float, level: float, events: float, tubes: int) -> tuple[float, float]:
    if math.isinf(events):
        return rate * _factor(cv, 1 - level), rate
    found = rate * events
    if cv == 0:
        found, events = tubes * found, tubes * events
        low = float(betaincinv(found, events - found + 1, 1 - level)) if found > 0 else 0.0
        return low, float(betaincinv(found + 1, events - found, level)) if found < events else 1.0
    expected = MarkerCounts(events=cast(int, events), positive=cast(int, found))  # what is expected need not be whole
    told = background((expected,) * tubes, cv=cv)
    return at.central(told.rate(at.BETWEEN), 2 * level - 1)[0], float(told.upper_means(level)[0])


def _factor(cv: float, share: float) -> float:
    """A percentile of a tube's rate over the mean of the tubes, gamma distributed."""
    return float(gammaincinv(1 / cv**2, share) * cv**2) if cv else 1.0


def _first(true_from: Callable[[float], bool]) -> float:
    """The smallest number from 1 on at which something that stays true becomes so, to the last digit; else infinite."""
    low, high = 1.0, 1.0
    while not true_from(high):
        if high > MOST_EVENTS:
            return math.inf
        low, high = high, 2 * high
    while high - low > 1e-12 * high:
        middle = (low + high) / 2
        low, high = (low, middle) if true_from(middle) else (middle, high)
    return high


def _least(true_from: Callable[[int], bool], false_at: int, true_at: int) -> int:
    """The smallest whole number at which something that stays true becomes so."""
    while true_at - false_at > 1:
        middle = (false_at + true_at) // 2
        false_at, true_at = (false_at, middle) if true_from(middle) else (middle, true_at)
    return true_at
