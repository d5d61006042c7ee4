"""Verdicts on shifts and on events in no cluster: what is beyond the error of few events, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from nktrace.model.clusters import UNASSIGNED, empty_reference
from nktrace.model.intervals import Interval
from nktrace.model.nk_drift import MarkerShift
from nktrace.model.quality import Check, Verdict
from nktrace.science.nk_checks import shift_checks, unassigned_check
from tests.science.test_nk_drift import LIMIT, reference


@pytest.mark.parametrize(
    ("size", "status"), [(0.05, "pass"), (0.07, "pass"), (0.1, "warn"), (-0.1, "warn"), (0.15, "fail")]
)
def test_limits_of_a_shift(size: float, status: str) -> None:
    check = shift_checks([MarkerShift(marker="CD57", shift=Interval(size, size - 0.01, size + 0.01))], limit=LIMIT)[0]
    assert (check.status, check.value) == (status, abs(size))
    assert ("below" in check.reason) == (size < 0)


@pytest.mark.parametrize(("half", "status"), [(0.06, "warn"), (0.07, "pass")])
def test_a_shift_of_few_events_is_within_their_error(half: float, status: str) -> None:
    found = MarkerShift(marker="CD57", shift=Interval(-0.1, -0.1 - half, -0.1 + half))
    check = shift_checks([found], limit=LIMIT)[0]
    assert check.status == status
    assert ("within the error of few events (-17.0% to -3.0%)" in check.reason) == (status == "pass")


def moved(marker: str, size: float) -> MarkerShift:
    return MarkerShift(marker=marker, shift=Interval(size, size - 0.01, size + 0.01))


def test_several_markers_at_once_may_be_one() -> None:
    alone, one = (shift_checks([moved("CD57", 0.1), moved("CD16", by)], limit=LIMIT) for by in (0.1, 0.01))
    assert all("2 markers at once: one that is lost" in check.reason for check in alone)
    assert not any("at once" in check.reason for check in one)


@pytest.mark.parametrize(
    ("between", "limit", "status"),
    [(0.0, 0.07, "warn"), (0.02, 0.07, "warn"), (0.03, 0.09, "warn"), (0.04, 0.12, "pass"), (0.2, 0.14, "pass")],
)
def test_what_is_usual_between_samples_of_the_reference_is_no_warning(
    between: float, limit: float, status: str
) -> None:
    check = shift_checks([moved("CD57", 0.1)], limit=LIMIT, between={"CD57": between})[0]
    assert (check.limit, check.status) == (pytest.approx(limit), status)


def test_however_the_reference_scatters_a_large_shift_is_flagged() -> None:
    check = shift_checks([moved("CD57", 0.2)], limit=LIMIT, between={"CD57": 0.5})[0]
    assert check.status is Verdict.WARN


def test_among_several_markers_the_scatter_of_the_reference_excuses_none() -> None:
    between = {"CD57": 0.04, "CD16": 0.04}
    checks = shift_checks([moved("CD57", 0.1), moved("CD16", 0.0)], limit=LIMIT, between=between)
    assert [check.status for check in checks] == [Verdict.WARN, Verdict.PASS]


def unassigned(far: int, size: int, unreadable: int = 0) -> Check:
    cluster, novelty = np.ones(size, np.int32), np.full(size, 0.5, np.float32)
    cluster[: far + unreadable] = UNASSIGNED
    novelty[:far], novelty[far : far + unreadable] = 9, np.nan
    return unassigned_check(cluster, novelty, reference(), max_novelty=1.5, limit=0.02, level=0.95)


@pytest.mark.parametrize(
    ("far", "size", "status"),
    [
        *[(1, 5, "pass"), (1, 30, "pass"), (3, 100, "pass"), (8, 100, "warn"), (20, 100, "fail"), (5, 5, "fail")],
        *[(200, 10_000, "pass"), (250, 10_000, "warn"), (1_100, 10_000, "fail")],
    ],
)
def test_limits_of_unassigned_events_take_account_of_their_number(far: int, size: int, status: str) -> None:
    check = unassigned(far, size)
    assert (check.status, check.value) == (status, far / size)
    assert (f"{far} of {size}" in check.reason) == (far / size > 0.02)
    assert ("within the error of few events" in check.reason) == (status == "pass" and far / size > 0.02)


def test_events_without_finite_values_are_counted_apart() -> None:
    check = unassigned(30, 100, unreadable=20)
    assert check.value == 0.5
    assert "30 of 100 NK events are farther than 1.5 times" in check.reason
    assert check.reason.endswith("20 of 100 NK events have values that are not finite")
    assert "farther" not in unassigned(0, 100, unreadable=20).reason


def test_unassigned_events_of_nothing_are_skipped() -> None:
    options = {"max_novelty": 1.5, "limit": 0.02, "level": 0.95}
    nothing, none = np.empty(0, np.int32), np.empty(0, np.float32)
    assert unassigned_check(nothing, none, reference(), **options).reason == "no NK events"
    empty = empty_reference("nk14", samples={}, reason="why")
    check = unassigned_check(np.zeros(5, np.int32), np.full(5, np.nan, np.float32), empty, **options)
    assert (check.status, check.reason) == (Verdict.SKIPPED, "the reference has no clusters: why")
