"""Coverage of the intervals of NK fractions over simulated repeats, with and without gate uncertainty.

    python -m benchmarks.gate_coverage [REPEATS]

The estimand of an interval is the fraction under the gates that unlimited events would give: a tube of a million events
is gated once, and its fraction is the truth of every smaller tube drawn from it. Each repeat is a draw of events, gated
anew: alone, and with priors that were fitted once to other tubes of the same batch, as a later sample is. Beside it
stands the coverage of the labelled truth, the share of live single NK cells, and how far it lies from the estimand:
populations overlap, and what a gate leaves on the wrong side is bias, which no number of events takes away.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from nktrace.files.gating_table import read_gating_table
from nktrace.files.installation import resource
from nktrace.files.simulator import read_simulation
from nktrace.model.compensation import Spillover
from nktrace.model.events import Events, Mask
from nktrace.model.gates import GatedSample, GatePriors, GatingRow
from nktrace.model.panel import Panel
from nktrace.model.shifts import NetShift
from nktrace.model.simulation import Simulation
from nktrace.model.study import Role
from nktrace.science.compensation import compensate, find_spillover
from nktrace.science.drawing import generator
from nktrace.science.gate_error import share as share_of
from nktrace.science.gating.parent import Estimation
from nktrace.science.gating.shifts import shifts
from nktrace.science.gating.tree import gate_sample, resolve
from nktrace.science.intervals import normal_quantile
from nktrace.science.priors import fit_priors
from nktrace.science.simulation.cohort import tubes_of
from nktrace.science.simulation.tube import simulate_tube
from nktrace.science.transforms import estimate_scale, to_scale

REPEATS = 100
EVENTS = 1_000_000
SIZES = (5_000, 20_000, 80_000)
LEVEL = 0.95
SHARES = (("nk", ""), ("nk", "lymphocytes"), ("nk", "live"), ("nk_bright", "nk"))
"""Population and what it is a share of; an empty one is its parent."""
SETTINGS: dict[str, dict[str, float]] = {
    "ordinary": {},
    "CD16 shed": {"cd16_shed": 0.5},
    "activated": {"activation": 0.6},
    "few NK": {"few_nk": 0.15},
}
PANEL = "phenotyping"
Share = tuple[str, str]


@dataclass(frozen=True)
class Pool:
    """A tube of very many events, gated, and the priors of its batch; all on one scale."""

    events: Events
    nk: Mask
    rows: tuple[GatingRow, ...]
    panel: Panel
    tops: Mapping[str, float]
    priors: GatePriors
    gated: GatedSample

    def gate(self, events: Events, priors: GatePriors | None, *words: object) -> GatedSample:
        return gate_sample(
            events,
            self.rows,
            panel=self.panel,
            priors=priors,
            tops=self.tops,
            options=Estimation(level=LEVEL),
            rng=generator(1, *map(str, words)),
        )


def simulated(simulation: Simulation, number: int) -> tuple[Events, Mask, Mapping[str, float]]:
    """Compensated events by marker of the n-th visit of the first patient, its live single NK, tops of scale."""
    patient = simulation.patients[0]
    tubes = [t for t in tubes_of(simulation, patient) if t.sample.panel == PANEL and t.sample.role is Role.TIMEPOINT]
    _, table = read_simulation(resource("simulation/demo_release.yaml"))
    file = simulate_tube(tubes[number], simulation=simulation, table=table)
    detectors = simulation.panels[PANEL].detectors
    spillover: Spillover | None = find_spillover(file.keywords)
    events = compensate(file.events, spillover, max_condition=1_000)
    markers = tuple(d.marker for d in detectors)
    return Events(events.values, markers), file.truth.nk, dict(zip(markers, file.tops, strict=True))


def pool(setting: Mapping[str, float], seed: int) -> Pool:
    """The second visit with very many events, and priors from a survey of the patient's other visits of that batch."""
    simulation, _ = read_simulation(resource("simulation/demo_release.yaml"))
    conditions = replace(simulation.conditions, clog=0.0, **setting)
    patients = tuple(replace(p, conditions={}) for p in simulation.patients)
    simulation = replace(simulation, seed=seed, conditions=conditions, patients=patients)
    large = replace(simulation, events=dict(simulation.events) | {PANEL: EVENTS})
    small = replace(simulation, events=dict(simulation.events) | {PANEL: 20_000})
    events, nk, tops = simulated(large, 1)
    others = [simulated(small, number)[0] for number in (0, 2)]
    panel = Panel(PANEL, tuple(d.detector for d in simulation.panels[PANEL].detectors))
    together = [events.values[::50], *(other.values for other in others)]
    values = Events(np.asfortranarray(np.concatenate(together)), events.channels)
    scale = estimate_scale({d.marker: (d.transform, values.column(d.marker), tops[d.marker]) for d in panel.used})
    rows, _ = resolve(read_gating_table(resource("gating/nk.tsv")), panel)
    events = to_scale(events, scale)
    draft = Pool(events, nk, rows, panel, tops, GatePriors({}), GatedSample((), {}))
    surveys = [events.select(slice(0, 20_000)), *(to_scale(other, scale) for other in others)]
    priors = fit_priors([draft.gate(survey, None, "survey", i) for i, survey in enumerate(surveys)])
    return replace(draft, priors=priors, gated=draft.gate(events, None, "unlimited"))


def parent_of(gated: GatedSample, share: Share) -> str:
    """The named whole, or the population's parent."""
    return share[1] or next(gate.parent for gate in gated.gates if gate.population == share[0])


def fraction(gated: GatedSample, share: Share) -> tuple[int, int]:
    """Events of part and whole."""
    return int(gated.masks[share[0]].sum()), int(gated.masks[parent_of(gated, share)].sum())


@dataclass
class Tally:
    """Of one kind of interval: how often it held the estimand and the label, and how wide it was."""

    n: int = 0
    counted: int = 0
    covered: int = 0
    labelled: int = 0
    away: float = 0.0
    width: float = 0.0

    def add(self, truth: float, label: float, *, plain: tuple[float, float], whole: tuple[float, float, float]) -> None:
        self.n += 1
        self.counted += plain[0] <= truth <= plain[1]
        self.covered += whole[1] <= truth <= whole[2]
        self.labelled += whole[1] <= label <= whole[2]
        self.away += whole[0] / truth - 1
        self.width += (whole[2] - whole[1]) / truth / 2


def intervals(
    gated: GatedSample,
    moved: Sequence[NetShift],
    share: Share,
) -> tuple[tuple[float, float], tuple[float, float, float]]:
    """Without and with gate uncertainty."""
    part, whole = fraction(gated, share)
    parent = parent_of(gated, share)
    events = {parent: whole, share[0]: part}
    plain = share_of(share[0], parent, events, (), level=LEVEL)
    full = share_of(share[0], parent, events, moved, level=LEVEL)
    return (plain.low, plain.high), (full.value, full.low, full.high)


def repeats(pools: Mapping[str, Pool], times: int) -> Iterator[tuple[str, int, str, Share, Tally]]:
    for setting, one in pools.items():
        for size in SIZES:
            tallies: dict[tuple[str, Share], Tally] = defaultdict(Tally)
            for repeat in range(times):
                rng = generator(2, setting, str(size), str(repeat))
                rows = np.sort(rng.choice(len(one.events), size, replace=False))
                events, nk = one.events.select(rows), one.nk[rows]
                for way, priors in (("alone", None), ("with priors", one.priors)):
                    gated = one.gate(events, priors, setting, size, repeat)
                    everything = np.ones(size, np.bool_)
                    moved = [
                        s.net() for s in shifts(gated, events, one.rows, finite=everything, z=normal_quantile(LEVEL))
                    ]
                    for share in SHARES:
                        part, whole = fraction(one.gated, share)
                        label = nk.sum() / max(fraction(gated, share)[1], 1) if share[0] == "nk" else np.nan
                        plain, full = intervals(gated, moved, share)
                        tallies[way, share].add(part / whole, label, plain=plain, whole=full)
            for (way, share), tally in tallies.items():
                yield setting, size, way, share, tally


def main(times: int) -> None:
    pools = {name: pool(setting, seed=5) for name, setting in SETTINGS.items()}
    columns = f"{'without':>8}{'with':>7}{'width':>8}{'bias':>8}{'label':>7}"
    print(f"{'setting':<11}{'events':>7} {'gates':<12}{'share':<15}{columns}")
    found: dict[str, list[Tally]] = defaultdict(list)
    for setting, size, way, share, t in repeats(pools, times):
        name = f"{share[0]}/{share[1] or 'parent'}"
        found[name].append(t)
        label = f"{t.labelled / t.n:>7.2f}" if share[0] == "nk" else f"{'-':>7}"
        print(
            f"{setting:<11}{size:>7} {way:<12}{name:<18}{t.counted / t.n:>7.3f}{t.covered / t.n:>7.3f}"
            f"{t.width / t.n:>8.1%}{t.away / t.n:>8.1%}{label}",
            flush=True,
        )
    print(
        "\nmean coverage over all of these (`width`: half the interval; `bias`: mean error; as shares of the estimand)"
    )
    for name, tallies in found.items():
        n = sum(t.n for t in tallies)
        without, held = sum(t.counted for t in tallies) / n, sum(t.covered for t in tallies) / n
        print(f"{name:<18}{without:>8.3f} without, {held:.3f} with gate uncertainty, of {n} intervals")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else REPEATS)
