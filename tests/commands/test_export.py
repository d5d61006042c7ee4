"""`nktrace export`: what REDCap, a data manager and a data frame get of a finished study."""

from __future__ import annotations

import csv
import math
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

from nktrace.cli import main
from nktrace.files.export_cdisc import study_day, visit
from nktrace.files.export_redcap import DICTIONARY, FORMS
from nktrace.files.export_text import guarded, plain
from nktrace.files.installation import resource
from nktrace.files.table_columns import COLUMNS
from nktrace.files.table_docs import column_docs
from nktrace.files.tables import write_rows, write_table
from tests.pages.study_rows import row

Study = Callable[..., Path]
EVIL = '=HYPERLINK("http://x","y")'
SAMPLES = (  # sample, day, role
    ("P1-blank", -4, "blank"),
    ("P1-base", -1, "baseline"),
    ("P1-d00", 0, "timepoint"),
    ("P1-d07", 7.5, "timepoint"),
)


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A finished study of one patient: sheets, empty FCS files with telling names, and tables of every status."""
    home = tmp_path / "study"
    config, cohort = home / "config", home / "results" / "cohort"
    (config / "panels").mkdir(parents=True)
    (home / "data").mkdir()
    (config / "config.yaml").write_text("data_dir: data\n", encoding="utf-8")
    sheet = [["sample", "patient", "day", "role", "panel", "batch", "fcs", "material"]]
    for name, day, role in SAMPLES:
        fcs = f"Jane_Roe_{name}_2024-03-14.fcs"
        (home / "data" / fcs).write_bytes(b"")
        sheet.append([name, "P1", str(day), role, "main", "b1", fcs, "pbmc_cryo" if day == 0 else "whole_blood"])
    _write(config / "samples.tsv", sheet)
    _write(
        config / "patients.tsv",
        [
            ["patient", "infusion_date", "first_donor_exposure_day"],
            ["P1", "2024-03-10", "-3"],
            ["P2", "2024-03-11", "0"],
        ],
    )
    _write(config / "panels" / "main.tsv", [["channel", "marker", "kind"], ["FL1-A", "CD56", "lineage"]])
    for name, rows in tables().items():
        write_table(cohort / f"{name}.tsv", name, rows)
    marker = {"CD56": 0.5, "panel": "main", "cluster": 1, "subset": "bright", "cl_id": None, "fraction": 0.5}
    marker |= {
        "stability": 0.9,
        "subset_share": math.nan,
        "members": "bright 1.00",
        "seed_agreement": 1,
        "unstable": False,
    }
    write_rows(cohort / "clusters.tsv", list(marker), [marker])
    return home


def _write(path: Path, lines: list[list[str]]) -> None:
    path.write_text("".join("\t".join(line) + "\n" for line in lines), encoding="utf-8")


def tables() -> dict[str, list[dict[str, Any]]]:
    counts = [
        row(
            "counts",
            sample=sample,
            patient="P1",
            day=float(day),
            population=population,
            cells_per_ul=value,
            ci_low=value * 0.9,
            ci_high=value * 1.1,
            platform="dual",
            reference_low=100.0 if population == "nk" else 1000.0,
            reference_high=500.0 if population == "nk" else 3000.0,
            grade="2" if population == "lymphocytes" else None,
            status="ok",
        )
        for sample, day, _ in SAMPLES
        for population, value in (("nk", 99.0), ("lymphocytes", 700.0), ("my_own_population_of_some_length", 1e-7))
    ]
    counts.append(row("counts", sample="P1-d07", patient="P1", day=7.5, population="b_cells", status="not_available"))
    counts[-1]["reason"] = EVIL + " " + "no beads; " * 60
    limits = {"lob": 0.002, "lod": 0.01, "loq": 0.03}
    seen = {"donor_fraction": 0.12, "ci_low": 0.1, "ci_high": 0.14, "donor_cells_per_ul": 11.88}
    known = {"patient": "P1", "population": "nk"}
    chimerism = [
        row("chimerism", sample="P1-blank", day=-4.0, status="not_detected", donor_fraction=-0.001, **known, **limits),
        row("chimerism", sample="P1-base", day=-1.0, status="detected", **known, **limits, **seen),
        row("chimerism", sample="P1-d00", day=0.0, status="quantified", **known, **limits, **seen),
        row("chimerism", sample="P1-d07", day=7.5, status="indeterminate", reason="no_blank", **known),
    ]
    for each in chimerism[2:3]:
        each["reason"] = "cut of Jane_Roe_P1-d00_2024-03-14.fcs of 2024-03-14T09:30"
    subsets = [
        row("subsets", sample="P1-d00", subset="bright", events=4, nk_events=40, fraction_of_nk=0.1, status="ok"),
        row("subsets", sample="P1-d00", subset="other_nk", events=36, nk_events=40, fraction_of_nk=0.9, status="ok"),
        row("subsets", sample="P1-d07", subset="other_nk", events=9, nk_events=9, fraction_of_nk=1.0, status="ok"),
        row("subsets", sample="P1-d07", subset="state:activated", nk_events=9, status="not_resolvable"),
    ]
    kinetics = [
        row("kinetics", patient="P1", measure="donor_nk", quantity="cmax", value=12.0, status="ok", unit="cells/µL"),
        row(
            "kinetics",
            patient="P1",
            measure="nk",
            quantity="time_to_threshold:100",
            ci_high=math.inf,
            status="censored",
        ),
    ]
    who = {"who": "J. Roe", "when": "2024-03-14T10:00:00Z", "why": "she asked me to"}
    thresholds = {"patient": "P1", "measure": "cd3", "unit": "days"}
    for number, known in enumerate(
        (
            {"value": 5.5, "ci_low": 4.0, "ci_high": 7.0, "status": "ok"},
            {"value": math.inf, "ci_low": 30.0, "ci_high": math.inf, "status": "censored"},
            {"status": "not_estimable"},
        )
    ):
        kinetics.append(row("kinetics", quantity=f"time_to_threshold:{number}", **thresholds, **known))
    qc = [row("qc", sample=sample, check="readable", value=9e4, status="pass") for sample, *_ in SAMPLES]
    overrides = [row("overrides", sample="P1-d00", population="nk", scope="sample", **who)]
    found = {"counts": counts, "chimerism": chimerism, "subsets": subsets, "kinetics": kinetics, "overrides": overrides}
    return {**found, "qc": qc, "populations": [row("populations", sample="P1-d00", population="nk", events=40)]}


def export(study: Path, *options: str) -> Path:
    output = study.parent / "out"
    assert main(["export", str(study), "--output", str(output), *options]) == 0
    return output


def cells(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


# --- REDCap -----------------------------------------------------------------------------------------------------------


def test_the_data_dictionary_keeps_the_rules_of_redcap(study: Path) -> None:
    output = export(study, "--format", "redcap")
    fields = cells(output / "redcap" / "data_dictionary.csv")
    assert tuple(fields[0]) == DICTIONARY
    assert len(DICTIONARY) == 18
    names = [field["Variable / Field Name"] for field in fields]
    assert names[0] == "record_id"
    assert len(set(names)) == len(names)
    for field in fields:
        assert re.fullmatch(r"[a-z][a-z0-9_]{0,25}", field["Variable / Field Name"])
        assert not field["Variable / Field Name"].endswith("_")
        assert re.fullmatch(r"[a-z][a-z0-9_]*", field["Form Name"])
        assert field["Field Type"] in ("text", "notes", "dropdown")
        assert field["Text Validation Type OR Show Slider Number"] in ("", "number", "integer")
        assert field["Field Label"]
        listed = field["Choices, Calculations, OR Slider Labels"]
        assert bool(listed) is (field["Field Type"] == "dropdown")
        codes = [choice.split(", ", 1)[0] for choice in listed.split(" | ")] if listed else []
        assert len(set(codes)) == len(codes)
        assert all(re.fullmatch(r"[a-z0-9_]+", code) for code in codes)
    forms = [field["Form Name"] for field in fields]
    assert list(dict.fromkeys(forms)) == sorted(set(forms), key=forms.index), "the fields of a form stand together"


def test_the_import_fits_the_dictionary(study: Path) -> None:
    output = export(study, "--format", "redcap") / "redcap"
    fields = {field["Variable / Field Name"]: field for field in cells(output / "data_dictionary.csv")}
    rows = cells(output / "import.csv")
    structure = ("redcap_repeat_instrument", "redcap_repeat_instance")
    assert set(rows[0]) == {*fields, *structure}
    assert [row["record_id"] for row in rows if not row["redcap_repeat_instrument"]] == ["P1"], "P2 has no sample"
    keys = Counter((row["record_id"], *(row[name] for name in structure)) for row in rows)
    assert max(keys.values()) == 1
    for each in rows:
        form = each["redcap_repeat_instrument"] or "nk_patient"
        for name, value in each.items():
            if not value or name in (*structure, "record_id"):
                continue
            field = fields[name]
            assert field["Form Name"] == form, "a row of an instrument has only its own fields"
            validation = field["Text Validation Type OR Show Slider Number"]
            if validation == "number":
                assert re.fullmatch(r"-?\d+(\.\d+)?", value)
            if validation == "integer":
                assert re.fullmatch(r"-?\d+", value)
            if field["Field Type"] == "dropdown":
                listed = field["Choices, Calculations, OR Slider Labels"].split(" | ")
                assert value in [choice.split(", ", 1)[0] for choice in listed]


def test_values_bounds_status_and_reason_arrive(study: Path) -> None:
    rows = cells(export(study, "--format", "redcap") / "redcap" / "import.csv")
    instruments = Counter(row["redcap_repeat_instrument"] for row in rows)
    expected = {f"nk_{table}": len(tables()[table]) for table in FORMS}
    assert instruments == Counter(expected | {"": 1})
    base = next(row for row in rows if row["ch_sample"] == "P1-base")
    assert (base["ch_day"], base["ch_donor_fraction"], base["ch_ci_low"], base["ch_status"]) == (
        *("-1", "0.12", "0.1"),
        "detected",
    )
    tiny = next(row for row in rows if row["cn_population"] == "my_own_population_of_some_length")
    assert tiny["cn_cells_per_ul"] == "0.0000001"
    open_bound = next(row for row in rows if row["kn_quantity"] == "time_to_threshold_100")
    assert (open_bound["kn_value"], open_bound["kn_ci_high"], open_bound["kn_status"]) == ("", "", "censored")
    assert {row["sb_day"] for row in rows if row["sb_subset"] == "bright"} == {"0"}


def test_never_is_told_from_not_yet(study: Path) -> None:
    """A cell cannot hold the infinite time of who died before the threshold."""
    output = export(study, "--format", "redcap") / "redcap"
    rows = {row["kn_quantity"]: row for row in cells(output / "import.csv") if row["kn_quantity"]}
    told = {name: (row["kn_value"], row["kn_ci_low"], row["kn_outcome"]) for name, row in rows.items()}
    assert told == {
        "cmax": ("12", "", ""),
        "time_to_threshold_0": ("5.5", "4", "reached"),
        "time_to_threshold_1": ("", "30", "died_before"),
        "time_to_threshold_2": ("", "", ""),
        "time_to_threshold_100": ("", "", "censored"),
    }
    fields = {field["Variable / Field Name"]: field for field in cells(output / "data_dictionary.csv")}
    listed = fields["kn_outcome"]["Choices, Calculations, OR Slider Labels"]
    assert listed == "reached, reached | censored, censored | died_before, died_before"
    assert "`kn_outcome`" in (output / "README.md").read_text(encoding="utf-8")


def test_the_choices_of_a_status_do_not_depend_on_who_has_it(study: Path) -> None:
    fields = cells(export(study, "--format", "redcap") / "redcap" / "data_dictionary.csv")
    listed = {f["Variable / Field Name"]: f["Choices, Calculations, OR Slider Labels"] for f in fields}
    assert listed["cn_status"] == "ok, ok | warn, warn | fail, fail | not_available, not_available"


# --- CDISC ------------------------------------------------------------------------------------------------------------


def lb(study: Path) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    output = export(study, "--format", "cdisc-lb", "--study-id", "NK1") / "cdisc-lb"
    return cells(output / "lb.csv"), cells(output / "supplb.csv")


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


# --- Parquet ----------------------------------------------------------------------------------------------------------


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


# --- what all have in common ------------------------------------------------------------------------------------------


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
