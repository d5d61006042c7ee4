"""Two donors in one patient: each where an antibody tells it from all others, else both together."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from nktrace.cli import main
from nktrace.files.hla_cuts import read_hla_cuts
from nktrace.files.settings import Settings, part
from nktrace.files.tables import read_table, write_table
from nktrace.model.study import Patient, Role
from tests.commands.chimerism_cohort import BLANK, Cohort
from tests.commands.hla_tubes import RECIPIENT, Patients, sample

WITH_A2, WITH_NEITHER = "A*02:01,A*11:01;B*07:02,B*35:01", "A*24:02,A*11:01;B*07:02,B*35:01"
P1 = Patient(patient="P1", donor="D1", recipient_hla=RECIPIENT, donor_hla=WITH_A2, dose_per_kg=1e6)


def infusion(name: str, day: float, donor: str, hla: str) -> dict[str, str]:
    known = {"patient": "P1", "infusion": name, "day": f"{day:g}", "donor": donor, "donor_hla": hla}
    return known | {"cells_per_kg": "1000000", "viability": "", "cd3_fraction": ""}


def two_donors(path: Path, second: str = WITH_NEITHER) -> Cohort:
    """D1 on day 0 with HLA-A2, D2 on day 7 by default without; the recipient alone has HLA-A3."""
    made = Cohort(path)
    infusions = (infusion("i1", 0, "D1", WITH_A2), infusion("i2", 7, "D2", second))
    made.patients = Patients(path, P1, infusions=infusions)
    made.add(BLANK)
    made.add(sample("D1", math.nan, Role.DONOR, patient=None, donor="D1"), 1.0)
    made.add(
        sample("D2", math.nan, Role.DONOR, patient=None, donor="D2"),
        1.0 if second == WITH_A2 else 0.0,
        unmarked_share=1.0,
    )
    made.add(sample("P1_d3", 3), 0.10)
    made.add(sample("P1_d10", 10), 0.10, unmarked_share=0.30)
    return made


def nk(made: Cohort) -> dict[tuple[str, str], dict[str, Any]]:
    made.run()
    rows = read_table(made.path / "chimerism.tsv", "chimerism")
    return {(row["sample"], row["donor"]): row for row in rows if row["population"] == "nk"}


def test_each_antibody_tells_of_the_donors_that_it_tells_from_all_others(tmp_path: Path) -> None:
    found = nk(two_donors(tmp_path))
    assert {donor for _, donor in found} == {"all", "D1"}
    both, first = found["P1_d10", "all"], found["P1_d10", "D1"]
    assert (both["antibody"], both["direction"]) == ("anti-A3", "recipient_positive")
    assert (first["antibody"], first["direction"]) == ("BB7.2", "donor_positive")
    for row, truth in ((both, 0.10 + 0.90 * 0.30), (first, 0.10)):
        assert row["ci_low"] < truth < row["ci_high"]
        assert row["donor_fraction"] == pytest.approx(truth, abs=0.03)
    cuts = {cut.marker: cut for cut in read_hla_cuts(tmp_path / "hla_cuts.tsv") if cut.population == "nk"}
    assert (cuts["HLA-A2"].whose, cuts["HLA-A2"].donor_samples) == ("D1", ("D1",))
    assert (cuts["HLA-A3"].whose, cuts["HLA-A3"].donor_samples) == ("all", ("D1", "D2"))


def test_donors_that_no_antibody_tells_apart_are_estimated_together(tmp_path: Path) -> None:
    found = nk(two_donors(tmp_path, WITH_A2))
    assert {donor for _, donor in found} == {"all"}
    assert found["P1_d3", "all"]["antibody"] == "BB7.2+anti-A3"


def test_a_donor_without_a_typing_leaves_all_undecided(tmp_path: Path) -> None:
    found = nk(two_donors(tmp_path, ""))
    row = found["P1_d10", "all"]
    assert {donor for _, donor in found} == {"all"}
    assert row["status"] == "indeterminate"
    assert math.isnan(row["donor_fraction"])
    assert "donor D2 is not typed" in row["reason"]


def test_rows_before_a_donors_first_cells_say_so(tmp_path: Path) -> None:
    made = two_donors(tmp_path)
    made.patients = Patients(
        tmp_path, P1, infusions=(infusion("i1", 0, "D2", WITH_NEITHER), infusion("i2", 7, "D1", WITH_A2))
    )
    found = nk(made)
    assert "before_the_first_cells_of_this_donor" in found["P1_d3", "D1"]["reason"]
    assert "before_the_first" not in found["P1_d10", "D1"]["reason"]


def test_one_donor_stands_in_its_column_and_changes_nothing_else(tmp_path: Path) -> None:
    made = Cohort(tmp_path, P1)
    made.add(BLANK)
    made.add(sample("D1", math.nan, Role.DONOR, patient=None, donor="D1"), 1.0)
    made.add(sample("P1_d3", 3), 0.10)
    without, _ = made.run()
    made.patients = Patients(tmp_path, P1, infusions=(infusion("i1", 0, "D1", ""), infusion("i2", 7, "", WITH_A2)))
    with_sheet, _ = made.run()
    assert {row["donor"] for row in without.values()} == {"D1"}
    assert {key: str(row) for key, row in with_sheet.items()} == {key: str(row) for key, row in without.items()}


def test_trajectories_follow_all_donors_and_each_that_is_told_apart_from_its_first_cells_on(tmp_path: Path) -> None:
    made = two_donors(tmp_path)
    cells = [(name, "nk", 200.0, 190.0, 210.0) for name in ("P1_blank", "P1_d3", "P1_d10")]
    made.counts(cells)
    nk(made)
    timeline = [row for row in made.samples if row.patient == "P1"]
    for row in timeline:
        directory = tmp_path / "samples" / row.sample
        write_table(directory / "qc.tsv", "qc", [])
        write_table(directory / "subset_error.tsv", "gate_error", [])
    settings = part(Settings(data_dir=""), "kinetics", "trajectories")
    command = ["trajectories", "--patient", made.patients.row(timeline), "--settings", settings]
    command += ["--counts", str(tmp_path / "counts.tsv"), "--chimerism", str(tmp_path / "chimerism.tsv")]
    directories = [str(tmp_path / "samples" / row.sample) for row in timeline]
    assert main([*command, "--output-dir", str(tmp_path), *directories]) == 0
    rows = read_table(tmp_path / "trajectories.tsv", "trajectories")
    seen = {
        (row["measure"], row["day"]): row["observed"]
        for row in rows
        if row["measure"].startswith("donor_nk") and row["observed"] > 0
    }
    assert seen.keys() == {
        ("donor_nk", -1.0),
        ("donor_nk", 3.0),
        ("donor_nk", 10.0),
        ("donor_nk:D1", 3.0),
        ("donor_nk:D1", 10.0),
    }
    (before,) = [row for row in rows if (row["measure"], row["day"]) == ("donor_nk:D1", -1.0)]
    assert before["reason"] == "before the first cells of this donor"
    assert seen["donor_nk", 10.0] == pytest.approx(74, abs=8)
    assert seen["donor_nk:D1", 10.0] == pytest.approx(20, abs=4)
    kinetics = read_table(tmp_path / "kinetics.tsv", "kinetics")
    assert {"cmax", "tlast"} <= {row["quantity"] for row in kinetics if row["measure"] == "donor_nk:D1"}
