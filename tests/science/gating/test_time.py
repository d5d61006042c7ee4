"""The time gate on runs whose disturbed events are known, and on clocks that are not what they should be."""

from __future__ import annotations

import numpy as np
import pytest

from nktrace.model.events import Events, Mask
from nktrace.model.gates import Gate, GatingRow, TimeSettings, Windows
from nktrace.science.clock import complement, merged, on_the_channel, read_clock, stretches
from nktrace.science.gating import REGISTRY
from nktrace.science.gating.masks import mask
from tests.science.gating.runs import KINDS, QUIET, SPANS, run
from tests.science.gating.tube import root_of

ROW = GatingRow(population="time", parent="root", channels=(("Time",),), method="time", settings=TimeSettings())


def gate(events: Events) -> tuple[Mask, Gate]:
    found = REGISTRY["time"].estimate(root_of(events, kinds=KINDS), ROW)
    assert isinstance(found.shape, Windows)
    return mask(found.shape, events, {}), found


@pytest.mark.parametrize("name", QUIET)
def test_what_is_slow_or_usual_is_not_cut(name: str) -> None:
    lost = [1 - gate(run(name, seed)[0])[0].mean() for seed in range(4)]
    assert np.mean(lost) < 0.01


@pytest.mark.parametrize("name", SPANS)
def test_disturbed_events_are_cut_out_and_few_others(name: str) -> None:
    for seed in range(3):
        events, disturbed = run(name, seed)
        kept, found = gate(events)
        assert (~kept[disturbed]).mean() > 0.85
        assert (~kept[~disturbed]).mean() < 0.04
        assert ("signal" if "jump" in name else "flow rate") in found.reason


def test_the_reason_counts_the_stretches_and_names_the_channel() -> None:
    events, _ = run("jump of one marker", 1)
    _, found = gate(events)
    assert found.reason.startswith("1 stretch of the run (")
    assert "CD56" in found.reason


def test_a_clock_that_wraps_hides_no_clog_and_makes_none() -> None:
    quiet, _ = run("quiet", 1)
    clogged, disturbed = run("short clog", 2)
    for events, bad in ((quiet, None), (clogged, disturbed)):
        time = events.column("Time")
        whole = time.copy()
        time[:] = np.where(whole < 90, whole, whole - 90)
        kept, found = gate(events)
        if bad is None:
            assert kept.all()
        else:
            assert (~kept[bad]).mean() > 0.85
            # Events of the other pass at the same times go as well, and no more than these.
            assert (~kept[~bad]).mean() < 0.12
        edges = [edge.value for edge in found.edges]
        assert edges == sorted(edges)


def test_the_order_of_events_does_not_matter_to_a_gate_on_time() -> None:
    events, disturbed = run("short clog", 4)
    order = np.random.default_rng(1).permutation(len(events))
    kept, _ = gate(events.select(order))
    assert (~kept[disturbed[order]]).mean() > 0.85
    assert (~kept[~disturbed[order]]).mean() < 0.03


def test_few_events_are_kept() -> None:
    events, _ = run("quiet", 1, events=600)
    assert gate(events)[0].all()


# --- the clock --------------------------------------------------------------------------------------------------------


def test_a_clock_tells_restarts_from_disorder() -> None:
    time = np.arange(10_000, dtype=np.float32) / 100
    assert read_clock(time).restarts == 0
    assert read_clock(time).ordered
    twice = read_clock(np.concatenate([time, time]))
    assert twice.restarts == 1
    assert (np.diff(twice.seconds) > 0).all()
    assert twice.span == pytest.approx(2 * 99.99 + 0.01, abs=0.1)
    swapped = time.copy()
    swapped[[500, 501]] = swapped[[501, 500]]
    assert (read_clock(swapped).restarts, read_clock(swapped).ordered) == (0, False)
    shuffled = read_clock(np.random.default_rng(1).permutation(time))
    assert (shuffled.restarts, shuffled.ordered) == (0, False)


def test_stretches_hold_whole_ticks_and_all_events() -> None:
    time = np.floor(np.sort(np.random.default_rng(2).uniform(0, 37, 20_000))).astype(np.float32)
    clock = read_clock(time)
    borders = stretches(clock, bins=100)
    assert clock.tick == 1.0
    assert np.allclose(np.diff(borders), 1.0)
    assert borders[0] <= time.min()
    assert borders[-1] > time.max()


def test_intervals_become_windows_on_the_channel() -> None:
    assert merged([(3, 4), (1, 2), (2, 2.5), (5, 5)]) == [(1, 2.5), (3, 4)]
    assert complement([(1, 2), (3, 4)], low=0, high=4) == [(0, 1), (2, 3)]
    time = np.concatenate([np.arange(0, 100, 0.1), np.arange(0, 50, 0.1)]).astype(np.float32)
    clock = read_clock(time)
    second = clock.passes[1].start
    found = on_the_channel(clock, [(10.0, 12.0), (second + 20.0, second + 21.0)])
    assert [(round(low, 2), round(high, 2)) for low, high in found] == [(10.0, 12.0), (20.0, 21.0)]
