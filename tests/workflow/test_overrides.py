"""A gate that an analyst changed: what reruns, which tables change, and that another program still counts the same."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from nktrace.files.flowkit_counts import recounted
from nktrace.files.tables import read_rows, read_table

Command = Callable[..., subprocess.CompletedProcess[str]]
Plan = Callable[..., dict[str, int]]

SAMPLE = "S2-d07"
WHO = "who: A. Analyst\n  when: 2026-03-01T10:00:00Z\n  why: <b>by eye</b>\n"
MOVED = f"- sample: {SAMPLE}\n  population: nk\n  method: shift\n  settings: x=0.06\n  {WHO}"
SINGLETS = f"- sample: {SAMPLE}\n  population: singlets\n  method: shift\n  settings: x=500;y=-900\n  {WHO}"
POLYGON = (
    f"- sample: {SAMPLE}\n  population: nk_bright\n  method: polygon\n  channels: CD56,CD16\n"
    f"  settings: points=0.6,-0.2 1.1,-0.1 1.05,0.47 0.7,0.33\n  {WHO}"
)
SET = f"- sample: {SAMPLE}\n  population: cd3\n  method: rectangle\n  settings: 'x=0.35:'\n  {WHO}"


def override(study: Path, *items: str) -> None:
    path = study / "config" / "overrides" / "by_eye.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(items), encoding="utf-8")


def tables(study: Path) -> dict[str, bytes]:
    paths = (study / "results" / "samples").glob("*/*.tsv")
    return {path.relative_to(study / "results" / "samples").as_posix(): path.read_bytes() for path in sorted(paths)}


def counts(study: Path) -> dict[str, int]:
    rows = read_table(study / "results" / "samples" / SAMPLE / "populations.tsv", "populations")
    return {row["population"]: row["events"] for row in rows}


def test_only_that_sample_and_what_depends_on_it_would_run(study: Path, planned: Plan) -> None:
    override(study, MOVED)
    jobs = planned(study)
    assert jobs["gate"] == jobs["assign"] == jobs["page_sample"] == jobs["page_patient"] == jobs["chimerism"] == 1
    assert not any(rule.startswith(("fit_", "survey", "simulate")) for rule in jobs)


def test_all_samples_of_a_batch_would_run_by_an_override_of_it(study: Path, planned: Plan) -> None:
    sheet = read_rows(study / "config" / "samples.tsv")
    batch, panel = next((row["batch"], row["panel"]) for row in sheet if row["sample"] == SAMPLE)
    gated = [path.name for path in (study / "results" / "samples").iterdir()]
    mine = [r["sample"] for r in sheet if (r["batch"], r["panel"]) == (batch, panel) and r["sample"] in gated]
    override(study, MOVED.replace(f"sample: {SAMPLE}", f"batch: {batch}\n  panel: {panel}"))
    assert planned(study)["gate"] == len(mine) > 1


@pytest.mark.slow
def test_a_moved_gate_changes_what_is_below_it(study: Path, nktrace: Command) -> None:
    before, had = tables(study), counts(study)
    override(study, MOVED)
    done = nktrace("run", study, "--cores", "2")
    assert done.returncode == 0, done.stderr
    changed = {name for name, content in tables(study).items() if content != before[name]}
    assert {name.split("/")[0] for name in changed} == {SAMPLE}
    has = counts(study)
    below = {name for name in has if name.startswith("nk")} - {"nkt_like"}
    assert {name for name in has if has[name] != had[name]} <= below
    assert has["nk"] < had["nk"]
    (row,) = read_table(study / "results" / "cohort" / "overrides.tsv", "overrides")
    assert (row["sample"], row["population"], row["why"]) == (SAMPLE, "nk", "<b>by eye</b>")
    assert (row["events"], row["automatic_events"]) == (has["nk"], had["nk"])
    for page in (f"samples/{SAMPLE}/report.html", "patients/S2/report.html", "report/index.html"):
        html = (study / "results" / page).read_text(encoding="utf-8")
        assert "&lt;b&gt;by eye&lt;/b&gt;" in html
        assert "<b>by eye" not in html
    override(study)  # no override any more
    assert nktrace("run", study, "--cores", "2").returncode == 0
    assert tables(study) == before


def test_flowkit_counts_the_same_under_overrides(study: Path, nktrace: Command) -> None:
    had = counts(study)
    override(study, SINGLETS, SET, POLYGON)
    done = nktrace("sample", study, SAMPLE)
    assert done.returncode == 0, done.stderr
    has = counts(study)
    assert all(has[name] != had[name] for name in ("singlets", "cd3", "nk_bright"))
    fcs = next(row["fcs"] for row in read_rows(study / "config" / "samples.tsv") if row["sample"] == SAMPLE)
    again = recounted(study / "data" / fcs, study / "results" / "samples" / SAMPLE)
    assert {name: theirs for name, (_, theirs) in again.items()} == has
