"""What the gating of a sample leaves behind: the files of results/samples/{sample}/ that `nktrace gate` writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from nktrace.files.checks import write_checks
from nktrace.files.gatingml import write_gating_ml
from nktrace.files.lineages import write_lineages
from nktrace.files.pictures import write_pictures
from nktrace.files.quality_pictures import write_quality_pictures
from nktrace.files.shifts import write_gate_error, write_shifts
from nktrace.files.tables import write_table
from nktrace.model.compensation import Spillover
from nktrace.model.gates import ROOT, Gate, GatedSample
from nktrace.model.imports import ImportedGates
from nktrace.model.lineages import Lineages
from nktrace.model.pictures import Picture
from nktrace.model.quality import Check
from nktrace.model.quality_pictures import QualityPictures
from nktrace.model.shifts import NetShift, Shift
from nktrace.model.transforms import Scale
from nktrace.science.gate_error import share

Rows = list[dict[str, object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What gates.xml says: gates with the scale and the compensation that they are to be read on."""

    gates: Sequence[Gate] = ()
    scale: Scale = field(default_factory=lambda: Scale({}))
    detectors: Mapping[str, str] = field(default_factory=dict)
    spillover: Spillover | None = None
    uncompensated: frozenset[str] = frozenset()


def exported_of(imported: ImportedGates) -> Exported:
    """Gates that were drawn elsewhere, on the scale and the matrix that they were drawn on."""
    return Exported(
        gates=imported.gates,
        scale=imported.scale,
        detectors=imported.detectors,
        spillover=imported.spillover,
        uncompensated=imported.uncompensated,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Gating:
    """A gated sample with all that is written of it; of a file that could not be read only checks and lineages.

    Attributes:
        sample: its id.
        gated: gates and members.
        shifts: what one standard error of each gate changes.
        overridden: rows of overrides.tsv.
        checks: rows of gate_checks.tsv, the first of qc.tsv.
        exported: for gates.xml.
        lineages: for the later steps.
        pictures, quality_pictures: for the page.
    """

    sample: str
    gated: GatedSample = field(default_factory=lambda: GatedSample((), {}))
    shifts: Sequence[Shift] = ()
    overridden: Sequence[Mapping[str, object]] = ()
    checks: Sequence[Check]
    exported: Exported = field(default_factory=Exported)
    lineages: Lineages
    pictures: Sequence[Picture] = ()
    quality_pictures: QualityPictures = field(default_factory=QualityPictures)


def write_gating(directory: Path, gating: Gating, *, level: float) -> None:
    """Write all of it; each file whole or not at all.

    Args:
        directory: results/samples/{sample}.
        gating: of the sample.
        level: of the intervals of fractions.
    """
    net = [shift.net() for shift in gating.shifts]
    populations = population_rows(gating.sample, gating.gated, level, net)
    write_table(directory / "populations.tsv", "populations", populations)
    write_table(directory / "gates.tsv", "gates", cut_rows(gating.sample, gating.gated))
    write_gate_error(directory / "gate_error.tsv", gating.sample, net)
    write_shifts(directory / "shifts.parquet", gating.shifts)
    write_table(directory / "overrides.tsv", "overrides", gating.overridden)
    write_checks(directory / "gate_checks.tsv", gating.sample, gating.checks)
    write_exported(directory, gating.exported)
    write_lineages(directory / "lineages.parquet", gating.lineages)
    write_pictures(directory / "pictures.npz", gating.pictures)
    write_quality_pictures(directory / "quality.npz", gating.quality_pictures)


def write_exported(directory: Path, exported: Exported) -> None:
    """Write gates.xml."""
    write_gating_ml(
        directory / "gates.xml",
        exported.gates,
        scale=exported.scale,
        detectors=exported.detectors,
        spillover=exported.spillover,
        uncompensated=exported.uncompensated,
    )


def population_rows(sample: str, gated: GatedSample, level: float, shifts: Sequence[NetShift] = ()) -> Rows:
    """Rows of populations.tsv, with the error of the gates in the intervals."""
    rows: Rows = []
    sizes = {name: int(np.count_nonzero(mask)) for name, mask in gated.masks.items()}
    sizes[ROOT] = next(iter(gated.masks.values())).size if gated.masks else 0
    for gate in gated.gates:
        fraction = share(gate.population, gate.parent, sizes, shifts, level=level)
        empty = sizes[gate.parent] == 0
        rows.append(
            {
                "sample": sample,
                "population": gate.population,
                "parent": gate.parent,
                "events": sizes[gate.population],
                "parent_events": sizes[gate.parent],
                "fraction": fraction.value,
                "ci_low": fraction.low,
                "ci_high": fraction.high,
                "gate_source": gate.source.value,
                "status": gate.status.value,
                "reason": "; ".join(filter(None, (gate.reason, "the parent has no events" if empty else ""))),
            }
        )
    return rows


def cut_rows(sample: str, gated: GatedSample) -> Rows:
    """Rows of gates.tsv."""
    return [
        {
            "sample": sample,
            "population": gate.population,
            "channel": edge.channel,
            "edge": edge.edge,
            "value": edge.value,
            "ci_low": edge.low,
            "ci_high": edge.high,
            "prior": edge.prior,
            "gate_source": edge.source.value,
            "distance": edge.distance,
        }
        for gate in gated.gates
        for edge in gate.edges
    ]
