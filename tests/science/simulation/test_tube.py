"""One simulated tube, and the knobs that make it hard."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nktrace.files.simulator import read_simulation
from nktrace.model.events import Mask
from nktrace.model.panel import Kind
from nktrace.model.simulated import SimulatedFile, Tube
from nktrace.model.simulation import CellTable, SimulatedDetector, Simulation
from nktrace.science.compensation import compensate, find_spillover
from nktrace.science.simulation.cohort import tubes_of
from nktrace.science.simulation.tube import carries, simulate_tube

SMALL = Path(__file__).resolve().parents[3] / "resources" / "simulation" / "small.yaml"
PLAIN = {"dead": 0.0, "debris": 0.0, "doublets": 0.0, "clog": 0.0, "activation": 0.0}


@pytest.fixture(scope="module")
def small() -> tuple[Simulation, CellTable]:
    simulation, table = read_simulation(SMALL)
    return replace(simulation, conditions=replace(simulation.conditions, **PLAIN)), table


def tube_of(simulation: Simulation, sample: str) -> Tube:
    return next(t for p in simulation.patients for t in tubes_of(simulation, p) if t.sample.sample == sample)


def make(small: tuple[Simulation, CellTable], sample: str = "S1-d01", **conditions: float) -> SimulatedFile:
    simulation, table = small
    simulation = replace(simulation, conditions=replace(simulation.conditions, **conditions))
    return simulate_tube(tube_of(simulation, sample), simulation=simulation, table=table)


def share(file: SimulatedFile, population: str) -> float:
    words = file.truth.words
    return float((file.truth.population == words.index(population)).mean()) if population in words else 0.0


def median(file: SimulatedFile, channel: str, rows: Mask) -> float:
    return float(np.median(file.events.column(channel)[rows]))


def test_without_the_knobs_every_event_is_a_live_single_cell(small: tuple[Simulation, CellTable]) -> None:
    assert make(small).truth.single.all()


@pytest.mark.parametrize(
    ("knob", "population", "expected"), [("dead", "dead", 0.2), ("debris", "debris", 0.3), ("doublets", "doublet", 0.1)]
)
def test_shares_of_what_is_no_live_single_cell(
    small: tuple[Simulation, CellTable], knob: str, population: str, expected: float
) -> None:
    file = make(small, **{knob: expected})
    assert share(file, population) == pytest.approx(expected, abs=0.02)
    assert not (file.truth.nk & ~file.truth.single).any()


def test_a_clog_disturbs_a_stretch_of_the_run(small: tuple[Simulation, CellTable]) -> None:
    calm, clogged = make(small), make(small, clog=1.0)
    assert calm.truth.disturbed.mean() < 0.01
    assert 0.02 < clogged.truth.disturbed.mean() < 0.1


def test_few_nk_shed_cd16_and_activation(small: tuple[Simulation, CellTable]) -> None:
    usual = make(small)
    assert make(small, few_nk=0.1).truth.nk.sum() < 0.3 * usual.truth.nk.sum()
    shed = make(small, cd16_shed=1.0)
    assert median(shed, "BUV496-A", shed.truth.nk) < 0.3 * median(usual, "BUV496-A", usual.truth.nk)
    active = make(small, activation=1.0, activation_half_life=1e6)
    assert median(active, "BV650-A", active.truth.nk) > 2 * median(usual, "BV650-A", usual.truth.nk)
    assert median(active, "BUV737-A", active.truth.nk) > 1.2 * median(usual, "BUV737-A", usual.truth.nk)


def test_batches_shift_the_staining_of_every_sample_in_them_alike(small: tuple[Simulation, CellTable]) -> None:
    def stains(batch_shift: float, *samples: str) -> list[float]:
        quiet = {"patient_shift": 0.0, "sample_shift": 0.0, "drift": 0.0, "batch_shift": batch_shift}
        files = [make(small, sample, **quiet) for sample in samples]
        return [median(file, "BUV395-A", file.truth.nk) for file in files]

    one_batch = stains(0.8, "S1-blank", "S1-d01")
    assert one_batch[0] == pytest.approx(one_batch[1], rel=0.05)
    assert abs(np.log(np.divide(*stains(0.8, "S1-d01", "S1-d14")))) > 0.1
    assert abs(np.log(np.divide(*stains(0.0, "S1-d01", "S1-d14")))) < 0.05


def test_hla_background_differs_by_lineage(small: tuple[Simulation, CellTable]) -> None:
    file = make(small, "S1-blank", hla_background=20.0)
    signal, kinds = file.events.column("FITC-A"), np.array(file.truth.words)[file.truth.kind]
    assert (signal[kinds == "monocytes"] > 2_000).mean() > 3 * (signal[kinds == "cd4_t"] > 2_000).mean()


def test_an_antibody_stains_a_group_of_alleles_and_no_longer_name() -> None:
    detector = SimulatedDetector(channel="F", marker="HLA-A2", kind=Kind.HLA, antigens=("A*02",))
    assert carries(detector, "A*01:01,A*02:06;B*07:02")
    assert not carries(detector, "A*01:01,A*24:02;B*02:01")
    assert not carries(detector, "A*020:01")


def test_fixed_thresholds_do_worse_than_gates_that_follow_the_sample(small: tuple[Simulation, CellTable]) -> None:
    simulation, table = small
    hard = replace(simulation, conditions=replace(simulation.conditions, batch_shift=0.25, doublets=0.03, dead=0.04))
    cuts = np.geomspace(300, 4_000, 12)
    scores = []
    for patient in hard.patients:
        for tube in tubes_of(hard, patient):
            if tube.sample.panel == "phenotyping":
                file = simulate_tube(tube, simulation=hard, table=table)
                scores.append([[_f1(file, cd3=a, cd56=b) for b in cuts] for a in cuts])
    fixed = np.array(scores)[:, np.searchsorted(cuts, 1_000), np.searchsorted(cuts, 1_000)]
    following = np.array(scores).max(axis=(1, 2))
    assert following.min() > 0.95
    assert np.median(fixed) < np.median(following) - 0.01
    assert fixed.min() < 0.92


def _f1(file: SimulatedFile, *, cd3: float, cd56: float) -> float:
    spillover = find_spillover(file.keywords)
    assert spillover is not None
    events = compensate(file.events, spillover, max_condition=100.0)
    clean = file.truth.single & (events.column("PerCP-Cy5-5-A") < 1_500)
    found = clean & (events.column("BV786-A") < cd3) & (events.column("BUV737-A") > cd56)
    return 2 * int((found & file.truth.nk).sum()) / int(found.sum() + file.truth.nk.sum())
