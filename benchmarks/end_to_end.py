"""One tube the whole way, read, compensate, logicle, gate: time and peak memory beside FlowKit; under two minutes.

    python -m benchmarks.end_to_end [EVENTS]

A tube of the demo panel is simulated (18 detectors, 1,000,000 events) and the gates of the default table are found on a
draw of it. Then each way runs in a process of its own, over the same file and the same gates, one thread each:

- `nktrace, gates given`: read, compensate, scale, members of every gate, events on an edge settled in float64;
- `nktrace, gates found`: the same, but every cut estimated on all events with its bootstrap interval;
- `FlowKit, gates given`: FlowKit reads the FCS file and the exported Gating-ML, and counts.

The counts of the first and the last must be equal. Seconds are those of the processor, so that other work on the
machine does not count; what holds from machine to machine are the ratios.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from nktrace.files.acquisition import Acquisition, read_acquisition
from nktrace.files.gating_table import read_gating_table
from nktrace.files.gatingml import write_gating_ml
from nktrace.files.installation import resource as resource_file
from nktrace.files.panels import read_panel
from nktrace.files.simulator import read_simulation, write_file, write_sheets
from nktrace.model.events import Events
from nktrace.model.gates import ROOT, GatedSample, GatePriors, GatingRow
from nktrace.model.panel import Panel
from nktrace.model.study import Role, Sample
from nktrace.model.transforms import Scale
from nktrace.science.drawing import draw_rows, generator
from nktrace.science.gating.masks import mask
from nktrace.science.gating.parent import Estimation
from nktrace.science.gating.settle import settle
from nktrace.science.gating.tree import gate_sample, resolve
from nktrace.science.priors import fit_priors
from nktrace.science.simulation.cohort import tubes_of
from nktrace.science.simulation.tube import simulate_tube
from nktrace.science.transforms import estimate_scale, to_exact_scale, to_scale

EVENTS = 1_000_000
DRAW = 20_000
MAX_CONDITION = 1000.0
PANEL = "phenotyping"
SAMPLE = Sample(sample="tube", role=Role.TIMEPOINT, panel=PANEL, batch="b", fcs="tube.fcs")
Counts = dict[str, int]


@dataclass(frozen=True)
class Prepared:
    """What is known before a tube is gated: the panel, its rows, and the scale, gates and priors of a draw."""

    panel: Panel
    rows: tuple[GatingRow, ...]
    scale: Scale
    gated: GatedSample
    priors: GatePriors


def simulate(directory: Path, events: int) -> None:
    """The FCS file and the panel sheet; the tube is the second visit of the demo's first patient."""
    simulation, table = read_simulation(resource_file("simulation/demo_release.yaml"))
    simulation = replace(simulation, events=dict(simulation.events) | {PANEL: events})
    patient = simulation.patients[0]
    tubes = list(tubes_of(simulation, patient))
    tube = [tube for tube in tubes if tube.sample.panel == PANEL and tube.sample.role is Role.TIMEPOINT][1]
    file = simulate_tube(tube, simulation=simulation, table=table)
    write_file(directory, replace(tube, sample=SAMPLE), file)
    write_sheets(directory, simulation=simulation, tubes=tubes, patients=[], simulate="")
    rng = generator(1, "draw")
    rows = draw_rows(np.arange(events), DRAW, rng)
    np.save(directory / "rows.npy", rows)


def acquire(directory: Path, panel: Panel) -> Acquisition:
    return read_acquisition(directory / SAMPLE.fcs, SAMPLE, panel, matrix=None, max_condition=MAX_CONDITION)


def draw(directory: Path) -> None:
    """The events of the draw, compensated, and the gates that they show, as Gating-ML."""
    panel = read_panel(directory / "panels" / f"{PANEL}.tsv")
    tube = acquire(directory, panel)
    np.save(directory / "draw.npy", tube.events.select(np.load(directory / "rows.npy")).values)
    (directory / "tops.json").write_text(json.dumps(dict(tube.tops)), encoding="utf-8")
    prepared = prepare(directory)
    write_gating_ml(
        directory / "gates.xml",
        prepared.gated.gates,
        scale=prepared.scale,
        detectors=tube.detectors,
        spillover=tube.spillover,
    )


def prepare(directory: Path) -> Prepared:
    """Scale, gates and priors from the draw alone, the same in every process."""
    panel = read_panel(directory / "panels" / f"{PANEL}.tsv")
    values = Events(np.asfortranarray(np.load(directory / "draw.npy")), panel.markers)
    tops: Mapping[str, float] = json.loads((directory / "tops.json").read_text(encoding="utf-8"))
    pooled = {d.marker: (d.transform, values.column(d.marker), tops[d.marker]) for d in panel.used}
    scale = estimate_scale(pooled)
    rows, _ = resolve(read_gating_table(resource_file("gating/nk.tsv")), panel)
    gated = gate_sample(
        to_scale(values, scale), rows, panel=panel, priors=None, tops=tops, options=Estimation(), rng=generator(1)
    )
    return Prepared(panel, rows, scale, gated, fit_priors([gated], min_samples=1))


def settled(gated: GatedSample, events: Events, tube: Acquisition, scale: Scale) -> Counts:
    gated = settle(gated, events, scale=scale, reference=lambda rows: to_exact_scale(tube.exact(rows), scale))
    return {population: int(np.count_nonzero(members)) for population, members in gated.masks.items()}


def ours_given(directory: Path) -> Callable[[], Counts]:
    """The gates of the draw over all events."""
    prepared = prepare(directory)

    def work() -> Counts:
        tube = acquire(directory, prepared.panel)
        events = to_scale(tube.events, prepared.scale)
        masks = {ROOT: np.ones(len(events), dtype=np.bool_)}
        for gate in prepared.gated.gates:
            masks[gate.population] = masks[gate.parent] & mask(gate.shape, events, masks)
        del masks[ROOT]
        return settled(replace(prepared.gated, masks=masks), events, tube, prepared.scale)

    return work


def ours_found(directory: Path) -> Callable[[], Counts]:
    """Every cut estimated on all events, combined with the draw's as its prior, as `nktrace gate` does."""
    prepared = prepare(directory)

    def work() -> Counts:
        tube = acquire(directory, prepared.panel)
        events = to_scale(tube.events, prepared.scale)
        gated = gate_sample(
            events,
            prepared.rows,
            panel=prepared.panel,
            priors=prepared.priors,
            tops=tube.tops,
            options=Estimation(),
            rng=generator(1),
        )
        return settled(gated, events, tube, prepared.scale)

    return work


def flowkit_given(directory: Path) -> Callable[[], Counts]:
    """FlowKit over the FCS file and the Gating-ML file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its imports warn
        import flowkit

    def work() -> Counts:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            session = flowkit.Session(flowkit.parse_gating_xml(str(directory / "gates.xml")))
            session.add_samples(flowkit.Sample(str(directory / SAMPLE.fcs)))
            session.analyze_samples(use_mp=False)
            report = session.get_analysis_report()
        return dict(zip(report["gate_name"], (int(count) for count in report["count"]), strict=True))

    return work


WAYS: dict[str, Callable[[Path], Callable[[], Counts]]] = {
    "nktrace, gates given": ours_given,
    "nktrace, gates found": ours_found,
    "FlowKit, gates given": flowkit_given,
}


def run_one(way: str, directory: Path) -> None:
    """One way in this process: processor seconds until it is ready and of the work, peak memory, counts, as JSON."""
    began = time.process_time()
    work = WAYS[way](directory)
    ready = time.process_time()
    counts = work()
    done = time.process_time()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # Linux gives KiB
    print(json.dumps({"ready": ready - began, "seconds": done - ready, "megabytes": peak, "counts": counts}))


def apart(*arguments: str) -> str:
    """This module in a process of its own, linear algebra at one thread; what it prints."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    command = [sys.executable, "-m", "benchmarks.end_to_end", *arguments]
    return subprocess.run(command, env=os.environ | threads, check=True, stdout=subprocess.PIPE, text=True).stdout


def main(events: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        apart("--simulate", name, str(events))
        apart("--draw", name)
        size = (directory / SAMPLE.fcs).stat().st_size / 2**20
        found = {way: json.loads(apart("--one", way, name)) for way in WAYS}
    theirs, ours = found["FlowKit, gates given"], found["nktrace, gates given"]
    other = {p: (n, theirs["counts"].get(p)) for p, n in ours["counts"].items() if theirs["counts"].get(p) != n}
    if other:
        raise SystemExit(f"counted otherwise by FlowKit: {other}")
    print(f"{events:,} events x 18 detectors ({size:.0f} MB), {len(ours['counts'])} gates, one thread\n")
    print(f"{'':<22}{'seconds':>9}{'peak MB':>9}{'times FlowKit: speed':>22}{'memory':>8}")
    for way, result in found.items():
        speed, memory = theirs["seconds"] / result["seconds"], theirs["megabytes"] / result["megabytes"]
        print(f"{way:<22}{result['seconds']:>9.2f}{result['megabytes']:>9.0f}{speed:>22.1f}{memory:>8.1f}")
    print(f"\nNot counted: importing FlowKit, {theirs['ready']:.1f} s. Peak memory is the whole process's.")
    print(f"Both count the same events in all {len(ours['counts'])} populations.")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--simulate", place, events]:
            simulate(Path(place), int(events))
        case ["--draw", place]:
            draw(Path(place))
        case ["--one", way, place]:
            run_one(way, Path(place))
        case [events]:
            main(int(events))
        case _:
            main(EVENTS)
