"""A study's results for REDCap: a data dictionary, and the CSV that imports into the project made from it.

A classic project with one record per patient. Counts, chimerism, subsets and kinetics are repeating instruments: an
instance is a row of the table. What a data dictionary may hold follows REDCap's own rules: lower-case names of at most
26 characters, 18 columns in this order, codes of letters, digits and underscores.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from nktrace.files.export_text import plain, write_csv
from nktrace.files.table_docs import ColumnDoc, column_docs
from nktrace.model.counting import taken_over
from nktrace.model.study import Patient
from nktrace.model.trajectories import TIME_TO_THRESHOLD, Ending, ending

Row = Mapping[str, Any]

DICTIONARY = (
    "Variable / Field Name",
    "Form Name",
    "Section Header",
    "Field Type",
    "Field Label",
    "Choices, Calculations, OR Slider Labels",
    "Field Note",
    "Text Validation Type OR Show Slider Number",
    "Text Validation Min",
    "Text Validation Max",
    "Identifier?",
    "Branching Logic (Show field only if...)",
    "Required Field?",
    "Custom Alignment",
    "Question Number (surveys only)",
    "Matrix Group Name",
    "Matrix Ranking?",
    "Field Annotation",
)
RECORD, INSTRUMENT, INSTANCE = "record_id", "redcap_repeat_instrument", "redcap_repeat_instance"
PATIENT_FORM, EXPOSURE = "nk_patient", "nk_exposure_day"
FORMS = {"counts": "cn", "chimerism": "ch", "subsets": "sb", "kinetics": "kn"}  # table -> prefix of its variables
_LISTED = frozenset(("population", "subset", "measure", "quantity"))  # choices are what the study has
_LONG = frozenset(("reason", "note"))
OUTCOME = ColumnDoc(
    name="outcome",
    kind=str,
    unit="",
    values=tuple(Ending),
    meaning="of a time to a threshold: reached; censored: not reached, or not surely, ci_low is the last day known"
    " to be below; died_before: never, ci_low is the day of death; died_later: as censored, and nothing is known from"
    " ci_low to a later death. Empty for who was not at risk and other quantities",
)


def write_redcap(directory: Path, patients: Sequence[Patient], tables: Mapping[str, Sequence[Row]]) -> None:
    """Write data_dictionary.csv and import.csv.

    Args:
        directory: where to.
        patients: a record each.
        tables: rows of the tables in FORMS, typed, each with `patient`; subsets with `day` too. Counts that a tube has
            from another are left out: that one has them.
    """
    counts = [row for row in tables["counts"] if not taken_over(row["reason"])]
    deaths = {patient.patient: patient.death_day for patient in patients}
    kinetics = [
        {**row, OUTCOME.name: _outcome(row, deaths.get(row["patient"], math.nan))} for row in tables["kinetics"]
    ]
    tables = {**tables, "counts": counts, "kinetics": kinetics}
    choices = {
        (table, name): _codes([*doc.values, *(row[name] for row in tables[table] if row[name] is not None)])
        for table in FORMS
        for name, doc in _listed(table).items()
    }
    write_csv(directory / "data_dictionary.csv", DICTIONARY, _dictionary(choices))
    variables = [variable(table, name) for table in FORMS for name in _columns(table)]
    header = (RECORD, INSTRUMENT, INSTANCE, EXPOSURE, *variables)
    write_csv(directory / "import.csv", header, _records(patients, tables, choices))


def form(table: str) -> str:
    """The repeating instrument of a table."""
    return f"nk_{table}"


def variable(table: str, column: str) -> str:
    """The field of a column."""
    return f"{FORMS[table]}_{column}"


def _columns(table: str) -> dict[str, ColumnDoc]:
    docs = dict(column_docs(table))
    docs.pop("patient", None)
    if "sample" in docs and "day" not in docs:  # subsets.tsv has none: the sheet says it
        docs = {"sample": docs.pop("sample"), "day": column_docs("counts")["day"], **docs}
    if table == "kinetics":
        docs[OUTCOME.name] = OUTCOME
    return docs


def _outcome(row: Row, death_day: float) -> str | None:
    """How the waiting for a threshold ended: a cell of REDCap can't hold the infinite value of a death before it."""
    if not row["quantity"].startswith(TIME_TO_THRESHOLD):
        return None
    return ending(value=row["value"], status=row["status"], death_day=death_day)


def _listed(table: str) -> dict[str, ColumnDoc]:
    docs = _columns(table)
    return {name: doc for name, doc in docs.items() if doc.kind is str and (doc.values or name in _LISTED)}


def _codes(values: Any) -> dict[str, str]:
    """A code of lower-case letters, digits and underscores for each value, in the values' order."""
    codes: dict[str, str] = {}
    for value in dict.fromkeys(values):
        code = re.sub(r"[^a-z0-9]+", "_", value.casefold()).strip("_") or "other"
        taken = set(codes.values())
        codes[value] = next(c for c in (code, *(f"{code}_{n}" for n in range(2, len(taken) + 3))) if c not in taken)
    return codes


def _dictionary(choices: Mapping[tuple[str, str], Mapping[str, str]]) -> Iterator[dict[str, str]]:
    name, form_name, kind, label, listed, note, validation = (DICTIONARY[i] for i in (0, 1, 3, 4, 5, 6, 7))
    yield {name: RECORD, form_name: PATIENT_FORM, kind: "text", label: "Patient", "Identifier?": "y"}
    exposure = "Day on which the patient first met donor cells, from the first infusion (a graft may come before it)"
    yield {name: EXPOSURE, form_name: PATIENT_FORM, kind: "text", label: exposure, note: "days", validation: "number"}
    for table in FORMS:
        for column, doc in _columns(table).items():
            options = choices.get((table, column), {})
            field = {name: variable(table, column), form_name: form(table), label: _label(doc), note: doc.unit}
            if options:
                field |= {kind: "dropdown", listed: " | ".join(f"{code}, {_word(v)}" for v, code in options.items())}
            elif doc.kind in (int, float):
                field |= {kind: "text", validation: "integer" if doc.kind is int else "number"}
            else:
                field[kind] = "notes" if column in _LONG else "text"
            yield field


def _label(doc: ColumnDoc) -> str:
    return f"{doc.name}: {doc.meaning}"


def _word(value: str) -> str:
    return value.replace("|", "/")


def _records(
    patients: Sequence[Patient],
    tables: Mapping[str, Sequence[Row]],
    choices: Mapping[tuple[str, str], Mapping[str, str]],
) -> Iterator[dict[str, str]]:
    for patient in patients:
        yield {RECORD: plain(patient.patient), EXPOSURE: plain(patient.first_donor_exposure_day)}
        for table in FORMS:
            mine = [row for row in tables[table] if row["patient"] == patient.patient]
            for instance, row in enumerate(mine, 1):
                yield {
                    RECORD: plain(patient.patient),
                    INSTRUMENT: form(table),
                    INSTANCE: str(instance),
                    **{variable(table, c): _cell(row[c], choices.get((table, c))) for c in _columns(table)},
                }


def _cell(value: Any, codes: Mapping[str, str] | None) -> str:
    return codes[value] if codes and value is not None else plain(value)
