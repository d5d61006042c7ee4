"""`nktrace export --format cdisc-lb`: what a data manager gets in the shape of SDTM's laboratory domain."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from nktrace.files.export_cdisc import study_day, visit
from nktrace.files.table_docs import column_docs
from nktrace.files.tables import write_table
from tests.commands.finished_study import SAMPLES, cells, finished_study, lb, tables
from tests.pages.study_rows import row


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return finished_study(tmp_path)


def test_lb_keeps_the_rules_of_sdtm(study: Path) -> None:
    rows, supplemental = lb(study)
    variables = cells(study.parent / "out" / "cdisc-lb" / "variables.csv")
    assert list(rows[0]) == [v["variable"] for v in variables if v["dataset"] == "LB"]
    assert list(supplemental[0]) == [v["variable"] for v in variables if v["dataset"] == "SUPPLB"]
    assert all(len(v["variable"]) <= 8 and len(v["label"]) <= 40 for v in variables)
    assert [row["LBSEQ"] for row in rows] == [str(n) for n in range(1, len(rows) + 1)]
    names = {}
    for each in rows:
        assert (each["STUDYID"], each["DOMAIN"], each["USUBJID"]) == ("NK1", "LB", "NK1-P1")
        assert re.fullmatch(r"[A-Z][A-Z0-9]{0,7}", each["LBTESTCD"])
        assert 0 < len(each["LBTEST"]) <= 40
        names.setdefault(each["LBTESTCD"], set()).add(each["LBTEST"])
        assert each["LBDY"] != "0"
        assert all(len(value) <= 200 for value in each.values())
        if each["LBSTAT"]:
            assert (each["LBSTAT"], each["LBORRES"], each["LBSTRESN"]) == ("NOT DONE", "", "")
            assert each["LBREASND"]
        else:
            assert each["LBORRES"]
            assert each["LBORRESU"]
            assert not each["LBREASND"]
    assert all(len(words) == 1 for words in names.values())
    assert len({next(iter(words)) for words in names.values()}) == len(names)
    keys = Counter((s["USUBJID"], s["IDVARVAL"], s["QNAM"]) for s in supplemental)
    assert max(keys.values()) == 1
    assert {s["IDVARVAL"] for s in supplemental} <= {row["LBSEQ"] for row in rows}
    assert all(len(s["QNAM"]) <= 8 and len(s["QLABEL"]) <= 40 and 0 < len(s["QVAL"]) <= 200 for s in supplemental)
    tests = cells(study.parent / "out" / "cdisc-lb" / "tests.csv")
    assert {test["LBTESTCD"]: test["LBTEST"] for test in tests} == {code: min(words) for code, words in names.items()}
    for test in tests:
        assert test["column"] in column_docs(test["table"])


def test_a_tube_without_any_result_is_not_done_and_says_why(study: Path) -> None:
    """One record of all tests, as SDTM has it, of each tube of the timeline; the others' records stay as they were."""
    without = lb(study)[0]
    sheet = study / "config" / "samples.tsv"
    for name, day, role, fcs in (
        ("P1-d14", "14.25", "timepoint", "Jane_Roe_torn"),
        ("P1-gone", "14.25", "timepoint", "gone"),
        ("D", "NA", "donor", "donor"),
    ):
        (study / "data" / f"{fcs}.fcs").write_bytes(b"")
        line = "\t".join([name, "P1", day, role, "main", "b1", f"{fcs}.fcs", "whole_blood"])
        sheet.write_text(sheet.read_text(encoding="utf-8") + line + "\n", encoding="utf-8")
    torn = row("qc", sample="P1-d14", check="readable", status="fail", reason="Jane_Roe_torn.fcs ends too early")
    write_table(study / "results" / "cohort" / "qc.tsv", "qc", [*tables()["qc"], torn])
    rows, supplemental = lb(study)
    found = [r for r in rows if r["LBTESTCD"] == "LBALL"]
    assert [(r["LBREFID"], r["LBREASND"]) for r in found] == [
        ("P1-d14", "could not be read: P1-d14 ends too early"),
        ("P1-gone", "there is no result of this tube"),
    ]
    assert {(r["LBSTAT"], r["LBTEST"], r["LBCAT"], r["LBORRES"], r["LBDY"], r["VISITNUM"]) for r in found} == {
        ("NOT DONE", "Laboratory Test Results", "", "", "", "14.25")
    }
    days = {s["IDVARVAL"]: s["QVAL"] for s in supplemental if s["QNAM"] == "RELDAY"}
    assert {days[r["LBSEQ"]] for r in found} == {"14.25"}
    unnumbered = [{k: v for k, v in r.items() if k != "LBSEQ"} for r in rows if r["LBTESTCD"] != "LBALL"]
    assert unnumbered == [{k: v for k, v in r.items() if k != "LBSEQ"} for r in without]
    (test,) = [t for t in cells(study.parent / "out" / "cdisc-lb" / "tests.csv") if t["LBTESTCD"] == "LBALL"]
    assert (test["LBTEST"], test["table"], test["column"]) == ("Laboratory Test Results", "", "")


def test_results_below_detection_seen_and_not_done(study: Path) -> None:
    rows, supplemental = lb(study)
    of = {(row["LBREFID"], row["LBTESTCD"]): row for row in rows}
    extra = {(s["IDVARVAL"], s["QNAM"]): s["QVAL"] for s in supplemental}
    under = of["P1-blank", "DNK"]
    assert (under["LBORRES"], under["LBSTRESC"], under["LBSTRESN"], under["LBSTAT"]) == ("<0.01", "<0.01", "", "")
    assert extra[under["LBSEQ"], "ESTIMATE"] == "-0.001"
    assert (extra[under["LBSEQ"], "LOD"], extra[under["LBSEQ"], "STATUS"]) == ("0.01", "not_detected")
    cells_under = of["P1-blank", "ENK"]
    assert cells_under["LBORRES"] == "<0.99"  # 99 cells per microlitre, of which under 1 % would not be found
    assert (cells_under["LBORRESU"], extra[cells_under["LBSEQ"], "PLATFORM"]) == ("cells/uL", "dual")
    base = of["P1-base", "DNK"]
    assert (base["LBORRES"], base["LBSTRESN"], extra[base["LBSEQ"], "STATUS"]) == ("0.12", "0.12", "detected")
    assert (extra[base["LBSEQ"], "CILOW"], extra[base["LBSEQ"], "CIHIGH"]) == ("0.1", "0.14")
    open_question = of["P1-d07", "DNK"]
    assert (open_question["LBSTAT"], open_question["LBREASND"]) == ("NOT DONE", "no_blank")
    assert of["P1-d07", "FOTHNK"]["LBREASND"] == "this panel tells no two subsets apart"
    assert of["P1-d07", "FACTIV"]["LBREASND"] == "not_resolvable"
    long = of["P1-d07", "CBCELL"]
    goes_on = [extra[long["LBSEQ"], name] for name in ("REASON", "REASON1", "REASON2")]
    assert " ".join([long["LBREASND"], *goes_on]).count("no beads;") == 60
    assert long["LBREASND"].startswith("'=HYPERLINK")


def test_donors_of_one_patient_stand_apart(study: Path) -> None:
    mine = tables()["chimerism"][1]
    rows = [{**mine, "donor": donor, "donor_fraction": share} for donor, share in (("D1", 0.2), ("D2", 0.04))]
    write_table(study / "results" / "cohort" / "chimerism.tsv", "chimerism", rows)
    records = [r for r in lb(study)[0] if r["LBTESTCD"] == "DNK"]
    found = [(r["LBSPID"], r["LBORRES"], r["LBLOBXFL"], r["LBBLFL"]) for r in records]
    assert found == [("D1", "0.2", "Y", "Y"), ("D2", "0.04", "Y", "Y")]


def test_ranges_grades_days_and_flags(study: Path) -> None:
    rows, supplemental = lb(study)
    of = {(row["LBREFID"], row["LBTESTCD"]): row for row in rows}
    nk, lymphocytes = of["P1-d00", "CNK"], of["P1-d00", "CLYM"]
    assert (nk["LBSTNRLO"], nk["LBSTNRHI"], nk["LBNRIND"], nk["LBTOXGR"]) == ("100", "500", "LOW", "")
    assert (lymphocytes["LBNRIND"], lymphocytes["LBTOX"], lymphocytes["LBTOXGR"]) == (
        *("LOW", "Lymphocyte count decreased"),
        "2",
    )
    assert "GRADEABS" not in {s["QNAM"] for s in supplemental}
    days = {sample: (of[sample, "CNK"]["VISITNUM"], of[sample, "CNK"]["LBDY"]) for sample, *_ in SAMPLES}
    assert days == {"P1-blank": ("-4", "-4"), "P1-base": ("-1", "-1"), "P1-d00": ("0", "1"), "P1-d07": ("7.5", "")}
    relative = {s["IDVARVAL"]: s["QVAL"] for s in supplemental if s["QNAM"] == "RELDAY"}
    assert relative == {row["LBSEQ"]: "7.5" for row in rows if row["LBREFID"] == "P1-d07"}
    flagged = {
        flag: [r["LBREFID"] for r in rows if r["LBTESTCD"] == "CNK" and r[flag]] for flag in ("LBLOBXFL", "LBBLFL")
    }
    assert flagged == {"LBLOBXFL": ["P1-base"], "LBBLFL": ["P1-base"]}
    assert nk["LBMETHOD"] == "FLOW CYTOMETRY, DUAL PLATFORM"
    assert (nk["LBSPEC"], nk["LBSPCCND"]) == ("PERIPHERAL BLOOD MONONUCLEAR CELL", "CRYOPRESERVED")


@pytest.mark.parametrize("day", ["-1", "0"])
def test_the_counting_tube_of_a_baseline_draw_is_a_baseline_too(study: Path, day: str) -> None:
    """Only the phenotyping tube has the role; its count is that of the other."""
    sheet = study / "config" / "samples.tsv"
    lines = [
        "\t".join([name, "P1", on, role, "main", "b1", f"Jane_Roe_{name}_2024-03-14.fcs", specimen])
        for name, on, role, specimen in (
            ("P1-blank", "-4", "blank", "s0"),
            ("P1-base", day, "baseline", "s1"),
            ("P1-d00", day, "timepoint", "s1"),
            ("P1-d07", "7.5", "timepoint", "s2"),
        )
    ]
    header = "sample\tpatient\tday\trole\tpanel\tbatch\tfcs\tspecimen"
    sheet.write_text("\n".join([header, *lines, ""]), encoding="utf-8")
    known = {"patient": "P1", "day": float(day), "population": "nk", "cells_per_ul": 90.0, "status": "ok"}
    counts = [
        row("counts", sample="P1-d00", **known),
        row("counts", sample="P1-base", reason="counted in tube P1-d00", **known),
        row("counts", sample="P1-d07", **(known | {"day": 7.5})),
    ]
    write_table(study / "results" / "cohort" / "counts.tsv", "counts", counts)
    found = [(r["LBREFID"], r["LBLOBXFL"], r["LBBLFL"]) for r in lb(study)[0] if r["LBTESTCD"] == "CNK"]
    assert found == [("P1-d00", "Y", "Y"), ("P1-d07", "", "")]


@pytest.mark.parametrize(
    ("value", "grade", "shown"),
    [
        (300.0, "2", ("LOW", "2", None)),
        (384.9, "2", ("NORMAL", "", "2")),
        (384.9, "0", ("NORMAL", "0", None)),
        (1500.0, "1", ("HIGH", "", "1")),
        (384.9, None, ("NORMAL", "", None)),
    ],
)
def test_a_count_within_its_range_has_no_toxicity(
    study: Path, value: float, grade: str | None, shown: tuple[str, str, str | None]
) -> None:
    """CTCAE's absolute thresholds lie within some laboratories' ranges."""
    known = {"sample": "P1-d00", "patient": "P1", "day": 0.0, "population": "cd4_t", "status": "ok"}
    one = row("counts", cells_per_ul=value, reference_low=313.0, reference_high=1361.0, grade=grade, **known)
    write_table(study / "results" / "cohort" / "counts.tsv", "counts", [one])
    rows, supplemental = lb(study)
    (record,) = [r for r in rows if r["LBTESTCD"] == "CCD4T"]
    extra = {s["QNAM"]: s["QVAL"] for s in supplemental if s["IDVARVAL"] == record["LBSEQ"]}
    assert (record["LBNRIND"], record["LBTOXGR"], extra.get("GRADEABS")) == shown
    assert bool(record["LBTOX"]) is bool(record["LBTOXGR"])


@pytest.mark.parametrize(
    ("day", "counted", "words"),
    [
        (-3.0, -3, "3 DAYS BEFORE INFUSION"),
        (-0.04, None, "0.04 DAYS BEFORE INFUSION"),  # an hour before: the same date, but for one at half past midnight
        (0.0, 1, "DAY OF INFUSION"),
        (0.6, None, "0.6 DAYS AFTER INFUSION"),
        (1.0, 2, "1 DAY AFTER INFUSION"),
    ],
)
def test_sdtm_has_no_day_zero_and_no_part_of_a_day(day: float, counted: int | None, words: str) -> None:
    assert study_day(day) == counted
    assert visit(day) == words
