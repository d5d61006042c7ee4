"""From gated tubes to chimerism.tsv by the commands of the workflow: the rows."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nktrace.cli import main
from nktrace.files.installation import resource
from nktrace.files.lineages import read_lineages
from nktrace.files.shifts import write_shifts
from nktrace.files.tables import read_table, write_table
from nktrace.model.shifts import Moved, Shift
from nktrace.model.study import Role
from tests.commands.chimerism_cohort import BLANK, P1, PRODUCT, SETTINGS, Cohort
from tests.commands.hla_tubes import RECIPIENT, sample


def test_the_fraction_is_found_with_two_antibodies_and_with_each_alone(cohort: Cohort) -> None:
    cohort.add(sample("P1_d7", 7), {"nk": 0.2, "cd3": 0.0, "b_cells": 0.0})
    together, alone = cohort.run()
    nk = together["P1_d7", "nk"]
    assert nk["direction"] == "both"
    assert nk["antibody"] == "BB7.2+anti-A3"
    assert nk["status"] == "quantified"
    assert nk["category"] == "mixed"
    assert nk["donor_fraction"] == pytest.approx(0.2, abs=0.03)
    assert nk["ci_low"] < nk["donor_fraction"] < nk["ci_high"]
    assert "double_positive" in nk["reason"]
    single = {r["direction"]: r for r in alone if (r["sample"], r["population"]) == ("P1_d7", "nk")}
    assert single.keys() == {"donor_positive", "recipient_positive"}
    assert single["donor_positive"]["false_positive_rate"] == pytest.approx(0.002, abs=0.0015)
    for row in single.values():
        assert row["donor_fraction"] == pytest.approx(nk["donor_fraction"], abs=0.01)


def test_the_same_antibodies_serve_at_all_visits_and_one_that_lacks_them_says_so(cohort: Cohort) -> None:
    cohort.add(sample("P1_d7", 7), 0.1)
    cohort.add(sample("P1_d14", 14), 0.1)
    cohort.add(sample("P1_d28", 28), 0.1, unstained=["HLA-A3"])
    together, _ = cohort.run()
    for name in ("P1_blank", "P1_d7", "P1_d14"):
        assert together[name, "nk"]["antibody"] == "BB7.2+anti-A3"
        assert "antibody_differs" not in together[name, "nk"]["reason"]
    alone = together["P1_d28", "nk"]
    assert alone["antibody"] == "BB7.2"
    assert "antibody_differs (BB7.2+anti-A3 at other visits)" in alone["reason"]


def test_one_antibody_that_serves_at_most_visits_goes_before_two_that_do_not(cohort: Cohort) -> None:
    cohort.add(sample("P1_d7", 7), 0.1, unstained=["HLA-A3"])
    together, _ = cohort.run()
    assert {together[name, "nk"]["antibody"] for name in ("P1_blank", "P1_d7")} == {"BB7.2"}


def test_every_population_and_subset_of_every_timeline_sample_has_a_row(cohort: Cohort) -> None:
    cohort.add(sample("P1_d7", 7), 0.05)
    together, _ = cohort.run()
    populations = {"lymphocytes", "cd3", "b_cells", "nk", "adaptive", "other_dim"}
    assert set(together) == {(s, p) for s in ("P1_blank", "P1_d7") for p in populations}
    assert all(row["reason"] for row in together.values() if row["status"] != "quantified")


def test_the_blank_is_not_detected_against_itself(cohort: Cohort) -> None:
    together, _ = cohort.run()
    for row in together.values():
        assert row["status"] in ("not_detected", "indeterminate")
        assert "this sample is the blank" in row["reason"] or row["status"] == "indeterminate"
    nk = together["P1_blank", "nk"]
    assert nk["lod"] >= 20 / nk["events"]
    assert nk["ci_low"] == 0


def test_missing_typing_and_antibodies_that_tell_nothing_have_rows_with_a_reason(tmp_path: Path) -> None:
    for name, patient, status, word in (
        ("missing", replace(P1, donor_hla=""), "indeterminate", "donor is not typed"),
        ("same", replace(P1, donor_hla=RECIPIENT), "uninformative", "recipient A*03:01"),
    ):
        cohort = Cohort(tmp_path / name, patient)
        cohort.add(BLANK)
        cohort.add(sample("P1_d7", 7), 0.1)
        together, alone = cohort.run()
        row = together["P1_d7", "nk"]
        assert row["status"] == status
        assert word in row["reason"]
        assert all(math.isnan(row[column]) for column in ("donor_fraction", "ci_low", "ci_high", "lod"))
        assert len(alone) == 2 * len(together)


def test_stimulated_and_failed_samples_have_no_rows(cohort: Cohort) -> None:
    cohort.add(sample("P1_stim", 7, condition="K562"), 0.1)
    cohort.add(sample("P1_bad", 14), 0.1, failure="cannot be read")
    together, _ = cohort.run()
    assert {name for name, _ in together} == {"P1_blank"}


def test_change_is_measured_from_a_baseline_that_is_not_the_blank(tmp_path: Path) -> None:
    """The liver design: blank before transplantation, graft cells at the baseline, infusion at day 0."""
    cohort = Cohort(tmp_path, replace(P1, first_donor_exposure_day=-3))
    cohort.add(replace(BLANK, day=-4))
    cohort.add(sample("P1_base", -0.1, Role.BASELINE), 0.05)
    cohort.add(PRODUCT, 1.0)
    cohort.add(sample("P1_d7", 7), 0.15)
    together, _ = cohort.run()
    row = together["P1_d7", "nk"]
    assert row["change_from_baseline"] == pytest.approx(0.1, abs=0.03)
    assert row["change_low"] < 0.1 < row["change_high"]
    assert "origin is not attributable" in row["reason"]
    assert math.isnan(together["P1_blank", "nk"]["change_from_baseline"])


def test_of_two_baselines_the_one_that_is_not_the_blank_serves(tmp_path: Path) -> None:
    cohort = Cohort(tmp_path, replace(P1, first_donor_exposure_day=-3))
    cohort.add(sample("P1_early", -4, Role.BASELINE))
    cohort.add(sample("P1_late", -1, Role.BASELINE), 0.05)
    cohort.add(PRODUCT, 1.0)
    cohort.add(sample("P1_d7", 7), 0.15)
    together, _ = cohort.run()
    row = together["P1_d7", "nk"]
    assert row["change_low"] < 0.1 < row["change_high"]
    assert math.isnan(together["P1_late", "nk"]["change_from_baseline"])
    assert "baseline_is_the_blank" not in together["P1_late", "nk"]["reason"]


def test_a_baseline_that_serves_as_blank_is_named_where_there_is_no_other(tmp_path: Path) -> None:
    cohort = Cohort(tmp_path)
    cohort.add(sample("P1_early", -4, Role.BASELINE))
    cohort.add(PRODUCT, 1.0)
    cohort.add(sample("P1_d7", 7), 0.15)
    together, _ = cohort.run()
    assert math.isnan(together["P1_d7", "nk"]["change_from_baseline"])
    assert "baseline_is_the_blank" in together["P1_d7", "nk"]["reason"]
    assert "baseline_is_the_blank" not in together["P1_early", "nk"]["reason"]


def test_donor_cells_per_ul_and_the_plausibility_bound(cohort: Cohort) -> None:
    cohort.add(sample("P1_d7", 7), 0.1)
    cohort.counts([("P1_d7", "nk", 500.0, 460.0, 543.0), ("P1_d7", "cd3", 1000.0, 950.0, 1050.0)])
    together, _ = cohort.run()
    nk = together["P1_d7", "nk"]
    assert nk["donor_cells_per_ul"] == pytest.approx(500 * nk["donor_fraction"])
    assert nk["donor_cells_ci_low"] < nk["donor_cells_per_ul"] < nk["donor_cells_ci_high"]
    assert "above_infused_dose (14.3" in nk["reason"]
    assert "above_infused_dose" not in together["P1_d7", "cd3"]["reason"]
    assert math.isnan(together["P1_d7", "b_cells"]["donor_cells_per_ul"])


def test_an_antibody_that_is_not_in_the_table_is_named(
    cohort: Cohort, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    panel = tmp_path / "main.tsv"
    panel.write_text("channel\tmarker\tkind\tantibody\nFITC-A\tHLA-A2\thla\tBB72\n", encoding="utf-8")
    arguments = ["hla-cuts", "--patient", cohort.patients.row(cohort.samples), "--panel", str(panel)]
    arguments += ["--settings", SETTINGS, "--antibodies", str(resource("hla_antibodies.tsv")), "--output", "x.tsv"]
    assert main(arguments) == 2
    assert "BB72" in capsys.readouterr().err


def test_the_tables_are_the_same_bytes_again(cohort: Cohort) -> None:
    cohort.add(sample("P1_d7", 7), 0.1)
    names = ("hla_cuts.tsv", "chimerism.tsv", "chimerism_by_antibody.tsv")
    cohort.run()
    first = [(cohort.path / name).read_bytes() for name in names]
    cohort.run()
    assert [(cohort.path / name).read_bytes() for name in names] == first


def test_a_doubtful_gate_is_told_and_one_that_failed_has_no_estimate(cohort: Cohort) -> None:
    flag, failed = "gate_doubtful: nk (one peak)", "gate_failed: cd3 (the gate is empty)"
    subset = f"gate_doubtful: nk_cd57 (one peak); {flag}"
    doubts = {"nk": (flag,), "cd3": (failed,)}
    cohort.add(sample("P1_d7", 7), 0.2, doubts=doubts, of_subsets=f"{subset}; supporting signs: CD57+ 0.90")
    together, alone = cohort.run()
    nk, cd3 = together["P1_d7", "nk"], together["P1_d7", "cd3"]
    assert (nk["status"], nk["donor_fraction"]) == ("quantified", pytest.approx(0.2, abs=0.03))
    assert nk["reason"].startswith(flag)
    assert all(flag in row["reason"] for row in alone if (row["sample"], row["population"]) == ("P1_d7", "nk"))
    assert subset in together["P1_d7", "adaptive"]["reason"]
    assert "supporting" not in together["P1_d7", "adaptive"]["reason"]
    assert (cd3["status"], cd3["reason"]) == ("indeterminate", failed)
    assert math.isnan(cd3["donor_fraction"])
    assert "gate_" not in (together["P1_d7", "b_cells"]["reason"] or "")


def test_donor_cells_carry_the_doubt_of_the_count(cohort: Cohort) -> None:
    cohort.add(sample("P1_d7", 7), 0.2)
    cohort.counts([("P1_d7", "nk", 100.0, 90.0, 110.0)])
    path = cohort.path / "counts.tsv"
    flag = "gate_doubtful: lymphocytes (one peak) in P1_d7_counting"
    rows = [row | {"status": "warn", "reason": f"{flag}; joined"} for row in read_table(path, "counts")]
    write_table(path, "counts", rows)
    nk = cohort.run()[0]["P1_d7", "nk"]
    assert nk["donor_cells_per_ul"] == pytest.approx(20, abs=3)
    assert flag in nk["reason"]
    assert "joined" not in nk["reason"]


def test_the_place_of_the_gates_widens_the_interval_and_moves_nothing_else(cohort: Cohort) -> None:
    cohort.add(sample("P1_d7", 7), {"nk": 0.3})
    plain = cohort.run()[0]["P1_d7", "nk"]
    directory = cohort.path / "samples" / "P1_d7"
    lineages = read_lineages(directory / "lineages.parquet")
    entering = lineages.event[np.flatnonzero(lineages.member["cd3"])[:600]].astype(np.intp)  # none of the donor's
    sides = (Moved(entering[:0], {}), Moved(entering, {"nk": np.ones(600, np.int8)}))
    write_shifts(directory / "shifts.parquet", [Shift("nk", "CD56", "min", *sides)])
    moved = cohort.run()[0]["P1_d7", "nk"]
    assert moved["ci_low"] < plain["ci_low"]
    assert moved["ci_high"] > plain["ci_high"]
    kept = ("donor_fraction", "lob", "lod", "loq", "status", "marker_events", "reason")
    assert [moved[column] for column in kept] == [plain[column] for column in kept]


def test_a_baseline_whose_gate_failed_gives_no_change(tmp_path: Path) -> None:
    cohort = Cohort(tmp_path, replace(P1, first_donor_exposure_day=-3))
    cohort.add(replace(BLANK, day=-4))
    cohort.add(sample("P1_base", -1, Role.BASELINE), 0.05, doubts={"nk": ("gate_failed: nk (no peak)",)})
    cohort.add(PRODUCT, 1.0)
    cohort.add(sample("P1_d7", 7), 0.15)
    together, _ = cohort.run()
    row = together["P1_d7", "nk"]
    assert row["status"] == "quantified"
    assert math.isnan(row["change_from_baseline"])
    assert "baseline: gate_failed: nk" in row["reason"]


@pytest.mark.parametrize(("day", "flagged"), [(7, True), (30, False)])
def test_cells_are_held_against_what_was_infused_by_then(cohort: Cohort, day: float, flagged: bool) -> None:
    cohort.add(sample("P1_late", day), 0.1)
    cohort.counts([("P1_late", "nk", 500.0, 460.0, 543.0)])
    cohort.patients = replace(
        cohort.patients,
        infusions=tuple(
            {"patient": "P1", "infusion": f"i{number}", "day": at, "cells_per_kg": dose, "donor": "", "donor_hla": ""}
            for number, (at, dose) in enumerate((("0", "1e6"), ("28", "5e6")))
        ),
    )
    together, _ = cohort.run()
    assert ("above_infused_dose" in (together["P1_late", "nk"]["reason"] or "")) is flagged
