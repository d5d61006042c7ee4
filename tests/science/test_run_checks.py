"""Clock, flow rate and drift of runs with known disturbances."""

from __future__ import annotations

import numpy as np
import pytest

from nktrace.model.quality import Check, Verdict
from nktrace.science.clock import read_clock
from nktrace.science.run_checks import clock_check, drift_check, flow_check
from tests.science.gating.runs import run
from tests.science.gating.tube import BLOOD


def flow(name: str, seed: int = 1) -> Check:
    events, disturbed = run(name, seed)
    check, picture = flow_check(read_clock(events.column("Time")), ~disturbed, limit=0.5)
    assert picture is not None
    assert picture.removed.max(initial=0) > 0.5 or not disturbed.any()
    return check


@pytest.mark.parametrize("name", ["quiet", "coarse clock", "slow drift"])
def test_a_steady_flow_passes(name: str) -> None:
    assert all(flow(name, seed).status is Verdict.PASS for seed in range(5))


@pytest.mark.parametrize(("name", "share"), [("short clog", 0.7), ("burst", 2.0)])
def test_clogs_and_bursts_warn_with_their_size(name: str, share: float) -> None:
    check = flow(name)
    assert check.status is Verdict.WARN
    assert check.value == pytest.approx(share, rel=0.5)
    assert "cut out" in check.reason


def test_a_clock_that_says_nothing_is_skipped_and_one_that_restarts_warns() -> None:
    events, _ = run("quiet", 1)
    time = events.column("Time")
    check, picture = flow_check(read_clock(np.zeros_like(time)), None, limit=0.5)
    assert (check.status, picture) == (Verdict.SKIPPED, None)
    assert clock_check(read_clock(time)) == Check(check="clock", value=0, limit=0, status=Verdict.PASS)
    again = clock_check(read_clock(np.concatenate([time, time])))
    assert (again.status, again.value) == (Verdict.WARN, 1)
    assert "once" in again.reason
    few = clock_check(read_clock(np.floor(time / 30)))
    assert "ticks" in few.reason


def drift(events: object) -> Check:
    clock = read_clock(events.column("Time"))  # type: ignore[attr-defined]
    rows = np.arange(len(events))  # type: ignore[arg-type]
    check, picture = drift_check(events, clock, rows, panel=BLOOD, limit=0.5)  # type: ignore[arg-type]
    assert picture is not None
    assert len({course.channel for course in picture.courses}) == len(picture.courses)
    return check


def test_quiet_runs_do_not_drift() -> None:
    assert all(drift(run("quiet", seed)[0]).value < 0.4 for seed in range(8))


@pytest.mark.parametrize("events", [8_000, 30_000])
def test_a_slow_drift_is_found_with_its_size(events: int) -> None:
    for seed in range(3):
        check = drift(run("slow drift", seed, events=events)[0])
        assert check.status is Verdict.WARN
        # 0.1 over the run, 0.08 from the middle of the first fifth to that of the last; populations have an sd of 0.06.
        assert check.value == pytest.approx(0.08 / 0.06, rel=0.35)


def test_another_mixture_of_cells_is_no_drift() -> None:
    """T cells become fewer over the run; where they stand does not change."""
    events, _ = run("quiet", 5)
    t_cells = events.column("CD3") > 0.45
    late = events.column("Time") / 120 > np.random.default_rng(1).random(len(events))
    assert drift(events.select(~(t_cells & late))).status is Verdict.PASS


def test_few_events_tell_no_drift() -> None:
    events, _ = run("quiet", 1, events=400)
    check, picture = drift_check(events, read_clock(events.column("Time")), np.arange(400), panel=BLOOD, limit=0.5)
    assert (check.status, picture) == (Verdict.SKIPPED, None)
