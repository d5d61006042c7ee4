"""Changes over the patients: who counts at which day, the family, and the words about what n can't show."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from nktrace.files.tables import COLUMNS
from nktrace.science.subset_change_cohort import EXACT, MODEL, Comparison, changes_at, compare_changes

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
    found = changes_at(rows, "bright", day=7, window=3)
    assert {patient: value.low for patient, value in found.items()} == {"A": 2, "B": 3, "D": 2}
    assert not changes_at(rows, "bright", day=0, window=3)


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
    assert set(found.test_row()) == set(COLUMNS["subset_change_tests"])


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


def test_a_model_that_cannot_be_fitted_says_why() -> None:
    rng = np.random.default_rng(2)
    alike = [
        change(f"P{i}", day, s) for i in range(12) for day, s in zip(DAYS, rng.permutation([-1, 0, 1]), strict=True)
    ]
    assert all("singular: no variance between patients is found" in c.note for c in compare(alike))
    bound = [*cohort(12)[1:], bounded("P0", 7, 1, math.inf)]
    assert all("no mixed model: some values are known by a bound only" in c.note for c in compare(bound))
