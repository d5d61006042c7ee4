"""FlowKit, reading the FCS files and our Gating-ML, counts every population as we do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nktrace.files.rows import dump_sample
from nktrace.files.sheets import read_study
from nktrace.files.tables import read_rows, write_rows
from tests.conftest import Command, Plan, WrittenStudy


def test_flowkit_counts_the_same_in_every_simulated_sample(study: Path, nktrace: Command) -> None:
    done = nktrace("recount", study)
    assert done.returncode == 0, done.stderr
    rows = read_rows(study / "results" / "validation" / "recount.tsv")
    sheet = read_rows(study / "config" / "samples.tsv")
    gated = {row["sample"] for row in sheet if row["role"] not in ("single_stain", "unstained")}
    assert {row["sample"] for row in rows} == gated
    assert len(rows) > 100
    assert all(row["events"] == row["flowkit_events"] for row in rows)


def test_the_page_says_when_and_nothing_is_to_be_done_after(study: Path, nktrace: Command, planned: Plan) -> None:
    directory = next(table.parent for table in sorted((study / "results" / "samples").glob("*/populations.tsv")))
    tables = {path: path.read_bytes() for path in directory.glob("*.tsv")}
    assert nktrace("recount", study, "--sample", directory.name).returncode == 0
    record = json.loads((directory / "recount.json").read_text())
    page = " ".join((directory / "report.html").read_text().split())
    assert f"Recounted by FlowKit {record['flowkit']} on {record['recounted']}" in page
    assert f"{record['populations']} populations, 0 differ." in page
    assert {path: path.read_bytes() for path in directory.glob("*.tsv")} == tables
    assert planned(study) == {}
    gates = directory / "gates.xml"
    gates.write_text(gates.read_text() + "<!-- other gates -->\n")
    done = nktrace("page-sample", *_page_words(study, directory))
    assert done.returncode == 0, done.stderr
    assert "Not recounted since these gates were made" in (directory / "report.html").read_text()


def _page_words(study: Path, directory: Path) -> list[str]:
    sample = read_study(study)[0].samples[directory.name]
    return ["--sample", dump_sample(sample), "--output", str(directory / "report.html"), str(directory)]


def test_a_difference_is_named(study: Path, nktrace: Command) -> None:
    table = next((study / "results" / "samples").glob("*/populations.tsv"))
    rows = read_rows(table)
    rows[3]["events"] = str(int(rows[3]["events"]) + 1)
    write_rows(table, list(rows[0]), rows)
    done = nktrace("recount", study)
    assert done.returncode == 2
    assert f"DIFFERS {table.parent.name} {rows[3]['population']}" in done.stderr


def test_a_study_that_was_not_run_is_told_so(written_study: WrittenStudy, nktrace: Command) -> None:
    done = nktrace("recount", written_study.path)
    assert done.returncode == 2
    assert "nktrace run" in done.stderr


@pytest.mark.parametrize("command", [("sample",), ("recount", "--sample")])
def test_a_sample_must_be_one_that_is_gated(
    written_study: WrittenStudy, nktrace: Command, command: tuple[str, ...]
) -> None:
    written_study.replace("samples.tsv", "fmo", "single_stain")
    verb, *option = command
    done = nktrace(verb, written_study.path, *option, "F1")
    assert done.returncode == 2
    assert "'F1' is single_stain, which is not gated" in done.stderr
    done = nktrace(verb, written_study.path, *option, "F3")
    assert done.returncode == 2
    assert "there is no sample 'F3'. There is: D1, F1, S1, S2." in done.stderr
