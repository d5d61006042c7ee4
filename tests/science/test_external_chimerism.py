from __future__ import annotations

import math
from typing import Any

import pytest

from nktrace.model.external import UNGATED, Comparability, External, FlowLineage, Measured, Rest
from nktrace.model.intervals import Interval
from nktrace.science.external_chimerism import FlowSample, compare, weighted

NAN = math.nan


def exactly(value: float) -> Interval:
    return Interval(value, value, value)


def flow(value: float, low: float, high: float, *, detected: bool = True, lod: float = 0.001) -> Measured:
    return Measured(fraction=Interval(value, low, high), detected=detected, lod=lod)


def sample(**values: Any) -> FlowSample:
    shares = {"cd3": 0.5, "nk": 0.1, "b_cells": 0.1, "monocytes": 0.3}
    return FlowSample(
        **{
            "sample": "S1",
            "day": 7.0,
            "material": "pbmc_fresh",
            "chimerism": {
                "cd3": flow(0.0001, 0.0, 0.0005, detected=False),
                "nk": flow(0.2, 0.18, 0.22),
                "nk_dim": flow(0.21, 0.19, 0.23),
                "b_cells": flow(0.04, 0.03, 0.05),
                "monocytes": flow(0.01, 0.008, 0.012),
            },
            "shares": {(UNGATED, name): exactly(share) for name, share in shares.items()},
            "blood_shares": {},
        }
        | values
    )


def external(value: float = 0.03, **values: Any) -> External:
    measured = Measured(fraction=Interval(value, 0.9 * value, 1.1 * value), lod=0.01)
    return External(
        **{
            "patient": "P1",
            "day": 7.0,
            "material": "pbmc_fresh",
            "population": UNGATED,
            "method": "STR",
            "measured": measured,
        }
        | values
    )


def test_all_cells_are_the_lineages_by_their_shares() -> None:
    found = compare(external(), [sample()], window=1, rest=Rest.UNKNOWN)
    assert found.status is Comparability.OK
    assert found.lineages == ("cd3", "nk", "b_cells", "monocytes")
    expected = 0.5 * 0.0001 + 0.1 * 0.2 + 0.1 * 0.04 + 0.3 * 0.01
    assert found.flow.fraction.value == pytest.approx(expected)
    assert found.covered == pytest.approx(1)
    below = math.sqrt((0.5 * 0.0001) ** 2 + (0.1 * 0.02) ** 2 + (0.1 * 0.01) ** 2 + (0.3 * 0.002) ** 2)
    assert found.flow.fraction.low == pytest.approx(expected - below)
    assert found.difference.value == pytest.approx(expected - 0.03)
    assert found.difference.low == pytest.approx(expected - 0.03 - math.hypot(below, 0.003))
    assert found.difference.low < found.difference.value < found.difference.high


def test_a_gated_population_is_compared_with_itself_in_any_material() -> None:
    found = compare(external(0.19, population="nk", material="whole_blood"), [sample()], window=1, rest=Rest.UNKNOWN)
    assert found.status is Comparability.OK
    assert found.difference.value == pytest.approx(0.01)
    assert "pbmc_fresh" in found.reason


def test_granulocytes_that_flow_does_not_gate_make_the_value_a_bound() -> None:
    blood = {(UNGATED, "cd3"): exactly(0.2), (UNGATED, "nk"): exactly(0.05)}
    mine = sample(blood_shares=blood)
    found = compare(external(material="whole_blood"), [mine], window=1, rest=Rest.UNKNOWN)
    assert found.status is Comparability.BOUND
    assert math.isnan(found.flow.fraction.value)
    assert found.flow.fraction.low == pytest.approx(0.01, rel=0.12)
    assert found.flow.fraction.high == pytest.approx(0.01 + 0.75, rel=0.01)
    assert math.isnan(found.difference.value)
    assert found.difference.low < 0 < found.difference.high
    declared = compare(external(material="whole_blood"), [mine], window=1, rest=Rest.RECIPIENT)
    assert declared.status is Comparability.OK
    assert declared.flow.fraction.value == pytest.approx(0.2 * 0.0001 + 0.05 * 0.2)
    assert "75.0% of the cells taken as the recipient's" in declared.reason


def test_another_material_without_counts_has_no_common_denominator() -> None:
    found = compare(external(material="whole_blood"), [sample()], window=1, rest=Rest.RECIPIENT)
    assert found.status is Comparability.NOT_COMPARABLE
    assert "no counts to weigh" in found.reason
    assert math.isnan(found.flow.fraction.value)


def test_values_below_a_limit_are_bounds_and_no_numbers() -> None:
    below = external(measured=Measured(fraction=Interval(0.0, NAN, NAN), detected=False, lod=0.05))
    found = compare(below, [sample()], window=1, rest=Rest.UNKNOWN)
    assert found.status is Comparability.CENSORED
    assert math.isnan(found.difference.value)
    assert found.difference.low == pytest.approx(found.flow.fraction.low - 0.05)
    assert found.difference.high == pytest.approx(found.flow.fraction.high)
    nothing = sample(chimerism={"nk": flow(0.0, 0.0, 0.0004, detected=False, lod=0.002)})
    found = compare(external(0.03, population="nk"), [nothing], window=1, rest=Rest.UNKNOWN)
    assert found.status is Comparability.CENSORED
    assert found.difference.low == pytest.approx(-0.033)
    assert found.difference.high == pytest.approx(0.002 - 0.027)


def test_a_zero_without_a_limit_gives_no_upper_bound() -> None:
    zero = external(measured=Measured(fraction=Interval(0.0, NAN, NAN), detected=False))
    found = compare(zero, [sample()], window=1, rest=Rest.UNKNOWN)
    assert math.isnan(found.difference.low)
    assert found.difference.high == pytest.approx(found.flow.fraction.high)
    assert "no limit of detection" in found.reason


def test_the_nearest_sample_that_can_be_compared_is_taken_within_the_window() -> None:
    empty = sample(sample="S0", chimerism={})
    later = sample(sample="S2", day=8.0)
    found = compare(external(), [later, empty], window=1, rest=Rest.UNKNOWN)
    assert (found.sample, found.reason) == ("S2", "flow is of day 8")
    far = compare(external(), [later], window=0.5, rest=Rest.UNKNOWN)
    assert far.status is Comparability.NOT_COMPARABLE
    assert far.reason == "no flow sample within 0.5 days"
    other = compare(external(population="granulocytes"), [later], window=1, rest=Rest.UNKNOWN)
    assert other.reason.endswith("flow has no donor fraction of granulocytes")


def test_t_cells_and_nkt_like_stand_for_cd3_and_no_cell_is_counted_twice() -> None:
    chimerism = {name: flow(0.1, 0.09, 0.11) for name in ("t_cells", "nkt_like", "nk", "cd8_t", "nk_dim")}
    shares = {"t_cells": 0.5, "nkt_like": 0.1, "cd3": 0.6, "nk": 0.4, "cd8_t": 0.2, "nk_dim": 0.3}
    mine = sample(chimerism=chimerism, shares={(UNGATED, name): exactly(value) for name, value in shares.items()})
    found = compare(external(), [mine], window=1, rest=Rest.UNKNOWN)
    assert found.lineages == ("t_cells", "nkt_like", "nk")
    assert found.flow.fraction.value == pytest.approx(0.1)


def test_where_no_lineage_is_detected_the_sum_is_not() -> None:
    parts = [
        FlowLineage(population=name, measured=flow(0.0002, 0.0, 0.001, detected=False), share=exactly(0.5))
        for name in ("cd3", "nk")
    ]
    found = weighted(parts)
    assert not found.detected
    assert found.fraction.low == 0
    assert found.range == (0.0, pytest.approx(0.001))
