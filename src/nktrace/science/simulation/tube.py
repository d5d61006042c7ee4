"""One tube: which cells it holds, their light, what the instrument writes, and what each event truly is."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from nktrace.model.panel import Kind
from nktrace.model.simulated import EventTruth, SimulatedFile, Tube
from nktrace.model.simulation import Carrier, CellTable, Conditions, SimulatedDetector, SimulatedPanel, Simulation
from nktrace.science.simulation.cells import NK_KINDS, POPULATIONS, Makeup, light
from nktrace.science.simulation.controls import CAPTURE_BEADS, with_capture_beads, without_antibodies
from nktrace.science.simulation.instrument import TOP, arrivals, coincide, detect, spill_matrix

NOT_CELLS = ("debris", "beads", *CAPTURE_BEADS)


def generator(seed: int, *words: str) -> np.random.Generator:
    """A generator of its own for every name, so that a file's bytes do not depend on which others are written."""
    digest = hashlib.sha256("\x1f".join(words).encode()).digest()
    return np.random.default_rng([seed, *np.frombuffer(digest, dtype=np.uint32).tolist()])


def simulate_tube(tube: Tube, *, simulation: Simulation, table: CellTable) -> SimulatedFile:
    """The file of a tube; the same bytes for the same simulation and sample, whatever else is simulated."""
    panel, conditions, n = simulation.panels[tube.sample.panel], tube.conditions, tube.events
    rng = generator(simulation.seed, "sample", tube.sample.sample)
    makeup, partners = _makeup(tube, panel, n, conditions=conditions, rng=rng)
    fluorescent = [detector for detector in panel.detectors if detector.fluorescent]
    cells = light(
        makeup,
        detectors=fluorescent,
        table=with_capture_beads(table, panel) if tube.carrier is Carrier.BEADS else table,
        gains=_gains(tube, fluorescent, seed=simulation.seed, conditions=conditions),
        stains=lambda detector, donor: _has_antigen(tube, detector, donor=donor),
        false_positives=_false_positives(tube, simulation.seed, conditions),
        rng=rng,
    )
    cells = without_antibodies(cells, tube, fluorescent)
    pulses = coincide(cells, rows=partners, rng=rng)
    clog = conditions.clog_span if rng.random() < conditions.clog else None
    clock = arrivals(n, events_per_second=panel.events_per_second, clog_span=clog, rng=rng)
    events = detect(pulses, clock, detectors=panel.detectors, drift=conditions.drift, rng=rng)
    limits = [d.channel for d in panel.detectors if d.kind is Kind.SCATTER and not d.marker.endswith("-W")]
    at_limit = np.any([events.column(channel) >= TOP - 1.0 for channel in limits], axis=0)
    blurred = generator(simulation.seed, "matrix", tube.sample.batch, tube.sample.panel)
    matrix = spill_matrix(fluorescent, error=conditions.spillover_error, rng=blurred)
    return SimulatedFile(
        events=events,
        labels=tuple(d.marker if d.fluorescent else "" for d in panel.detectors),
        tops=tuple(TOP for _ in panel.detectors),
        keywords=_keywords(tube, fluorescent, matrix),
        truth=_truth(makeup, partners, n, disturbed=clock.clogged | at_limit),
    )


def abundance(tube: Tube, panel: SimulatedPanel) -> dict[tuple[str, bool], float]:
    """Cells per microlitre of what the tube's preparation keeps, by (kind, donor); capture beads, half of each."""
    if tube.carrier is Carrier.BEADS:
        return {(kind, False): 1.0 for kind in CAPTURE_BEADS}
    cells = {(kind, False): value for kind, value in tube.draw.own.items()}
    cells |= {(kind, True): value for kind, value in tube.draw.donor.items()}
    return {key: value * panel.keep.get(key[0], 1.0) for key, value in cells.items()}


def carries(detector: SimulatedDetector, typing: str) -> bool:
    """Whether a typing (`A*02:01,A*01:01;B*07:02`) has an allele of a group that the antibody stains."""
    alleles = [allele.strip() for locus in typing.split(";") for allele in locus.split(",")]
    return any(allele == group or allele.startswith(f"{group}:") for allele in alleles for group in detector.antigens)


def _has_antigen(tube: Tube, detector: SimulatedDetector, *, donor: bool) -> bool:
    """Whether an HLA antibody finds its antigen; capture beads bind it, whoever is typed."""
    return tube.carrier is Carrier.BEADS or carries(detector, tube.donor_hla if donor else tube.own_hla)


def _makeup(
    tube: Tube, panel: SimulatedPanel, events: int, *, conditions: Conditions, rng: np.random.Generator
) -> tuple[Makeup, NDArray[np.int64]]:
    """What every event is, followed by the partners of the doublets; and which events are doublets."""
    present = abundance(tube, panel)
    weights = np.array(list(present.values()))
    counting = panel.counting and tube.sample.beads_per_tube > 0
    if counting:
        pipetted = np.exp(conditions.pipette_cv * rng.standard_normal(2))
        weights = np.append(weights * pipetted[0], panel.beads_per_tube / panel.blood_ul * pipetted[1])
    strata = [*present, ("beads", False)] if counting else list(present)
    weights = np.append(weights / weights.sum() * (1.0 - conditions.debris), conditions.debris)
    strata.append(("debris", False))
    counts = rng.multinomial(events, weights)
    stratum = rng.permutation(np.repeat(np.arange(len(strata)), counts))
    cells = np.flatnonzero(np.array([kind not in NOT_CELLS for kind, _ in strata])[stratum])
    partners = np.sort(rng.choice(cells, size=int(conditions.doublets * cells.size), replace=False))
    stratum = np.concatenate([stratum, rng.choice(stratum[cells], size=partners.size)])
    kinds = tuple(dict.fromkeys(kind for kind, _ in strata))
    n = stratum.size
    makeup = Makeup(
        kinds=kinds,
        kind=np.array([kinds.index(name) for name, _ in strata])[stratum],
        donor=np.array([donor for _, donor in strata])[stratum],
        dead=rng.random(n) < conditions.dead,
        activated=rng.random(n) < tube.draw.activation,
        shed=rng.random(n) < conditions.cd16_shed,
    )
    is_cell, is_nk = makeup.among(NOT_CELLS, invert=True), makeup.among(NK_KINDS)
    for state, possible in ((makeup.dead, is_cell), (makeup.activated, is_nk), (makeup.shed, is_nk)):
        state &= possible
    return makeup, partners


def _gains(
    tube: Tube, detectors: list[SimulatedDetector], *, seed: int, conditions: Conditions
) -> dict[str, tuple[float, float]]:
    """Staining gain by marker, of own and of donor cells: of the batch, of the person, of the sample."""

    def gain(person: str, marker: str) -> float:
        shifts = {
            f"batch/{tube.sample.batch}/{tube.sample.panel}": conditions.batch_shift,
            f"person/{person}": conditions.patient_shift,
            f"sample/{tube.sample.sample}": conditions.sample_shift,
        }
        return math.exp(
            sum(sd * generator(seed, "gain", name, marker).standard_normal() for name, sd in shifts.items())
        )

    return {d.marker: (gain(tube.person, d.marker), gain(tube.donor or tube.person, d.marker)) for d in detectors}


def _false_positives(tube: Tube, seed: int, conditions: Conditions) -> float:
    batch, own = (generator(seed, "hla", name).standard_normal() for name in (tube.sample.batch, tube.sample.sample))
    scatter = conditions.hla_background_cv * batch + conditions.hla_background_tube_cv * own
    return conditions.hla_background * math.exp(scatter)


def _keywords(tube: Tube, detectors: list[SimulatedDetector], matrix: NDArray[np.float64]) -> Mapping[str, str]:
    names = ",".join(detector.channel for detector in detectors)
    cells = ",".join(f"{value:.6g}" for value in matrix.ravel())
    keywords = {
        "$CYT": "nktrace simulator",
        "$BTIM": "10:00:00.00",
        "$SMNO": tube.sample.sample,
        "$SPILLOVER": f"{len(detectors)},{names},{cells}",
    }
    return keywords | ({"NKTRACE DAY OF INFUSION": tube.infusion_date} if tube.infusion_date else {})


def _truth(makeup: Makeup, partners: NDArray[np.int64], n: int, *, disturbed: NDArray[np.bool_]) -> EventTruth:
    names = [POPULATIONS.get(kind, (kind, "")) for kind in makeup.kinds]
    words = tuple(dict.fromkeys([*makeup.kinds, *(p for p, _ in names), *(s for _, s in names), "", "dead", "doublet"]))

    def codes(of_kind: Sequence[str]) -> NDArray[np.int8]:
        return np.array([words.index(word) for word in of_kind], dtype=np.int8)[kind]

    kind = makeup.kind[:n]
    dead = makeup.dead[:n]
    doublet = np.zeros(n, dtype=np.bool_)
    doublet[partners] = True
    single = makeup.among(NOT_CELLS, invert=True)[:n] & ~dead & ~doublet
    nk = makeup.among(NK_KINDS)[:n] & single
    population = codes([name for name, _ in names])
    population[dead] = words.index("dead")
    population[doublet] = words.index("doublet")
    subset = codes([name for _, name in names])
    subset[~nk] = words.index("")
    return EventTruth(
        words=words,
        kind=codes(makeup.kinds),
        population=population,
        subset=subset,
        single=single,
        nk=nk,
        donor=makeup.donor[:n],
        disturbed=disturbed,
    )
