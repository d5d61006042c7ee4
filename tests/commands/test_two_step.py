"""Two-step designs (liver, then NK cells): donor cells of the graft are there before the infusion."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from nktrace.files.hla_cuts import read_hla_cuts
from nktrace.model.study import Role
from tests.commands.chimerism_cohort import P1, PRODUCT, Cohort
from tests.commands.hla_tubes import sample

LIVER = replace(P1, first_donor_exposure_day=-3.0)
GRAFT = "graft_cells_possible (donor cells were there before the infusion: origin is not attributable)"
BASELINE, AFTER, LATE = 0.06, 0.16, 0.02  # donor shares of NK cells


@pytest.fixture
def cohort(tmp_path: Path) -> Cohort:
    """Blank before transplantation, baseline between transplantation and infusion, two visits."""
    made = Cohort(tmp_path, LIVER)
    made.add(sample("P1_blank", -4, Role.BLANK), lymphocytes=40_000)
    made.add(sample("P1_base", -1, Role.BASELINE), {"nk": BASELINE, "cd3": 0.02}, lymphocytes=40_000)
    made.add(PRODUCT, 1.0)
    made.add(sample("P1_d1", 1), {"nk": AFTER, "cd3": 0.02}, lymphocytes=40_000)
    made.add(sample("P1_d14", 14), {"nk": LATE, "cd3": 0.0}, lymphocytes=40_000)
    return made


def test_the_blank_is_the_sample_before_transplantation_and_never_the_baseline(cohort: Cohort) -> None:
    together, _ = cohort.run()
    assert {cut.blank_samples for cut in read_hla_cuts(cohort.path / "hla_cuts.tsv")} == {("P1_blank",)}
    base = together["P1_base", "nk"]
    assert base["status"] == "quantified"  # as background these cells would be gone
    assert base["ci_low"] < BASELINE < base["ci_high"]
    assert base["false_positive_rate"] < 0.01


def test_a_baseline_alone_is_no_blank_after_transplantation(tmp_path: Path) -> None:
    made = Cohort(tmp_path, LIVER)
    made.add(sample("P1_base", -1, Role.BASELINE), BASELINE)
    made.add(PRODUCT, 1.0)
    made.add(sample("P1_d1", 1), AFTER)
    together, _ = made.run()
    row = together["P1_d1", "nk"]
    assert row["status"] == "indeterminate"
    assert "no_blank" in row["reason"]
    assert math.isnan(row["donor_fraction"])
    assert math.isnan(row["change_from_baseline"])


def test_change_rises_and_falls_with_the_truth(cohort: Cohort) -> None:
    together, _ = cohort.run()
    for name, truth in (("P1_d1", AFTER - BASELINE), ("P1_d14", LATE - BASELINE)):
        row = together[name, "nk"]
        assert row["change_low"] < truth < row["change_high"]
        assert row["change_low"] < row["change_from_baseline"] < row["change_high"]
        assert row["change_low"] * row["change_high"] > 0  # both changes are beyond chance
    same = together["P1_d1", "cd3"]
    assert same["change_low"] < 0 < same["change_high"]
    for name in ("P1_blank", "P1_base"):
        assert math.isnan(together[name, "nk"]["change_from_baseline"])


def test_origin_is_not_attributable_once_the_graft_is_there(cohort: Cohort) -> None:
    together, alone = cohort.run()
    for row in (*together.values(), *alone):
        if row["status"] not in ("indeterminate", "uninformative"):
            assert (GRAFT in row["reason"]) == (row["sample"] != "P1_blank"), row["sample"]


@pytest.mark.parametrize(("before", "flagged"), [(0.0, True), (60.0, True), (200.0, False)])
def test_the_dose_is_held_against_what_came_after_the_baseline(cohort: Cohort, before: float, flagged: bool) -> None:
    """14.3 per µL is all that 1e6 cells per kg can be: 24 donor NK cells are too many, unless the graft brought 12."""
    nk = [("P1_d1", "nk", 150.0, 140.0, 160.0)]
    cohort.counts(nk + ([("P1_base", "nk", before, before - 5, before + 5)] if before else []))
    together, _ = cohort.run()
    assert together["P1_d1", "nk"]["donor_cells_per_ul"] == pytest.approx(150 * AFTER, rel=0.1)
    assert ("above_infused_dose" in together["P1_d1", "nk"]["reason"]) is flagged
