"""Which blanks and donor references serve a sample of chimerism.tsv, and what is said of those that serve badly."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from nktrace.cli import main
from nktrace.files.blanks import read_blanks
from nktrace.files.hla_cuts import read_hla_cuts
from nktrace.files.lineages import read_lineages
from nktrace.files.settings import Settings
from nktrace.model.chimerism import cuts_by_marker
from nktrace.model.study import Patient, Role
from nktrace.science.product_check import donor_t_cells
from tests.commands.chimerism_cohort import BLANK, NK_ONLY, P1, PRODUCT, SETTINGS, Cohort
from tests.commands.hla_tubes import DONOR, RECIPIENT, sample


def test_the_blanks_of_the_reference_tell_how_much_tubes_scatter(cohort: Cohort) -> None:
    """Without them the scatter is assumed, and the row says so."""
    cohort.add(sample("P1_d7", 7), 0.0)
    before, _ = cohort.run()
    assert "blank_cv_assumed (0.5)" in before["P1_d7", "nk"]["reason"]
    cuts = str(cohort.path / "hla_cuts.tsv")
    blanks = str(cohort.path / "blanks.tsv")
    assert main(["fit-blanks", "--panel", "main", "--output", blanks, *[cuts] * 40]) == 0
    after, alone = cohort.run(blanks)
    assert "blank_cv" not in after["P1_d7", "nk"]["reason"]
    limits = [
        next(r["lob"] for r in rows if (r["sample"], r["population"], r["antibody"]) == ("P1_d7", "nk", "BB7.2"))
        for rows in (cohort.run()[1], alone)
    ]
    assert limits[1] < limits[0]  # blanks that are all alike scatter less than is assumed


@pytest.mark.parametrize("scatter", [False, True])
@pytest.mark.parametrize("pooled", [0, 3, 6])
def test_the_check_of_a_product_has_the_limit_of_blank_of_the_table(tmp_path: Path, pooled: int, scatter: bool) -> None:
    others = tuple(Patient(patient=f"P{number}", recipient_hla=RECIPIENT) for number in range(2, 2 + pooled))
    cohort = Cohort(tmp_path, others=others)
    blanks_of = others or (P1,)
    for number, patient in enumerate(blanks_of):
        row = sample(f"{patient.patient}_blank", -1, Role.BLANK, patient=patient.patient)
        cohort.add(row, background=0.002 * (1 + number), lymphocytes=4_000)
    cohort.add(PRODUCT, 1.0)
    row = sample("P1_d7", 7)
    cohort.add(row, {"nk": 0.2})
    _, alone = cohort.run()
    cuts, blanks = cohort.path / "hla_cuts.tsv", cohort.path / "blanks.tsv"
    assert main(["fit-blanks", "--panel", "main", "--output", str(blanks), *[str(cuts)] * 40]) == 0
    if scatter:
        _, alone = cohort.run(str(blanks))
    t_cells = next(r for r in alone if (r["sample"], r["population"], r["antibody"]) == ("P1_d7", "cd3", "BB7.2"))
    settings = Settings(data_dir="").chimerism
    check = donor_t_cells(
        read_lineages(cohort.path / "samples" / "P1_d7" / "lineages.parquet"),
        cuts_by_marker(read_hla_cuts(cuts), panel="main", batch=row.batch).values(),
        product_cd3=0.0,
        most_cd3=0.01,
        min_events=settings.min_events,
        blank_cv=settings.assumed_blank_cv,
        blanks=read_blanks([blanks]) if scatter else {},
        level=0.95,
    )
    false_positive, sensitivity = t_cells["false_positive_rate"], t_cells["sensitivity"]
    assert t_cells["lob"] == pytest.approx((check.limit - false_positive) / (sensitivity - false_positive), rel=1e-4)


def test_blanks_cut_without_a_donor_reference_do_not_tell_how_much_tubes_scatter(tmp_path: Path) -> None:
    """They are cut by their own peaks, whose tails are then the same in all."""
    cohort = Cohort(tmp_path)
    cohort.add(BLANK)
    cohort.add(sample("P1_d7", 7), 0.0)
    cohort.run()
    cuts, blanks = str(cohort.path / "hla_cuts.tsv"), str(cohort.path / "blanks.tsv")
    assert main(["fit-blanks", "--panel", "main", "--output", blanks, *[cuts] * 40]) == 0
    after, _ = cohort.run(blanks)
    assert "blank_cv_assumed" in after["P1_d7", "nk"]["reason"]


def test_a_product_of_nk_cells_alone_gives_t_cells_its_sensitivity_flagged(tmp_path: Path) -> None:
    cohort = Cohort(tmp_path)
    cohort.add(BLANK)
    cohort.add(PRODUCT, NK_ONLY | {"cd3": 1.0})
    # the product's tube holds no T cells at all
    _leave_only_nk(tmp_path / "samples" / "Don1" / "lineages.parquet")
    cohort.add(sample("P1_d7", 7), 0.1)
    together, _ = cohort.run()
    row = together["P1_d7", "cd3"]
    assert "sensitivity_from_nk" in row["reason"]
    assert row["donor_fraction"] == pytest.approx(0.1, abs=0.02)


def test_without_a_donor_reference_the_sensitivity_is_assumed_flagged_and_widened(tmp_path: Path) -> None:
    widths = {}
    for name, with_donor in (("with", True), ("without", False)):
        cohort = Cohort(tmp_path / name)
        cohort.add(BLANK)
        if with_donor:
            cohort.add(PRODUCT, 1.0)
        cohort.add(sample("P1_d7", 7), 0.5)
        together, _ = cohort.run()
        row = together["P1_d7", "nk"]
        widths[name] = row["ci_high"] - row["ci_low"]
        assert ("no_donor_reference" in row["reason"]) is not with_donor
    assert widths["without"] > 1.5 * widths["with"]


@pytest.mark.parametrize("background", [0.0005, 0.01, 0.03])
def test_without_a_donor_reference_background_cells_cost_no_donor_cells(tmp_path: Path, background: float) -> None:
    """A cut through the bright cells of the blank would take 0.3 for 0.03, and be sure of it."""
    cohort = Cohort(tmp_path)
    cohort.add(BLANK, background=background)
    cohort.add(sample("P1_d7", 7), 0.3, background=background)
    _, alone = cohort.run()
    for row in (r for r in alone if (r["sample"], r["population"]) == ("P1_d7", "nk")):
        assert row["donor_fraction"] == pytest.approx(0.3, abs=0.04)
        assert row["status"] == "quantified"
        assert "no_donor_reference" in row["reason"]


def test_without_a_blank_the_baseline_from_before_exposure_serves(tmp_path: Path) -> None:
    baseline = sample("P1_base", -1, Role.BASELINE)
    for exposure, blank in ((0.0, ("P1_base",)), (-3.0, ())):
        cohort = Cohort(tmp_path / str(exposure), replace(P1, first_donor_exposure_day=exposure))
        cohort.add(baseline)
        cohort.add(PRODUCT, 1.0)
        cohort.add(sample("P1_d7", 7), 0.1)
        together, _ = cohort.run()
        assert read_hla_cuts(cohort.path / "hla_cuts.tsv")[0].blank_samples == blank
        row = together["P1_d7", "nk"]
        if blank:
            assert row["status"] == "quantified"
            assert math.isnan(row["change_from_baseline"])
        else:  # after the exposure: donor cells of the graft would become background
            assert row["status"] == "indeterminate"
            assert "no_blank" in row["reason"]
            assert math.isnan(row["donor_fraction"])


def test_pooled_blanks_serve_only_where_their_typing_says_they_stain_alike(tmp_path: Path) -> None:
    """P2 has no HLA-A2 and serves as a blank for BB7.2; P3 has it and would be taken for donor cells."""
    others = (
        Patient(patient="P2", recipient_hla=RECIPIENT),
        Patient(patient="P3", recipient_hla=DONOR),
        Patient(patient="P4"),
    )
    cohort = Cohort(tmp_path, others=others)
    cohort.add(PRODUCT, 1.0)
    for other in others:
        row = sample(f"{other.patient}_blank", -1, Role.BLANK, patient=other.patient)
        cohort.add(row, 1.0 if other.patient == "P3" else 0.0)
    cohort.add(sample("P1_d7", 7), 0.1)
    together, _ = cohort.run()
    cuts = {cut.marker: cut for cut in read_hla_cuts(tmp_path / "hla_cuts.tsv") if cut.population == "nk"}
    assert cuts["HLA-A2"].blank_samples == ("P2_blank",)
    assert {sample for sample, _ in together} == {"P1_d7"}
    row = together["P1_d7", "nk"]
    assert "pooled_blank" in row["reason"]
    assert row["donor_fraction"] == pytest.approx(0.1, abs=0.03)


def test_another_batch_is_flagged(cohort: Cohort) -> None:
    cohort.add(sample("P1_d7", 7, batch="B2"), 0.1)
    together, _ = cohort.run()
    assert "blank_batch_differs" in together["P1_d7", "nk"]["reason"]


def test_a_batch_that_stains_dimmer_is_cut_where_the_batch_controls_say(tmp_path: Path) -> None:
    """A tenth of the signal: half of the donor's cells fall under the cut of the blank's batch."""
    found = {}
    for controls in (True, False):
        cohort = Cohort(tmp_path / str(controls))
        cohort.add(BLANK)
        cohort.add(PRODUCT, 1.0)
        cohort.add(sample("P1_d7", 7, batch="B2"), 0.3, gain=0.1)
        for batch, gain in (("B1", 1.0), ("B2", 0.1)) if controls else ():
            healthy = sample(f"healthy_{batch}", math.nan, Role.BATCH_CONTROL, patient=None, batch=batch)
            cohort.add(healthy, 1.0, gain=gain)
        _, alone = cohort.run()
        found[controls] = next(
            r for r in alone if (r["sample"], r["population"], r["antibody"]) == ("P1_d7", "nk", "BB7.2")
        )
        assert "blank_batch_differs" in found[controls]["reason"]
        rows = read_hla_cuts(cohort.path / "hla_cuts.tsv")
        assert {cut.batch for cut in rows} == ({"", "B2"} if controls else {""})
    assert "shifted_by_batch_control (bright cells x 0." in found[True]["reason"]
    assert "shifted" not in found[False]["reason"]
    truth = 0.3
    assert abs(found[False]["donor_fraction"] - truth) > 0.05
    assert found[True]["donor_fraction"] == pytest.approx(truth, abs=0.03)
    assert found[True]["ci_low"] < truth < found[True]["ci_high"]


def test_other_patients_blanks_stand_in_for_one_that_cannot_be_used(tmp_path: Path) -> None:
    others = (Patient(patient="P2", recipient_hla=RECIPIENT),)
    for name, how in (("failed", {"failure": "cannot be read"}), ("empty", {"lymphocytes": 0})):
        cohort = Cohort(tmp_path / name, others=others)
        cohort.add(BLANK, **how)
        cohort.add(PRODUCT, 1.0)
        cohort.add(sample("P2_blank", -1, Role.BLANK, patient="P2"))
        cohort.add(sample("P1_d7", 7), 0.1)
        row = cohort.run()[0]["P1_d7", "nk"]
        assert row["status"] == "quantified"
        assert row["donor_fraction"] == pytest.approx(0.1, abs=0.03)
        assert "pooled_blank; own_blank_not_usable (P1_blank)" in row["reason"]


def test_of_several_blanks_the_one_of_the_samples_batch_serves_else_the_latest(tmp_path: Path) -> None:
    cohort = Cohort(tmp_path)
    cohort.add(sample("P1_early", -20, Role.BLANK, batch="B0"))
    cohort.add(BLANK)
    cohort.add(PRODUCT, 1.0)
    for name, batch in (("P1_d1", "B0"), ("P1_d2", "B1"), ("P1_d3", "B9")):
        cohort.add(sample(name, 1, batch=batch), 0.1)
    together, _ = cohort.run()
    cuts = {(cut.batch, cut.marker, cut.population): cut for cut in read_hla_cuts(tmp_path / "hla_cuts.tsv")}
    assert cuts["", "HLA-A2", "nk"].blank_samples == ("P1_blank",)
    assert cuts["B0", "HLA-A2", "nk"].blank_samples == ("P1_early",)
    reasons = {name: together[name, "nk"]["reason"] or "" for name in ("P1_d1", "P1_d2", "P1_d3")}
    assert [name for name, reason in reasons.items() if "blank_batch_differs" in reason] == ["P1_d3"]


def test_a_control_whose_events_are_not_given_is_named_and_not_assumed(
    cohort: Cohort, capsys: pytest.CaptureFixture[str]
) -> None:
    cohort.add(sample("P1_d7", 7), 0.1)
    cohort.run()
    arguments = ["chimerism", "--patient", cohort.patients.row(cohort.samples), "--settings", SETTINGS]
    arguments += ["--cuts", str(cohort.path / "hla_cuts.tsv"), "--counts", str(cohort.path / "counts.tsv")]
    arguments += ["--output-dir", str(cohort.path), str(cohort.path / "samples" / "P1_d7")]
    assert main(arguments) == 2
    assert "P1_blank" in capsys.readouterr().err


def _leave_only_nk(path: Path) -> None:
    from nktrace.files.lineages import read_lineages, write_lineages

    lineages = read_lineages(path)
    keep = lineages.member["nk"]
    write_lineages(
        path,
        replace(
            lineages,
            event=lineages.event[keep],
            member={name: mask[keep] for name, mask in lineages.member.items()},
            hla={marker: values[keep] for marker, values in lineages.hla.items()},
            nk_rows=lineages.nk_rows - lineages.nk_rows[0],
        ),
    )


def test_a_stain_that_failed_is_no_answer(cohort: Cohort) -> None:
    """Without anti-A3 every recipient cell looks like a donor's by that antibody; the other one shows it."""
    cohort.add(sample("P1_d7", 7), 0.0, without_stain=["HLA-A3"])
    together, alone = cohort.run()
    nk = together["P1_d7", "nk"]
    assert nk["status"] == "indeterminate"
    assert math.isnan(nk["donor_fraction"])
    assert "stain_failed" in nk["reason"]
    single = {r["antibody"]: r for r in alone if (r["sample"], r["population"]) == ("P1_d7", "nk")}
    assert {row["status"] for row in single.values()} == {"indeterminate"}, "it is not known which of the two failed"
    assert "stain_failed" in single["anti-A3"]["reason"]
    assert "failed_stain_not_excluded" in single["anti-A3"]["reason"]


@pytest.mark.parametrize("share", [0.03, 0.1])
def test_donor_cells_that_the_failed_antibody_hides_are_no_confident_negative(cohort: Cohort, share: float) -> None:
    """Without anti-A2 donor cells are positive for neither: few enough for the tube to look like the recipient's."""
    cohort.add(sample("P1_d7", 7), share, without_stain=["HLA-A2"])
    cohort.add(sample("P1_d14", 14), share)
    together, alone = cohort.run()
    hidden, seen = together["P1_d7", "nk"], together["P1_d14", "nk"]
    assert {r["status"] for r in alone if (r["sample"], r["population"]) == ("P1_d7", "nk")} == {"indeterminate"}
    assert hidden["status"] == "indeterminate"
    assert "may be anybody's" in hidden["reason"]
    assert seen["status"] == "quantified"
    assert "anybody" not in seen["reason"]


def test_a_poor_second_antibody_takes_nothing_from_a_good_one(cohort: Cohort) -> None:
    """A quarter of the recipient's cells lack the marker that anti-A3 is to tell them by."""
    dim = Cohort(cohort.path)
    dim.add(BLANK, unmarked_share=0.25)
    dim.add(PRODUCT, 1.0)
    dim.add(sample("P1_d7", 7), 0.1, unmarked_share=0.25)
    together, _ = dim.run()
    nk = together["P1_d7", "nk"]
    assert (nk["status"], nk["antibody"]) == ("quantified", "BB7.2")
    assert nk["ci_low"] < 0.1 < nk["ci_high"]


def test_more_double_positive_cells_than_the_controls_have_are_said(cohort: Cohort) -> None:
    cohort.add(sample("P1_d7", 7), 0.1, background=0.15)
    cohort.add(sample("P1_d14", 14), 0.1)
    together, _ = cohort.run()
    odd, usual = together["P1_d7", "nk"], together["P1_d14", "nk"]
    assert "stain_unlike_controls" in odd["reason"]
    assert "stain_unlike_controls" not in usual["reason"]


def test_the_baseline_is_judged_by_the_blank_of_its_own_batch(tmp_path: Path) -> None:
    """The same share of donor cells at both visits, in batches with unlike background: no change."""
    cohort = Cohort(tmp_path, replace(P1, first_donor_exposure_day=-3))
    how = {"lymphocytes": 60_000, "without_stain": ["HLA-A3"]}
    for batch, background in (("B1", 0.002), ("B2", 0.03)):
        role, day = (Role.BASELINE, -1) if batch == "B1" else (Role.TIMEPOINT, 7)
        cohort.add(sample(f"blank_{batch}", -5, Role.BLANK, batch=batch), background=background, **how)
        cohort.add(sample(f"visit_{batch}", day, role, batch=batch), 0.06, background=background, **how)
    cohort.add(PRODUCT, 1.0)
    _, alone = cohort.run()
    row = next(r for r in alone if (r["sample"], r["population"], r["antibody"]) == ("visit_B2", "nk", "BB7.2"))
    assert row["change_low"] < 0 < row["change_high"]
    assert abs(row["change_from_baseline"]) < 0.01
