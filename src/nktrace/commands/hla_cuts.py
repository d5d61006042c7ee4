"""`nktrace hla-cuts`: where a patient's HLA markers are positive."""

from __future__ import annotations

import argparse

from nktrace.files.choices import from_json
from nktrace.files.hla_cuts import write_hla_cuts
from nktrace.files.knowledge import read_antibodies
from nktrace.files.lineages import read_lineages
from nktrace.files.panels import read_panel
from nktrace.files.rows import load_patient
from nktrace.model.errors import NktraceError
from nktrace.model.hla import Antibody
from nktrace.model.panel import Kind


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("lineages", nargs="*", help="lineages.parquet of time points, donor references, pooled blanks")
    parser.add_argument("--patient", required=True, type=load_patient, metavar="ROW", help="the patient's row as JSON")
    parser.add_argument("--panel", required=True, nargs="+", help="panel sheet of each panel of the samples")
    parser.add_argument("--antibodies", required=True, help="hla_antibodies.tsv")
    parser.add_argument("--settings", required=True, type=from_json, metavar="JSON")
    parser.add_argument("--output", required=True, help="hla_cuts.tsv")


def run(args: argparse.Namespace) -> int:
    """Write hla_cuts.tsv."""
    from nktrace.science.hla_controls import Tube, hla_cuts

    known = read_antibodies(args.antibodies)
    antibodies: dict[tuple[str, str], Antibody] = {}
    for panel in map(read_panel, args.panel):
        for detector in panel.of_kind(Kind.HLA):
            if detector.antibody not in known:
                raise NktraceError(
                    f"marker {detector.marker} has the antibody '{detector.antibody}', which is not in the table",
                    where=f"panel {panel.name}",
                    mend=f"Antibodies of {args.antibodies}: {', '.join(known)}",
                )
            antibodies[panel.name, detector.marker] = known[detector.antibody]
    samples = {sample.sample: sample for sample in args.patient.samples}
    tubes = [
        Tube(samples[lineages.sample], lineages)
        for lineages in map(read_lineages, args.lineages)
        if lineages.sample in samples
    ]
    choices = args.settings.chimerism
    cuts = hla_cuts(
        args.patient.patient,
        tubes,
        others=args.patient.others,
        antibodies=antibodies,
        min_separation=choices.min_separation,
        min_events=choices.min_reference_events,
        assumed_sensitivity=choices.assumed_sensitivity,
        assumed_events=choices.assumed_sensitivity_events,
        level=args.settings.level,
        bootstrap=choices.cut_bootstrap,
        seed=args.settings.seed,
    )
    write_hla_cuts(args.output, args.patient.patient.patient, cuts)
    return 0
