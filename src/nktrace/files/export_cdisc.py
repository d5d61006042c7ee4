"""A study's results in the shape of CDISC SDTM: a laboratory domain (LB), its supplemental qualifiers, dictionaries.

The shape only: codes are the study's own, there are no dates, and nothing has been validated for a submission.
Variables, qualifiers and test codes stand in resources/export/lb_*.tsv.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path

from nktrace.files.export_lb_records import Cells, Record, Row, qualifiers, records
from nktrace.files.export_text import plain, write_csv
from nktrace.files.installation import resource
from nktrace.files.tables import read_rows
from nktrace.model.study import EX_VIVO, ON_THE_TIMELINE, Role, Sample, roles_of_draws

LONGEST = 200  # characters of a value, by the transport format of SDTM
_SPECIMENS = {
    "whole_blood": ("BLOOD", ""),
    "pbmc_fresh": ("PERIPHERAL BLOOD MONONUCLEAR CELL", "FRESH"),
    "pbmc_cryo": ("PERIPHERAL BLOOD MONONUCLEAR CELL", "CRYOPRESERVED"),
    "tissue": ("TISSUE", ""),
}


def write_lb(
    directory: Path, samples: Mapping[str, Sample], tables: Mapping[str, Sequence[Row]], *, study: str
) -> None:
    """Write lb.csv, supplb.csv, tests.csv, qualifiers.csv and variables.csv.

    Args:
        directory: where to.
        samples: of the study by id; only those on a patient's timeline have records.
        tables: rows of counts, chimerism, subsets and qc, typed.
        study: STUDYID.
    """
    mine = {
        name: sample
        for name, sample in samples.items()
        if sample.patient and sample.role in ON_THE_TIMELINE and sample.condition == EX_VIVO
    }
    found = list(records(mine, tables))
    variables = read_rows(resource("export/lb_variables.tsv"))
    for dataset, rows in zip(("LB", "SUPPLB"), _domain(found, mine, study), strict=True):
        columns = [row["variable"] for row in variables if row["dataset"] == dataset]
        write_csv(directory / f"{dataset.lower()}.csv", columns, rows)
    write_csv(directory / "variables.csv", list(variables[0]), variables)
    described = list(qualifiers().values())
    write_csv(directory / "qualifiers.csv", list(described[0]), described)
    tests = {record.code: _test(record) for record in found}
    columns = ["LBTESTCD", "LBTEST", "LBCAT", "LBORRESU", "population", "table", "column"]
    write_csv(directory / "tests.csv", columns, (tests[code] for code in sorted(tests)))


def study_day(day: float) -> int | None:
    """The day as SDTM counts: the first infusion is on day 1, the day before it is day -1, there is no day 0.

    SDTM takes it from two dates. An elapsed time with a fraction of a day doesn't tell how many midnights lie in it:
    None.
    """
    return int(day) + (1 if day >= 0 else 0) if day == int(day) else None


def visit(day: float) -> str:
    """A day in words that both ways of counting share."""
    if day == 0:
        return "DAY OF INFUSION"
    unit = "DAY" if abs(day) == 1 else "DAYS"
    return f"{plain(abs(day))} {unit} {'AFTER' if day > 0 else 'BEFORE'} INFUSION"


def _test(record: Record) -> Cells:
    quantity = record.quantity
    return {
        "LBTESTCD": record.code,
        "LBTEST": plain(record.name),
        "LBCAT": quantity.category,
        "LBORRESU": quantity.unit,
        "population": plain(record.population),
        "table": quantity.table,
        "column": quantity.column,
    }


def _domain(records: Iterable[Record], samples: Mapping[str, Sample], study: str) -> tuple[list[Cells], list[Cells]]:
    """Rows of LB and SUPPLB: patients in the order of their ids, of each by test, day and sample."""
    ordered = sorted(records, key=_key)
    roles = roles_of_draws(samples.values())  # the tube that was counted may have another role than one beside it
    with_baseline = {sample.patient for sample in samples.values() if sample.role is Role.BASELINE}

    def is_baseline(record: Record) -> bool:
        wanted = Role.BASELINE if record.sample.patient in with_baseline else Role.BLANK
        return wanted in roles[record.sample.sample]

    def is_before(record: Record) -> bool:
        sample = record.sample
        return sample.day < 0 or (sample.day == 0 and roles[sample.sample] != {Role.TIMEPOINT})

    before, baseline = (_last_of_each(ordered, belongs) for belongs in (is_before, is_baseline))
    labels = {name: row["label"] for name, row in qualifiers().items()}
    lb, supplemental = [], []
    for _, of_patient in groupby(ordered, key=lambda record: record.sample.patient):
        for number, record in enumerate(of_patient, 1):
            subject = {"STUDYID": study, "USUBJID": f"{study}-{record.sample.patient}"}
            cells, rest = _cells(record)
            flags = {"LBLOBXFL": id(record) in before, "LBBLFL": id(record) in baseline}
            cells |= {flag: "Y" if set_ else "" for flag, set_ in flags.items()}
            lb.append(subject | {"DOMAIN": "LB", "LBSEQ": str(number)} | cells)
            for key, value in (record.qualifiers | rest).items():
                if value:
                    label = labels[key.rstrip("0123456789")]
                    of_record = {"RDOMAIN": "LB", "IDVAR": "LBSEQ", "IDVARVAL": str(number), "QORIG": "Derived"}
                    supplemental.append(subject | of_record | {"QNAM": key, "QLABEL": label, "QVAL": value})
    return lb, supplemental


def _key(record: Record) -> tuple[object, ...]:
    return record.sample.patient, record.code, record.sample.day, record.sample.sample, record.method, record.donor


def _cells(record: Record) -> tuple[Cells, Cells]:
    """The cells of LB, and as qualifiers a day that LBDY can't hold, and the reason: a result's whole, of a test not
    done what LBREASND can't hold."""
    sample = record.sample
    pieces = textwrap.wrap(record.reason, LONGEST - 1)  # room for an apostrophe
    result = plain(record.value) if not math.isnan(record.value) else f"<{plain(record.below)}" if record.done else ""
    specimen, condition = _SPECIMENS.get(sample.material, (sample.material.upper(), ""))
    of_study = study_day(sample.day)
    cells = {
        **record.cells,
        "LBREFID": plain(sample.sample),
        "LBSPID": record.donor,
        "LBTESTCD": record.code,
        "LBTEST": plain(record.name),
        "LBCAT": record.quantity.category,
        "LBORRES": result,
        "LBORRESU": record.quantity.unit if record.done else "",
        "LBSTRESC": result,
        "LBSTRESN": plain(record.value),
        "LBSTRESU": record.quantity.unit if record.done else "",
        "LBSTAT": "" if record.done else "NOT DONE",
        "LBREASND": "" if record.done else plain(pieces[0]) if pieces else "no value",
        "LBSPEC": specimen,
        "LBSPCCND": condition,
        "LBMETHOD": record.method,
        "VISITNUM": plain(sample.day),
        "VISIT": visit(sample.day),
        "LBDY": plain(of_study),
    }
    rest = pieces if record.done else pieces[1:]
    said = {f"REASON{number or ''}": plain(piece) for number, piece in enumerate(rest)}
    return cells, said | ({"RELDAY": plain(sample.day)} if of_study is None else {})


def _last_of_each(records: Sequence[Record], belongs: Callable[[Record], bool]) -> set[int]:
    """Of each patient, test, method and donor the last record with a result that `belongs`."""
    last = {
        (*_key(record)[:2], record.method, record.donor): id(record)
        for record in records
        if record.done and belongs(record)
    }
    return set(last.values())
