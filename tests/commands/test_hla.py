from __future__ import annotations

import pytest

from nktrace.cli import main
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
