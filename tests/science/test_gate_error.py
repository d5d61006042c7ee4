"""Gate uncertainty in the intervals of shares and counts."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nktrace.model.gates import ROOT
from nktrace.model.shifts import NetShift
from nktrace.science.gate_error import ratio_variance, relative_sd, share
from nktrace.science.intervals import wilson, wilson_of

EVENTS = {ROOT: 100_000, "lymphocytes": 40_000, "nk": 4_000}


def shift(low: dict[str, int], high: dict[str, int]) -> NetShift:
    return NetShift("gate", "CD56", "min", low, high)


def test_without_uncertain_gates_the_interval_is_wilsons() -> None:
    assert share("nk", "lymphocytes", EVENTS, (), level=0.95) == wilson(4_000, 40_000, level=0.95)
    unmoved = shift({"cd3": 10}, {"cd3": -10})
    assert share("nk", "lymphocytes", EVENTS, (unmoved,), level=0.95) == wilson(4_000, 40_000, level=0.95)


def test_counting_and_gate_errors_add_as_variances() -> None:
    moves = (shift({"nk": 300}, {"nk": -300}), shift({"nk": 400}, {"nk": -400}))
    found = share("nk", "lymphocytes", EVENTS, moves, level=0.95)
    sd = math.sqrt(0.1 * 0.9 / 40_000 + (300 / 40_000) ** 2 + (400 / 40_000) ** 2)
    assert found.value == 0.1
    assert (found.high - found.low) / (2 * 1.96) == pytest.approx(sd, rel=0.02)


def test_a_gate_above_moves_part_and_whole_together() -> None:
    proportional = shift({"nk": 200, "lymphocytes": 2_000}, {"nk": -200, "lymphocytes": -2_000})
    assert ratio_variance("nk", "lymphocytes", EVENTS, (proportional,)) == pytest.approx(0, abs=1e-12)
    assert relative_sd("nk", EVENTS, (proportional,)) == pytest.approx(0.05)


def test_an_empty_part_has_an_upper_bound_that_knows_the_gates() -> None:
    empty = {**EVENTS, "nk": 0}
    plain = share("nk", "lymphocytes", empty, (), level=0.95)
    wide = share("nk", "lymphocytes", empty, (shift({"nk": 200}, {}),), level=0.95)
    assert (plain.low, wide.low) == (0, 0)
    assert wide.high > 2 * plain.high
    assert relative_sd("nk", empty, (shift({"nk": 200}, {}),)) == 0


def test_an_empty_whole_has_no_share() -> None:
    assert not share("nk", "lymphocytes", {"nk": 0, "lymphocytes": 0}, (), level=0.95).known


def test_a_cut_with_a_known_error_is_covered() -> None:
    """Uniform events, a cut at .3 known to ±.02 (sd): the share above it is covered as often as the interval says."""
    rng = np.random.default_rng(4)
    covered, counted = 0, 0
    for _ in range(400):
        values, cut = rng.random(2_000), 0.3 + 0.02 * rng.standard_normal()
        events = {"all": 2_000, "above": int((values >= cut).sum())}
        moved = [int((values >= cut + by).sum()) - events["above"] for by in (-0.02, 0.02)]
        found = share("above", "all", events, (shift({"above": moved[0]}, {"above": moved[1]}),), level=0.95)
        plain = share("above", "all", events, (), level=0.95)
        covered += found.low <= 0.7 <= found.high
        counted += plain.low <= 0.7 <= plain.high
    assert 0.93 <= covered / 400 <= 0.98
    assert counted / 400 < 0.8


def test_wilson_with_a_variance_is_that_of_fewer_trials() -> None:
    design_effect = 4.0
    wide = wilson_of(0.2, 1_000, 0.95, variance=(design_effect - 1) * 0.2 * 0.8 / 1_000)
    fewer = wilson(50, 250, 0.95)
    assert wide.low == pytest.approx(fewer.low, abs=2e-3)
    assert wide.high == pytest.approx(fewer.high, abs=2e-3)
