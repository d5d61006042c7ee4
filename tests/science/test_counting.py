from __future__ import annotations

import math

import numpy as np
import pytest

from nktrace.files.installation import resource
from nktrace.files.knowledge import read_grades, read_ranges
from nktrace.model.counting import CountStatus
from nktrace.model.intervals import Interval
from nktrace.science.counting import (
    beads_count,
    dual_count,
    grade_of,
    left_out,
    lymphosum,
    no_limit,
    product,
    ratio,
    reference_range,
    share_of,
    vol_to_ul,
    volumetric_count,
)

RANGES, GRADES = read_ranges(resource("reference_ranges.tsv")), read_grades(resource("grades.tsv"))


def test_vector_of_bead_counting_and_its_error() -> None:
    """850/9500 x 49500/50 = 88.58 cells/uL, CV 4.10 %: by the mid-p interval of the cells, not the wider exact one."""
    found = beads_count(850, 9_500, beads_per_tube=49_500, blood_ul=50, pipette_cv=0.02, level=0.95)
    assert found.value == pytest.approx(88.58, abs=0.005)
    assert math.log(found.high / found.low) / (2 * 1.96) == pytest.approx(0.0410, abs=1e-4)


def test_no_cells_are_none_with_an_upper_bound() -> None:
    found = beads_count(0, 9_500, beads_per_tube=49_500, blood_ul=50, pipette_cv=0.02, level=0.95)
    assert (found.value, found.low) == (0, 0)
    assert found.high == pytest.approx(
        -math.log(0.05) * 49_500 / 9_500 / 50 * math.exp(1.96 * math.hypot(0.02, 9_500**-0.5)), rel=1e-3
    )
    assert not beads_count(10, 0, beads_per_tube=49_500, blood_ul=50, pipette_cv=0.02, level=0.95).known


def test_volume_and_dilution() -> None:
    found = volumetric_count(1_000, acquired_ul=50, dilution=10, pipette_cv=0.02, level=0.95)
    assert found.value == pytest.approx(200)
    assert math.log(found.high / found.value) / 1.96 == pytest.approx(math.hypot(1_000**-0.5, 0.02), rel=0.03)


def test_dual_platform() -> None:
    found = dual_count(1_500, 10_000, wbc_per_ul=6_000, lymphocyte_fraction=0.3, analyser_cv=0.05, level=0.95)
    assert found.value == pytest.approx(270)
    whole = dual_count(10_000, 10_000, wbc_per_ul=6_000, lymphocyte_fraction=0.3, analyser_cv=0.05, level=0.95)
    assert whole.value == pytest.approx(1_800)
    assert math.log(whole.high / whole.value) == pytest.approx(1.96 * 0.05, rel=1e-3)


def test_coverage_of_the_bead_interval() -> None:
    """Of whole numbers no interval covers each mean equally often: over means it is 95 %, at worst a little less."""
    rng, repeats = np.random.default_rng(2), 600
    held = []
    for expected in (0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 12.0, 40.0, 200.0, 1_000.0):
        within = 0
        for _ in range(repeats):
            cells, beads = int(rng.poisson(expected * rng.normal(1, 0.02))), int(rng.poisson(5_000))
            found = beads_count(cells, beads, beads_per_tube=50_000, blood_ul=50, pipette_cv=0.02, level=0.95)
            within += found.low <= expected / 5_000 * 1_000 <= found.high
        held.append(within / repeats)
    assert 0.94 < float(np.mean(held)) < 0.97
    assert min(held) > 0.92


def test_a_share_of_a_count_joins_both_errors() -> None:
    whole = Interval(300.0, 270.0, 333.3)
    found = share_of(whole, 50, 1_000, level=0.95)
    assert found.value == pytest.approx(15)
    assert found.low < 15 * 0.9 < 15 * 1.111 < found.high
    assert share_of(whole, 1_000, 1_000, level=0.95) == whole
    assert not share_of(whole, 0, 0, level=0.95).known
    assert product(whole, Interval(0.0, 0.0, 0.01)) == Interval(0.0, 0.0, pytest.approx(3.333))


def test_a_joined_count_covers_the_truth() -> None:
    """Cells of a subset by the counting tube's NK cells times the phenotyping tube's share, both with their errors."""
    rng, held, repeats = np.random.default_rng(3), 0, 400
    for truth in (2.0, 20.0):
        held = 0
        for _ in range(repeats):
            cells, beads = int(rng.poisson(400 * rng.normal(1, 0.02))), int(rng.poisson(5_000))
            nk = beads_count(cells, beads, beads_per_tube=50_000, blood_ul=50, pipette_cv=0.02, level=0.95)
            found = share_of(nk, int(rng.binomial(1_500, truth / 80)), 1_500, level=0.95)
            held += found.low <= truth <= found.high
        assert 0.925 < held / repeats < 0.99


def test_a_ratio_joins_both_errors_and_is_one_of_equals() -> None:
    one, other = Interval(200.0, 180.0, 222.2), Interval(100.0, 80.0, 125.0)
    found = ratio(one, other)
    assert found.value == 2
    assert found.low == pytest.approx(2 * math.exp(-math.hypot(math.log(200 / 180), math.log(125 / 100))))
    assert found.high == pytest.approx(2 * math.exp(math.hypot(math.log(222.2 / 200), math.log(100 / 80))))
    assert not ratio(one, Interval(0.0, 0.0, 3.0)).known


def test_cells_that_met_in_one_event_are_counted_back_in() -> None:
    """Of 10,000 cells 600 meet in pairs: 300 events are removed, 9,400 are left, and so many are single."""
    factor, cv = left_out(300, 9_400)
    assert factor - 1.96 * cv * factor < 10_000 / 9_400 < factor + 1.96 * cv * factor
    assert left_out(0, 9_400) == (1, 0)
    assert left_out(2_000, 8_000) == (1, 0), "a fifth of the events is no coincidence"


def test_units_of_the_acquired_volume() -> None:
    assert vol_to_ul("120000", "LSRFortessa", "auto").value == 120
    assert vol_to_ul("120", "Aurora", "auto").value == 120
    assert vol_to_ul("120", "Aurora", "nl").value == pytest.approx(0.12)
    assert "nL" in vol_to_ul("5", "", "auto").reason
    for bad in ("", "abc", "-3", "0", "inf", "nan"):
        assert math.isnan(vol_to_ul(bad, "Aurora", "auto").value)


def test_sum_of_the_lineages() -> None:
    found, status = lymphosum(9_500, 10_000, level=0.95)
    assert (found.value, status) == (pytest.approx(0.95), CountStatus.OK)
    assert 0.945 < found.low < 0.95 < found.high < 0.955
    assert lymphosum(8_700, 10_000, level=0.95)[1] is CountStatus.WARN
    assert lymphosum(7_700, 10_000, level=0.95)[1] is CountStatus.FAIL
    assert lymphosum(8_700, 10_000, gate_variance=0.03**2, level=0.95)[1] is CountStatus.OK


@pytest.mark.parametrize("lymphocytes", [20, 200, 2_000, 20_000, 2_000_000])
@pytest.mark.parametrize("share", [0.85, 0.9, 1.0, 1.05])
def test_a_sum_of_the_lineages_at_a_limit_is_not_beyond_it(share: float, lymphocytes: int) -> None:
    status = lymphosum(round(share * lymphocytes), lymphocytes, level=0.95)[1]
    inner = share in (0.9, 1.0)
    assert status in ((CountStatus.OK,) if inner else (CountStatus.OK, CountStatus.WARN))


def test_a_sum_of_the_lineages_fails_only_beyond_its_own_error() -> None:
    """Twenty of 25 lymphocytes may be 90 %; of 2500 they are not. Nor do 28 of 25 tell that gates overlap."""
    found, status = lymphosum(20, 25, level=0.95)
    assert (found.low, found.high) == (pytest.approx(0.609, abs=0.001), pytest.approx(0.911, abs=0.001))
    assert status is CountStatus.OK
    assert lymphosum(2_000, 2_500, level=0.95)[1] is CountStatus.FAIL
    assert lymphosum(28, 25, level=0.95)[1] is CountStatus.OK
    assert lymphosum(2_800, 2_500, level=0.95)[1] is CountStatus.FAIL


@pytest.mark.parametrize("excess", [0.0, 0.02, 0.1])
def test_a_large_sum_varies_as_cells_in_no_one_or_two_lineages_do(excess: float) -> None:
    rng, held, cells, repeats = np.random.default_rng(4), 0, 400, 1_000
    for _ in range(repeats):
        lineages = rng.choice(3, size=cells, p=[0.05, 0.9 - excess, 0.05 + excess])
        found, _ = lymphosum(int(lineages.sum()), cells, level=0.95)
        held += found.low <= 1 + excess <= found.high
    assert held / repeats == pytest.approx(0.95, abs=0.025)


def test_why_there_is_no_lower_limit_of_normal() -> None:
    assert no_limit(sex="", age_years=12) == "the lower limit of normal needs sex and age"
    assert no_limit(sex="M", age_years=12) == "no reference range for M, 12 years"
    assert no_limit(sex="F", age_years=math.nan) == "no reference range for F"


def test_reference_ranges_by_sex_and_age() -> None:
    man = reference_range("nk", RANGES, sex="M", age_years=50)
    woman = reference_range("nk", RANGES, sex="F", age_years=math.nan)
    assert man is not None
    assert (man.low, man.high) == (140, 1103)
    assert woman is not None
    assert (woman.low, woman.high) == (96, 998)
    assert reference_range("nk", RANGES, sex="", age_years=50) is None
    assert reference_range("nk", RANGES, sex="M", age_years=9) is None


@pytest.mark.parametrize(
    ("cells", "grade"),
    [(1_147, "0"), (1_146, "1"), (800, "1"), (799, "2"), (500, "2"), (499, "3"), (200, "3"), (0, "4")],
)
def test_grades_of_lymphocytes(cells: float, grade: str) -> None:
    assert grade_of(cells, "lymphocytes", GRADES, lower_limit=1_147) == grade


def test_grades_without_a_limit_or_bands() -> None:
    assert grade_of(900, "lymphocytes", GRADES, lower_limit=math.nan) == ""
    assert grade_of(150, "cd4_t", GRADES, lower_limit=math.nan) == "3"
    assert grade_of(10, "nk", GRADES, lower_limit=140) == ""
