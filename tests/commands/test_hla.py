from __future__ import annotations

from pathlib import Path

import pytest

from nktrace.cli import main
from nktrace.files.installation import home
from nktrace.files.tables import read_rows
from tests.conftest import WrittenStudy

RECIPIENT, DONOR = "A*03:01,A*24:02;B*44:02,B*35:01", "A*01:01,A*02:01;B*07:02,B*08:01"


def rows(text: str) -> dict[tuple[str, str], list[str]]:
    lines = [line.split("\t") for line in text.splitlines()]
    assert lines[0] == ["patient", "antibody", "information", "direction", "deciding_alleles", "caution"]
    return {(line[0], line[1]): line[2:] for line in lines[1:]}


def test_a_pair_is_told_which_antibodies_inform_and_by_which_alleles(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["hla", "--recipient", RECIPIENT, "--donor", DONOR]) == 0
    found = rows(capsys.readouterr().out)
    assert found["pair", "MA2.1"] == ["informative", "donor_positive", "donor A*02:01", "NA"]
    assert found["pair", "anti-A3"][:3] == ["informative", "recipient_positive", "recipient A*03:01"]
    assert found["pair", "anti-Bw6"][0] == "uninformative"
    assert "A*24:02" in found["pair", "BB7.2"][3]
    order = [line[0] for line in found.values()]
    assert order == sorted(order, key=lambda word: word != "informative")


def test_a_cohort_is_read_from_its_sheets(written_study: WrittenStudy, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["hla", str(written_study.path)]) == 0
    assert rows(capsys.readouterr().out)["P1", "BB7.2"][:2] == ["informative", "donor_positive"]


OWN = "antibody\tspecificity\treacts\tcross_reacts\tcondition\tsource\n{}\tA2\tA*02\tNA\tNA\tthe laboratory\n"


@pytest.mark.parametrize("sheet_alone", [False, True])
@pytest.mark.parametrize("own_table", [False, True])
def test_the_antibodies_are_the_studys_wherever_one_stands(
    own_table: bool,
    sheet_alone: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    study, elsewhere = tmp_path / "study", tmp_path / "elsewhere"
    for place in (study, elsewhere):
        (place / "config").mkdir(parents=True)
    (study / "config" / "patients.tsv").write_text(PATIENTS)
    (elsewhere / "config" / "hla_antibodies.tsv").write_text(OWN.format("of-elsewhere"))
    if own_table:
        (study / "config" / "hla_antibodies.tsv").write_text(OWN.format("of-the-study"))
    monkeypatch.chdir(elsewhere)
    assert main(["hla", str(study / "config" / "patients.tsv" if sheet_alone else study)]) == 0
    antibodies = {antibody for _, antibody in rows(capsys.readouterr().out)}
    assert antibodies == {"of-the-study"} if own_table else {"BB7.2", "anti-A3"} < antibodies
    assert "of-elsewhere" not in antibodies


def test_a_sheet_alone_takes_no_table_of_another_directory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "hla_antibodies.tsv").write_text(OWN.format("of-elsewhere"))
    sheet = tmp_path / "loose" / "patients.tsv"
    sheet.parent.mkdir()
    sheet.write_text(PATIENTS)
    assert main(["hla", str(sheet)]) == 0
    assert ("P1", "BB7.2") in rows(capsys.readouterr().out)


def test_the_checkout_is_asked_from_outside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["hla", str(home())]) == 0
    assert "BB7.2" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments", [[], ["--recipient", RECIPIENT], ["somewhere", "--recipient", RECIPIENT, "--donor", DONOR]]
)
def test_half_a_pair_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["hla", *arguments]) == 2
    assert "--donor" in capsys.readouterr().err


def test_a_wrong_typing_is_one_line_with_the_nearest_form(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["hla", "--recipient", "A*0301", "--donor", DONOR]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "A*03:01" in error


def test_all_faults_of_both_typings_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["hla", "--recipient", "A*0301", "--donor", "A*0201,B*7:2"]) == 2
    error = capsys.readouterr().err
    assert all(form in error for form in ("--recipient", "A*03:01", "--donor", "A*02:01", "B*07:02"))


PATIENTS = """patient\trecipient_hla\tdonor_hla
P1\tA*03:01,A*11:01;B*07:02,B*35:01\tA*02:01,A*01:01;B*44:02,B*08:01
P2\tA*03:01,A*11:01;B*35:01,B*35:01\tA*02:01,A*01:01;B*08:01,B*08:01
P3\tA*01:01,A*01:01;B*08:01,B*08:01\tA*01:01,A*01:01;B*08:01,B*08:01
P4\tA*01:01,A*11:01\tA*01:01,A*11:01
"""


def test_a_cohort_is_advised_before_there_is_any_sample(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sheet, advice = tmp_path / "patients.tsv", tmp_path / "advice.tsv"
    sheet.write_text(PATIENTS)
    assert main(["hla", str(sheet), "--advice", str(advice)]) == 0
    captured = capsys.readouterr()
    assert rows(captured.out)["P1", "anti-A3"][1] == "recipient_positive"
    assert "one direction: BB7.2 (2 of 4 pairs)" in captured.err
    assert "both directions where there are two: BB7.2, anti-A3 (2 of 4 in both)" in captured.err
    assert "Left without any: P3, P4" in captured.err
    assert "P3: none: every antibody" in captured.err
    assert "donor is not typed at B" in captured.err
    table = read_rows(advice)
    assert [row["antibody"] for row in table if row["direction"] == "donor_positive"] == ["BB7.2", "BB7.2", "NA", "NA"]
    assert table[1]["of_fewest_both"] == "anti-A3"
    assert table[1]["clone"] != "anti-A3"


def test_a_study_without_samples_is_advised_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "patients.tsv").write_text(PATIENTS)
    assert main(["hla", str(tmp_path)]) == 0
    assert ("P2", "BB7.2") in rows(capsys.readouterr().out)


def test_every_wrong_typing_of_a_sheet_is_told_with_its_row(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sheet = tmp_path / "patients.tsv"
    sheet.write_text(PATIENTS.replace("A*02:01", "A*0201"))
    assert main(["hla", str(sheet)]) == 2
    error = capsys.readouterr().err
    assert error.count("did you mean 'A*02:01'") == 2
    assert "row 2, column donor_hla" in error
    assert main(["hla", str(tmp_path / "none.tsv")]) == 2
