"""`nktrace export`: Parquet, and what all formats have in common."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
from pyarrow import parquet

from nktrace.cli import main
from nktrace.files.export_text import guarded, plain
from nktrace.files.installation import resource
from nktrace.files.table_columns import COLUMNS
from nktrace.files.table_docs import column_docs
from nktrace.files.tables import write_table
from tests.commands.finished_study import EVIL, cells, export, finished_study, lb
from tests.pages.study_rows import row


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return finished_study(tmp_path)


def test_parquet_has_every_table_with_its_columns_described(study: Path) -> None:
    output = export(study, "--format", "parquet") / "parquet"
    there = {path.stem for path in (study / "results" / "cohort").glob("*.tsv")}
    assert {path.stem for path in output.glob("*.parquet")} == there | {"samples"}
    for name in there - {"clusters", "overrides"}:
        schema = parquet.read_schema(output / f"{name}.parquet")
        assert schema.names == list(COLUMNS[name])
        for field in schema:
            doc = column_docs(name)[field.name]
            assert field.metadata[b"description"].decode() == doc.meaning
            assert field.metadata.get(b"unit", b"").decode() == doc.unit
    table = parquet.read_table(output / "chimerism.parquet").to_pylist()
    assert [each["donor_fraction"] for each in table] == [-0.001, 0.12, 0.12, None]
    assert parquet.read_table(output / "populations.parquet").to_pylist()[0]["events"] == 40
    (cluster,) = parquet.read_table(output / "clusters.parquet").to_pylist()
    assert (cluster["CD56"], cluster["cluster"], cluster["unstable"], cluster["cl_id"]) == (0.5, 1, False, None)
    samples = parquet.read_table(output / "samples.parquet").to_pylist()
    assert [each["day"] for each in samples] == [-4, -1, 0, 7.5]


def test_a_count_of_another_tube_is_exported_once(study: Path) -> None:
    """The phenotyping tube's own rows and its donor cells stay; what only repeats the counting tube's number goes."""
    known = {"patient": "P1", "day": 7.5, "platform": "beads", "status": "ok", "cells_per_ul": 200.0}
    counted = [row("counts", sample="P1-d00", population="nk", **known)]
    copy = row("counts", sample="P1-d07", population="nk", reason="counted in tube P1-d00; gate warns", **known)
    own = row("counts", sample="P1-d07", population="nk_dim", reason="joined (nk counted in P1-d00)", **known)
    write_table(study / "results" / "cohort" / "counts.tsv", "counts", [*counted, copy, own])
    share = {"patient": "P1", "population": "nk", "donor_fraction": 0.1, "donor_cells_per_ul": 20.0, "lod": 0.01}
    seen = row("chimerism", sample="P1-d07", day=7.5, status="quantified", **share)
    write_table(study / "results" / "cohort" / "chimerism.tsv", "chimerism", [seen])
    found = {(r["LBREFID"], r["LBTESTCD"]): r["LBMETHOD"] for r in lb(study)[0] if r["LBTESTCD"][0] in "CE"}
    assert set(found) == {("P1-d00", "CNK"), ("P1-d07", "CNKDIM"), ("P1-d07", "ENK")}
    assert found["P1-d07", "ENK"] == "FLOW CYTOMETRY, BEADS"
    rows = cells(export(study, "--format", "redcap") / "redcap" / "import.csv")
    assert [(r["cn_sample"], r["cn_population"]) for r in rows if r["cn_sample"]] == [
        ("P1-d00", "nk"),
        ("P1-d07", "nk_dim"),
    ]
    export(study, "--format", "parquet")
    assert parquet.read_table(study.parent / "out" / "parquet" / "counts.parquet").num_rows == 3


def test_what_tables_and_gating_tables_say_is_no_formula_either(study: Path) -> None:
    known = {"sample": "P1-d00", "patient": "P1", "day": 0.0, "cells_per_ul": 400.0, "status": "ok"}
    counts = [
        row("counts", population="cd4_t", grade="=1+1", reference_low=313.0, reference_high=1361.0, **known),
        row("counts", population="lymphocytes", grade="=1+1", reference_low=1313.0, reference_high=1361.0, **known),
        row("counts", population="@SUM(A1)", **known),
    ]
    write_table(study / "results" / "cohort" / "counts.tsv", "counts", counts)
    torn = row("qc", sample="P1-base", check="readable", status="fail", reason=EVIL)
    write_table(study / "results" / "cohort" / "qc.tsv", "qc", [torn])
    write_table(study / "results" / "cohort" / "chimerism.tsv", "chimerism", [])
    output = export(study)
    assert "LBALL" in {r["LBTESTCD"] for r in cells(output / "cdisc-lb" / "lb.csv")}
    for path in output.rglob("*.csv"):
        for each in cells(path):
            for value in each.values():
                assert re.fullmatch(r"-[\d.]+|(?![-=+@\t]).*", value), (path.name, value)


def test_no_names_no_dates_no_formulas(study: Path) -> None:
    output = export(study)
    texts = [path.read_text(encoding="utf-8") for path in output.rglob("*.csv")]
    for path in output.rglob("*.parquet"):
        texts += [
            value for each in parquet.read_table(path).to_pylist() for value in each.values() if isinstance(value, str)
        ]
    together = "\n".join(texts)
    for leak in ("Jane", "Roe", "2024", ".fcs", "asked", str(study)):
        assert leak not in together
    assert "cut of P1-d00 of [date]" in together
    for path in output.rglob("*.csv"):
        for each in cells(path):
            for value in each.values():
                assert re.fullmatch(r"-[\d.]+|(?![-=+@\t]).*", value)


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "＝1"])
def test_text_is_no_formula(text: str) -> None:
    assert guarded(text)[0] == "'"


@pytest.mark.parametrize(
    ("value", "text"), [(1e-9, "0.000000001"), (-2.5, "-2.5"), (3, "3"), (math.nan, ""), (math.inf, ""), (None, "")]
)
def test_numbers_stay_numbers(value: float | None, text: str) -> None:
    assert plain(value) == text


def test_the_same_results_give_the_same_bytes(study: Path) -> None:
    first = {path.name: path.read_bytes() for path in export(study).rglob("*") if path.is_file()}
    again = {path.name: path.read_bytes() for path in export(study).rglob("*") if path.is_file()}
    assert first == again


def test_without_results_one_line_says_what_to_do(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (study / "results" / "cohort" / "kinetics.tsv").unlink()
    assert main(["export", str(study), "--output", str(study.parent / "out")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"Run `nktrace run {study}` first" in line
    assert not (study.parent / "out").exists()


def test_all_formats_or_none(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mine = study.parent / "out" / "parquet" / "thesis.docx"
    mine.parent.mkdir(parents=True)
    mine.write_text("years of work", encoding="utf-8")
    assert main(["export", str(study), "--output", str(study.parent / "out")]) == 2
    assert "thesis.docx is not of this export" in capsys.readouterr().err
    assert [path.name for path in (study.parent / "out").rglob("*")] == ["parquet", "thesis.docx"]


def test_results_of_another_version_are_refused(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = study / "results" / "cohort" / "counts.tsv"
    path.write_text(path.read_text(encoding="utf-8").replace("cells_per_ul", "cells_per_ml", 1), encoding="utf-8")
    assert main(["export", str(study), "--output", str(study.parent / "out")]) == 2
    assert f"columns are missing: cells_per_ul. Run `nktrace run {study}` again." in capsys.readouterr().err


def test_results_of_other_sheets_are_refused(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = study / "results" / "cohort" / "kinetics.tsv"
    path.write_text(path.read_text(encoding="utf-8").replace("P1\t", "P9\t"), encoding="utf-8")
    assert main(["export", str(study), "--output", str(study.parent / "out")]) == 2
    assert "patient P9 is not in config/patients.tsv" in capsys.readouterr().err


def test_every_format_says_how_it_is_used(study: Path) -> None:
    output = export(study)
    for name in ("redcap", "cdisc-lb", "parquet"):
        said = (output / name / "README.md").read_text(encoding="utf-8")
        assert said == resource(f"export/{name}.md").read_text(encoding="utf-8")
    assert "Not a validated submission" in (output / "cdisc-lb" / "README.md").read_text(encoding="utf-8")
