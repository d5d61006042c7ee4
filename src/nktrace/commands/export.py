"""`nktrace export`: a finished study's results for other databases: days, ids and reasons, no dates, no file names."""

from __future__ import annotations

import argparse
import re
import shutil
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from shlex import quote
from typing import Any

from nktrace.files.atomic import publishing
from nktrace.files.export_text import Redaction
from nktrace.files.installation import resource
from nktrace.files.sheet_columns import SAMPLES
from nktrace.files.sheets import read_study
from nktrace.files.table_columns import CLUSTERS_BEFORE, CLUSTERS_BEHIND, COLUMNS
from nktrace.files.table_docs import ColumnDoc, column_docs, table_docs
from nktrace.files.tables import read_rows, read_table, typed
from nktrace.model.errors import NktraceError
from nktrace.model.study import Study

Row = Mapping[str, Any]

FORMATS = ("redcap", "cdisc-lb", "parquet")
NEEDED = ("counts", "chimerism", "subsets", "kinetics", "qc")
NOT_EXPORTED = {"overrides": ("who", "when", "why")}  # names, times and an analyst's own words
SAMPLE_COLUMNS = ("sample", "patient", "day", "role", "panel", "batch", "specimen", "material", "condition")
_STUDY_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}", re.ASCII)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("study", nargs="?", default=".", type=Path, help="directory that holds config/ and results/")
    parser.add_argument("--format", action="append", choices=FORMATS, help="may be repeated (default: all formats)")
    parser.add_argument(
        "--output", required=True, type=Path, metavar="DIR", help="gets a directory for each format, with a README.md"
    )
    parser.add_argument(
        "--study-id", default="STUDY", type=_study_id, help="STUDYID of the CDISC files (default: STUDY)"
    )


def _study_id(text: str) -> str:
    if not _STUDY_ID.fullmatch(text):
        raise argparse.ArgumentTypeError(f"'{text}' is not an id of at most 40 letters, digits, '.', '_' and '-'")
    return text


def run(args: argparse.Namespace) -> int:
    """Write the formats asked for, all of them or none; what stood there is replaced."""
    study, _ = read_study(args.study)
    cohort = args.study / "results" / "cohort"
    if missing := [name for name in NEEDED if not (cohort / f"{name}.tsv").is_file()]:
        mend = f"Run `nktrace run {quote(str(args.study))}` first."
        raise NktraceError(f"there are no results yet ({missing[0]}.tsv is missing)", where=str(cohort), mend=mend)
    tables = _tables(cohort, study, again=f"Run `nktrace run {quote(str(args.study))}` again.")
    formats = list(dict.fromkeys(args.format or FORMATS))
    with ExitStack() as all_or_none:
        for name in formats:
            draft = all_or_none.enter_context(publishing(args.output / name))
            _write(name, draft, study, tables, study_id=args.study_id)
            shutil.copyfile(resource(f"export/{name}.md"), draft / "README.md")
            _refuse_others(args.output / name, draft)
    for name in formats:
        print(f"Wrote {args.output / name}: {len(list((args.output / name).iterdir()))} files, README.md first")
    return 0


def _tables(cohort: Path, study: Study, *, again: str) -> dict[str, list[dict[str, Any]]]:
    """Every table of the cohort, typed, without file names and dates; subsets know their patient and day."""
    redacted = Redaction(study)
    tables: dict[str, list[dict[str, Any]]] = {}
    for name in table_docs():
        path = cohort / f"{name}.tsv"
        if name in COLUMNS and path.is_file():
            rows = _read(path, name, again)
            tables[name] = [{c: redacted(v) if isinstance(v, str) else v for c, v in row.items()} for row in rows]
    for name in ("counts", "chimerism", "kinetics"):
        if unknown := sorted({row["patient"] for row in tables[name]} - study.patients.keys()):
            what = f"patient {unknown[0]} is not in config/patients.tsv"
            raise NktraceError(what, where=str(cohort / f"{name}.tsv"), mend=again)
    if (cohort / "clusters.tsv").is_file():
        tables["clusters"] = [
            {c: typed(row[c], doc.kind, cohort / "clusters.tsv") for c, doc in _cluster_columns(list(row)).items()}
            for row in read_rows(cohort / "clusters.tsv")
        ]
    return tables


def _read(path: Path, name: str, again: str) -> list[dict[str, Any]]:
    try:
        return read_table(path, name)
    except NktraceError as error:  # of an older version, or changed by hand
        raise NktraceError(error.what, where=error.where, mend=again) from None


def _cluster_columns(header: Sequence[str]) -> dict[str, ColumnDoc]:
    return column_docs("clusters", [c for c in header if c not in (*CLUSTERS_BEFORE, *CLUSTERS_BEHIND)])


def _write(name: str, directory: Path, study: Study, tables: Mapping[str, Sequence[Row]], *, study_id: str) -> None:
    if name == "redcap":
        from nktrace.files.export_redcap import write_redcap

        patients = [patient for key, patient in study.patients.items() if study.samples_of(key)]
        write_redcap(directory, patients, {**tables, "subsets": _on_timeline(study, tables["subsets"])})
    elif name == "cdisc-lb":
        from nktrace.files.export_cdisc import write_lb

        write_lb(directory, study.samples, tables, study=study_id)
    else:
        _write_parquet(directory, study, tables)


def _on_timeline(study: Study, rows: Sequence[Row]) -> list[Row]:
    of_patients = {s.sample: s for patient in study.patients for s in study.samples_of(patient)}
    known = ((of_patients[row["sample"]], row) for row in rows if row["sample"] in of_patients)
    return [{**row, "patient": sample.patient, "day": sample.day} for sample, row in known]


def _write_parquet(directory: Path, study: Study, tables: Mapping[str, Sequence[Row]]) -> None:
    from nktrace.files.export_parquet import write_described

    for name, rows in tables.items():
        markers = list(rows[0]) if name == "clusters" and rows else list(CLUSTERS_BEFORE + CLUSTERS_BEHIND)
        columns = _cluster_columns(markers) if name == "clusters" else column_docs(name)
        told = {column: doc for column, doc in columns.items() if column not in NOT_EXPORTED.get(name, ())}
        write_described(directory / f"{name}.parquet", name, told, rows)
    docs = {column.name: column.doc for column in SAMPLES}
    kinds = {"day": float}
    samples = {name: ColumnDoc(name, kinds.get(name, str), "", (), docs[name]) for name in SAMPLE_COLUMNS}
    rows = [asdict(sample) for sample in study.samples.values()]
    write_described(directory / "samples.parquet", "samples", samples, rows)


def _refuse_others(target: Path, draft: Path) -> None:
    """What stands there is replaced, so it has to be an older export."""
    here = {path.name for path in target.iterdir()} if target.is_dir() else set()
    if strangers := sorted(here - {path.name for path in draft.iterdir()}):
        raise NktraceError(
            f"{strangers[0]} is not of this export",
            where=str(target),
            mend="Choose another directory, or move it away.",
        )
