"""Changes over the patients: who counts at which day, the family, and the words about what n can't show."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from nktrace.files.table_columns import COLUMNS
from nktrace.science.subset_change_cohort import EXACT, MODEL, Comparison, changes_by_kind, cohort_rows, compare_changes

DAYS = (7.0, 14.0, 28.0)


def change(patient: str, day: float, value: float, subset: str = "bright", **more: Any) -> dict[str, Any]:
    row = {column: math.nan if kind is float else None for column, kind in COLUMNS["subset_change"].items()}
    known = {"patient": patient, "subset": subset, "day": day, "log_ratio": value, "status": "ok"}
    return row | known | {"ci_low": value - 0.1, "ci_high": value + 0.1} | more


def bounded(patient: str, day: float, low: float, high: float) -> dict[str, Any]:
    return change(patient, day, math.nan, status="censored", ci_low=low, ci_high=high)


def compare(rows: Sequence[dict[str, Any]], *, arms: Sequence[str] = ()) -> list[Comparison]:
    names = list(dict.fromkeys(row["patient"] for row in rows))
    patients = [{"patient": name, "arm": arms[i] if arms else ""} for i, name in enumerate(names)]
    return list(compare_changes(patients, rows, days=DAYS, window=3, level=0.95))


def one(found: Sequence[Comparison], **wanted: Any) -> Comparison:
    matching = [c for c in found if all(getattr(c, name) == value for name, value in wanted.items())]
    assert len(matching) == 1
    return matching[0]


def six(values: Sequence[float] = (0.2, 0.5, 0.3, 0.9, 0.4, 0.7), subset: str = "bright") -> list[dict[str, Any]]:
    return [change(f"P{i}", 7, value, subset) for i, value in enumerate(values)]


def test_each_patient_counts_once_by_the_visit_nearest_to_the_day() -> None:
    rows = [change("A", 5, 1), change("A", 8, 2), change("B", 6, 3), change("B", 8, 4), change("C", 11, 5)]
    rows += [change("D", 7, 1), change("D", 7, 3), change("E", -2, 9)]
    (found,) = changes_by_kind(rows, "bright", days=[7], window=3).values()
    assert {patient: value.low for patient, value in found[7].items()} == {"A": 2, "B": 3, "D": 2}
    assert not changes_by_kind(rows, "bright", days=[0], window=3)
    assert not changes_by_kind(rows, "bright", days=[], window=3)


def test_a_visit_counts_for_the_nearest_day_only_and_of_two_as_near_for_the_earlier() -> None:
    rows = [change("A", 10, 1), change("A", 28, 2), change("B", 12, 3), change("C", 8.5, 4)]
    (found,) = changes_by_kind(rows, "bright", days=[10, 7, 28], window=9).values()
    at = {day: {patient: value.low for patient, value in here.items()} for day, here in found.items()}
    assert at == {10: {"A": 1, "B": 3}, 7: {"C": 4}, 28: {"A": 2}}


def test_two_visits_are_not_three_days_of_a_model() -> None:
    rng = np.random.default_rng(3)
    rows = [
        change(f"P{i}", day, own + rng.normal(0, 0.2))
        for i, own in enumerate(rng.normal(0.3, 0.4, 14))
        for day in (10, 28)
    ]
    patients = [{"patient": f"P{i}", "arm": ""} for i in range(14)]
    found = list(compare_changes(patients, rows, days=[7, 10, 28], window=3, level=0.95))
    assert [(c.method, c.day, c.n) for c in found] == [(EXACT, 10, 14), (EXACT, 28, 14)]
    assert all("no mixed model: 0 patient(s) with 3 such days" in c.note for c in found)


def two_panels(patient: str, day: float = 7, b: float = 0.0) -> list[dict[str, Any]]:
    return [change(patient, day, -1.789, panel="A", meaning="after bright"), change(patient, day, b, panel="B")]


def test_two_panels_of_one_day_are_no_replicates() -> None:
    found = one(compare(two_panels("P0")))
    assert (found.n, found.estimate) == (1, -1.789)  # of as many patients, the first panel by name
    assert "panel A (after bright) only, other panels or meanings beside it;" in found.note
    assert "left out" not in found.note  # the patient is there by the other panel
    replicates = [change("P0", 7, 1, panel="A"), change("P0", 7, 2, panel="A")]
    assert one(compare(replicates)).estimate == 1.5


def test_most_patients_decide_on_the_kind_and_the_others_are_named() -> None:
    others = [change(f"Q{i}", 7, 9.0, panel="B", meaning="after bright") for i in (2, 1)]
    mine = [row | {"panel": "B", "meaning": "after bright, adaptive"} for row in six()]
    found = one(compare([*others, *mine]))
    assert (found.n, found.ci_high) == (6, 0.9)
    assert "panel B (after bright, adaptive) only" in found.note
    assert "2 patient(s) left out for these (Q1, Q2)" in found.note
    # each day and group by itself
    later = [row | {"day": 28.0, "log_ratio": 8.0} for row in others]
    assert one(compare([*mine, *later]), day=28.0).estimate == 8.0
    arms = compare([*others, *mine], arms=["b"] * 2 + ["a"] * 6)
    assert {(c.group, c.n, c.estimate) for c in arms if c.group == "arm:b"} == {("arm:b", 2, 9.0)}


def test_six_patients_on_one_side() -> None:
    found = one(compare(six()))
    assert (found.n, found.p, found.smallest_p, found.p_adjusted) == (6, 0.03125, 0.03125, 0.03125)
    assert (found.ci_low, found.ci_high, found.level_reached) == (0.2, 0.9, 0.96875)
    assert found.detectable == pytest.approx(np.std([0.2, 0.5, 0.3, 0.9, 0.4, 0.7], ddof=1) * 1.8, rel=0.02)
    row = found.cohort_row(level=0.95)
    assert (row["measure"], row["quantity"]) == ("fraction:bright", "log_ratio_change")
    assert (row["median"], row["ci_low"]) == (found.estimate, 0.2)
    assert row["q1"] < row["median"] < row["q3"]
    assert set(row) == set(COLUMNS["cohort"])
    assert set(found.as_row()) == set(COLUMNS["subset_change_tests"])


def test_four_patients_can_show_nothing_and_the_row_says_so() -> None:
    found = one(compare(six()[:4]))
    assert found.p == found.smallest_p == 0.125
    assert "n = 4: no two-sided p under 0.125, so no change of any size reaches 0.05" in found.note
    assert "no 95% interval with n = 4, this one has 0.875" in found.note
    assert math.isnan(found.detectable)
    assert math.isnan(found.cohort_row(level=0.95)["ci_low"])
    alone = one(compare(six()[:1]))
    assert (alone.n, alone.estimate, alone.p) == (1, 0.2, 1.0)
    assert math.isnan(alone.ci_low)


def test_the_family_are_the_subsets_of_one_day_and_group() -> None:
    rows = six() + six((-1, 1, -2, 2, -3, 4), "adaptive") + [row | {"day": 28.0} for row in six()]
    found = compare(rows)
    assert one(found, subset="bright", day=7.0).p_adjusted == 0.0625
    assert one(found, subset="bright", day=28.0).p_adjusted == 0.03125
    words = one(found, subset="bright", day=7.0).note
    assert "Holm over 2 subset(s) and states of this day and group: none under 0.0625" in words


def test_arms_are_described_each_by_itself() -> None:
    found = compare(six(), arms=["a", "a", "a", "b", "b", "b"])
    assert [(c.group, c.n) for c in found] == [("all", 6), ("arm:a", 3), ("arm:b", 3)]


def test_patients_known_by_a_bound_stay_in() -> None:
    rows = [*six()[:5], bounded("P5", 7, 1.5, math.inf)]
    found = one(compare(rows))
    assert (found.n, found.p) == (6, 0.03125)
    assert found.ci_high == math.inf
    assert "1 of 6 known by a bound only" in found.note
    assert math.isnan(found.detectable)
    open_both_ways = one(compare([*six()[:5], bounded("P5", 7, -0.5, math.inf)]))
    assert open_both_ways.p == 0.0625  # counts as no change
    assert open_both_ways.ci_low == -0.5


def test_doubtful_samples_are_counted_in_the_note() -> None:
    rows = [*six()[:5], change("P5", 7, 0.7, reason="baseline gate_doubtful: nk_bright (no valley)")]
    assert "1 of 6 rest on doubtful gates or samples" in one(compare(rows)).note


def test_nothing_known_gives_no_rows() -> None:
    refused = [row | {"status": "not_estimable", "log_ratio": math.nan} for row in six()]
    assert compare(refused) == []
    assert compare([]) == []


def cohort(n: int, seed: int = 1, shift: float = 0.3) -> list[dict[str, Any]]:
    rng = np.random.default_rng(seed)
    rows = []
    for patient in range(n):
        own = rng.normal(0, 0.4)
        rows += [change(f"P{patient}", day, shift + own + rng.normal(0, 0.2)) for day in DAYS]
    return rows


def test_a_mixed_model_from_twelve_patients_with_three_visits_on() -> None:
    fitted = [c for c in compare(cohort(12)) if c.method == MODEL]
    assert [c.day for c in fitted] == list(DAYS)
    exact = [c for c in compare(cohort(12)) if c.method == EXACT]
    assert [c.estimate for c in fitted] == pytest.approx([c.estimate for c in exact], abs=0.15)
    assert all(c.ci_low < c.estimate < c.ci_high and c.detectable > 0 for c in fitted)
    few = compare(cohort(11))
    assert {c.method for c in few} == {EXACT}
    assert all("no mixed model: 11 patient(s) with 3 such days, 12 are needed" in c.note for c in few)


def test_a_model_rests_on_one_panel_over_all_its_days() -> None:
    of_b = [row | {"panel": "B", "log_ratio": 50.0} for row in cohort(12) if row["day"] == 28]
    rows = [row | {"panel": "A"} for row in cohort(12)]
    plain, mixed = compare(rows), compare([*rows, *of_b])
    assert [c.estimate for c in mixed if c.method == MODEL] == [c.estimate for c in plain if c.method == MODEL]
    assert all("panel A only" in c.note for c in mixed if c.method == MODEL)


def test_a_mean_of_a_model_is_no_median_of_the_cohort() -> None:
    found = compare(cohort(12))
    rows = cohort_rows(found, level=0.95)
    assert len({(row["measure"], row["quantity"], row["group"], row["day"]) for row in rows}) == len(rows) == len(DAYS)
    assert {row["method"] for row in rows} == {EXACT}


def test_a_model_that_cannot_be_fitted_says_why() -> None:
    rng = np.random.default_rng(2)
    alike = [
        change(f"P{i}", day, s) for i in range(12) for day, s in zip(DAYS, rng.permutation([-1, 0, 1]), strict=True)
    ]
    assert all("singular: no variance between patients is found" in c.note for c in compare(alike))
    bound = [*cohort(12)[1:], bounded("P0", 7, 1, math.inf)]
    assert all("no mixed model: some values are known by a bound only" in c.note for c in compare(bound))
