"""A study as a whole: what it becomes, and every fault of it at once with file, row, column and how to mend it."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nktrace.files.sheets import examine_study, read_study
from nktrace.model.errors import StudyFaults
from nktrace.model.study import Role


def faults_of(study) -> list[str]:
    try:
        read_study(study.path)
    except StudyFaults as error:
        return [str(fault) for fault in error.faults]
    return []


def test_a_study_without_faults(written_study) -> None:
    study, settings = read_study(written_study.path)
    assert settings.data_dir == "data"
    assert list(study.samples) == ["S1", "S2", "D1", "F1"]
    blank, timepoint, donor, fmo = study.samples.values()
    assert (blank.role, blank.day, blank.fcs, blank.specimen) == (Role.BLANK, -1, "data/s1.fcs", "P1.-1.blank")
    assert (timepoint.compensation, timepoint.material, timepoint.dilution) == ("keyword", "whole_blood", 1)
    assert math.isnan(timepoint.wbc_per_ul)
    assert (donor.patient, donor.donor, donor.specimen) == (None, "Don1", "D1"), "a tube without a patient is alone"
    assert math.isnan(donor.day)
    assert fmo.stain == "CD56"
    assert study.panels == {"main": "config/panels/main.tsv"}
    assert study.gating["main"].endswith("resources/gating/nk.tsv")
    assert study.donor_references("P1") == (donor,)


def test_the_day_is_computed_from_the_dates(written_study) -> None:
    written_study.replace("patients.tsv", "patient\tdonor", "patient\tinfusion_date\tdonor")
    written_study.replace("patients.tsv", "P1\tDon1", "P1\t2024-03-01\tDon1")
    written_study.replace("samples.tsv", "sample\tpatient\tday", "sample\tpatient\tcollected")
    written_study.replace("samples.tsv", "S1\tP1\t-1", "S1\tP1\t2024-02-29")
    written_study.replace("samples.tsv", "S2\tP1\t7", "S2\tP1\t2024-03-08T09:30")
    study, _ = read_study(written_study.path)
    assert [study.samples[name].day for name in ("S1", "S2")] == [-1, 7]


S2 = "S2\tP1\t7\ttimepoint\tNA\tmain\tB1\ts2.fcs\tNA"


@pytest.mark.parametrize(
    ("name", "old", "new", "says"),
    [
        # the bad input that the issue names
        ("samples.tsv", "s2.fcs", "s3.fcs", "samples.tsv, row 3, column fcs: there is no file 'data/s3.fcs'. Did you"),
        ("samples.tsv", "S2\t", "S1\t", "samples.tsv, row 3, column sample: 'S1' stands in row 2 already"),
        ("samples.tsv", "\t7\t", "\tday 7\t", "row 3, column day: 'day 7' is not a number of days. Write a number"),
        ("samples.tsv", "fmo\tCD56", "fmo\tCD57", "row 5, column stain: panel main has no marker or channel 'CD57'"),
        # cells of samples.tsv
        ("samples.tsv", "S2\tP1", "S2\tP2", "row 3, column patient: patients.tsv has no 'P2'. There is: P1."),
        ("samples.tsv", "timepoint", "time_point", "column role: there is no 'time_point'. Did you mean 'timepoint'?"),
        ("samples.tsv", "P1\t7", "P1\tNA", "row 3, column day: the timepoint of a patient needs its day"),
        ("samples.tsv", "fmo\tCD56", "fmo\tNA", "row 5, column stain: a sample of role fmo needs its stain"),
        ("samples.tsv", "NA\tNA\tdonor", "NA\t3\tdonor", "row 4, column day: a donor reference has no day"),
        ("samples.tsv", "d1.fcs\tDon1", "d1.fcs\tNA", "row 4, column donor: whose cells are these?"),
        ("samples.tsv", "NA\tmain\tB1\ts2", "NA\tmian\tB1\ts2", "column panel: there is no config/panels/mian.tsv"),
        ("samples.tsv", "P1\t-1\tblank", "P1\t3\tblank", "column role: a blank of day 3 is not before the first donor"),
        ("samples.tsv", "s2.fcs", "../s2.fcs", "column fcs: '../s2.fcs' does not stay within data_dir"),
        ("samples.tsv", "s2.fcs", "/data/s2.fcs", "column fcs: '/data/s2.fcs' does not stay within data_dir"),
        ("samples.tsv", "s2.fcs", "a\\s2.fcs", "column fcs: 'a\\s2.fcs' has backslashes"),
        ("samples.tsv", "s2.fcs", ".", "column fcs: '.' does not stay within data_dir"),
        ("samples.tsv", "day\t", "dya\t", "row 1, column dya: there is no column 'dya'. Did you mean 'day'?"),
        ("samples.tsv", "sample\t", "# no header\nsample\t", ""),
        # patients.tsv
        ("patients.tsv", "P1\tDon1\tF", "P1\tDon1\tfemale", "patients.tsv, row 2, column sex: there is no 'female'"),
        ("patients.tsv", "A*01:01,A*03:01", "A*01:01,A3:xx", "patients.tsv, row 2, column recipient_hla: "),
        # panels
        ("panels/main.tsv", "APC-A\tCD3", "APC-A\tCD56", "main.tsv, row 5, column marker: 'CD56' stands in row 4"),
        ("panels/main.tsv", "APC-A", "BV605-A", "main.tsv, row 5, column channel: 'BV605-A' stands in row 4 already"),
        ("panels/main.tsv", "\tlineage\t", "\tlinage\t", "column kind: there is no 'linage'. Did you mean 'lineage'?"),
        ("panels/main.tsv", "BB7.2", "BB7.3", "column antibody: hla_antibodies.tsv has no 'BB7.3'. Did you mean"),
        ("panels/main.tsv", "hla\tBB7.2", "hla\tNA", "column antibody: a detector of kind hla needs its antibody"),
        # config.yaml
        ("config.yaml", "data\n", "dta\n", "config.yaml, row 1, column data_dir: there is no directory 'dta'"),
        ("config.yaml", "data\n", "data\nseeed: 2\n", "row 2, column seeed: there is no such setting. Did you"),
    ],
)  # fmt: skip
def test_a_fault_says_where_what_and_how_to_mend_it(written_study, name: str, old: str, new: str, says: str) -> None:
    written_study.replace(name, old, new)
    found = faults_of(written_study)
    assert any(says in fault for fault in found) if says else not found, found
    assert all("\n" not in fault for fault in found)


@pytest.mark.parametrize(
    ("column", "text", "says"),
    [
        ("compensation", "keywrd", "neither keyword, none, controls nor a file of the study. Did you mean 'keyword'?"),
        ("compensation", "controls", "no sample of role single_stain"),
        ("material", "blood", "there is no 'blood'"),
        ("wbc_per_ul", "0", "out of range"),
        ("lymphocyte_fraction", "28", "Write a fraction"),
        ("dilution", "-1", "out of range"),
        ("specimen", "P1 d7", "is not an id"),
        ("collected", "2024-03-08", "no day without the infusion_date of P1"),
        ("collected", "08.03.2024", "is not an ISO date"),
    ],
)
def test_faults_of_the_optional_columns(written_study, column: str, text: str, says: str) -> None:
    lines = (written_study.path / "config/samples.tsv").read_text().split("\n")
    header, first, second = (line.split("\t") for line in lines[:3])
    if column == "collected":
        second[2] = "NA"
    rows = [[*header, column], [*first, "NA"], [*second, text]]
    written_study.write("samples.tsv", ["\t".join(row) for row in rows])
    found = faults_of(written_study)
    assert len(found) == 1, found
    assert f"row 3, column {column}: " in found[0]
    assert says in found[0]


def test_all_faults_of_all_files_come_at_once(written_study) -> None:
    written_study.write("config.yaml", "data_dir: data\nchimerism:\n  min_seperation: 0.8\n")
    written_study.replace("samples.tsv", "\t7\t", "\tseven\t")
    written_study.replace("samples.tsv", "f1.fcs", "f2.fcs")
    written_study.replace("patients.tsv", "\tF\t", "\tx\t")
    written_study.replace("panels/main.tsv", "hla\tBB7.2", "hla\tBB8")
    written_study.write("gating/mian.tsv", ["population\tparent\tchannels\tmethod", "nk\troot\tCD56\tvaley"])
    written_study.write("events.tsv", ["patient\tday\tkind", "P9\t3\tinfection"])
    written_study.write("overrides/a.yaml", "sample: S1\n")
    written_study.write("reference_samples.tsv", ["sample", "S3"])
    text = "\n".join(faults_of(written_study))
    for says in (
        "config/config.yaml, row 3, column chimerism.min_seperation: there is no such setting. "
        "Did you mean 'chimerism.min_separation'?",
        "config/samples.tsv, row 3, column day: 'seven'",
        "config/samples.tsv, row 5, column fcs: there is no file 'data/f2.fcs'",
        "config/patients.tsv, row 2, column sex",
        "config/panels/main.tsv, row 6, column antibody",
        "config/gating/mian.tsv: there is no panel 'mian'. Did you mean 'main'?",
        "config/gating/mian.tsv, row 2, column method: there is no 'valey'. Did you mean 'valley'?",
        "config/events.tsv, row 2, column patient: patients.tsv has no 'P9'",
        "config/overrides/a.yaml, row 1, column why: the key is missing",
        "config/reference_samples.tsv, row 2, column sample: samples.tsv has no 'S3'",
    ):
        assert says in text


def test_a_fault_in_a_patient_is_not_also_a_fault_of_its_samples(written_study) -> None:
    written_study.replace("patients.tsv", "\tF\t", "\tx\t")
    assert len(faults_of(written_study)) == 1


def test_what_can_be_read_is_read_beside_the_faults(written_study) -> None:
    written_study.replace("samples.tsv", "\t7\t", "\tseven\t")
    examined = examine_study(written_study.path)
    assert list(examined.study.samples) == ["S1", "D1", "F1"]
    assert examined.rows["F1"] == 5


def test_lone_tubes_need_no_patients(written_study) -> None:
    (written_study.path / "config/patients.tsv").unlink()
    header = "sample\tpatient\trole\tpanel\tbatch\tfcs"
    written_study.write("samples.tsv", [header, "S1\tNA\ttimepoint\tmain\tB1\ts1.fcs"])
    study, _ = read_study(written_study.path)
    assert study.samples["S1"].patient is None
    written_study.write("samples.tsv", [header, "S1\tP1\ttimepoint\tmain\tB1\ts1.fcs"])
    found = faults_of(written_study)
    assert "config/patients.tsv: there is no such file" in found[1]
    assert "config/samples.tsv, column day: the column is missing" in found[0]


def test_files_that_the_run_simulates_need_not_be_there(written_study) -> None:
    (written_study.path / "data/s1.fcs").unlink()
    written_study.write("config.yaml", "data_dir: elsewhere\nsimulate: config/demo.yaml\n")
    assert faults_of(written_study) == [
        "config/config.yaml, row 2, column simulate: there is no file 'config/demo.yaml'. "
        "Write the simulator file's path, relative to the study."
    ]
    written_study.write("demo.yaml", "x")
    assert read_study(written_study.path)[0].samples["S1"].fcs == "elsewhere/s1.fcs"


def test_data_may_stand_outside_of_the_study(written_study, tmp_path: Path) -> None:
    (written_study.path / "data").rename(tmp_path / "shared")
    written_study.write("config.yaml", "data_dir: ../shared/\n")
    assert read_study(written_study.path)[0].samples["S1"].fcs == "../shared/s1.fcs"
    written_study.write("config.yaml", f"data_dir: {tmp_path / 'shared'}\n")
    assert read_study(written_study.path)[0].samples["S1"].fcs == str(tmp_path / "shared" / "s1.fcs")


def test_the_small_sheets_are_rows_of_text(written_study) -> None:
    written_study.write(
        "infusions.tsv",
        ["patient\tinfusion\tday\tdonor\tviability", "P1\t1\t0\tDon1\t0.9", "P1\t2\t7\tNA\tNA"],
    )
    written_study.write("events.tsv", ["patient\tday\tkind\tnote", "P1\t12\tinfection\tCMV, treated"])
    written_study.write("external_chimerism.tsv", ["patient\tday\tmethod\tdonor_fraction", "P1\t7\tSTR\t0.03"])
    study, _ = read_study(written_study.path)
    assert [row["donor"] for row in study.infusions] == ["Don1", ""]
    assert study.infusions[0]["cells_per_kg"] == ""
    assert study.events[0]["note"] == "CMV, treated"
    assert study.external_chimerism[0]["donor_fraction"] == "0.03"
    written_study.write("infusions.tsv", ["patient\tinfusion\tday", "P1\t1\t0", "P1\t1\t7"])
    assert "infusion '1' of P1 stands in row 2 already" in faults_of(written_study)[0]


def test_own_knowledge_tables_are_checked(written_study) -> None:
    written_study.write("grades.tsv", ["population\tgrade", "nk\t1"])
    assert "grades.tsv" in faults_of(written_study)[0]


def test_a_patient_without_an_id_is_a_fault_and_not_a_crash(written_study) -> None:
    written_study.write("patients.tsv", ["patientid\tinfusion_date", "P1\t2024-03-14"])
    assert "there is no column 'patientid'. Did you mean 'patient'?" in faults_of(written_study)[0]


def test_own_tables_are_named_as_the_sheets_are(written_study) -> None:
    written_study.write("grades.tsv", ["population\tgrade", "nk\t1"])
    assert faults_of(written_study)[0].startswith("config/grades.tsv")


def test_a_directory_or_a_file_without_permission_is_no_fcs_file(written_study, monkeypatch) -> None:
    (written_study.path / "data" / "s1.fcs").unlink()
    (written_study.path / "data" / "s1.fcs").mkdir()
    assert "'data/s1.fcs' is a directory. Write the file within it." in faults_of(written_study)[0]
    monkeypatch.setattr(os, "access", lambda path, _: Path(path).name != "s2.fcs")  # root may read everything
    assert "row 3, column fcs: no permission to read 'data/s2.fcs'" in faults_of(written_study)[1]


def test_a_directory_that_is_no_study_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(StudyFaults, match=r"it has no directory config/\. `nktrace init"):
        read_study(tmp_path)
    with pytest.raises(StudyFaults, match="there is no such directory"):
        read_study(tmp_path / "absent")


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cells=st.lists(
        st.text(st.characters(exclude_characters="\t\r\n", exclude_categories=["Cs"])), min_size=9, max_size=9
    )
)
def test_any_row_becomes_a_sample_or_faults_of_its_line(written_study, cells: list[str]) -> None:
    header = (written_study.path / "config/samples.tsv").read_text().split("\n")[0]
    written_study.write("samples.tsv", [header, "\t".join(cells), S2])
    examined = examine_study(written_study.path)
    assert "S2" in examined.study.samples or any("S2" in fault.what for fault in examined.faults)
    assert all(fault.row == 2 for fault in examined.faults if fault.file == "config/samples.tsv")


def test_two_thousand_samples_are_read_without_heavy_imports(written_study) -> None:
    """The workflow reads the study at each parse, in every job."""
    rows = [f"T{i}\tP{i // 8}\t{i % 8}\ttimepoint\tNA\tmain\tB1\ts1.fcs\tNA" for i in range(2_000)]
    written_study.write("samples.tsv", ["sample\tpatient\tday\trole\tstain\tpanel\tbatch\tfcs\tdonor", *rows])
    written_study.write("patients.tsv", ["patient", *(f"P{i}" for i in range(250))])
    code = (
        "import sys; from nktrace.files.sheets import read_study; study, _ = read_study(sys.argv[1]); "
        "print(len(study.samples), sorted({'numpy', 'pandas', 'pyarrow', 'scipy', 'snakemake'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(written_study.path)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "2000 []\n"


def test_a_death_among_the_events_is_the_patients_death_day(written_study) -> None:
    written_study.write("events.tsv", ["patient\tday\tkind", "P1\t40\tinfection", "P1\t41\tdeath"])
    assert read_study(written_study.path)[0].patients["P1"].death_day == 41
    written_study.write("events.tsv", ["patient\tday\tkind", "P1\t41\tdeath", "P1\t41\tdeath", "P1\t42\tdeath"])
    (found,) = faults_of(written_study)
    assert "config/events.tsv, row 4, column day: the death of P1 is on day 42, and on day 41 in row 2" in found
