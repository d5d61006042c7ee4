from __future__ import annotations

import csv
from io import StringIO
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from nktrace.cli import main
from nktrace.files.settings import Settings
from nktrace.science.limits import limits

ASKED = ["plan", "--lod", "0.001", "--lineage-fraction", "0.1", "--background", "0.0005"]


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(text), delimiter="\t"))


def test_one_question_is_answered_with_events_tubes_and_minutes(capsys: pytest.CaptureFixture[str]) -> None:
    more = [
        "--sensitivity",
        "1",
        "--blank-events",
        "known",
        "--events-per-second",
        "1000",
        "--events-per-tube",
        "150000",
    ]
    assert main([*ASKED, *more]) == 0
    captured = capsys.readouterr()
    row = rows(captured.out)[0]
    events, acquired = int(row["events"]), int(row["events_to_acquire"])
    assert events == 20_000
    assert limits(events, a=0.0005, a_low=0.0005, a_high=0.0005, b=1.0).lod <= 0.001
    assert 200_000 < acquired < 205_000
    assert row["tubes"] == "2"
    assert float(row["minutes"]) == pytest.approx(acquired / 60_000)
    assert "20,000 events of the lineage" in captured.err


def test_beside_poisson_blanks_stands_what_a_study_assumes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(ASKED) == 0
    captured = capsys.readouterr()
    assumed = Settings.model_validate({"data_dir": ""}).chimerism.assumed_blank_cv
    poisson, scattered = rows(captured.out)
    assert (poisson["blank_cv"], poisson["tubes"], poisson["reason"]) == ("0", "1", "NA")
    assert float(scattered["blank_cv"]) == assumed > 0
    assert scattered["events"] == "NA"
    assert scattered["reason"].startswith("not below 0.00")
    assert "Poisson blanks" in captured.err
    assert f"With fewer than five blanks a study takes the rows of blank_cv {assumed:g}" in captured.err
    assert main([*ASKED, "--blank-cv", "0.1"]) == 0
    captured = capsys.readouterr()
    assert [row["blank_cv"] for row in rows(captured.out)] == ["0.1"]
    assert "With fewer than five blanks" not in captured.err


def test_a_question_without_any_answer_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*ASKED[:-1], "0.3"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("ERROR: nktrace plan: no_separation")
    assert captured.err.count("\n") == 1


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (["--lod", "1e-12"], "more than 1e+09 events of the lineage"),
        (["--lod", "0.00001", "--lineage-fraction", "0.0001", "--background", "0"], "more than 1e+09 in all"),
        (["--blank-events", "1000000000"], "more than 1e+09 in all"),
    ],
)
def test_what_nobody_can_acquire_is_no_plan(asked: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*ASKED, *asked]) == 2
    assert says in capsys.readouterr().err


def test_a_limit_of_quantitation_above_all_cells_is_not_available(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*ASKED, "--lod", "0.9"]) == 0
    for row in rows(capsys.readouterr().out):
        assert row["loq"] == "NA"
        assert float(row["lod_reached"]) <= 0.9
        assert row["reason"] == "no_loq (it takes 50 donor events)"


def test_several_values_give_a_row_for_each_combination(capsys: pytest.CaptureFixture[str]) -> None:
    several = ["plan", "--lod", "0.01", "0.005", "--lineage-fraction", "0.1", "0.02", "--background", "0.001", "0.3"]
    assert main(several) == 0
    found = rows(capsys.readouterr().out)
    assert len(found) == 16
    assert [row["blank_cv"] for row in found[::2]] == ["0"] * 8
    found = found[::2]
    known = [row for row in found if row["background"] == "0.001"]
    assert all(row["reason"] == "NA" for row in known)
    by_share = {row["lineage_fraction"]: float(row["events_to_acquire"]) for row in known if row["lod"] == "0.01"}
    assert by_share["0.02"] == pytest.approx(5 * by_share["0.1"], rel=0.02)
    assert all(row["events"] == "NA" and "no_separation" in row["reason"] for row in found if row not in known)


def test_what_is_impossible_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*ASKED, "--blank-cv", "0.8"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert "scatters" in captured.err


@pytest.mark.parametrize(
    "wrong",
    [
        ["--lod", "10"],
        ["--lineage-fraction", "1e-300"],
        ["--blank-events", "0"],
        ["--blank-events", "1" + 20 * "0"],
        ["--blank-events", 5_000 * "9"],
        ["--blank-cv", "0.001"],
        ["--blank-cv", "4"],
        ["--usable", "nan"],
        ["--blanks", "1.5"],
        ["--blanks", "1000000"],
        ["--events-per-tube", "1e-320"],
        ["--events-per-second", "0"],
    ],
)
def test_values_that_cannot_be_are_refused(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([*ASKED, *wrong])
    assert stopped.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"ERROR: nktrace plan: argument {wrong[0]}")


@pytest.mark.parametrize("percent", ["0.1%", "10"])
def test_a_percentage_is_told_how_to_be_written(percent: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([*ASKED, "--lod", percent])
    assert "write 0.1 % as 0.001" in capsys.readouterr().err


def test_page_plot_and_table_are_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("plan.html", "plan.svg", "plan.tsv"):
        assert main([*ASKED, "--blank-events", "same", "5000", "--output", str(tmp_path / name)]) == 0
    printed = capsys.readouterr().out
    assert (tmp_path / "plan.tsv").read_text() in printed
    picture = ET.fromstring((tmp_path / "plan.svg").read_text())  # noqa: S314 (our own picture)
    assert picture.tag == "{http://www.w3.org/2000/svg}svg"
    html = (tmp_path / "plan.html").read_text()
    assert "http" not in html.replace("http-equiv", "")
    assert "the limit of detection stays above" in html
    assert "0 (Poisson)" in html
    assert main([*ASKED, "--output", str(tmp_path / "plan.pdf")]) == 2
