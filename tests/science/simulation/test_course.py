"""The blood of a simulated person over time."""

from __future__ import annotations

import pytest

from nktrace.model.simulation import Blood, DonorCells, Graft
from nktrace.science.simulation.course import donor_cells, graft_cells, own_cells, value_at


def test_a_curve_is_log_linear_between_its_points_and_constant_beyond() -> None:
    curve = {0.0: 100.0, 10.0: 400.0}
    assert value_at(curve, 5.0) == pytest.approx(200.0)
    assert value_at(curve, -3.0) == pytest.approx(100.0)
    assert value_at(curve, 99.0) == pytest.approx(400.0)


def test_infused_cells_rise_to_the_peak_and_halve() -> None:
    spec = DonorCells(peak=8.0, peak_day=1.0, half_life=2.0)
    assert donor_cells(spec, -1.0) == donor_cells(spec, 0.0) == 0.0
    assert donor_cells(spec, 0.5) == pytest.approx(4.0)
    assert donor_cells(spec, 1.0) == pytest.approx(8.0)
    assert donor_cells(spec, 5.0) == pytest.approx(2.0)


def test_the_second_phase_outlasts_the_first() -> None:
    spec = DonorCells(peak=8.0, half_life=1.0, lasting=0.1, lasting_half_life=10.0)
    assert donor_cells(spec, 31.0) == pytest.approx(8.0 * 0.1 / 8.0, rel=1e-3)


def test_less_than_one_cell_in_the_blood_is_none() -> None:
    assert donor_cells(DonorCells(peak=2.0, half_life=0.3), 28.0) == 0.0


def test_a_graft_brings_its_cells_at_once_and_they_halve() -> None:
    graft = Graft(day=-3.0, cells=40.0, half_life=2.0, shares={"nk_bright": 0.25, "cd8_t": 0.75})
    assert graft_cells(graft, -3.5) == {}
    assert graft_cells(graft, -3.0) == pytest.approx({"nk_bright": 10.0, "cd8_t": 30.0})
    assert graft_cells(graft, 1.0)["cd8_t"] == pytest.approx(7.5)
    assert graft_cells(graft, 90.0) == {}


def test_few_nk_lowers_nk_cells_and_nothing_else() -> None:
    blood = Blood(lymphocytes={0.0: 1000.0}, nk={0.0: 200.0}, others={"cd4_t": 0.75, "b_cells": 0.25}, nk_profile="one")
    profiles = {"one": {"nk_bright": 0.1, "nk_terminal": 0.9}}
    usual = own_cells(blood, 0.0, profiles=profiles, few_nk=1.0)
    few = own_cells(blood, 0.0, profiles=profiles, few_nk=0.1)
    assert usual["cd4_t"] == few["cd4_t"] == pytest.approx(600.0)
    assert usual["nk_terminal"] == pytest.approx(180.0)
    assert few["nk_terminal"] == pytest.approx(18.0)
