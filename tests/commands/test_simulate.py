"""`nktrace simulate`: a complete study with known truth, the same bytes whoever asks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from nktrace.cli import main
from nktrace.files.fcs import read_fcs
from nktrace.files.sheets import read_study
from nktrace.files.simulator import read_simulation
from nktrace.files.tables import read_rows
from nktrace.files.truth import read_expectations
from nktrace.model.simulation import Simulation
from nktrace.model.study import Role
from nktrace.science.compensation import compensate, find_spillover
from nktrace.science.simulation.course import donor_cells, draw_of_recipient

REPOSITORY = Path(__file__).resolve().parents[2]
LIVER = REPOSITORY / "resources" / "simulation" / "liver.yaml"
DEMO = REPOSITORY / "resources" / "simulation" / "demo_release.yaml"
SMALL = REPOSITORY / "resources" / "simulation" / "small.yaml"


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("small")
    assert main(["simulate", str(SMALL), "--output", str(directory)]) == 0
    return directory


@pytest.fixture(scope="module")
def demo() -> Simulation:
    return read_simulation(DEMO)[0]


def compensated(study: Path, sample: str) -> dict[str, np.ndarray]:
    """Values by marker (scatter and time by channel)."""
    file = read_fcs(study / "data" / f"{sample}.fcs")
    spillover = find_spillover(file.keywords)
    assert spillover is not None
    events = compensate(file.scale_values(), spillover, max_condition=100.0)
    names = [label or name for name, label in zip(file.names, file.labels, strict=True)]
    return {name: events.column(channel) for name, channel in zip(names, file.names, strict=True)}


def truth_of(study: Path, sample: str) -> dict[str, np.ndarray]:
    table = pq.read_table(study / "data" / "truth" / f"{sample}.parquet")
    return {
        name: np.asarray(table.column(name).to_pylist() if name in ("population", "subset", "kind") else table[name])
        for name in table.column_names
    }


def test_the_study_is_complete(study: Path) -> None:
    sheets, settings = read_study(study)
    assert settings.data_dir == "data"
    assert settings.simulate == ""
    assert {s.role for s in sheets.samples.values()} == set(Role) - {Role.BASELINE}
    for sample in sheets.samples.values():
        file = read_fcs(study / "data" / Path(sample.fcs).name)
        truth = truth_of(study, sample.sample)
        assert file.event_count == truth["event"].size
        assert np.array_equal(truth["event"], np.arange(file.event_count))
    assert main(["check", str(study)]) == 0


def test_bytes_do_not_depend_on_who_else_is_simulated(study: Path, tmp_path: Path) -> None:
    assert main(["simulate", str(SMALL), "--patient", "S2", "--data-dir", str(tmp_path / "data")]) == 0
    made = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file())
    assert made
    assert all(path.name.startswith("S2") for path in made)
    for path in made:
        assert (tmp_path / path).read_bytes() == (study / path).read_bytes()


def test_control_tubes_can_be_written_by_themselves(study: Path, tmp_path: Path) -> None:
    assert main(["simulate", str(SMALL), "--controls", "--data-dir", str(tmp_path / "data")]) == 0
    controls = [row for row in read_rows(study / "config" / "samples.tsv") if row["patient"] == "NA"]
    assert {path.name for path in (tmp_path / "data").glob("*.fcs")} == {row["fcs"] for row in controls}
    for path in (path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()):
        assert (tmp_path / path).read_bytes() == (study / path).read_bytes()


def test_only_tubes_that_hold_all_antibodies_have_expectations(study: Path) -> None:
    expected = read_expectations(study / "data" / "truth")
    controls = {sample for sample, _ in expected if "phenotyping-" in sample}
    assert controls == {"E1-b1-phenotyping-batch-control", "E1-b2-phenotyping-batch-control"}
    nk = [expected[sample, "nk"] for sample in sorted(controls)]
    assert nk[0].cells_per_ul == nk[1].cells_per_ul
    assert nk[0].events == truth_of(study, "E1-b1-phenotyping-batch-control")["nk"].sum()


def test_truth_and_file_belong_together(study: Path) -> None:
    values, truth = compensated(study, "S1-d01"), truth_of(study, "S1-d01")
    nk, t_cells = truth["nk"], np.isin(truth["population"], ["cd4_t", "cd8_t"])
    assert np.median(values["CD56"][nk]) > 8 * np.median(np.abs(values["CD56"][t_cells]))
    assert np.median(values["CD3"][t_cells]) > 8 * np.median(np.abs(values["CD3"][nk]))
    bright = truth["subset"] == "bright"
    assert np.median(values["CD56"][bright]) > 4 * np.median(values["CD56"][truth["population"] == "nk_dim"])
    donor = nk & truth["is_donor"]
    assert np.median(values["HLA-A2"][donor]) > 8 * np.median(values["HLA-A2"][nk & ~truth["is_donor"]])
    assert np.median(values["HLA-A3"][nk & ~truth["is_donor"]]) > 8 * np.median(np.abs(values["HLA-A3"][donor]))
    assert np.median(values["Viability"][truth["population"] == "dead"]) > 10_000
    doublet = truth["population"] == "doublet"
    ratio = values["FSC-H"] / values["FSC-A"]
    assert np.median(ratio[doublet]) < 0.9 * np.median(ratio[nk])


def test_the_donor_reference_is_all_donor_and_the_blank_has_none(study: Path) -> None:
    truth = truth_of(study, "S1-donor")
    assert truth["is_donor"][truth["nk"]].all()
    assert not truth_of(study, "S1-blank")["is_donor"].any()


def test_expectations_agree_with_the_events(study: Path) -> None:
    expected = read_expectations(study / "data" / "truth")
    nk, lymphocytes = expected["S1-d01", "nk"], expected["S1-d01", "lymphocytes"]
    assert nk.donor_fraction == pytest.approx(nk.donor_cells_per_ul / nk.cells_per_ul)
    assert nk.realised_donor_fraction == pytest.approx(nk.donor_fraction, abs=4 * (0.07 * 0.93 / nk.events) ** 0.5)
    share = nk.abundance / lymphocytes.abundance
    assert nk.events / lymphocytes.events == pytest.approx(share, abs=4 * (share / lymphocytes.events) ** 0.5)
    assert nk.events == truth_of(study, "S1-d01")["nk"].sum()
    assert expected["S1-d01", "cd3"].donor_fraction == 0.0
    assert expected["S1-d01", "cd3"].cells_per_ul == pytest.approx(expected["S1-d01-counting", "cd3"].cells_per_ul)


def test_beads_count_the_cells(study: Path) -> None:
    truth = truth_of(study, "S1-d01-counting")
    row = next(r for r in read_rows(study / "config" / "samples.tsv") if r["sample"] == "S1-d01-counting")
    beads = (truth["population"] == "beads").sum()
    cd3 = np.isin(truth["kind"], ["cd4_t", "cd8_t", "gd_t", "nkt_like_cd8", "nkt_like_dn"]).sum()
    counted = cd3 / beads * float(row["beads_per_tube"]) / float(row["blood_ul"])
    expected = read_expectations(study / "data" / "truth")["S1-d01-counting", "cd3"]
    assert counted == pytest.approx(expected.cells_per_ul, rel=0.25)


def test_an_unknown_patient_and_no_output_are_one_line_errors(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", str(SMALL), "--output", "x", "--patient", "S9"]) == 2
    assert main(["simulate", str(SMALL)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert [line.startswith("ERROR: ") for line in lines] == [True, True]
    assert "S1, S2" in lines[0]


def test_the_checked_in_study_is_what_its_file_yields(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    spec = DEMO.relative_to(REPOSITORY)
    assert main(["simulate", str(spec), "--config-dir", str(tmp_path / "config")]) == 0
    made = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file())
    assert len(made) == 5
    for path in made:
        assert (REPOSITORY / path).read_bytes() == (tmp_path / path).read_bytes(), f"{path}: run nktrace simulate"


def test_the_demo_is_shaped_like_release(demo: Simulation) -> None:
    doses = sorted(patient.dose_per_kg for patient in demo.patients)
    assert doses == [1e6] * 4 + [2e6] * 2
    assert len(demo.visits) == 7
    for patient in demo.patients:
        assert patient.donor_cells.peak <= patient.dose_per_kg / 1e6 * 14.3  # every infused cell in the blood
        assert patient.donor_cells.peak_day <= min(demo.visits)
    last = {p.patient: donor_cells(p.donor_cells, max(demo.visits)) for p in demo.patients}
    assert last["P4"] == 0.0
    assert all(value > 0 for name, value in last.items() if name != "P4")


def test_the_liver_cohort_has_its_blank_before_and_its_baseline_after_transplantation(tmp_path: Path) -> None:
    assert main(["simulate", str(LIVER), "--config-dir", str(tmp_path)]) == 0
    patients = read_rows(tmp_path / "patients.tsv")
    assert len(patients) == 19
    assert {row["first_donor_exposure_day"] for row in patients} == {"-3"}
    days = {role: {row["day"] for row in read_rows(tmp_path / "samples.tsv") if row["role"] == role} for role in Role}
    assert (days[Role.BLANK], days[Role.BASELINE]) == ({"-4"}, {"-1"})
    happened = [row["kind"] for row in read_rows(tmp_path / "events.tsv")]
    assert (happened.count("infection"), happened.count("rejection")) == (6, 7)
    simulation, _ = read_simulation(LIVER)
    for patient in simulation.patients:
        blank, baseline, late = (
            sum(draw_of_recipient(simulation, patient, day).donor.values()) for day in (-4, -1, 28)
        )
        assert (blank, baseline > 1.0) == (0.0, True)
        assert late < 0.01 * baseline


def test_one_patient_of_the_liver_cohort_is_a_study_that_checks(tmp_path: Path) -> None:
    assert main(["simulate", str(LIVER), "--patient", "L05", "--output", str(tmp_path)]) == 0
    assert main(["check", str(tmp_path)]) == 0
    expected = read_expectations(tmp_path / "data" / "truth")
    for population in ("nk", "cd3", "b_cells"):
        assert expected["L05-blank", population].donor_events == 0
        assert expected["L05-baseline", population].donor_fraction > 0
    truth = truth_of(tmp_path, "L05-baseline")
    brought = truth["kind"][truth["is_donor"]]
    assert {"nk_bright", "cd8_t"} <= set(brought)
    assert [row["kind"] for row in read_rows(tmp_path / "config" / "events.tsv")] == ["infection", "rejection"]
