"""Quality checks on simulated tubes with known faults: what is flagged, what is cut, which spillover error is seen.

    python -m benchmarks.quality [TUBES]

Each tube is gated down to its lymphocytes by itself. `flagged` is the share of tubes in which one of the named checks
warns or fails. Spillover errors are put into one coefficient of the matrix that is taken out, over every fourth pair.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from nktrace.files.gating_table import read_gating_table
from nktrace.files.installation import resource
from nktrace.files.settings import Settings
from nktrace.files.simulator import read_simulation
from nktrace.model.compensation import Spillover
from nktrace.model.events import Events, Mask
from nktrace.model.panel import Panel
from nktrace.model.quality import Check, Verdict
from nktrace.model.study import Role
from nktrace.science.compensation import compensate, find_spillover
from nktrace.science.drawing import generator
from nktrace.science.gating.parent import Estimation
from nktrace.science.gating.tree import gate_sample, resolve
from nktrace.science.quality import checks
from nktrace.science.simulation.cohort import tubes_of
from nktrace.science.simulation.tube import simulate_tube
from nktrace.science.spill_residual import spill_pairs
from nktrace.science.transforms import estimate_scale, to_scale

TUBES = 12
PANEL = "phenotyping"
EVENTS = 30_000
RUN = ("clock", "flow_rate", "time_removed", "signal_drift")
FAULTS: dict[str, tuple[dict[str, float], tuple[str, ...]]] = {
    "clean": ({}, (*RUN, "dead", "doublets", "margin", "compensation_residual")),
    "clog, 5 % of the time": ({"clog": 1.0, "clog_span": 0.05}, RUN),
    "clog, 15 %": ({"clog": 1.0, "clog_span": 0.15}, RUN),
    "clog, 35 %, and drift of 15 %": ({"clog": 1.0, "clog_span": 0.35, "drift": 0.15}, RUN),
    "drift of 15 %": ({"drift": 0.15}, ("signal_drift",)),
    "drift of 30 %": ({"drift": 0.3}, ("signal_drift",)),
    "65 % dead": ({"dead": 0.65}, ("dead",)),
}
ERRORS = (-0.05, -0.02, -0.01, 0.0, 0.01, 0.02, 0.05)


@dataclass(frozen=True)
class Tube:
    """A simulated tube as measured, with the matrix of its file and what was disturbed."""

    measured: Events
    spillover: Spillover
    panel: Panel
    tops: Mapping[str, float]
    disturbed: Mask


def simulated(number: int, faults: Mapping[str, float]) -> Tube:
    """A visit of the demo cohort with other conditions; the matrix of the file is right."""
    simulation, table = read_simulation(resource("simulation/demo_release.yaml"))
    conditions = replace(simulation.conditions, **({"clog": 0.0, "spillover_error": 0.0} | dict(faults)))
    patients = tuple(replace(patient, conditions={}) for patient in simulation.patients)
    events = dict(simulation.events) | {PANEL: EVENTS}
    simulation = replace(simulation, seed=number, conditions=conditions, patients=patients, events=events)
    patient = simulation.patients[number % len(simulation.patients)]
    tubes = [t for t in tubes_of(simulation, patient) if t.sample.panel == PANEL and t.sample.role is Role.TIMEPOINT]
    file = simulate_tube(tubes[number % len(tubes)], simulation=simulation, table=table)
    spillover = find_spillover(file.keywords)
    if spillover is None:
        raise ValueError("the simulated file has no matrix")
    panel = Panel(PANEL, tuple(detector.detector for detector in simulation.panels[PANEL].detectors))
    return Tube(file.events, spillover, panel, dict(zip(panel.markers, file.tops, strict=True)), file.truth.disturbed)


def examined(tube: Tube, spillover: Spillover) -> tuple[list[Check], Mask]:
    """The checks of a tube compensated by this matrix, and what its time gate kept."""
    compensated = compensate(tube.measured, spillover, max_condition=1_000)
    events = Events(compensated.values, tube.panel.markers)
    panel = tube.panel
    scale = estimate_scale({d.marker: (d.transform, events.column(d.marker), tube.tops[d.marker]) for d in panel.used})
    scaled = to_scale(events, scale)
    rows, _ = resolve(read_gating_table(resource("gating/nk.tsv")), panel)
    last = next(i for i, row in enumerate(rows) if row.population == "lymphocytes")
    gated = gate_sample(
        scaled,
        rows[: last + 1],
        panel=panel,
        priors=None,
        tops=tube.tops,
        options=Estimation(bootstrap=10),
        rng=generator(1, "quality"),
    )
    pairs = spill_pairs(spillover, {d.marker: d.channel for d in panel.used}, panel)
    limits = Settings(data_dir="").qc
    found, _ = checks(gated, events, scaled, panel=panel, off_scale={}, pairs=pairs, limits=limits)
    return found, gated.masks["time"]


def flags(found: list[Check], names: tuple[str, ...]) -> list[str]:
    return [check.check for check in found if check.check in names and check.status in (Verdict.WARN, Verdict.FAIL)]


def faults(tubes: int) -> None:
    print(f"{'fault':<32}{'flagged':>9}{'bad events cut':>16}{'good events cut':>17}   by")
    for name, (conditions, judged) in FAULTS.items():
        flagged, bad, good, why = 0, [], [], []
        for number in range(tubes):
            tube = simulated(number, conditions)
            found, kept = examined(tube, tube.spillover)
            why += (raised := flags(found, judged))
            flagged += bool(raised)
            if "clog" in conditions:
                bad.append(1 - kept[tube.disturbed].mean())
            good.append(1 - kept[~tube.disturbed].mean())
        cut = f"{np.mean(bad):.1%}" if bad else "–"
        counted = ", ".join(f"{check} {why.count(check)}" for check in dict.fromkeys(why))
        print(f"{name:<32}{flagged / tubes:>9.0%}{cut:>16}{np.mean(good):>17.2%}   {counted}", flush=True)


def spillover_errors(tubes: int) -> None:
    print(f"\n{'error in one coefficient':<26}{'warned':>8}{'right pair named':>18}{'median found':>14}")
    sets = [simulated(number, {}) for number in range(max(2, tubes // 4))]
    for error in ERRORS:
        warned, named, sizes, total = 0, 0, [], 0
        for tube in sets:
            names = {d.channel: d.marker for d in tube.panel.used}
            markers = [names[channel] for channel in tube.spillover.detectors]
            usable = [
                (i, j)
                for i, j in np.argwhere(tube.spillover.matrix).tolist()
                if i != j and "Viability" not in (markers[i], markers[j])
            ]
            for i, j in usable[::4] if error else usable[:1]:
                matrix = tube.spillover.matrix.copy()
                matrix[i, j] -= error
                found, _ = examined(tube, Spillover(tube.spillover.detectors, matrix))
                (check,) = (check for check in found if check.check == "compensation_residual")
                total += 1
                warned += check.status is Verdict.WARN
                named += check.reason.startswith(f"{markers[i]} into {markers[j]}:")
                sizes.append(check.value)
        shown = f"{named / total:.0%}" if error else "–"
        print(f"{error:<+26.0%}{warned / total:>8.0%}{shown:>18}{np.nanmedian(sizes):>14.2%}", flush=True)


if __name__ == "__main__":
    many = int(sys.argv[1]) if len(sys.argv) > 1 else TUBES
    faults(many)
    spillover_errors(many)
