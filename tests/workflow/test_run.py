"""The whole way under Snakemake: what is made, what reruns, and what bad input does."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from nktrace.files.table_columns import COLUMNS
from nktrace.files.tables import read_rows, read_table

Command = Callable[..., subprocess.CompletedProcess[str]]
Plan = Callable[..., dict[str, int]]

SAMPLE_FILES = ("populations.tsv", "gates.tsv", "gates.xml", "qc.tsv", "subsets.tsv", "nk.parquet", "report.html")


def samples(study: Path) -> list[dict[str, str]]:
    return read_rows(study / "config" / "samples.tsv")


def gated(study: Path) -> list[dict[str, str]]:
    """The samples that have results of their own: single stains and unstained tubes have none."""
    return [row for row in samples(study) if row["role"] not in ("single_stain", "unstained")]


def rewrite(study: Path, rows: list[dict[str, str]]) -> None:
    lines = ["\t".join(rows[0]), *("\t".join(row.values()) for row in rows)]
    (study / "config" / "samples.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_every_file_of_the_contract_is_there(finished_study: Path) -> None:
    results = finished_study / "results"
    for row in gated(finished_study):
        for name in SAMPLE_FILES:
            assert (results / "samples" / row["sample"] / name).stat().st_size > 0
    for name in ("populations", "gates", "qc", "subsets", "counts", "chimerism", "trajectories", "kinetics", "cohort"):
        assert read_table(results / "cohort" / f"{name}.tsv", name), f"{name} has no rows"
    for name in ("cohort/clusters.tsv", "cohort/nk.h5ad", "provenance.json", "report/index.html"):
        assert (results / name).stat().st_size > 0
    for patient in {row["patient"] for row in samples(finished_study)} - {"NA"}:
        assert (results / "patients" / patient / "report.html").stat().st_size > 0


def test_fmo_controls_are_cut_at_the_end_of_their_negatives(finished_study: Path) -> None:
    cohort = read_table(finished_study / "results" / "cohort" / "populations.tsv", "populations")
    found = {row["sample"]: row for row in cohort if row["population"] == "nk_hla_dr"}
    controls = [row for row in gated(finished_study) if (row["role"], row["stain"]) == ("fmo", "HLA-DR")]
    assert len(controls) == 2
    for row in controls:
        assert found[row["sample"]]["gate_source"] == "control"
        assert found[row["sample"]]["fraction"] < 0.02
        assert "HLA-DR is left out of this tube" in found[row["sample"]]["reason"]


def test_an_fmo_control_calls_no_subset_that_it_cannot_see(finished_study: Path) -> None:
    fmo = next(row["sample"] for row in gated(finished_study) if (row["role"], row["stain"]) == ("fmo", "CD57"))
    subsets = read_table(finished_study / "results" / "samples" / fmo / "subsets.tsv", "subsets")
    status = {row["subset"]: row["status"] for row in subsets}
    assert {status[subset] for subset in ("adaptive", "terminal", "early_dim")} == {"not_resolvable"}
    assert status["bright"] == "ok"


def test_headers_are_those_of_the_contract(finished_study: Path) -> None:
    sample, patient = (samples(finished_study)[0][name] for name in ("sample", "patient"))
    elsewhere = dict.fromkeys(("gate_error", "nk_drift"), f"samples/{sample}")
    elsewhere |= dict.fromkeys(("curves", "hla_cuts"), f"patients/{patient}")
    # what this study does not ask for: compensation by controls, dilution series, other methods
    others = ("compensation", "dilution", "external")
    for name, columns in ((n, c) for n, c in COLUMNS.items() if not n.startswith(others)):
        place = elsewhere.get(name, "cohort")
        header = (finished_study / "results" / place / f"{name}.tsv").read_text(encoding="utf-8").split("\n", 1)[0]
        assert header.split("\t") == list(columns)


def test_a_finished_run_has_nothing_to_do(finished_study: Path, planned: Plan) -> None:
    assert planned(finished_study) == {}


def test_a_lost_table_is_made_again(study: Path, planned: Plan) -> None:
    (study / "results" / "samples" / samples(study)[0]["sample"] / "subsets.tsv").unlink()
    assert planned(study)["assign"] == 1


def test_one_page_needs_one_sample(study: Path, planned: Plan) -> None:
    target = "results/samples/{}/report.html".format(samples(study)[1]["sample"])
    shutil.rmtree(study / "results" / "samples")
    jobs = planned(study, target)
    assert jobs.pop("page_sample") == 1
    assert "survey" not in jobs, "the frozen reference needs no survey"
    assert not any(rule.startswith(("fit_", "cohort", "page_", "trajectories")) for rule in jobs)


def test_a_new_sample_runs_itself_and_what_sums_over_it(study: Path, planned: Plan) -> None:
    rows = samples(study)
    last = next(row for row in reversed(rows) if row["role"] == "timepoint")
    shutil.copy(study / "data" / last["fcs"], study / "data" / "one_more.fcs")
    rows.append(last | {"sample": "one_more", "day": str(float(last["day"]) + 7), "fcs": "one_more.fcs"})
    rewrite(study, rows)
    jobs = planned(study)
    assert {rule for rule in jobs if rule.startswith(("fit_", "survey", "simulate"))} == set()
    assert jobs["gate"] == jobs["assign"] == jobs["page_sample"] == 1
    assert jobs["counts"] == jobs["chimerism"] == jobs["trajectories"] == jobs["page_patient"] == 1
    assert jobs["cohort"] == jobs["page_cohort"] == 1


@pytest.mark.parametrize(
    ("section", "setting", "reruns", "leaves"),
    [
        ("kinetics", "confirm: false", "trajectories", {"gate", "assign", "hla_cuts", "chimerism", "counts"}),
        ("counts", "pipette_cv: 0.05", "counts", {"gate", "assign", "hla_cuts"}),
        ("chimerism", "mixed: 0.02", "chimerism", {"gate", "assign", "hla_cuts", "counts", "page_sample"}),
        ("clustering", "export_events: 500", "export_nk", {"gate", "assign", "chimerism", "page_sample"}),
        ("qc", "min_nk_events: 7", "gate", {"survey"}),
        ("clustering", "max_shift: 0.2", "assign", {"gate", "survey"}),
    ],
)
def test_a_setting_reruns_what_uses_it(
    study: Path, section: str, setting: str, reruns: str, leaves: set[str], planned: Plan
) -> None:
    config = study / "config" / "config.yaml"
    config.write_text(config.read_text(encoding="utf-8") + f"\n{section}:\n  {setting}\n", encoding="utf-8")
    jobs = planned(study)
    assert reruns in jobs
    assert not leaves & jobs.keys()
    assert not any(rule.startswith(("fit_", "survey", "simulate")) for rule in jobs)


@pytest.mark.slow
def test_two_runs_give_the_same_bytes(finished_study: Path, tmp_path: Path, nktrace: Command) -> None:
    again = tmp_path / "again"
    shutil.copytree(finished_study, again, ignore=shutil.ignore_patterns("results", ".snakemake"))
    done = nktrace("run", again, "--cores", "2")
    assert done.returncode == 0, done.stderr
    tables = sorted((finished_study / "results").rglob("*.tsv")) + sorted(
        (finished_study / "results").rglob("*.parquet")
    )
    compared = [path for path in tables if "benchmarks" not in path.parts]
    assert len(compared) > 50
    for path in compared:
        other = again / path.relative_to(finished_study)
        assert path.read_bytes() == other.read_bytes(), path


def test_an_unreadable_file_does_not_stop_the_others(study: Path, nktrace: Command) -> None:
    bad = samples(study)[2]
    (study / "data" / bad["fcs"]).write_bytes(b"this is not an FCS file, but the cohort goes on" * 20)
    done = nktrace("run", study, "--cores", "2")
    assert done.returncode == 2
    assert [line for line in done.stderr.splitlines() if line.startswith("FAILED")] != []
    assert bad["sample"] in done.stderr
    assert "Traceback" not in done.stderr
    directory = study / "results" / "samples" / bad["sample"]
    qc = read_table(directory / "qc.tsv", "qc")
    assert [row["status"] for row in qc if row["check"] == "readable"] == ["fail"]
    for name in ("populations", "gates", "subsets"):
        assert read_table(directory / f"{name}.tsv", name) == []
    assert (directory / "report.html").stat().st_size > 0
    cohort = read_table(study / "results" / "cohort" / "populations.tsv", "populations")
    assert {row["sample"] for row in cohort} == {row["sample"] for row in gated(study)} - {bad["sample"]}


@pytest.mark.parametrize(
    ("column", "value", "named"),
    [
        ("fcs", "no_such_file.fcs", "no_such_file.fcs"),
        ("day", "seventh", "seventh"),
        ("sample", "TWICE", "TWICE"),
        ("role", "timepiont", "timepoint"),
    ],
)
def test_faults_of_the_sheets_refuse_the_start(
    study: Path, column: str, value: str, named: str, nktrace: Command
) -> None:
    rows = samples(study)
    chosen = [index for index, row in enumerate(rows) if row["role"] == "timepoint"][:2]
    for index in chosen if value == "TWICE" else chosen[:1]:
        rows[index][column] = value
    rewrite(study, rows)
    before = sorted((study / "results").rglob("*"))
    done = nktrace("run", study)
    assert done.returncode == 2
    assert named in done.stderr
    assert f"row {chosen[-1 if value == 'TWICE' else 0] + 2}" in done.stderr
    assert "samples.tsv" in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted((study / "results").rglob("*")) == before


def test_a_marker_that_the_file_lacks_fails_that_panel_only_by_name(study: Path, nktrace: Command) -> None:
    panel = study / "config" / "panels" / f"{samples(study)[0]['panel']}.tsv"
    lines = panel.read_text(encoding="utf-8").splitlines()
    header = lines[0].split("\t")
    cells = dict(zip(header, lines[-1].split("\t"), strict=True)) | {"channel": "BV999-A", "marker": "CD999"}
    panel.write_text("\n".join([*lines, "\t".join(cells[name] for name in header)]) + "\n", encoding="utf-8")
    done = nktrace("check", study)
    assert done.returncode == 2
    assert "BV999-A" in done.stderr + done.stdout
    assert "Traceback" not in done.stderr


def test_a_second_run_waits_and_leaves_the_log_of_the_first_alone(study: Path, nktrace: Command) -> None:
    log = study / "results" / "logs" / "snakemake.log"
    with log.open("a", encoding="utf-8") as first:
        fcntl.flock(first, fcntl.LOCK_EX)
        before = log.read_bytes()
        done = nktrace("run", study)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert "another run works on this study" in done.stderr
        assert log.read_bytes() == before
        assert nktrace("run", study, "-n").returncode == 0, "asking what would be done is always possible"
        assert log.read_bytes() == before


def test_a_dry_run_is_the_table_of_steps(study: Path, nktrace: Command) -> None:
    (study / "results" / "report" / "index.html").unlink()
    lines = nktrace("run", study, "-n").stdout.split()
    assert lines[:2] == ["job", "count"]
    assert lines[-2] == "total"
    assert "page_cohort" in lines


def test_a_lock_that_a_killed_run_left_is_one_line_with_its_mend(study: Path, nktrace: Command) -> None:
    locks = study / ".snakemake" / "locks"
    locks.mkdir(parents=True, exist_ok=True)
    (locks / "0.output.lock").write_text("results/report/index.html\n", encoding="utf-8")
    (study / "results" / "report" / "index.html").unlink()
    done = nktrace("run", study)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert f"rm -r {locks}" in done.stderr


def test_results_that_cannot_be_written_are_one_line(study: Path, nktrace: Command) -> None:
    shutil.rmtree(study / "results")
    (study / "results").write_text("a file", encoding="utf-8")
    done = nktrace("run", study)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "results can't be written" in done.stderr
