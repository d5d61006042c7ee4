"""`nktrace hla`: which antibodies tell donor from recipient, for a pair or for all patients of a study."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path

from nktrace.files.installation import knowledge
from nktrace.files.knowledge import read_antibodies
from nktrace.model.errors import NktraceError
from nktrace.model.hla import Antibody
from nktrace.model.study import Patient
from nktrace.science.hla import informs
from nktrace.science.hla_typing import parse_typing

COLUMNS = ("patient", "antibody", "information", "direction", "deciding_alleles", "caution")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("study", nargs="?", help="a study's directory; or give the typings of a pair")
    parser.add_argument("--recipient", metavar="TYPING", help="e.g. 'A*01:01,A*02:01;B*07:02,B*08:01'")
    parser.add_argument("--donor", metavar="TYPING")
    parser.add_argument("--prior-graft", metavar="TYPING", default="", help="donor of an earlier stem cell graft")
    parser.add_argument("--antibodies", help="hla_antibodies.tsv; by default the study's, or the one that comes along")


def run(args: argparse.Namespace) -> int:
    """Print one row per patient and antibody, the informative ones first."""
    antibodies = read_antibodies(args.antibodies or knowledge("hla_antibodies.tsv", args.study or "."))
    patients = _patients(args)
    print("\t".join(COLUMNS))
    for patient in patients:
        for line in sorted(_lines(patient, antibodies), key=lambda line: line[2] != "informative"):
            print("\t".join(line))
    return 0


def _patients(args: argparse.Namespace) -> list[Patient]:
    if args.study and not (args.recipient or args.donor):
        from nktrace.files.sheets import read_study

        study, _ = read_study(Path(args.study))
        return list(study.patients.values())
    if args.study or not (args.recipient and args.donor):
        raise NktraceError("give either a study or both --recipient and --donor", where="nktrace hla")
    return [
        Patient(patient="pair", recipient_hla=args.recipient, donor_hla=args.donor, prior_graft_hla=args.prior_graft)
    ]


def _lines(patient: Patient, antibodies: Mapping[str, Antibody]) -> Iterator[tuple[str, ...]]:
    typings = {
        who: parse_typing(text) if text else None
        for who, text in (
            ("donor", patient.donor_hla),
            ("recipient", patient.recipient_hla),
            ("prior_graft", patient.prior_graft_hla),
        )
    }
    for antibody in antibodies.values():
        verdict = informs(antibody, **typings)
        yield (
            patient.patient,
            verdict.antibody,
            verdict.information.value,
            verdict.direction.value if verdict.direction else "NA",
            ", ".join(verdict.deciding) or "NA",
            verdict.caution or "NA",
        )
