"""`nktrace chimerism`: donor fraction of every population of a patient, with its limits."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nktrace.files.blanks import read_blanks
from nktrace.files.chimerism_rows import estimate_cells
from nktrace.files.choices import from_json, values_of
from nktrace.files.hla_cuts import read_hla_cuts
from nktrace.files.lineages import read_lineages
from nktrace.files.nk import read_nk
from nktrace.files.rows import load_patient
from nktrace.files.shifts import read_shifts
from nktrace.files.tables import read_table, write_table
from nktrace.model.chimerism import ChimerismRow
from nktrace.model.counting import Platform
from nktrace.model.intervals import Interval
from nktrace.model.study import Sample, donors_met
from nktrace.model.subsets import SubsetStatus
from nktrace.science.doubt import Flags, flags_in, together

if TYPE_CHECKING:
    from nktrace.science.hla_controls import Tube


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("samples", nargs="*", type=Path, metavar="SAMPLE_DIR", help="results/samples/SAMPLE")
    parser.add_argument("--patient", required=True, type=load_patient, metavar="ROW", help="the patient's row as JSON")
    parser.add_argument("--settings", required=True, type=from_json, metavar="JSON")
    parser.add_argument("--cuts", required=True, help="hla_cuts.tsv of the patient")
    parser.add_argument("--counts", required=True, help="counts.tsv of the patient")
    parser.add_argument("--blanks", nargs="*", default=[], help="blanks.tsv of the panels' references")
    parser.add_argument("--output-dir", required=True, type=Path, help="results/patients/PATIENT")


def run(args: argparse.Namespace) -> int:
    """Write chimerism.tsv and chimerism_by_antibody.tsv."""
    from nktrace.science.patient_chimerism import infused_doses, patient_chimerism
    from nktrace.science.population_controls import Choices

    samples = {sample.sample: sample for sample in args.patient.samples}
    counted = [row for row in read_table(args.counts, "counts") if row["platform"] != Platform.NONE]
    directories = [directory for directory in args.samples if directory.name in samples]
    tubes = [_tube(directory, samples[directory.name]) for directory in directories]
    chosen = values_of(args.settings.chimerism, without="cut_bootstrap")
    together, alone = patient_chimerism(
        args.patient.patient,
        tubes,
        read_hla_cuts(args.cuts),
        cells_per_ul={
            (row["sample"], row["population"]): Interval(row["cells_per_ul"], row["ci_low"], row["ci_high"])
            for row in counted
        },
        donors=donors_met(args.patient.patient, args.patient.infusions),
        doses=infused_doses(args.patient.patient, args.patient.infusions),
        choices=Choices(level=args.settings.level, **chosen),
        blanks=read_blanks(args.blanks),
        doubts=_doubts(tubes, [row for directory in directories for row in _subsets(directory)], counted),
    )
    for name, rows in (("chimerism", together), ("chimerism_by_antibody", alone)):
        write_table(args.output_dir / f"{name}.tsv", name, map(_row, rows))
    return 0


def _tube(directory: Path, sample: Sample) -> Tube:
    from nktrace.science.hla_controls import Tube

    lineages = read_lineages(directory / "lineages.parquet")
    nk = directory / "nk.parquet"
    shifts = read_shifts(directory / "shifts.parquet") if (directory / "shifts.parquet").is_file() else ()
    if nk.is_file():
        return Tube(sample, lineages, read_nk(nk).subset, shifts=shifts)
    return Tube(sample, lineages, shifts=shifts)


def _subsets(directory: Path) -> list[dict[str, Any]]:
    path = directory / "subsets.tsv"
    return read_table(path, "subsets") if path.is_file() else []


def _doubts(
    tubes: Sequence[Tube], subsets: Sequence[Mapping[str, Any]], counted: Sequence[Mapping[str, Any]]
) -> dict[tuple[str, str], Flags]:
    """Flags of doubtful gates by (sample, population): of the gates, of NK subsets, and of the counts."""
    found: dict[tuple[str, str], Flags] = {
        (tube.sample.sample, population): flags for tube in tubes for population, flags in tube.lineages.doubts.items()
    }
    told = [(row, row["subset"]) for row in subsets if row["status"] == SubsetStatus.OK]
    for row, population in [*told, *((row, row["population"]) for row in counted)]:
        key = row["sample"], population
        found[key] = together(found.get(key, ()), flags_in(row["reason"]))
    return found


def _row(row: ChimerismRow) -> dict[str, Any]:
    category = row.estimate.category
    return estimate_cells(row) | {
        "sample": row.sample,
        "patient": row.patient,
        "day": row.day,
        "population": row.population,
        "events": row.counts.total,
        "category": category.value if category else None,
        "donor_cells_per_ul": row.donor_cells.value,
        "donor_cells_ci_low": row.donor_cells.low,
        "donor_cells_ci_high": row.donor_cells.high,
        "change_from_baseline": row.change.value,
        "change_low": row.change.low,
        "change_high": row.change.high,
        "donor": row.donor or None,
    }
