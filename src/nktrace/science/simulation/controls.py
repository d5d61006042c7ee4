"""Control tubes: the healthy donor of every batch, tubes that lack an antibody, and those that have one or none."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from nktrace.model.panel import Kind
from nktrace.model.simulated import Draw, Tube
from nktrace.model.simulation import (
    Carrier,
    CellTable,
    ControlTubes,
    SimulatedDetector,
    SimulatedPanel,
    Simulation,
    Trait,
)
from nktrace.model.study import Role, Sample
from nktrace.science.simulation.cells import Cells, antigens_of
from nktrace.science.simulation.course import own_cells

# Capture beads are of one size and bind as much of any antibody; the blank half of them binds none.
CAPTURE_BEADS = ("stained_beads", "blank_beads")
_BEAD = {
    "size": Trait(1.0, 1.0, 0.01),
    "FSC": Trait(1.0, 40_000.0, 0.03),
    "SSC": Trait(1.0, 60_000.0, 0.05),
    "autofluorescence": Trait(1.0, 0.4, 0.1),
    "nonspecific": Trait(1.0, 15.0, 0.3),
}
_CAPTURED = Trait(1.0, 20_000.0, 0.09)
_KILLED = 0.4  # a dye for dead cells is controlled on cells of which a part was killed


def control_tubes(simulation: Simulation, batches: Iterable[tuple[str, str]]) -> Iterator[Tube]:
    """Every control tube.

    Args:
        simulation: its `controls` by panel.
        batches: (panel, batch) of the patients' tubes, in the order of the sheet.
    """
    for panel, batch in batches:
        asked = simulation.controls.get(panel)
        if asked is None:
            continue
        stained = simulation.panels[panel].stained
        for role, stain, carrier in _kinds(asked, stained):
            yield _tube(simulation, asked, panel=panel, batch=batch, role=role, stain=stain, carrier=carrier)


def with_capture_beads(table: CellTable, panel: SimulatedPanel) -> CellTable:
    """The table of cells with beads that bind each antibody of a panel alike, and beads that bind none."""
    markers = {name for detector in panel.stained for name in antigens_of(detector.marker)}
    bound = dict.fromkeys((*markers, "HLA"), _CAPTURED)
    stained, blank = CAPTURE_BEADS
    return CellTable({**table.traits, stained: _BEAD | bound, blank: _BEAD})


def without_antibodies(cells: Cells, tube: Tube, detectors: Sequence[SimulatedDetector]) -> Cells:
    """The same cells without the antibodies that a tube lacks: their own light, and what other dyes spill, stay.

    Args:
        cells: stained with every antibody.
        tube: says which are missing.
        detectors: of the columns of `cells`.
    """
    missing = [d.kind is not Kind.BEAD and not tube.stained_with(d.marker) for d in detectors]
    if not any(missing):
        return cells
    emission = cells.emission.copy(order="F")
    emission[:, np.flatnonzero(missing)] = 0.0
    return replace(cells, emission=emission)


def _kinds(asked: ControlTubes, stained: Sequence[SimulatedDetector]) -> Iterator[tuple[Role, str | None, Carrier]]:
    if asked.batch_control:
        yield Role.BATCH_CONTROL, None, Carrier.CELLS
    for marker in asked.fmo:
        yield Role.FMO, marker, Carrier.CELLS
    if asked.single_stains is not None:
        for detector in stained:
            yield Role.SINGLE_STAIN, detector.marker, asked.single_stains
    if asked.unstained is not None:
        yield Role.UNSTAINED, None, asked.unstained


def _tube(
    simulation: Simulation,
    asked: ControlTubes,
    *,
    panel: str,
    batch: str,
    role: Role,
    stain: str | None,
    carrier: Carrier,
) -> Tube:
    made, donor = simulation.panels[panel], simulation.healthy_donor
    what = "-".join(filter(None, (panel, role.value.replace("_", "-"), stain)))
    name = re.sub(r"[^A-Za-z0-9.-]+", "-", f"{batch}-{what}")
    counting = made.counting and role in (Role.BATCH_CONTROL, Role.FMO)
    dye = stain is not None and role is Role.SINGLE_STAIN and _viability(made, stain)
    steady = replace(simulation.conditions, clog=0.0, few_nk=1.0, cd16_shed=0.0, activation=0.0)
    of_cells = donor is not None and carrier is Carrier.CELLS
    return Tube(
        sample=Sample(
            sample=name,
            role=role,
            stain=stain,
            panel=panel,
            batch=batch,
            fcs=f"{name}.fcs",
            specimen=name,
            material=made.material,
            beads_per_tube=made.beads_per_tube if counting else math.nan,
            blood_ul=made.blood_ul if counting else math.nan,
        ),
        person=donor.person if donor is not None and of_cells else "beads",
        draw=Draw(
            own=own_cells(donor.blood, 0.0, profiles=simulation.nk_profiles, few_nk=1.0)
            if donor is not None and of_cells
            else {},
            donor={},
            activation=0.0,
        ),
        own_hla=donor.hla if donor is not None else "",
        conditions=replace(steady, dead=_KILLED) if dye else steady,
        events=asked.events,
        carrier=carrier,
    )


def _viability(panel: SimulatedPanel, marker: str) -> bool:
    return any(d.marker == marker and d.kind is Kind.VIABILITY for d in panel.detectors)
