"""Results against a truth."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nktrace.science.validation import (
    COUNT_BANDS,
    DONOR_BANDS,
    Estimate,
    Finding,
    coverage,
    detection_findings,
    donor_fraction_findings,
    f1,
    f1_findings,
    relative_error,
)


def named(findings: list[Finding], measure: str, band: str) -> Finding:
    return next(f for f in findings if (f.measure, f.band) == (measure, band))


def test_f1_counts_only_what_can_be_judged() -> None:
    truth = np.array([1, 1, 1, 0, 0, 1], dtype=bool)
    judged = np.array([1, 1, 1, 1, 1, 0], dtype=bool)
    assert f1(np.array([0, 1, 3]), truth=truth, judged=judged) == pytest.approx(2 * 2 / (3 + 3))
    assert f1(np.array([0, 1, 2]), truth=truth, judged=judged) == 1.0
    assert math.isnan(f1(np.array([0]), truth=np.zeros(6, dtype=bool), judged=judged))


def test_the_median_of_f1_leaves_out_samples_without_result() -> None:
    rows = [("a", "p", 100, 0.97), ("b", "p", 100, 0.91), ("c", "p", 100, math.nan), ("d", "q", 10, 0.99)]
    findings = f1_findings(rows)
    assert named(findings, "nk_f1", "b").status == "missed"
    assert named(findings, "nk_f1", "c").status == "none"
    median = named(findings, "nk_f1_median", "all")
    assert (median.n, median.value, median.status) == (3, 0.97, "ok")
    assert named(findings, "nk_f1_median", "p").value == pytest.approx(0.94)


def test_relative_error_ignores_a_truth_of_zero_and_what_was_not_estimated() -> None:
    estimates = [
        Estimate(value=12.0, low=10.0, high=14.0, truth=10.0),
        Estimate(value=11.0, low=10.0, high=14.0, truth=10.0),
        Estimate(value=math.nan, low=math.nan, high=math.nan, truth=10.0),
        Estimate(value=0.1, low=0.0, high=0.2, truth=0.0),
    ]
    finding = relative_error("x", "all", estimates)
    assert (finding.n, finding.value, finding.status) == (2, pytest.approx(0.15), "missed")


def test_few_events_are_judged_against_their_counting_error() -> None:
    many = Estimate(value=0.105, low=0.0, high=1.0, truth=0.1, events=20_000, standard_error=0.002)
    few = Estimate(value=0.13, low=0.0, high=1.0, truth=0.1, events=500, standard_error=0.015)
    micro = Estimate(value=0.009, low=0.0, high=1.0, truth=0.001, events=20_000, standard_error=0.001)
    findings = donor_fraction_findings([many, few, micro])
    head = named(findings, "donor_fraction_relative_error", ">1 %, >=10000 events")
    assert (head.n, head.value, head.status) == (1, pytest.approx(0.05), "ok")
    assert named(findings, "donor_fraction_error_in_se", ">1 %, <10000 events").value == pytest.approx(2.0)


def test_coverage_goes_by_bands_of_the_truth() -> None:
    held = [Estimate(value=50.0, low=40.0, high=60.0, truth=50.0)] * 95
    lost = [Estimate(value=50.0, low=40.0, high=60.0, truth=70.0)] * 5
    wrong = [Estimate(value=900.0, low=800.0, high=990.0, truth=1000.0)] * 30
    unknown = [Estimate(value=math.nan, low=math.nan, high=math.nan, truth=1000.0)] * 9
    findings = coverage("count", [*held, *lost, *wrong, *unknown], COUNT_BANDS, level=0.95)
    small = named(findings, "coverage_count", "<100 /µL")
    assert (small.n, small.value, small.status) == (100, pytest.approx(0.95), "ok")
    assert named(findings, "coverage_count", "100-500 /µL").status == "none"
    large = named(findings, "coverage_count", ">500 /µL")
    assert (large.n, large.value, large.status) == (30, 0.0, "missed")


def test_zero_has_a_band_of_its_own() -> None:
    zero = Estimate(value=0.0001, low=0.0, high=0.001, truth=0.0, detected=False)
    trace = Estimate(value=0.0005, low=0.0, high=0.001, truth=0.0005, detected=True)
    findings = coverage("donor_fraction", [zero, trace], DONOR_BANDS, level=0.95)
    assert named(findings, "coverage_donor_fraction", "0").n == 1
    assert named(findings, "coverage_donor_fraction", "<0.1 %").n == 1


def test_false_alarms_miss_their_target_only_beyond_chance() -> None:
    quiet = Estimate(value=0.0, low=0.0, high=0.01, truth=0.0, detected=False)
    alarm = Estimate(value=0.01, low=0.005, high=0.02, truth=0.0, detected=True)
    some = detection_findings([quiet] * 19 + [alarm], level=0.95)
    assert named(some, "false_detection", "0").status == "ok"
    often = detection_findings([quiet] * 30 + [alarm] * 10, level=0.95)
    assert named(often, "false_detection", "0").status == "missed"
