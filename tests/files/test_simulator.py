"""The simulator file: all faults at once, each with its place."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from nktrace.files.simulator import read_cells, read_simulation
from nktrace.model.errors import StudyFaults

RESOURCES = Path(__file__).resolve().parents[2] / "resources" / "simulation"


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    for name in ("demo_release.yaml", "small.yaml", "liver.yaml", "cells.tsv"):
        shutil.copy(RESOURCES / name, tmp_path / name)
    return tmp_path / "small.yaml"


def faults_of(path: Path) -> str:
    with pytest.raises(StudyFaults) as caught:
        read_simulation(path)
    return "\n".join(str(fault) for fault in caught.value.faults)


def edit(path: Path, *changes: tuple[str, str]) -> None:
    text = path.read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")


def test_a_base_gives_what_the_file_does_not_name(spec: Path) -> None:
    simulation, table = read_simulation(spec)
    demo, _ = read_simulation(spec.parent / "demo_release.yaml")
    assert repr(simulation.panels) == repr(demo.panels)  # nan is not equal to itself
    assert [p.patient for p in simulation.patients] == ["S1", "S2"]
    assert simulation.seed != demo.seed
    assert "nk_bright" in table.traits


def test_every_typo_is_named_with_the_nearest_key(spec: Path) -> None:
    edit(spec, ("seed: 7", "sede: 7"), ("peak: 12, peak_day", "peak: 12, peakday"))
    faults = faults_of(spec)
    assert "patients.0.donor_cells.peakday" in faults
    assert "Did you mean 'peak_day'?" in faults
    assert "Did you mean 'seed'?" in faults


def test_numbers_that_cannot_be(spec: Path) -> None:
    edit(spec, ("b_cells: 0.15", "b_cells: 0.25"), ("half_life: 3}", "half_life: -3}"))
    faults = faults_of(spec)
    assert "sum to 1.1" in faults
    assert "half_life is -3" in faults


def test_names_that_do_not_exist(spec: Path) -> None:
    edit(spec, ("nk_profile: cmv_positive", "nk_profile: cmv_maybe"), ("[phenotyping, counting]", "[fenotyping]"))
    faults = faults_of(spec)
    assert "cmv_maybe" in faults
    assert "fenotyping" in faults


def test_a_patient_whose_name_would_leave_the_directory_is_refused(spec: Path) -> None:
    edit(spec, ("patient: S1", "patient: ../S1"))
    assert "is no id" in faults_of(spec)


def test_conditions_of_a_patient_are_checked(spec: Path) -> None:
    edit(spec, ("    panels: [phenotyping]\n", "    panels: [phenotyping]\n    conditions: {dead: 1.5}\n"))
    assert "dead is 1.5" in faults_of(spec)
    edit(spec, ("{dead: 1.5}", "{deads: 0.1}"))
    assert "deads" in faults_of(spec)


def test_controls_are_checked(spec: Path) -> None:
    edit(spec, ("fmo: [CD57, HLA-DR]", "fmo: [CD57, CD57]"))
    assert "fmo names a marker twice" in faults_of(spec)
    edit(spec, ("fmo: [CD57, CD57]", "fmo: [CD99]"), ("single_stains: beads", "single_stains: bead"))
    faults = faults_of(spec)
    assert "controls.phenotyping.single_stains" in faults
    edit(spec, ("single_stains: bead", "single_stains: beads"))
    assert "panel phenotyping has no antibody CD99" in faults_of(spec)
    edit(spec, ("fmo: [CD99]", "fmo: [CD57]"), ("  phenotyping: {batch", "  fenotyping: {batch"))
    assert "controls: there is no panel fenotyping" in faults_of(spec)


def test_control_tubes_of_cells_need_somebody(spec: Path) -> None:
    for path in (spec, spec.parent / "demo_release.yaml"):
        text = path.read_text(encoding="utf-8")
        path.write_text(text[: text.index("healthy_donor:")] + text[text.index("controls:\n") :], encoding="utf-8")
    assert "the controls of panel phenotyping need a healthy_donor" in faults_of(spec)


def test_a_graft_comes_before_the_infusion_and_after_the_blank(spec: Path) -> None:
    liver = spec.parent / "liver.yaml"
    edit(liver, ("day: -3, cells: 18,", "day: 2, cells: 18,"), ("      cells: 30\n", "      cells: 0\n"))
    faults = faults_of(liver)
    assert "day is 2, which is not before the infusion" in faults
    assert "cells is 0" in faults
    edit(liver, ("day: 2, cells: 18,", "day: -3, cells: 18,"), ("      cells: 0\n", "      cells: 30\n"))
    edit(liver, ("blank_day: -4", "blank_day: -2"), ("b_cells: 0.05}", "b_cell: 0.05}"))
    assert "patient L01: blank_day -2 is not before the graft's -3" in faults_of(liver)
    edit(liver, ("blank_day: -2", "blank_day: -4"))
    assert "no kind b_cell. Did you mean 'b_cells'?" in faults_of(liver)


def test_a_patient_cannot_be_called_as_the_control_tubes_are(spec: Path) -> None:
    edit(spec, ("patient: S1", "patient: controls"))
    assert "a patient can't be called 'controls'" in faults_of(spec)


def test_a_cell_kind_that_the_table_lacks(spec: Path) -> None:
    edit(spec, ("b_cells: 0.15", "b_cell: 0.15"))
    assert "no kind b_cell. Did you mean 'b_cells'?" in faults_of(spec)


def test_an_hla_detector_needs_its_antigens(spec: Path) -> None:
    edit(spec.parent / "demo_release.yaml", ('antigens: ["A*03"], ', ""))
    assert "HLA-A3: a detector of kind hla needs `antigens`" in faults_of(spec)


def test_what_is_no_yaml_is_one_fault(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("a: [1, 2", encoding="utf-8")
    assert "not YAML" in faults_of(tmp_path / "x.yaml")
    assert "no such file" in faults_of(tmp_path / "y.yaml")
    (tmp_path / "z.yaml").write_text("just words", encoding="utf-8")
    assert "not a simulator file" in faults_of(tmp_path / "z.yaml")


def test_faults_of_the_cell_table_name_their_rows(tmp_path: Path) -> None:
    rows = ["kind\tmarker\tpositive\tlevel\tspread", "a\tCD3\t1.2\t100\t0.3", "b\tCD3\tmany\t100\t0.3"]
    (tmp_path / "cells.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    with pytest.raises(StudyFaults) as caught:
        read_cells(tmp_path / "cells.tsv")
    assert [fault.row for fault in caught.value.faults] == [2, 3]
