"""`nktrace import-gates`: gates of Gating-ML or a FlowJo workspace on one FCS file, by hand."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from nktrace.files.atomic import replacing
from nktrace.files.gate_documents import shown
from nktrace.files.gate_import import import_gates
from nktrace.files.gated import cut_rows, exported_of, population_rows, write_exported
from nktrace.files.population_names import named_by, proposals, read_names
from nktrace.files.tables import write_table
from nktrace.model.events import Mask
from nktrace.model.gates import GatedSample
from nktrace.model.imports import ImportedGates
from nktrace.science.gating.showing import Shown, shown_gate

MAX_CONDITION, LEVEL = 1000.0, 0.95  # by hand there is no study whose settings say otherwise


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("gates", type=Path, help="Gating-ML 2.0 (.xml) or FlowJo 10 workspace (.wsp)")
    parser.add_argument("fcs", type=Path, help="the FCS file")
    parser.add_argument("--sample", default="", help="name of the sample in the workspace (default: the file's name)")
    parser.add_argument("--names", type=Path, help="table of gates and the populations of ours that they are")
    parser.add_argument("--output-dir", type=Path, metavar="DIR", help="write gates.xml, tables and members there")


def run(args: argparse.Namespace) -> int:
    """Print every gate with its events here and as stored; write what the sample's tables would hold."""
    names = read_names(args.names) if args.names else None
    imported = import_gates(
        args.gates, args.fcs, name=partial(named_by, names), sample=args.sample, max_condition=MAX_CONDITION
    )
    for line in _table(imported, proposed=names is None):
        print(line)
    for note in imported.notes:
        print(f"NOTE  {note}")
    for population, events in imported.differing.items():
        print(f"WARN  {population}: FlowKit has {events} events on its other side")
    if args.output_dir:
        _write(args.output_dir, imported, sample=args.fcs.stem)
    return 0


def _table(imported: ImportedGates, *, proposed: bool) -> list[str]:
    """One line per gate; without a table of names, the populations that it may be."""
    likely = proposals(list(imported.paths.values())) if proposed else {}
    head = ("gate", "population", "events", "stored", "difference")
    rows = [head]
    for population, path in imported.paths.items():
        here = int(np.count_nonzero(imported.masks[population]))
        stored = imported.stored.get(population)
        known = ("", "") if stored is None else (str(stored), f"{here - stored:+d}" if here != stored else "0")
        name = f"{likely[path]}?" if path in likely else population
        rows.append((shown(path), name, str(here), *known))
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    lines = ["  ".join(_cells(row, widths)).rstrip() for row in rows]
    if proposed:
        lines.append("")
        lines.append("A name with ? is a proposal: write the right ones, and others, to a table for --names:")
        lines += ["gate\tpopulation", *(f"{shown(path)}\t{name}" for path, name in likely.items())]
    return lines


def _cells(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [
        cell.ljust(w) if column < 2 else cell.rjust(w) for column, (cell, w) in enumerate(zip(row, widths, strict=True))
    ]


def _write(directory: Path, imported: ImportedGates, *, sample: str) -> None:
    scales = imported.scale.transforms
    axes = {axis: Shown(axis, scales[axis], scales[axis]) for axis in imported.detectors}
    gated = GatedSample(tuple(shown_gate(gate, axes) for gate in imported.gates), dict(imported.masks))
    write_table(directory / "populations.tsv", "populations", population_rows(sample, gated, LEVEL))
    write_table(directory / "gates.tsv", "gates", cut_rows(sample, gated))
    write_exported(directory, exported_of(imported))
    _write_members(directory / "members.parquet", imported.masks)


def _write_members(path: Path, masks: Mapping[str, Mask]) -> None:
    """One row per event of the file, in its order; one column per population."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({population: pa.array(mask) for population, mask in masks.items()})
    with replacing(path) as draft:
        pq.write_table(table, draft, compression="zstd")
