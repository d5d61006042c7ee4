"""Quality checks on good and on spoiled tubes."""

from __future__ import annotations

import numpy as np
import pytest

from nktrace.files.settings import Quality
from nktrace.model.events import Events
from nktrace.model.gates import ROOT, Edge, Gate, GatedSample, Rectangle, Skipped, Source, Status
from nktrace.model.quality import Check, Verdict
from nktrace.science.off_scale import off_scale_share
from nktrace.science.quality import checks
from tests.science.gating.tube import events_of, panel_of

PANEL = panel_of("p", Time="time", FSC_A="scatter", CD3="lineage", Live="viability")
ORDER = ("time", "margin", "singlets", "live", "nk")


def gated(size: int, *, status: Status = Status.OK, skipped: tuple[Skipped, ...] = (), **kept: float) -> GatedSample:
    """A chain of gates that each keep a share of their parent's events."""
    inside = np.ones(size, dtype=bool)
    gates, masks, parent = [], {}, ROOT
    for name in ORDER:
        if name not in kept:
            continue
        rows = np.flatnonzero(inside)
        inside = np.zeros(size, dtype=bool)
        inside[rows[: round(kept[name] * rows.size)]] = True
        method = name if name in ("time", "margin", "singlets") else "valley"
        shape = Rectangle(("CD3",), (0.0,), (1.0,))
        edge = Edge(channel="CD3", edge="min", value=0.0, source=Source.DATA)
        gates.append(Gate(population=name, parent=parent, method=method, shape=shape, edges=(edge,), status=status))
        masks[name] = inside.copy()
        parent = name
    return GatedSample(tuple(gates), masks, skipped)


def tube(size: int = 5_000, *, drift: float = 0.0, bright: float = 0.0) -> Events:
    rng = np.random.default_rng(1)
    time = np.sort(rng.uniform(0, 100, size))
    cd3 = rng.normal(size=size) + drift * time / 100
    cd3[: round(bright * size)] = 1_000.0
    return events_of(Time=time, FSC_A=rng.uniform(1, 9, size), CD3=cd3, Live=rng.normal(size=size))


TELLS_NOTHING = ("compensation_residual",)  # of a tube with one stain


def by_name(sample: GatedSample, events: Events) -> dict[str, Check]:
    off_scale = {"CD3": off_scale_share(events.column("CD3"), 1_000.0)}
    found, _ = checks(sample, events, events, panel=PANEL, off_scale=off_scale, pairs=(), limits=Quality())
    assert len({check.check for check in found}) == len(found)
    return {check.check: check for check in found}


GOOD = {"time": 1.0, "margin": 0.99, "singlets": 0.95, "live": 0.9, "nk": 0.1}


def test_a_good_tube_passes() -> None:
    found = by_name(gated(5_000, **GOOD), tube())
    expected = {name: Verdict.SKIPPED if name in TELLS_NOTHING else Verdict.PASS for name in found}
    assert {name: check.status for name, check in found.items()} == expected
    assert found["dead"].value == pytest.approx(0.1, abs=1e-3)
    assert found["events"].value == 5_000


@pytest.mark.parametrize(
    ("check", "kept", "status"),
    [
        ("time_removed", {"time": 0.75}, Verdict.WARN),
        ("time_removed", {"time": 0.5}, Verdict.FAIL),
        ("margin", {"margin": 0.9}, Verdict.WARN),
        ("doublets", {"singlets": 0.6}, Verdict.WARN),
        ("dead", {"live": 0.3}, Verdict.WARN),
        ("nk_events", {"nk": 0.01}, Verdict.WARN),
    ],
)
def test_a_spoiled_tube_is_flagged_with_its_number(check: str, kept: dict[str, float], status: Verdict) -> None:
    row = by_name(gated(5_000, **(GOOD | kept)), tube())[check]
    assert row.status is status
    assert row.reason


def test_few_events_and_saturation_and_drift() -> None:
    assert by_name(gated(600, **GOOD), tube(600))["events"].status is Verdict.WARN
    assert by_name(gated(5_000, **GOOD), tube(bright=0.1))["off_scale"].status is Verdict.WARN
    drifting = by_name(gated(5_000, **GOOD), tube(drift=1.5))["signal_drift"]
    assert drifting.status is Verdict.WARN
    assert drifting.value == pytest.approx(1.5 * 0.8, rel=0.2)  # from the middle of the first fifth to that of the last
    assert "CD3" in drifting.reason


def test_what_cannot_be_checked_says_why() -> None:
    skipped = (Skipped(population="cd4_t", parent="cd3", reason="panel p has no CD4", dropped=True),)
    found = by_name(gated(5_000, time=1.0, skipped=skipped), tube())
    for name in ("margin", "doublets", "dead", "nk_events", "gate:cd4_t"):
        assert found[name].status is Verdict.SKIPPED
        assert found[name].reason


def test_doubtful_gates_are_counted_and_named() -> None:
    assert by_name(gated(5_000, status=Status.WARN, nk=0.1), tube())["doubtful_gates"].status is Verdict.WARN
    failed = by_name(gated(5_000, status=Status.FAIL, nk=0.1), tube())["doubtful_gates"]
    assert failed.status is Verdict.FAIL
    assert "nk" in failed.reason


def test_an_empty_tube_has_a_row_for_everything() -> None:
    found = by_name(gated(0, **GOOD), tube(0))
    assert found["events"].status is Verdict.WARN
    assert found["time_removed"].status is Verdict.SKIPPED


def test_a_channel_of_equal_values_does_not_drift() -> None:
    events = tube()
    events.column("CD3")[:] = 7.0
    assert by_name(gated(5_000, **GOOD), events)["signal_drift"].status is Verdict.PASS


def test_what_an_exclusion_takes_is_named_by_the_events_it_takes_them_from() -> None:
    found = by_name(gated(5_000, **(GOOD | {"time": 0.75, "margin": 0.9})), tube())
    assert found["margin"].reason.startswith("10.0% of the events of `time` removed, more than")
    assert found["time_removed"].reason.startswith("25.0% of all events removed, more than")
