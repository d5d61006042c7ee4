from __future__ import annotations

from pathlib import Path

import pytest

from nktrace.files.installation import resource
from nktrace.files.knowledge import read_antibodies, read_grades, read_ranges
from nktrace.files.tables import read_rows
from nktrace.model.errors import StudyFaults

NEEDED = {"BB7.2", "PA2.1", "MA2.1", "anti-A3", "anti-B7", "anti-B27", "anti-Bw4", "anti-Bw6"}


def written(path: Path, header: str, *rows: str) -> Path:
    path.write_text("\n".join((header, *rows)) + "\n", encoding="utf-8")
    return path


def test_the_antibodies_of_the_contract_are_there_with_their_sources() -> None:
    antibodies = read_antibodies(resource("hla_antibodies.tsv"))
    assert antibodies.keys() >= NEEDED
    assert {str(target) for target in antibodies["BB7.2"].reacts} == {"A*02", "A*69"}
    assert {str(target) for target in antibodies["BB7.2"].cross_reacts} == {"A*68", "A*23", "A*24"}
    assert {str(target) for target in antibodies["MA2.1"].reacts} == {"A*02", "B*57", "B*58"}
    assert {str(target) for target in antibodies["MA2.1"].cross_reacts} == {"A*11", "B*15:16"}


@pytest.mark.parametrize("name", ["hla_antibodies.tsv", "reference_ranges.tsv", "grades.tsv"])
def test_every_row_has_a_source(name: str) -> None:
    assert all(len(row["source"]) > 10 for row in read_rows(resource(name)))


def test_ranges_and_grades_are_those_published() -> None:
    ranges = {(r.population, r.sex): (r.low, r.high) for r in read_ranges(resource("reference_ranges.tsv"))}
    assert ranges["lymphocytes", "F"] == (1342, 3859)
    assert ranges["cd4_t", "M"] == (313, 1361)
    assert len(ranges) == 12
    grades = {(g.population, g.grade): (g.low, g.below) for g in read_grades(resource("grades.tsv"))}
    assert grades["lymphocytes", "1"] == (800, None)
    assert grades["cd4_t", "3"] == (50, 200)


def test_rare_proteins_are_exceptions_of_what_is_marked(tmp_path: Path) -> None:
    table = read_antibodies(resource("hla_antibodies.tsv"))
    assert {str(target) for target in table["anti-Bw4"].rare} >= {"B*08:02", "B*27:08"}
    assert not {"B*15:13", "B*15:16", "B*15:17"} & {str(target) for target in table["anti-Bw6"].rare}
    header = "antibody\tspecificity\treacts\trare\tcross_reacts\tcondition\tsource"
    rows = [f"{number}\tmine\tB*07 !B*07:05\t{rare}\tNA\tNA\tours" for number, rare in enumerate(("B*07", "B*07:06"))]
    with pytest.raises(StudyFaults) as caught:
        read_antibodies(written(tmp_path / "a.tsv", header, *rows, "x\tmine\tB*07 !B*07:05\t!B*07:05\tNA\tNA\tours"))
    assert [(fault.row, fault.column) for fault in caught.value.faults] == [(2, "rare"), (3, "rare"), (4, "rare")]


def test_a_table_without_rare_proteins_is_not_one_that_has_none(tmp_path: Path) -> None:
    columns, cells = "specificity\treacts\tcross_reacts\tcondition\tsource", "mine\tB*07 !B*07:05\tNA\tNA\tours"
    without = written(tmp_path / "without.tsv", f"antibody\t{columns}", f"x\t{cells}")
    with_none = written(tmp_path / "none.tsv", f"antibody\trare\t{columns}", f"x\tNA\t{cells}")
    assert read_antibodies(without)["x"].rare is None
    assert read_antibodies(with_none)["x"].rare == ()


def test_all_faults_of_a_table_are_told_at_once(tmp_path: Path) -> None:
    path = written(
        tmp_path / "hla_antibodies.tsv",
        "antibody\tspecificity\treacts\tcross_reacts\tcondition\tsource",
        "mine\tA2\tA*2\tNA\tNA\tours",
        "other\tA3\tNA\tNA\tNA\tours",
        "third\tA3\tA*03\t!A*11\tNA\tours",
        "fourth\tA3\tA*03\tNA\tNA\tNA",
        "fifth\tA3\tA*03\tNA\tNA\tours",
        "fifth\tA3\tA*03\tNA\tNA\tours",
    )
    with pytest.raises(StudyFaults) as caught:
        read_antibodies(path)
    faults = {(fault.row, fault.column) for fault in caught.value.faults}
    assert faults == {(2, "reacts"), (3, "reacts"), (4, "cross_reacts"), (5, "source"), (7, "antibody")}
    assert "A*02" in str(caught.value)


@pytest.mark.parametrize(
    ("row", "column"),
    [
        ("nk\tX\t18\tNA\t100\t900\tcells/uL\tours", "sex"),
        ("nk\tF\t18\tNA\t0.1\t0.9\t10^9/L\tours", "unit"),
        ("nk\tF\t18\tNA\t900\t100\tcells/uL\tours", "high"),
        ("nk\tF\told\tNA\t100\t900\tcells/uL\tours", "age_min"),
    ],
)
def test_a_range_that_cannot_be_is_refused(tmp_path: Path, row: str, column: str) -> None:
    path = written(tmp_path / "r.tsv", "population\tsex\tage_min\tage_max\tlow\thigh\tunit\tsource", row)
    with pytest.raises(StudyFaults) as caught:
        read_ranges(path)
    assert [fault.column for fault in caught.value.faults] == [column]


def test_missing_columns_are_named(tmp_path: Path) -> None:
    with pytest.raises(StudyFaults, match="below, source"):
        read_grades(written(tmp_path / "g.tsv", "population\tgrade\tfrom", "nk\t1\t0"))
