"""`nktrace check`: sheets and headers, faults at once, and what the study can't give."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from nktrace.cli import main
from nktrace.files.code import code_digest
from nktrace.files.fcs import write_fcs
from nktrace.files.installation import resource
from nktrace.files.subset_rules import read_subset_rules, rules_digest
from nktrace.model.events import Events

CHANNELS = ("Time", "FSC-A", "BV605-A", "APC-A", "FITC-A")
SPILLOVER = "2,BV605-A,APC-A,1,0.1,0,1"


def write(path: Path, channels: tuple[str, ...] = CHANNELS, **keywords: str) -> None:
    events = Events(np.asfortranarray(np.ones((10, len(channels)), np.float32)), channels)
    write_fcs(path, events, keywords={f"${name}": value for name, value in keywords.items()})


@pytest.fixture
def study(written_study):
    for name in ("s1", "s2", "d1", "f1"):
        write(written_study.path / "data" / f"{name}.fcs", SPILLOVER=SPILLOVER)
    return written_study


def check(study, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, list[str]]:
    code = main(["check", str(study.path)])
    said = capsys.readouterr()
    return code, said.out, said.err.splitlines()


def test_a_study_without_faults_is_summed_up(study, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = check(study, capsys)
    assert (code, err) == (0, [])
    assert "Samples   4 (1 blank, 1 timepoint, 1 donor, 1 fmo)" in out
    assert "Panel     main: 5 detectors, 4 samples in 1 batch, gating " in out
    assert "Files     4 headers read, 40 events" in out
    assert "NOTE  S1, S2: no counts without wbc_per_ul" in out
    assert "NOTE  panel main can't give" in out
    assert "spillover" not in out


def test_numbers_for_counting_in_another_unit_and_beads_of_another_lot_are_named(
    study, capsys: pytest.CaptureFixture[str]
) -> None:
    header = "sample\tpatient\tday\trole\tpanel\tbatch\tfcs\twbc_per_ul\tlymphocyte_fraction\tbeads_per_tube\tblood_ul"
    rows = [
        f"S{number}\tP1\t{number}\ttimepoint\tmain\tb1\ts{number % 2 + 1}.fcs\t{numbers}"
        for number, numbers in enumerate(
            ("6.2\t0.3\tNA\tNA", "NA\tNA\t49500\t50", "NA\tNA\t49500\t0.05", "NA\tNA\t51200\t50", "NA\tNA\t990\t50")
        )
    ]
    study.write("samples.tsv", [header, *rows])
    (study.path / "config" / "infusions.tsv").unlink(missing_ok=True)
    _, out, _ = check(study, capsys)
    assert "NOTE  S0: wbc_per_ul is not between 100 and 500,000: is it in 10⁹/L" in out
    assert "NOTE  S2: blood_ul is not between 5 and 2,000: is it in µL?" in out
    assert "NOTE  S4: beads_per_tube is not between 1,000 and 10,000,000" in out
    assert "NOTE  S3, S4: beads_per_tube is not the 49500 of batch b1's other tubes: was another lot used?" in out


def test_an_imported_sample_whose_row_is_wrong_is_one_fault(study, capsys: pytest.CaptureFixture[str]) -> None:
    study.write("imports.tsv", ["sample\tgates\tgates_sample\tnames", "S2\tgates.xml\tNA\tnames/own.tsv"])
    study.write("names/own.tsv", ["gate\tpopulation", "NK\tnk"])
    (study.path / "data" / "gates.xml").write_text("<a/>")
    study.replace("samples.tsv", "timepoint", "timepiont")
    code, _, err = check(study, capsys)
    assert code == 2
    assert [line for line in err if "timepiont" in line] == err


def test_every_override_has_a_line(study, capsys: pytest.CaptureFixture[str]) -> None:
    by = "who: A. Analyst\nwhen: 2026-03-01T10:00:00Z\nwhy: too low\n"
    study.write("overrides/a.yaml", f"sample: S2\npopulation: nk\nmethod: shift\nsettings: x=0.05\n{by}")
    study.write("overrides/b.yaml", f"batch: B1\npanel: main\npopulation: cd3\nmethod: valley\n{by}")
    code, out, err = check(study, capsys)
    assert (code, err) == (0, [])
    assert "Override  nk of S2: shift x=0.05; by A. Analyst at 2026-03-01T10:00:00Z: too low" in out
    assert "Override  cd3 of batch B1 of panel main: valley; by A. Analyst" in out


def test_a_detector_that_a_file_lacks_names_the_row(study, capsys: pytest.CaptureFixture[str]) -> None:
    write(study.path / "data/s2.fcs", tuple(c for c in CHANNELS if c != "APC-A"))
    code, _, err = check(study, capsys)
    assert code == 2
    assert err == [
        "ERROR: config/samples.tsv, row 3, column panel: panel main: no column for CD3 (channel APC-A). "
        "The file has: Time, FSC-A, BV605-A, FITC-A"
    ]


def test_files_alike_share_one_fault(study, capsys: pytest.CaptureFixture[str]) -> None:
    study.replace("panels/main.tsv", "APC-A", "APC-H7-A")
    code, _, err = check(study, capsys)
    assert code == 2
    assert len(err) == 1
    assert "row 2, column panel: panel main: no column for CD3 (channel APC-H7-A) (and in 3 more rows" in err[0]


def test_a_file_that_can_not_be_read_is_no_fault(study, capsys: pytest.CaptureFixture[str]) -> None:
    (study.path / "data/s2.fcs").write_bytes(b"not an FCS file")
    code, out, err = check(study, capsys)
    assert (code, err) == (0, [])
    assert "WARN  config/samples.tsv, row 3, column fcs: data/s2.fcs can't be read: " in out
    assert "The run goes on without it." in out
    assert "3 headers read" in out


def test_spillover_that_is_missing_or_does_not_match(study, capsys: pytest.CaptureFixture[str]) -> None:
    write(study.path / "data/s1.fcs")
    write(study.path / "data/s2.fcs", SPILLOVER="2,BV605-A,PE-A,1,0.1,0,1")
    code, out, err = check(study, capsys)
    assert code == 2
    assert "NOTE  1 file(s) hold no spillover and are not compensated (S1)" in out
    assert len(err) == 1
    assert "row 3, column compensation: " in err[0]
    assert "'PE-A'" in err[0]


def test_a_matrix_of_the_study_is_read(study, capsys: pytest.CaptureFixture[str]) -> None:
    study.write(
        "samples.tsv",
        ["sample\tpatient\trole\tpanel\tbatch\tfcs\tcompensation", "S1\tNA\ttimepoint\tmain\tB1\ts1.fcs\tconfig/m.csv"],
    )
    study.write("m.csv", "detector,BV605-A,APC-A\nBV605-A,1,0.1\nAPC-A,0,1\n")
    assert check(study, capsys)[0] == 0
    study.write("m.csv", "detector,BV605-A,APC-A\nBV605-A,1,0.1\nAPC-A,0,x\n")
    code, _, err = check(study, capsys)
    assert code == 2
    assert "row 2, column compensation: " in err[0]
    assert "m.csv, row 3" in err[0]


def test_faults_of_sheets_and_headers_come_together(study, capsys: pytest.CaptureFixture[str]) -> None:
    study.replace("samples.tsv", "\t7\t", "\tseven\t")
    write(study.path / "data/s1.fcs", ("Time", "FSC-A"))
    code, out, err = check(study, capsys)
    assert code == 2
    assert "2 faults:" in out
    assert "row 3, column day: 'seven'" in err[0]
    assert "row 2, column panel: " in err[1]


def test_what_a_study_can_not_give_is_said(study, capsys: pytest.CaptureFixture[str]) -> None:
    study.write("patients.tsv", ["patient", "P1", "P2"])
    study.replace("samples.tsv", "P1\t-1\tblank", "P1\t1\ttimepoint")
    study.replace("samples.tsv", "s2.fcs", "s1.fcs")
    code, out, _ = check(study, capsys)
    assert code == 0
    for note in (
        "P2: no samples on the timeline",
        "P1: recipient_hla is NA, so chimerism is indeterminate",
        "P1: donor_hla is NA",
        "P1: no blank at all, so no chimerism",
        "P1: no donor reference, so the sensitivity is assumed",
        "D1: its donor is no patient's donor",
        "P1: sex is NA, so no reference ranges",
        "S1, S2: the same file, data/s1.fcs, stands in 2 rows",
    ):
        assert f"NOTE  {note}" in out


def test_a_panel_without_nk_markers_says_so(study, capsys: pytest.CaptureFixture[str]) -> None:
    study.replace("panels/main.tsv", "BV605-A\tCD56\tlineage", "BV605-A\tCD4\tlineage")
    study.replace("samples.tsv", "fmo\tCD56", "fmo\tCD4")
    _, out, _ = check(study, capsys)
    assert "NOTE  panel main gives no NK cells: panel main has no CD56" in out


def test_no_study(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(tmp_path / "absent")]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "there is no such directory" in said.err


def test_a_reference_of_other_code_is_a_warning(study, capsys: pytest.CaptureFixture[str]) -> None:
    for part, command in (("gates", "fit_gates"), ("clusters", "fit_clusters")):
        place = study.path / "results/reference/main/v1" / part
        place.mkdir(parents=True)
        (place / "reference.json").write_text(json.dumps({"code": code_digest(command)}))
    assert "WARN" not in check(study, capsys)[1]
    (place / "reference.json").write_text(json.dumps({"code": "0" * 12}))
    code, out, _ = check(study, capsys)
    assert code == 0
    assert "WARN  the clusters of panel main, v1, were fitted by another version of the code" in out
    assert "set reference_version: 2" in out
    (place / "reference.json").write_text(json.dumps({"code": code_digest(command), "align": "batch_control"}))
    assert (
        "WARN  the clusters of panel main, v1, were fitted with clustering.align: batch_control"
        in check(study, capsys)[1]
    )


def test_a_typo_in_the_own_gating_table_is_named_with_the_nearest_marker(
    study, capsys: pytest.CaptureFixture[str]
) -> None:
    table = [
        "population\tparent\tchannels\tmethod",
        "t\troot\tCD3\tvalley",
        "nk\troot\tCD65\tvalley",
        "b\tnk\tCD3\tvalley",
    ]
    study.write("gating/main.tsv", table)
    code, out, _ = check(study, capsys)
    assert code == 0
    assert "NOTE  config/gating/main.tsv: nk is dropped, since panel main has no CD65. Did you mean 'CD56'?" in out
    assert "NOTE  config/gating/main.tsv: b is dropped, since its parent nk is missing" in out


def test_clusters_named_by_other_rules_are_a_warning(study, capsys: pytest.CaptureFixture[str]) -> None:
    """Editing nk_subsets.tsv after the fit changes the subsets of events, not the names of frozen clusters."""
    place = study.path / "results/reference/main/v1/clusters"
    place.mkdir(parents=True)
    facts = {
        "code": code_digest("fit_clusters"),
        "named_by": rules_digest(read_subset_rules(resource("nk_subsets.tsv"))),
    }
    (place / "reference.json").write_text(json.dumps(facts))
    assert "WARN" not in check(study, capsys)[1]
    own = resource("nk_subsets.tsv").read_text().replace("CD57+", "CD57-", 1)
    (study.path / "config" / "nk_subsets.tsv").write_text(own)
    code, out, _ = check(study, capsys)
    assert code == 0
    assert "WARN  the clusters of panel main, v1, have their names from other rules than nk_subsets.tsv has now" in out


def test_several_donors_of_a_patient_are_named(study, capsys: pytest.CaptureFixture[str]) -> None:
    head = "patient\tinfusion\tday\tdonor\tdonor_hla"
    study.write("infusions.tsv", [head, "P1\ti1\t0\tD1\tA*02:01", "P1\ti2\t7\tD2\tNA", "P1\ti3\t9\tD1\tA*03:01"])
    study.write("patients.tsv", ["patient\tdonor", "P1\tD1", "P2\tNA"])
    _, out, _ = check(study, capsys)
    assert "P1 met cells of 2 donors (D1 and D2)" in out
    assert "P1: donor D1 has two typings, and the first written is used" in out
    assert "P1: donor_hla is NA, so chimerism is indeterminate" in out
    study.write("infusions.tsv", [head, "P1\ti1\t0\tall\tNA"])
    code, out, err = check(study, capsys)
    assert code == 2
    assert "'all' has another meaning" in err[0]


def test_two_days_of_death_are_a_fault_of_the_event(study, capsys: pytest.CaptureFixture[str]) -> None:
    sheet = study.path / "config" / "patients.tsv"
    header, *rows = sheet.read_text().splitlines()
    study.write("patients.tsv", [f"{header}\tdeath_day", *(f"{row}\t{30 if 'P1' in row else 'NA'}" for row in rows)])
    study.write("events.tsv", ["patient\tday\tkind", "P1\t33\tdeath"])
    code, _, err = check(study, capsys)
    assert code == 2
    says = "ERROR: config/events.tsv, row 2, column day: the death of P1 is on day 33, and on day 30 in patients.tsv"
    assert [line.startswith(says) for line in err] == [True]
    study.replace("events.tsv", "33", "30")
    assert check(study, capsys)[0] == 0
