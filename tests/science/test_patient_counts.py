"""Two tubes of one specimen: which of them counts, what the other takes from it, and what neither may claim."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pytest

from nktrace.files.installation import resource
from nktrace.files.knowledge import read_grades, read_ranges
from nktrace.model.counting import CheckName, CountCheck, CountRow, Gated, taken_over, undeclared
from nktrace.model.gates import Status
from nktrace.model.shifts import NetShift
from nktrace.model.study import Patient, Role, Sample
from nktrace.science.counted_tubes import Tube
from nktrace.science.patient_counts import patient_counts
from nktrace.science.tube_counts import Choices

RANGES, GRADES = read_ranges(resource("reference_ranges.tsv")), read_grades(resource("grades.tsv"))
CHOICES = Choices(
    level=0.95,
    pipette_cv=0.02,
    analyser_cv=0.05,
    min_beads=1_000,
    doublets="leave_out",
    max_cd3_difference=0.03,
    max_platform_ratio=1.25,
)
MAN = Patient(patient="P", sex="M", age_years=40)
BEADS = {"beads_per_tube": 49_500.0, "blood_ul": 50.0}
ANALYSER = {"wbc_per_ul": 6_000.0, "lymphocyte_fraction": 0.2}
PARENTS = {"cd3": "lymphocytes", "b_cells": "lymphocytes", "nk": "lymphocytes", "cd4_t": "cd3", "bright": "nk"}
COUNTING = {"beads": 9_500, "lymphocytes": 8_000, "cd3": 5_800, "b_cells": 1_000, "nk": 900, "cd4_t": 3_000}
PHENOTYPING = {"lymphocytes": 30_000, "cd3": 21_750, "nk": 3_400, "bright": 300}
PER_CELL = 49_500 / 9_500 / 50


def tube(
    name: str,
    events: Mapping[str, int],
    *,
    fail: tuple[str, ...] = (),
    shifts: tuple[NetShift, ...] = (),
    volume: float = math.nan,
    **sheet: Any,
) -> Tube:
    sheet = {"specimen": "d7", "role": Role.TIMEPOINT, "panel": "p"} | sheet
    gated = {
        population: Gated(
            population=population,
            parent=PARENTS.get(population, "root"),
            events=number,
            parent_events=events.get(PARENTS.get(population, "root"), 100_000),
            status=Status.FAIL if population in fail else Status.OK,
            reason="the gate is empty" if population in fail else "",
        )
        for population, number in events.items()
    }
    sample = Sample(sample=name, patient="P", day=7.0, batch="b", fcs="x.fcs", **sheet)
    subsets = ("bright",) if "bright" in events else ()
    return Tube(sample=sample, gated=gated, subsets=subsets, shifts=shifts, file_ul=volume)


def counted(*tubes: Tube, patient: Patient = MAN) -> dict[tuple[str, str], CountRow]:
    rows, _ = patient_counts(patient, tubes, ranges=RANGES, grades=GRADES, choices=CHOICES)
    return {(row.sample, row.population): row for row in rows}


def lymphosum_of(one: Tube) -> CountCheck:
    _, checks = patient_counts(MAN, [one], ranges=RANGES, grades=GRADES, choices=CHOICES)
    (check,) = (check for check in checks if check.check is CheckName.LYMPHOSUM)
    return check


def test_a_partner_of_an_unreadable_counting_tube_is_not_counted_by_its_own_volume() -> None:
    """It is washed: $VOL says nothing of the blood. 17 NK cells in place of 94, and grade 4, would be false."""
    found = counted(tube("C", {}, **BEADS), tube("F", PHENOTYPING, volume=200.0))
    assert {sample for sample, _ in found} == {"F"}
    for row in found.values():
        assert not row.cells_per_ul.known
        assert (row.platform, row.status, row.grade) == ("none", "not_available", "")
        assert row.reason == "counting tube C could not be read"


def test_a_stimulated_tube_does_not_count_its_specimen_but_names_how_that_is_counted() -> None:
    row = counted(tube("C", COUNTING, condition="K562", **BEADS), tube("F", PHENOTYPING, volume=200.0))["F", "nk"]
    assert row.status == "not_available"
    assert "K562" in row.reason


def test_a_volume_that_the_sheet_does_not_declare_is_a_warning_and_gives_no_grade() -> None:
    found = counted(tube("F", PHENOTYPING, volume=200.0))
    row = found["F", "lymphocytes"]
    assert (row.cells_per_ul.value, row.platform, row.status, row.grade) == (150, "volumetric", "warn", "")
    assert undeclared(row.reason)
    assert "no grade: acquired_ul" in row.reason
    declared = counted(tube("F", PHENOTYPING, acquired_ul=200.0))["F", "lymphocytes"]
    assert (declared.cells_per_ul.value, declared.status, declared.grade) == (150, "ok", "4")


def test_a_gate_that_failed_in_the_counting_tube_is_passed_over_for_a_sound_one_above_it() -> None:
    counting = tube("C", COUNTING | {"nk": 3}, fail=("nk",), **BEADS)
    found = counted(counting, tube("F", PHENOTYPING))
    assert not found["C", "nk"].cells_per_ul.known
    lymphocytes = 8_000 * PER_CELL
    assert found["F", "nk"].cells_per_ul.value == pytest.approx(lymphocytes * 3_400 / 30_000)
    assert found["F", "bright"].cells_per_ul.value == pytest.approx(lymphocytes * 300 / 30_000)
    assert "joined (lymphocytes counted in C)" in found["F", "nk"].reason
    assert not taken_over(found["F", "nk"].reason)


def test_without_a_sound_gate_in_the_counting_tube_there_is_no_joined_count() -> None:
    found = counted(tube("C", COUNTING, fail=("lymphocytes",), **BEADS), tube("F", PHENOTYPING))
    for population in ("lymphocytes", "nk", "bright"):
        assert not found["F", population].cells_per_ul.known
        assert found["F", population].reason == "gate_failed: lymphocytes (the gate is empty) in C"


def test_beads_by_a_gate_that_failed_count_nothing() -> None:
    row = counted(tube("C", COUNTING, fail=("beads",), **BEADS))["C", "lymphocytes"]
    assert not row.cells_per_ul.known
    assert row.reason == "gate_failed: beads (the gate is empty)"


def test_a_count_that_the_counting_tube_has_itself_is_marked_as_taken_over() -> None:
    """Donor cells of the phenotyping tube need the value; who gathers measurements must see that it is one."""
    found = counted(tube("C", COUNTING, **BEADS), tube("F", PHENOTYPING))
    for population in ("lymphocytes", "cd3", "nk"):
        assert found["F", population].cells_per_ul == found["C", population].cells_per_ul
        assert found["F", population].platform == "beads"
        assert taken_over(found["F", population].reason)
        assert not taken_over(found["C", population].reason)
    assert not taken_over(found["F", "bright"].reason)
    assert "joined (nk counted in C)" in found["F", "bright"].reason


def test_the_analysers_lymphocytes_of_one_specimen_are_one_count() -> None:
    one, other = tube("F1", PHENOTYPING, **ANALYSER), tube("F2", PHENOTYPING | {"nk": 3_300}, **ANALYSER)
    next_draw = tube("G", PHENOTYPING, specimen="d8", **ANALYSER)
    found = counted(one, other, next_draw)
    assert {key for key, row in found.items() if taken_over(row.reason)} == {("F2", "lymphocytes")}
    assert found["F2", "lymphocytes"].cells_per_ul.value == 1_200


def test_the_first_counting_tube_that_has_a_count_is_taken() -> None:
    tubes = tube("C1", COUNTING | {"beads": 0}, **BEADS), tube("C2", {}, **BEADS), tube("C3", COUNTING, **BEADS)
    found = counted(*tubes, tube("F", PHENOTYPING))
    assert found["F", "nk"].cells_per_ul.value == pytest.approx(900 * PER_CELL)
    assert found["F", "nk"].reason == "counted in tube C3"
    row = counted(*tubes[:2], tube("F", PHENOTYPING))["F", "nk"]
    assert row.status == "not_available"
    assert "no bead events" in row.reason
    assert "counting tube C2 could not be read" in row.reason


def test_of_two_counting_tubes_the_one_whose_checks_hold_is_taken() -> None:
    """The first has lost its T and NK cells: 31 NK cells in place of 94. The other fails no check but beside it."""
    astray = tube("C1", COUNTING | {"cd3": 3_000, "b_cells": 300, "nk": 300}, **BEADS)
    found = counted(astray, tube("C2", COUNTING, **BEADS), tube("F", PHENOTYPING))
    assert found["C1", "nk"].status == "fail"
    for population in ("lymphocytes", "cd3", "nk"):
        assert found["F", population].cells_per_ul == found["C2", population].cells_per_ul
    assert (found["F", "nk"].status, found["F", "nk"].reason) == ("ok", "counted in tube C2")
    alone = counted(astray, tube("F", PHENOTYPING))["F", "nk"]
    assert (alone.status, alone.cells_per_ul.value) == ("fail", pytest.approx(300 * PER_CELL))


def test_a_count_is_taken_over_where_the_tube_itself_has_no_such_cells() -> None:
    """What the counting tube says of the blood does not hang on how many NK cells are here."""
    found = counted(tube("C", COUNTING, **BEADS), tube("F", PHENOTYPING | {"nk": 0, "bright": 0}))
    assert found["F", "nk"].cells_per_ul == found["C", "nk"].cells_per_ul
    assert found["F", "nk"].reason == "counted in tube C"
    assert not found["F", "bright"].cells_per_ul.known
    assert found["F", "bright"].reason == "no events in nk, which is counted in C"


def test_the_analysers_lymphocytes_are_compared_once() -> None:
    both = BEADS | ANALYSER
    tubes = [tube("C", COUNTING, **BEADS), *(tube(name, PHENOTYPING, **ANALYSER) for name in ("F1", "F2"))]
    for some, expected in (
        (tubes, [("C", "F1")]),
        ([tube("C", COUNTING, **both), *tubes[1:]], [("C", "C")]),
        ([tube("C", COUNTING, **both), tube("D", COUNTING, **both)], [("C", "C"), ("D", "C")]),
    ):
        _, checks = patient_counts(MAN, some, ranges=RANGES, grades=GRADES, choices=CHOICES)
        mine = [c for c in checks if c.check is CheckName.PLATFORMS and c.population == "lymphocytes"]
        assert sorted((c.sample, c.other_sample) for c in mine) == expected


def test_a_joined_count_says_the_check_that_its_counting_tube_fails() -> None:
    found = counted(tube("C", COUNTING | {"b_cells": 3_000}, **BEADS), tube("F", {"lymphocytes": 30_000, "nk": 3_400}))
    for population in ("lymphocytes", "nk"):
        for name in ("C", "F"):
            assert (found[name, population].status, found[name, population].grade) == ("fail", "")
            assert "lymphosum 121.2%" in found[name, population].reason


def test_few_lymphocytes_of_which_a_sum_is_uncertain_keep_their_grade() -> None:
    """20 of 25 may be 90 %: those with the fewest lymphocytes must not lose grade 4 by chance."""
    few = {"beads": 9_500, "lymphocytes": 25, "cd3": 15, "b_cells": 1, "nk": 4, "cd4_t": 8}
    found = counted(tube("C", few, **BEADS))
    assert (found["C", "lymphocytes"].status, found["C", "lymphocytes"].grade) == ("ok", "4")
    check = lymphosum_of(tube("C", few, **BEADS))
    assert (check.value.value, check.status) == (0.8, "ok")
    assert check.reason == "lymphosum 80.0%, expected 95% ± 5 %, but not by more than its error"


@pytest.mark.parametrize("nk", [400, 1_200])
def test_a_sum_at_its_limit_is_no_deviation(nk: int) -> None:
    """90 % and 100 % of the lymphocytes."""
    check = lymphosum_of(tube("C", COUNTING | {"nk": nk}, **BEADS))
    assert (check.status, check.reason) == ("ok", "")


def test_the_error_of_the_gates_is_in_the_sum_of_the_lineages() -> None:
    """A gate that moves NK and B cells against each other leaves the sum as it is."""
    low = COUNTING | {"nk": 200}
    into_others = NetShift("nk", "CD56", "min", {"nk": 300}, {"nk": -300})
    into_b = NetShift("nk", "CD19", "min", {"nk": 300, "b_cells": -300}, {"nk": -300, "b_cells": 300})
    sharp, vague, within = (tube("C", low, shifts=shifts, **BEADS) for shifts in ((), (into_others,), (into_b,)))
    assert lymphosum_of(sharp).status == lymphosum_of(within).status == "warn"
    assert lymphosum_of(within).value == lymphosum_of(sharp).value
    assert lymphosum_of(vague).status == "ok"
    assert lymphosum_of(vague).value.low < lymphosum_of(sharp).value.low


def test_a_boy_whose_sex_and_age_are_known_lacks_a_reference_range() -> None:
    boy = Patient(patient="P", sex="M", age_years=12)
    row = counted(tube("C", COUNTING, **BEADS), patient=boy)["C", "lymphocytes"]
    assert row.grade == ""
    assert row.reason == "no grade: no reference range for M, 12 years"
