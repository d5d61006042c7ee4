"""Simulated single stains of known spillover: cells or beads of a simulated panel, with as much dirt as wanted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from nktrace.files.simulator import read_simulation
from nktrace.model.events import Events
from nktrace.model.panel import Kind
from nktrace.model.simulation import CellTable, SimulatedDetector, SimulatedPanel
from nktrace.model.spillover import ControlTube
from nktrace.science.simulation.cells import Cells, Makeup, light
from nktrace.science.simulation.instrument import TOP, arrivals, coincide, detect, spill_matrix

BLOOD = {"cd4_t": 0.45, "cd8_t": 0.2, "nk_terminal": 0.08, "nk_early_dim": 0.08, "b_cells": 0.11, "monocytes": 0.08}


@dataclass(frozen=True)
class Dirt:
    """Shares of events that are not clean single cells."""

    doublets: float = 0.02
    dead: float = 0.02
    debris: float = 0.03


@dataclass(frozen=True)
class Laboratory:
    """A simulated panel and the cells that it stains."""

    panel: SimulatedPanel
    table: CellTable

    @property
    def fluorescent(self) -> tuple[SimulatedDetector, ...]:
        return tuple(detector for detector in self.panel.detectors if detector.fluorescent)

    @property
    def markers(self) -> tuple[str, ...]:
        return tuple(detector.marker for detector in self.fluorescent)

    @property
    def truth(self) -> np.ndarray:
        """The spillover matrix, in the order of `markers`."""
        return spill_matrix(self.fluorescent)

    def tube(
        self,
        stain: str,
        *,
        seed: int,
        events: int = 6_000,
        beads: bool = False,
        gain: float = 1.0,
        dirt: Dirt | None = None,
    ) -> ControlTube:
        """A tube in which only `stain` is stained, nothing where it is empty.

        Half of the beads bind the antibody. Cells that a dye of viability stains are dead: a third of that tube is.
        """
        dirt = dirt or Dirt()
        rng = np.random.default_rng([seed, len(stain), *stain.encode()])
        viability = any(d.marker == stain and d.kind is Kind.VIABILITY for d in self.fluorescent)
        if viability:
            dirt = replace(dirt, dead=0.33)
        partners = int(dirt.doublets * events)
        n = events + partners
        cells = self._beads(n, rng) if beads else self._cells(n, dirt, rng)
        emission = np.zeros_like(cells.emission)
        if stain:
            column = self.markers.index(stain)
            emission[:, column] = gain * cells.emission[:, column]
        cells = replace(cells, emission=emission)
        rows = np.sort(rng.choice(events, size=partners, replace=False))
        pulses = coincide(cells, rows=rows, rng=rng)
        clock = arrivals(events, events_per_second=1_000.0, clog_span=None, rng=rng)
        values = detect(pulses, clock, detectors=self.panel.detectors, drift=0.0, rng=rng).values
        markers = tuple(detector.marker for detector in self.panel.detectors)
        return ControlTube(
            sample=f"{'beads' if beads else 'cells'}-{stain or 'unstained'}",
            marker=stain,
            material=self.panel.material,
            events=Events(values, markers),
            tops=dict.fromkeys(markers, TOP),
        )

    def _cells(self, n: int, dirt: Dirt, rng: np.random.Generator) -> Cells:
        kinds = (*BLOOD, "debris")
        shares = np.array([*BLOOD.values(), dirt.debris / (1 - dirt.debris)])
        kind = rng.choice(len(kinds), size=n, p=shares / shares.sum())
        dead = (rng.random(n) < dirt.dead) & (kind < len(BLOOD))
        never = np.zeros(n, dtype=np.bool_)
        made = Makeup(kinds=kinds, kind=kind, donor=never, dead=dead, activated=never, shed=never)
        return light(
            made,
            detectors=self.fluorescent,
            table=self.table,
            gains={},
            stains=lambda *_: True,
            false_positives=0.0,
            rng=rng,
        )

    def _beads(self, n: int, rng: np.random.Generator) -> Cells:
        """Beads scatter tightly, hardly glow by themselves, and half of them bind the antibody."""
        width = len(self.fluorescent)

        def around(level: float, spread: float, *shape: int) -> np.ndarray:
            return (level * np.exp(spread * rng.standard_normal(shape))).astype(np.float32)

        emission = around(30_000.0, 0.25, n, width)
        emission[rng.random(n) < 0.5] = 0.0
        return Cells(around(50_000.0, 0.06, n), around(60_000.0, 0.08, n), emission, around(25.0, 0.3, n, width))


def demo_laboratory(panel: str = "phenotyping") -> Laboratory:
    """A panel of the simulated demo study."""
    simulation, table = read_simulation("resources/simulation/demo_release.yaml")
    return Laboratory(simulation.panels[panel], table)


def single_stains(
    laboratory: Laboratory,
    *,
    seed: int,
    beads: bool = False,
    dirt: Dirt | None = None,
    events: int = 6_000,
    gain: float = 1.0,
) -> list[ControlTube]:
    """A single stain for each detector, and the unstained."""
    stains: Sequence[str] = ("", *laboratory.markers)
    return [laboratory.tube(stain, seed=seed, beads=beads, dirt=dirt, events=events, gain=gain) for stain in stains]
