"""`nktrace hla`: which antibodies tell donor from recipient, and which to order, also before a study has any file."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from nktrace.files.installation import knowledge
from nktrace.files.knowledge import read_antibodies
from nktrace.files.tables import write_rows
from nktrace.model.errors import Fault, NktraceError, StudyFaults, TypingError
from nktrace.model.hla import Antibody, Direction, Information, Typing, Verdict
from nktrace.model.study import Patient
from nktrace.science.hla_advice import DIRECTIONS, Advice, advise, smallest_set
from nktrace.science.hla_typing import parse_typing

COLUMNS = ("patient", "antibody", "information", "direction", "deciding_alleles", "caution")
ADVICE = (
    "patient",
    "direction",
    "antibody",
    "clone",
    "deciding_alleles",
    "caution",
    "alternatives",
    "of_fewest",
    "of_fewest_both",
    "reason",
)
WORDS = {Direction.DONOR_POSITIVE: "donor-positive", Direction.RECIPIENT_POSITIVE: "recipient-positive"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "study", nargs="?", help="a study's directory, or a patients.tsv alone; or give the typings of a pair"
    )
    parser.add_argument("--recipient", metavar="TYPING", help="e.g. 'A*01:01,A*02:01;B*07:02,B*08:01'")
    parser.add_argument("--donor", metavar="TYPING")
    parser.add_argument("--prior-graft", metavar="TYPING", default="", help="donor of an earlier stem cell graft")
    parser.add_argument("--antibodies", help="hla_antibodies.tsv; by default the study's, or the one that comes along")
    parser.add_argument("--advice", metavar="FILE", help="write the advice as a table: a row per patient and direction")


def run(args: argparse.Namespace) -> int:
    """Print one row per patient and antibody, the informative ones first; then, to standard error, what to order."""
    patients, directory = _patients(args)
    antibodies = read_antibodies(args.antibodies or directory / knowledge("hla_antibodies.tsv", directory))
    pairs = {patient.patient: advise(antibodies.values(), **_typings(patient)) for patient in patients}
    print("\t".join(COLUMNS))
    for patient, advice in pairs.items():
        for verdict in sorted(advice.verdicts, key=lambda verdict: verdict.information is not Information.INFORMATIVE):
            print("\t".join(_line(patient, verdict)))
    sys.stdout.flush()
    fewest, both = (smallest_set(pairs, both=directions) for directions in (False, True))
    for words in _words(pairs, antibodies, fewest, both):
        print(words, file=sys.stderr)
    if args.advice:
        write_rows(args.advice, ADVICE, list(_rows(pairs, antibodies, fewest, both)))
    return 0


def _patients(args: argparse.Namespace) -> tuple[list[Patient], Path]:
    """The pairs, and the directory whose own table of antibodies counts."""
    if args.study and not (args.recipient or args.donor):
        from nktrace.files.sheets import read_patients

        given = Path(args.study)
        sheet = given / "config" / "patients.tsv" if given.is_dir() else given
        beside = sheet.absolute().parent
        return list(read_patients(sheet).values()), beside.parent if beside.name == "config" else beside
    if args.study or not (args.recipient and args.donor):
        raise NktraceError(
            "give either a study (or its patients.tsv) or both --recipient and --donor", where="nktrace hla"
        )
    faults = []
    for option in ("recipient", "donor", "prior_graft"):
        try:
            parse_typing(getattr(args, option))
        except TypingError as error:
            faults.append(Fault(file=f"--{option.replace('_', '-')}", what=error.what, mend=error.mend))
    if faults:
        raise StudyFaults(faults)
    pair = Patient(patient="pair", recipient_hla=args.recipient, donor_hla=args.donor, prior_graft_hla=args.prior_graft)
    return [pair], Path()


def _typings(patient: Patient) -> dict[str, Typing | None]:
    texts = {"donor": patient.donor_hla, "recipient": patient.recipient_hla, "prior_graft": patient.prior_graft_hla}
    return {who: parse_typing(text) if text else None for who, text in texts.items()}


def _line(patient: str, verdict: Verdict) -> tuple[str, ...]:
    return (
        patient,
        verdict.antibody,
        verdict.information.value,
        verdict.direction.value if verdict.direction else "NA",
        ", ".join(verdict.deciding) or "NA",
        verdict.caution or "NA",
    )


# --- advice -----------------------------------------------------------------------------------------------------------


def _words(
    pairs: Mapping[str, Advice], antibodies: Mapping[str, Antibody], fewest: Sequence[str], both: Sequence[str]
) -> Iterator[str]:
    """The advice for people: pair by pair, then what to order for all."""
    yield "What to order:"
    for patient, advice in pairs.items():
        found = [_best(advice, direction, antibodies) for direction in DIRECTIONS]
        yield f"  {patient}: {'; '.join(filter(None, found)) or _why_none(advice)}"
        for note in (*(_caution(verdict) for need in advice.needs for verdict in need[:1]), *advice.notes):
            if note:
                yield f"    {note}"
    if len(pairs) < 2:
        return
    informed = [patient for patient, advice in pairs.items() if advice.needs]
    twice = [patient for patient, advice in pairs.items() if len(advice.needs) == len(DIRECTIONS)]
    if informed:
        yield f"Fewest for all pairs in one direction: {', '.join(fewest)} ({len(informed)} of {len(pairs)} pairs)"
        yield f"Fewest in both directions where there are two: {', '.join(both)} ({len(twice)} of {len(pairs)} in both)"
    left = [patient for patient in pairs if patient not in informed]
    yield f"Left without any: {', '.join(left) or 'none'}"


def _best(advice: Advice, direction: Direction, antibodies: Mapping[str, Antibody]) -> str:
    found = advice.by(direction)
    if not found:
        return ""
    others = ", ".join(verdict.antibody for verdict in found[1:])
    best = f"{_named(antibodies[found[0].antibody])} ({', '.join(found[0].deciding)})"
    return f"{WORDS[direction]} {best}" + (f", or {others}" if others else "")


def _named(antibody: Antibody) -> str:
    clone = antibody.clone
    return antibody.antibody + (f" [{clone}]" if clone and clone != antibody.antibody else "")


def _caution(verdict: Verdict) -> str:
    return f"{verdict.antibody} {verdict.caution}" if verdict.caution else ""


def _why_none(advice: Advice) -> str:
    """Why no antibody informs: a typing that is missing, or that none of them tells the two apart."""
    missing = dict.fromkeys(reason for verdict in advice.undecided for reason in verdict.deciding)
    if missing:
        return f"none, but {', '.join(v.antibody for v in advice.undecided)} may: {'; '.join(missing)}"
    return "none: every antibody of the table marks both or neither"


def _rows(
    pairs: Mapping[str, Advice], antibodies: Mapping[str, Antibody], fewest: Sequence[str], both: Sequence[str]
) -> Iterator[dict[str, str]]:
    for patient, advice in pairs.items():
        for direction in DIRECTIONS:
            found = advice.by(direction)
            names = [verdict.antibody for verdict in found]
            best = found[0] if found else None
            reasons = [*advice.notes] if best else [_why_none(advice)] if not advice.needs else ["no such antibody"]
            yield {
                "patient": patient,
                "direction": direction.value,
                "antibody": best.antibody if best else "",
                "clone": antibodies[best.antibody].clone if best else "",
                "deciding_alleles": ", ".join(best.deciding) if best else "",
                "caution": best.caution if best else "",
                "alternatives": ",".join(names[1:]),
                "of_fewest": ",".join(name for name in fewest if name in names),
                "of_fewest_both": ",".join(name for name in both if name in names),
                "reason": "; ".join(reasons),
            }
