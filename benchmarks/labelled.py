"""Simulated tubes with their truth, gated as the product does it: for benchmarks/accuracy and for who tunes gates.

    for tube in cohort("cd16_shed", seed=1):
        print(tube.name, tube.truth["nk_bright"].sum(), tube.gated.masks["nk_bright"].sum())

A cohort is that of resources/simulation/hard.yaml: four patients, two panels, two visits in two batches. Every tube is
simulated, written as an FCS file, read with the (blurred) matrix that it carries, and surveyed; scale and priors are
fitted per panel and batch; then all events are gated with the priors of their batch. To look at one setting, fast:

    python -m benchmarks.accuracy --setting cd16_shed --seed 1 --population nk_bright --no-classifier
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from nktrace.commands.fit_gates import fit_reference
from nktrace.commands.gate import gate_tube
from nktrace.commands.survey import survey_of
from nktrace.files.acquisition import read_acquisition
from nktrace.files.gating_table import read_gating_table
from nktrace.files.installation import resource
from nktrace.files.settings import Settings
from nktrace.files.simulator import read_simulation, write_file
from nktrace.model.events import Events, Mask
from nktrace.model.gates import GatedSample, GatingTable
from nktrace.model.panel import Panel
from nktrace.model.simulated import EventTruth
from nktrace.model.simulation import CellTable, Conditions, Simulation
from nktrace.model.study import Role, Sample
from nktrace.science.gating.tree import resolve
from nktrace.science.simulation.cells import MEMBERS
from nktrace.science.simulation.cohort import tubes_of
from nktrace.science.simulation.tube import simulate_tube
from nktrace.science.transforms import to_scale

SETTINGS: dict[str, dict[str, float] | None] = {
    "ordinary": {},
    "batch_shifts": {"batch_shift": 0.6, "sample_shift": 0.12, "patient_shift": 0.25, "spillover_error": 0.08},
    "few_nk": {"few_nk": 0.1},
    "cd16_shed": {"cd16_shed": 0.5},
    "activation": {"activation": 0.7, "activation_half_life": 60.0},
    "mostly_dead": {"dead": 0.65, "debris": 0.15},
    "clogged": {"clog": 1.0, "clog_span": 0.35, "drift": 0.15},
    "together": None,
}
"""What differs from the demo cohort's conditions, by setting; None: the conditions of hard.yaml itself."""

TRUTH = MEMBERS | {"monocytes": ("monocytes",)}
"""Cell kinds of each population."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """A gated tube and what its events truly are.

    Attributes:
        name: setting, seed and sample; or the data set.
        panel: of the tube.
        events: all events, on the scale that they were gated on.
        truth: members of each population of the contract: live single cells.
        judged: events that count; not those of a clog, nor at the limit of a scatter detector.
        gated: gates and members as found.
    """

    name: str
    panel: Panel
    events: Events
    truth: Mapping[str, Mask]
    judged: Mask
    gated: GatedSample


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """An FCS file whose events are known; `truth` and `judged` as in Labelled."""

    name: str
    path: Path
    sample: Sample
    truth: Mapping[str, Mask]
    judged: Mask


def gate_files(files: Sequence[File], panel: Panel, table: GatingTable) -> list[Labelled]:
    """Files of one panel surveyed together, then gated one by one with the priors of their batches."""
    settings = Settings(data_dir="")
    rows, _ = resolve(table, panel)
    limit = settings.compensation.max_condition
    tubes = [read_acquisition(file.path, file.sample, panel, matrix=None, max_condition=limit) for file in files]
    surveys = [survey_of(tube, file.sample, settings) for file, tube in zip(files, tubes, strict=True)]
    reference = fit_reference(surveys, panel, table, settings=settings)
    found = []
    for file, tube in zip(files, tubes, strict=True):
        sample = file.sample
        events = to_scale(tube.events, reference.scale(sample.batch))
        gated = gate_tube(tube, events, rows, sample=sample, panel=panel, reference=reference, settings=settings)
        found.append(
            Labelled(
                name=file.name,
                panel=panel,
                events=events,
                truth=file.truth,
                judged=file.judged & tube.finite,
                gated=gated,
            )
        )
    return found


def cohort(setting: str, *, seed: int, nk: Mapping[str, float] | None = None) -> list[Labelled]:
    """All tubes of a simulated cohort, gated.

    Args:
        setting: a name of SETTINGS.
        seed: of the simulation; persons, batches, cells and noise all hang on it.
        nk: share of each kind of NK cell, the same in all persons; by default the profiles of hard.yaml.
    """
    simulation, cells = _simulator("hard")
    simulation = replace(simulation, seed=seed, conditions=conditions_of(setting))
    if nk is not None:
        simulation = replace(simulation, nk_profiles=dict.fromkeys(simulation.nk_profiles, nk))
    table = read_gating_table(resource("gating/nk.tsv"))
    by_panel: dict[str, list[File]] = {}
    with tempfile.TemporaryDirectory() as directory:
        for file in _files(simulation, cells, Path(directory), name=f"{setting}/{seed}"):
            by_panel.setdefault(file.sample.panel, []).append(file)
        return [
            labelled
            for name, files in by_panel.items()
            for labelled in gate_files(files, _panel(simulation, name), table)
        ]


def conditions_of(setting: str) -> Conditions:
    """The simulator's conditions of a setting."""
    changed = SETTINGS[setting]
    simulation, _ = _simulator("hard" if changed is None else "demo_release")
    return replace(simulation.conditions, **(changed or {}))


@cache
def _simulator(name: str) -> tuple[Simulation, CellTable]:
    return read_simulation(resource(f"simulation/{name}.yaml"))


def _files(simulation: Simulation, cells: CellTable, directory: Path, *, name: str) -> Iterator[File]:
    """The patients' tubes, written as FCS files; their donor references are left out."""
    for tube in (tube for patient in simulation.patients for tube in tubes_of(simulation, patient)):
        if tube.sample.role not in (Role.BLANK, Role.TIMEPOINT):
            continue
        file = simulate_tube(tube, simulation=simulation, table=cells)
        write_file(directory, tube, file)
        yield File(
            name=f"{name}/{tube.sample.sample}",
            path=directory / tube.sample.fcs,
            sample=tube.sample,
            truth={population: _members(file.truth, kinds) for population, kinds in TRUTH.items()},
            judged=~file.truth.disturbed,
        )


def _panel(simulation: Simulation, name: str) -> Panel:
    return Panel(name, tuple(detector.detector for detector in simulation.panels[name].detectors))


def _members(truth: EventTruth, kinds: tuple[str, ...]) -> Mask:
    codes = [code for code, word in enumerate(truth.words) if word in kinds]
    members: Mask = truth.single & (truth.kind[:, None] == codes).any(axis=1)
    return members
