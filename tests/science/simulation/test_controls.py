"""Control tubes of a simulated study: what each lacks, and what stays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from nktrace.files.simulator import read_simulation
from nktrace.model.simulated import SimulatedFile, Tube
from nktrace.model.simulation import Carrier, CellTable, ControlTubes, Simulation
from nktrace.model.study import Role
from nktrace.science.simulation.controls import control_tubes
from nktrace.science.simulation.instrument import spill_matrix
from nktrace.science.simulation.tube import simulate_tube

SMALL = Path(__file__).resolve().parents[3] / "resources" / "simulation" / "small.yaml"
ALL = ControlTubes(
    batch_control=True, fmo=("CD57",), single_stains=Carrier.CELLS, unstained=Carrier.CELLS, events=4_000
)


@pytest.fixture(scope="module")
def small() -> tuple[Simulation, CellTable]:
    return read_simulation(SMALL)


Maker = Callable[..., tuple[Tube, SimulatedFile]]


@pytest.fixture(scope="module")
def make(small: tuple[Simulation, CellTable]) -> Maker:
    simulation, table = small

    def made(role: Role, stain: str | None = None, *, asked: ControlTubes = ALL) -> tuple[Tube, SimulatedFile]:
        asking = replace(simulation, controls={"phenotyping": asked})
        tubes = control_tubes(asking, [("phenotyping", "E1-b1")])
        tube = next(t for t in tubes if (t.sample.role, t.sample.stain) == (role, stain))
        return tube, simulate_tube(tube, simulation=asking, table=table)

    return made


def light_of(file: SimulatedFile, marker: str, rows: NDArray[np.bool_] | None = None) -> float:
    """Median signal of a marker, with the true spillover taken out."""
    simulation, _ = read_simulation(SMALL)
    fluorescent = [d for d in simulation.panels["phenotyping"].detectors if d.fluorescent]
    measured = np.stack([file.events.column(d.channel) for d in fluorescent], axis=1).astype(np.float64)
    true = measured @ np.linalg.inv(spill_matrix(fluorescent))
    column = [d.marker for d in fluorescent].index(marker)
    return float(np.median(true[:, column] if rows is None else true[rows, column]))


def of_kind(file: SimulatedFile, *kinds: str) -> NDArray[np.bool_]:
    return file.truth.single & np.isin(np.array(file.truth.words)[file.truth.kind], kinds)


def test_every_batch_has_the_same_tubes(small: tuple[Simulation, CellTable]) -> None:
    simulation, _ = small
    simulation = replace(simulation, controls={"phenotyping": ALL})
    tubes = list(control_tubes(simulation, [("phenotyping", "E1-b1"), ("counting", "E1-b1"), ("phenotyping", "E1-b2")]))
    first, second = ([t for t in tubes if t.sample.batch == batch] for batch in ("E1-b1", "E1-b2"))
    assert [(t.sample.role, t.sample.stain) for t in first] == [(t.sample.role, t.sample.stain) for t in second]
    assert len(first) == 3 + len(simulation.panels["phenotyping"].stained)
    assert len({t.sample.sample for t in tubes}) == len(tubes)
    assert {t.person for t in tubes} == {"H1"}
    assert all(t.sample.patient is None and np.isnan(t.sample.day) for t in tubes)


def test_an_fmo_lacks_its_antibody_and_nothing_else(make: Maker) -> None:
    _, whole = make(Role.BATCH_CONTROL)
    _, fmo = make(Role.FMO, "CD57")
    carrying = ("nk_terminal", "nk_adaptive")
    assert light_of(whole, "CD57", of_kind(whole, *carrying)) > 2_000
    assert abs(light_of(fmo, "CD57", of_kind(fmo, *carrying))) < 300
    for marker, kinds in (("CD56", carrying), ("CD3", ("cd4_t",)), ("HLA-A2", carrying)):
        assert light_of(fmo, marker, of_kind(fmo, *kinds)) == pytest.approx(
            light_of(whole, marker, of_kind(whole, *kinds)), rel=0.2
        )
    channel = fmo.events.column("BV421-A")  # what Viability spills into the empty detector stays
    dead = np.array(fmo.truth.words)[fmo.truth.population] == "dead"
    assert np.median(channel[dead]) > np.median(channel[fmo.truth.single]) + 200


def test_a_single_stain_on_cells_has_one_colour(make: Maker) -> None:
    _, cd3 = make(Role.SINGLE_STAIN, "CD3")
    assert light_of(cd3, "CD3", of_kind(cd3, "cd4_t")) > 2_000
    assert abs(light_of(cd3, "CD45", of_kind(cd3, "cd4_t"))) < 300
    _, viability = make(Role.SINGLE_STAIN, "Viability")
    dead = np.array(viability.truth.words)[viability.truth.population] == "dead"
    assert dead.mean() > 0.3
    assert light_of(viability, "Viability", dead) > 10_000
    assert light_of(viability, "Viability", viability.truth.single) < 1_000


@pytest.mark.parametrize("marker", ["CD3", "CD14+CD19", "HLA-A3", "Viability"])
def test_capture_beads_are_bright_or_blank(make: Maker, marker: str) -> None:
    tube, file = make(Role.SINGLE_STAIN, marker, asked=replace(ALL, single_stains=Carrier.BEADS))
    assert tube.draw.own == {}
    stained, blank = (np.array(file.truth.words)[file.truth.kind] == kind for kind in ("stained_beads", "blank_beads"))
    assert stained.mean() == pytest.approx(blank.mean(), abs=0.05)
    assert light_of(file, marker, stained) > 10_000
    assert abs(light_of(file, marker, blank)) < 200
    assert not file.truth.nk.any()
    assert not file.truth.single.any()
    others = [m for m in ("CD45", "CD57") if m != marker]
    assert all(abs(light_of(file, other, stained)) < 200 for other in others)


def test_unstained_cells_are_dark(make: Maker) -> None:
    _, file = make(Role.UNSTAINED)
    assert file.truth.nk.any()
    for marker in ("CD45", "CD3", "HLA-A2", "Viability"):
        assert abs(light_of(file, marker, file.truth.single)) < 400


def test_counting_beads_are_in_the_tubes_that_count(small: tuple[Simulation, CellTable]) -> None:
    simulation, table = small
    simulation = replace(simulation, controls={"counting": replace(ALL, fmo=())})
    tubes = {t.sample.role: t for t in control_tubes(simulation, [("counting", "E1-b1")])}
    beads = {}
    for role in (Role.BATCH_CONTROL, Role.UNSTAINED):
        truth = simulate_tube(tubes[role], simulation=simulation, table=table).truth
        beads[role] = "beads" in truth.words
        assert np.isnan(tubes[role].sample.beads_per_tube) is not beads[role]
    assert beads == {Role.BATCH_CONTROL: True, Role.UNSTAINED: False}


def test_drift_between_batches_shows_in_the_batch_control(small: tuple[Simulation, CellTable]) -> None:
    simulation, table = small
    shifted = replace(simulation, conditions=replace(simulation.conditions, batch_shift=0.8, sample_shift=0.0))
    cd45 = []
    for batch in ("E1-b1", "E1-b2"):
        tube = next(control_tubes(shifted, [("phenotyping", batch)]))
        quiet = replace(tube, conditions=replace(tube.conditions, batch_shift=0.8, sample_shift=0.0, drift=0.0))
        file = simulate_tube(quiet, simulation=shifted, table=table)
        cd45.append(light_of(file, "CD45", of_kind(file, "cd4_t")))
    assert abs(np.log(cd45[1] / cd45[0])) > 0.1
