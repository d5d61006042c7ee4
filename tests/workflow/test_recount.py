"""FlowKit, reading the FCS files and our Gating-ML, counts every population as we do."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

from nktrace.files.tables import read_rows, write_rows
from tests.conftest import WrittenStudy

Command = Callable[..., subprocess.CompletedProcess[str]]


def test_flowkit_counts_the_same_in_every_simulated_sample(study: Path, nktrace: Command) -> None:
    done = nktrace("recount", study)
    assert done.returncode == 0, done.stderr
    rows = read_rows(study / "results" / "validation" / "recount.tsv")
    assert {row["sample"] for row in rows} == {row["sample"] for row in read_rows(study / "config" / "samples.tsv")}
    assert len(rows) > 100
    assert all(row["events"] == row["flowkit_events"] for row in rows)


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
