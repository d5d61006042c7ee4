"""The simulated cytometer."""

from __future__ import annotations

import numpy as np
import pytest

from nktrace.model.panel import Kind
from nktrace.model.simulation import SimulatedDetector
from nktrace.science.simulation.cells import Cells
from nktrace.science.simulation.instrument import (
    TOP,
    Clock,
    Pulses,
    arrivals,
    coincide,
    detect,
    photoelectrons,
    spill_matrix,
)

DETECTORS = (
    SimulatedDetector(channel="Time", marker="Time", kind=Kind.TIME),
    SimulatedDetector(channel="FSC-A", marker="FSC-A", kind=Kind.SCATTER),
    SimulatedDetector(channel="A-A", marker="CD3", kind=Kind.LINEAGE, spill={"B-A": 0.2}),
    SimulatedDetector(channel="B-A", marker="CD56", kind=Kind.LINEAGE),
)


def pulses(n: int, *, bright: float, autofluorescence: float = 0.0) -> Pulses:
    scatter = np.full(n, 80_000.0, dtype=np.float32)
    emission = np.zeros((n, 2), dtype=np.float32)
    emission[:, 0] = bright
    return Pulses(
        fsc_area=scatter,
        fsc_height=scatter,
        ssc_area=scatter,
        ssc_height=scatter,
        emission=emission,
        autofluorescence=np.full((n, 2), autofluorescence, dtype=np.float32),
    )


def run(made: Pulses, *, drift: float = 0.0, clogged: slice | None = None) -> np.ndarray:
    n = made.fsc_area.size
    mask = np.zeros(n, dtype=np.bool_)
    if clogged is not None:
        mask[clogged] = True
    clock = Clock(np.linspace(0.01, 60.0, n), mask)
    return detect(made, clock, detectors=DETECTORS, drift=drift, rng=np.random.default_rng(5)).values


@pytest.mark.parametrize("mean", [3.0, 30.0, 3000.0])
def test_photoelectrons_have_the_moments_of_poisson_counts(mean: float) -> None:
    counts = photoelectrons(np.full(200_000, mean, dtype=np.float32), rng=np.random.default_rng(2)).astype(np.float64)
    assert counts.mean() == pytest.approx(mean, rel=0.02)
    assert counts.var() == pytest.approx(mean, rel=0.05)
    assert counts.min() >= 0


def test_spillover_spreads_more_the_brighter_its_source_is() -> None:
    spread = []
    for bright in (0.0, 5_000.0, 100_000.0):
        values = run(pulses(20_000, bright=bright))
        compensated = values[:, 3] - 0.2 * values[:, 2]
        assert compensated.mean() == pytest.approx(0.0, abs=10 + 0.002 * bright)
        assert (compensated < 0).mean() > 0.2
        spread.append(compensated.std())
    assert spread[2] > 3 * spread[1] > 3 * spread[0]


def test_nothing_leaves_the_range_and_bright_events_pile_up_at_its_end() -> None:
    values = run(pulses(1_000, bright=400_000.0))
    assert values[:, 2].max() == TOP - 1
    assert np.all(values < TOP)


def test_a_clog_slows_the_flow_and_lowers_the_signals() -> None:
    clock = arrivals(30_000, events_per_second=1_000, clog_span=0.1, rng=np.random.default_rng(4))
    gaps = np.diff(clock.seconds)
    assert clock.clogged.any()
    assert np.all(gaps > 0)
    assert gaps[clock.clogged[1:]].mean() > 3 * gaps[~clock.clogged[1:]].mean()
    values = run(pulses(1_000, bright=50_000.0), clogged=slice(400, 500))
    assert values[400:500, 2].mean() < 0.7 * values[:400, 2].mean()


def test_drift_changes_the_signal_over_the_run() -> None:
    values = run(pulses(10_000, bright=50_000.0), drift=0.1)
    assert values[-1_000:, 2].mean() / values[:1_000, 2].mean() == pytest.approx(1.1, abs=0.02)


def test_areas_of_a_doublet_add_and_its_height_lags() -> None:
    n, doublets = 4_000, 500
    one = np.full(n + doublets, 60_000.0, dtype=np.float32)
    light = np.ones((n + doublets, 1), dtype=np.float32)
    rows = np.arange(doublets)
    joined = coincide(Cells(one, one, light, light), rows=rows, rng=np.random.default_rng(6))
    assert np.all(joined.fsc_area[rows] == 120_000)
    assert np.all(joined.emission[rows] == 2)
    ratio = joined.fsc_height / joined.fsc_area
    assert np.median(ratio[rows]) < 0.85 * np.median(ratio[doublets:])
    assert joined.fsc_area.size == n


def test_the_matrix_of_the_file_is_a_little_wrong() -> None:
    fluorescent = [detector for detector in DETECTORS if detector.fluorescent]
    exact = spill_matrix(fluorescent)
    assert exact.tolist() == [[1.0, 0.2], [0.0, 1.0]]
    blurred = spill_matrix(fluorescent, error=0.02, rng=np.random.default_rng(1))
    assert np.diag(blurred).tolist() == [1.0, 1.0]
    assert 0.0 < abs(blurred[0, 1] - 0.2) < 0.02
    assert blurred[1, 0] == 0.0
