"""When counts over a cohort are modelled, how well its intervals hold, and when they are not."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from nktrace.science.cohort_models import model_counts

DAYS = [7.0, 14.0, 28.0]
TRUTH = {-1.0: 300.0, 7.0: 150.0, 14.0: 200.0, 28.0: 300.0}


def seen(patient: str, day: float, value: float, *, censored: bool = False, platform: str = "dual") -> dict[str, Any]:
    return {"patient": patient, "day": day, "observed": value, "censored": censored, "platform": platform}


def study(rng: np.random.Generator, n: int, *, slope: float = 0.0, missing: float = 0.2) -> list[dict[str, Any]]:
    """Log-normal counts of patients who differ in level, and if there is a slope also in their course."""
    rows = []
    for number in range(n):
        level, course = rng.normal(0, 0.5), rng.normal(0, slope)
        for day, value in TRUTH.items():
            if rng.random() >= missing or day < 0:
                log = math.log(value) + level + course * day / 10 + rng.normal(0, 0.35)
                rows.append(seen(f"P{number}", day, math.exp(log)))
    return rows


def modelled(rows: list[dict[str, Any]]) -> list[tuple[str, float, Any]]:
    return model_counts(rows, days=DAYS, window=3.0, level=0.95)


def refused(rows: list[dict[str, Any]]) -> str:
    ((quantity, _, summary),) = modelled(rows)
    assert quantity == "model"
    assert summary.method == "none"
    assert math.isnan(summary.median)
    return str(summary.note)


def test_six_patients_carry_no_model_and_the_row_says_so() -> None:
    rows = study(np.random.default_rng(1), 6, missing=0.0)
    assert refused(rows) == ("no mixed model: 6 patient(s) with 3 visits near the days of the settings, 12 are needed")


def test_a_value_under_its_limit_of_detection_enters_as_no_number() -> None:
    rows = study(np.random.default_rng(1), 14)
    assert len(modelled(rows)) > 1
    assert "known by a bound only" in refused([*rows[:-1], rows[-1] | {"censored": True}])
    assert "known by a bound only" in refused([*rows[:-1], rows[-1] | {"observed": 0.0}])


def test_patients_of_one_level_are_a_singular_fit_which_is_refused() -> None:
    rows = [seen(f"P{n}", day, 100.0 * 2 ** ((n + i) % 2)) for n in range(14) for i, day in enumerate(TRUTH)]
    assert "singular" in refused(rows)


def test_platforms_are_not_mixed() -> None:
    rows = study(np.random.default_rng(1), 14)
    assert modelled([*rows, seen("Q", 7.0, 1e6, platform="beads")])[1:] == modelled(rows)[1:]
    (_, _, whole), *_ = modelled([*rows, seen("Q", 7.0, 1e6, platform="beads")])
    assert "dual only, 1 patient(s) with other platforms left out" in whole.note


def test_without_missing_visits_a_mean_is_the_plain_one_with_the_plain_interval() -> None:
    from scipy.stats import t

    rows = study(np.random.default_rng(3), 13, missing=0.0)
    found = {(quantity, day): summary for quantity, day, summary in modelled(rows)}
    logs = np.log([row["observed"] for row in rows if row["day"] == 14.0])
    half = float(t.ppf(0.975, 12)) * logs.std(ddof=1) / math.sqrt(13)
    mean = found["model_mean", 14.0]
    assert (mean.median, mean.low, mean.high) == pytest.approx(
        np.exp([logs.mean(), logs.mean() - half, logs.mean() + half])
    )
    before = np.log([row["observed"] for row in rows if row["day"] < 0])
    assert found["model_ratio", 14.0].median == pytest.approx(math.exp((logs - before).mean()))
    assert found["model_ratio", 14.0].n == 13


@pytest.mark.parametrize("slope", [0.0, 0.25])
def test_its_intervals_hold_the_truth_as_often_as_they_say_also_where_courses_differ(slope: float) -> None:
    rng = np.random.default_rng(11)
    held, false = [], []
    for _ in range(60):
        for quantity, day, summary in modelled(study(rng, 14, slope=slope, missing=0.15))[1:]:
            if quantity != "model_baseline":
                truth = TRUTH[day] / (TRUTH[-1.0] if quantity == "model_ratio" else 1.0)
                held.append(summary.low <= truth <= summary.high)
            if (quantity, day) == ("model_ratio", 28.0):
                false.append(not summary.low <= 1.0 <= summary.high)
    assert 0.91 <= np.mean(held) <= 0.985
    assert np.mean(false) <= 0.13  # .05 in 60, with room for the draw


def test_a_patient_who_carries_the_result_alone_is_named() -> None:
    rows = study(np.random.default_rng(5), 13, missing=0.0)
    odd = [
        row | {"observed": row["observed"] * 3000} if (row["patient"], row["day"]) == ("P4", 28.0) else row
        for row in rows
    ]
    (_, _, whole), *_ = modelled(odd)
    assert "without P4 an effect moves by" in whole.note
    assert "the most, read the exact summaries beside it" in whole.note
    assert "not normal" in whole.note
    (_, _, plain), *_ = modelled(rows)
    assert "not normal" not in plain.note
    assert "read the exact" not in plain.note
