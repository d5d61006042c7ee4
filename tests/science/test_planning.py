from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from nktrace.model.chimerism import Controls, MarkerCounts
from nktrace.science.chimerism import limits_of
from nktrace.science.limits import limits
from nktrace.science.planning import (
    KNOWN,
    Marker,
    Unreachable,
    blank_events_needed,
    both,
    events_needed,
    events_to_acquire,
    plan,
)


@pytest.mark.parametrize(("lod", "background", "events"), [(0.002, 0.0005, 10_000), (0.01, 0.0005, 2_000)])
def test_the_vectors_of_the_limits_turned_round(lod: float, background: float, events: int) -> None:
    """Where twenty net donor events are the limit, n = 20 / LoD."""
    assert events_needed(Marker(background=background, sensitivity=1.0), lod, blank_events=KNOWN) == events


@settings(max_examples=40, deadline=None)
@given(
    lod=st.floats(0.0008, 0.2),
    background=st.sampled_from([0.0, 0.0002, 0.001, 0.004, 0.02, 0.1]),
    sensitivity=st.sampled_from([0.85, 0.95, 1.0]),
    cv=st.sampled_from([0.0, 0.0, 0.2, 0.6]),
    blank=st.sampled_from([None, KNOWN, 3_000, 50_000]),
)
def test_the_limits_hold_from_the_planned_number_on_and_not_with_one_event_fewer(
    lod: float, background: float, sensitivity: float, cv: float, blank: float | None
) -> None:
    marker = Marker(background=background, sensitivity=sensitivity, blank_cv=cv)
    try:
        needed = events_needed(marker, lod, blank_events=blank)
    except Unreachable:
        beside = 10**7 if blank is None else blank
        assert marker.limits(10**7, beside).lod > lod
        return

    def reached(events: int) -> float:
        low, high = marker.rate_bounds(events if blank is None else blank)
        return limits(events, a=background, a_low=low, a_high=high, b=sensitivity, blank_cv=cv).lod

    later = [*range(needed, needed + 40), *(needed + int(needed * k / 20) for k in range(1, 60)), 30 * needed]
    assert all(reached(events) <= lod for events in later)
    assert needed == 1 or reached(needed - 1) > lod


@pytest.mark.parametrize("blank", [None, KNOWN, 4_000])
@pytest.mark.parametrize("background", [0.004, 0.1])
def test_it_is_the_last_tooth_of_the_saw(background: float, blank: float | None) -> None:
    """Against every number of events in turn, where the teeth are large."""
    marker = Marker(background=background, sensitivity=0.95)
    lod = 1.6 * marker.floor(4_000) + 0.03
    reached = [marker.limits(n, n if blank is None else blank).lod for n in range(1, 4_000)]
    last_above = max(n for n, value in enumerate(reached, 1) if value > lod)
    assert last_above < 3_000
    assert events_needed(marker, lod, blank_events=blank) == last_above + 1


@pytest.mark.parametrize(("positive", "events"), [(0, 4_000), (3, 2_000), (40, 20_000)])
@pytest.mark.parametrize("cv", [0.0, 0.3])
def test_a_blank_is_taken_as_the_estimate_takes_it(positive: int, events: int, cv: float) -> None:
    controls = Controls(
        blank=MarkerCounts(events=events, positive=positive),
        donor=MarkerCounts(events=1_000, positive=950),
        blank_cv=cv,
        tubes=(MarkerCounts(events=events, positive=positive),),
    )
    planned = Marker(background=positive / events, sensitivity=0.95, blank_cv=cv).limits(30_000, events)
    found = limits_of(MarkerCounts(events=30_000, positive=0), controls)
    assert planned.lob_events == found.lob_events
    assert planned.lod == pytest.approx(found.lod, rel=1e-6)


def test_a_small_blank_or_one_that_scatters_forbids_a_limit_at_any_number_of_events() -> None:
    marker = Marker(background=0.002, sensitivity=0.95)
    least = blank_events_needed(marker, 0.001)
    assert marker.floor(least) < 0.001 <= marker.floor(least - 1)
    with pytest.raises(Unreachable, match=str(least)):
        events_needed(marker, 0.001, blank_events=least - 1)
    scattered = Marker(background=0.002, sensitivity=0.95, blank_cv=0.5)
    with pytest.raises(Unreachable, match="scatters between tubes by 50%"):
        events_needed(scattered, 0.001, blank_events=None)
    made = plan(scattered, 0.001, share=0.1, blank_events=None, min_separation=0.8)
    assert made.events is None
    assert made.limits is None
    assert "scatters" in made.reason


def test_the_floor_is_what_the_limit_of_detection_comes_down_to() -> None:
    for marker in (
        Marker(background=0.002, sensitivity=0.95),
        Marker(background=0.002, sensitivity=0.9, blank_cv=0.4),
        Marker(background=0.002, sensitivity=0.9, blank_cv=0.4, blanks=8),
    ):
        assert marker.limits(10**9, 20_000).lod == pytest.approx(marker.floor(20_000), rel=0.01)
        assert marker.limits(10**9, 20_000).lod > marker.floor(20_000)


def test_more_blanks_tell_a_scattering_background_better() -> None:
    floors = [Marker(background=0.002, sensitivity=0.95, blank_cv=0.5, blanks=k).floor(20_000) for k in (1, 5, 50)]
    assert floors == sorted(floors, reverse=True)
    assert floors[-1] == pytest.approx(Marker(background=0.002, sensitivity=0.95, blank_cv=0.5).floor(KNOWN), rel=0.2)


def test_antibodies_that_do_not_separate_are_told() -> None:
    made = plan(Marker(background=0.1, sensitivity=0.85), 0.01, share=0.1, blank_events=None, min_separation=0.8)
    assert made.events is None
    assert made.reason.startswith("no_separation")


def test_two_antibodies_leave_what_misleads_both() -> None:
    joint = both(Marker(background=0.01, sensitivity=0.95), shared_background=0.0001)
    assert joint.background == pytest.approx(0.0002, rel=1e-3)
    assert joint.sensitivity == pytest.approx(0.9025)
    dim = Marker(background=0.01, sensitivity=0.85)
    assert plan(both(dim), 0.01, share=0.1, blank_events=None, min_separation=0.8).events is not None


@pytest.mark.parametrize(("a", "b"), [(0.01, 0.95), (0.03, 0.9)])
def test_two_antibodies_are_planned_as_the_estimate_counts_them(a: float, b: float) -> None:
    """The estimate works among the cells in a class; what is planned is the same in cells of all."""
    n = 200_000

    def counts(donor_like: float) -> MarkerCounts:
        both_say, none_says = donor_like**2, (1 - donor_like) ** 2
        clear = round(n * (both_say + none_says))
        return MarkerCounts(events=clear, positive=round(n * both_say), unclear=n - clear)

    found = limits_of(counts(a), Controls(blank=counts(a), donor=counts(b)))
    planned = both(Marker(background=a, sensitivity=b)).limits(n, n)
    assert planned.lod == pytest.approx(found.lod, rel=0.03)


def test_events_to_acquire_give_the_lineage_its_number_in_95_percent() -> None:
    total = events_to_acquire(1_000, 0.1)
    assert binom.sf(999, total, 0.1) >= 0.95 > binom.sf(999, total - 1, 0.1)
    assert events_to_acquire(1_000, 1.0) == 1_000
    assert math.isfinite(total)
