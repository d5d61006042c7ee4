"""`nktrace hla-cuts`: where a patient's HLA markers are positive."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from nktrace.files.choices import from_json
from nktrace.files.hla_cuts import write_hla_cuts
from nktrace.files.knowledge import read_antibodies
from nktrace.files.lineages import read_lineages
from nktrace.files.panels import read_panel
from nktrace.files.rows import load_patient
from nktrace.model.errors import NktraceError
from nktrace.model.hla import Antibody
from nktrace.model.panel import Kind, Panel
from nktrace.model.study import donors_met

if TYPE_CHECKING:
    from nktrace.files.settings import Settings
    from nktrace.science.patient_cuts import CutChoices


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("lineages", nargs="*", help="lineages.parquet of blanks, donor references and batch controls")
    parser.add_argument("--patient", required=True, type=load_patient, metavar="ROW", help="the patient's row as JSON")
    parser.add_argument("--panel", required=True, nargs="+", help="panel sheet of each panel of the samples")
    parser.add_argument("--antibodies", required=True, help="hla_antibodies.tsv")
    parser.add_argument("--settings", required=True, type=from_json, metavar="JSON")
    parser.add_argument("--output", required=True, help="hla_cuts.tsv")


def run(args: argparse.Namespace) -> int:
    """Write hla_cuts.tsv."""
    from nktrace.science.hla_controls import Tube
    from nktrace.science.patient_cuts import hla_cuts

    antibodies = antibodies_of(map(read_panel, args.panel), args.antibodies)
    samples = {sample.sample: sample for sample in args.patient.samples}
    tubes = [
        Tube(samples[lineages.sample], lineages)
        for lineages in map(read_lineages, args.lineages)
        if lineages.sample in samples
    ]
    cuts = hla_cuts(
        args.patient.patient,
        tubes,
        donors=donors_met(args.patient.patient, args.patient.infusions),
        others=args.patient.others,
        antibodies=antibodies,
        choices=cut_choices(args.settings),
        seed=args.settings.seed,
    )
    write_hla_cuts(args.output, args.patient.patient.patient, cuts)
    return 0


def antibodies_of(panels: Iterable[Panel], table: Path | str) -> dict[tuple[str, str], Antibody]:
    """The antibody of each (panel, marker) of kind `hla`.

    Raises:
        NktraceError: one is not in the table.
    """
    known = read_antibodies(table)
    found: dict[tuple[str, str], Antibody] = {}
    for panel in panels:
        for detector in panel.of_kind(Kind.HLA):
            if detector.antibody not in known:
                raise NktraceError(
                    f"marker {detector.marker} has the antibody '{detector.antibody}', which is not in the table",
                    where=f"panel {panel.name}",
                    mend=f"Antibodies of {table}: {', '.join(known)}",
                )
            found[panel.name, detector.marker] = known[detector.antibody]
    return found


def cut_choices(settings: Settings) -> CutChoices:
    """The settings that bear on cuts."""
    from nktrace.science.patient_cuts import CutChoices

    chimerism = settings.chimerism
    return CutChoices(
        level=settings.level,
        min_separation=chimerism.min_separation,
        min_events=chimerism.min_reference_events,
        assumed_sensitivity=chimerism.assumed_sensitivity,
        assumed_events=chimerism.assumed_sensitivity_events,
        bootstrap=chimerism.cut_bootstrap,
    )
