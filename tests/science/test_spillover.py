"""Spillover from single stains against the simulated instrument's own matrix, clean and dirty, and on plain events."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import theilslopes

from benchmarks.single_stains import Dirt, Laboratory, demo_laboratory, single_stains
from nktrace.model.events import Events
from nktrace.model.quality import Verdict
from nktrace.model.spillover import ControlReport, ControlTube, SpilloverEstimate, Usability
from nktrace.science.compensation_controls import controls_check
from nktrace.science.single_stains import Needs, singlets
from nktrace.science.slopes import slopes, spreads
from nktrace.science.spillover import TOLERANCE, estimate

NEEDS = Needs(events=100, stain_index=5.0)
MARKERS = ("CD45", "CD16", "CD8", "CD3", "HLA-A3", "Viability")


@pytest.fixture(scope="module")
def laboratory() -> Laboratory:
    """Six colours of the demo panel."""
    whole = demo_laboratory()
    kept = [d for d in whole.panel.detectors if not d.fluorescent or d.marker in MARKERS]
    channels = {d.channel for d in kept}
    kept = [replace(d, spill={c: share for c, share in d.spill.items() if c in channels}) for d in kept]
    return replace(whole, panel=replace(whole.panel, detectors=tuple(kept)))


def found_in(laboratory: Laboratory, tubes: list[ControlTube]) -> SpilloverEstimate:
    return estimate(tubes, laboratory.markers, NEEDS)


def error(laboratory: Laboratory, found: SpilloverEstimate) -> np.ndarray:
    return np.abs(found.spillover.matrix - laboratory.truth)


def report(found: SpilloverEstimate, marker: str) -> ControlReport:
    return next(control for control in found.controls if control.marker == marker)


@pytest.mark.parametrize("beads", [False, True], ids=["cells", "beads"])
@pytest.mark.parametrize("dirt", [Dirt(), Dirt(doublets=0.1, dead=0.1, debris=0.1)], ids=["clean", "dirty"])
def test_the_matrix_is_the_instruments_and_dirt_does_not_matter(
    laboratory: Laboratory, beads: bool, dirt: Dirt
) -> None:
    found = found_in(laboratory, single_stains(laboratory, seed=1, beads=beads, dirt=dirt))
    assert {control.status for control in found.controls} == {Usability.USED}
    assert error(laboratory, found).max() < 0.004
    assert np.array_equal(np.diag(found.spillover.matrix), np.ones(len(laboratory.markers)))


def test_the_error_of_a_coefficient_is_within_its_standard_error(laboratory: Laboratory) -> None:
    truth, index = laboratory.truth, laboratory.markers.index
    z = [
        (pair.spillover - truth[index(pair.source), index(pair.receiver)]) / pair.se
        for seed in range(4)
        for pair in found_in(laboratory, single_stains(laboratory, seed=seed, beads=True, events=3_000)).pairs
    ]
    assert len(z) == 4 * 30
    assert np.mean(np.abs(z) < 1.96) >= 0.88  # .95 less three sd of 120
    assert 0.5 < np.std(z) < 1.3


def test_no_slope_is_left_in_compensated_controls(laboratory: Laboratory) -> None:
    tubes = single_stains(laboratory, seed=2, beads=True, events=3_000)
    found = found_in(laboratory, tubes)
    assert max(abs(pair.residual) for pair in found.pairs) < TOLERANCE
    inverse = np.linalg.inv(found.spillover.matrix)
    for tube in tubes[1:]:
        values = tube.events.take(laboratory.markers).values.astype(np.float64) @ inverse
        own = laboratory.markers.index(tube.marker)
        for other in set(range(len(laboratory.markers))) - {own}:
            slope = theilslopes(values[::3, other], values[::3, own])[0]  # another method, and all events
            assert abs(slope) < 0.002


def test_a_dim_a_missing_and_a_wrongly_labelled_control_are_named_and_not_used(laboratory: Laboratory) -> None:
    tubes = [tube for tube in single_stains(laboratory, seed=5) if tube.marker not in ("CD8", "CD3", "CD45")]
    tubes.append(laboratory.tube("CD8", seed=5, gain=0.01))
    tubes.append(replace(laboratory.tube("HLA-A3", seed=6), marker="CD3"))
    found = found_in(laboratory, tubes)
    assert report(found, "CD8").status is Usability.TOO_DIM
    assert report(found, "CD45").status is Usability.NO_CONTROL
    assert report(found, "CD3").status is Usability.WRONG_DETECTOR
    assert report(found, "CD3").brightest == "HLA-A3"
    rows = [laboratory.markers.index(marker) for marker in ("CD8", "CD45", "CD3")]
    assert np.array_equal(found.spillover.matrix[rows], np.eye(len(laboratory.markers))[rows])
    check = controls_check(found.controls)
    assert check.status is Verdict.WARN
    assert check.value == 3
    for marker in ("CD8", "CD45", "CD3"):
        assert marker in check.reason
    others = [laboratory.markers.index(marker) for marker in ("CD16", "HLA-A3", "Viability")]
    assert error(laboratory, found)[others].max() < 0.004


def test_without_an_unstained_tube_the_controls_own_negative_events_serve(laboratory: Laboratory) -> None:
    tubes = [tube for tube in single_stains(laboratory, seed=7, beads=True) if tube.marker]
    found = found_in(laboratory, tubes)
    assert all(control.negative == control.sample for control in found.controls)
    assert error(laboratory, found).max() < 0.002


def test_unstained_cells_are_not_held_against_beads(laboratory: Laboratory) -> None:
    cells, beads = laboratory.tube("", seed=1), laboratory.tube("", seed=1, beads=True)
    on_beads = laboratory.tube("CD8", seed=8, beads=True)
    for order in ([cells, beads], [beads, cells]):
        assert report(found_in(laboratory, [*order, on_beads]), "CD8").negative == beads.sample
    assert report(found_in(laboratory, [cells, on_beads]), "CD8").negative == on_beads.sample


def test_of_two_controls_the_brighter_is_used_and_the_other_is_spare(laboratory: Laboratory) -> None:
    dim = replace(laboratory.tube("CD8", seed=9, gain=0.3), sample="dim")
    found = found_in(laboratory, [*single_stains(laboratory, seed=9), dim])
    by_sample = {control.sample: control for control in found.controls}
    assert by_sample["dim"].status is Usability.SPARE
    assert "cells-CD8" in by_sample["dim"].reason
    assert by_sample["cells-CD8"].status is Usability.USED


def test_a_control_at_the_top_of_its_detector_is_not_used(laboratory: Laboratory) -> None:
    tubes = [laboratory.tube("", seed=1), laboratory.tube("CD8", seed=10, gain=30.0)]
    saturated = report(found_in(laboratory, tubes), "CD8")
    assert saturated.status is Usability.SATURATED
    assert saturated.saturated > 0.5


def test_more_autofluorescent_positive_cells_are_not_taken_for_spillover(laboratory: Laboratory) -> None:
    """Dead cells, which the dye of viability stains, glow 2.5 times as much as live ones in every detector."""
    found = found_in(laboratory, single_stains(laboratory, seed=11))
    row = laboratory.markers.index("Viability")
    assert (
        error(laboratory, found)[row].max() < 0.002
    )  # it is 150 units of 30,000, .005, where it is taken for spillover


def test_the_order_of_the_tubes_changes_nothing(laboratory: Laboratory) -> None:
    tubes = single_stains(laboratory, seed=12, events=3_000)
    one, other = found_in(laboratory, tubes), found_in(laboratory, tubes[::-1])
    assert np.array_equal(one.spillover.matrix, other.spillover.matrix)
    assert one.controls == other.controls


def test_a_panel_without_scatter_and_a_batch_without_controls() -> None:
    nothing = estimate([], ("A", "B"), NEEDS)
    assert np.array_equal(nothing.spillover.matrix, np.eye(2))
    assert controls_check(nothing.controls).status is Verdict.FAIL
    rng = np.random.default_rng(1)
    dark, light = rng.normal(0, 50, (2_000, 2)), rng.normal(0, 50, (1_000, 2))
    light += rng.lognormal(9, 0.3, (1_000, 1)) * np.array([1.0, 0.2])
    tubes = [tube("", dark), tube("A", np.concatenate([dark[:1_000], light]))]
    found = estimate(tubes, ("A", "B"), NEEDS)
    assert found.spillover.matrix[0, 1] == pytest.approx(0.2, abs=0.002)


def tube(marker: str, values: np.ndarray) -> ControlTube:
    events = Events(np.asfortranarray(values.astype(np.float32)), ("A", "B"))
    return ControlTube(sample=marker or "unstained", marker=marker, material="pbmc_fresh", events=events, tops={})


class TestSlopes:
    def test_noise_of_the_stained_detector_does_not_flatten_the_slope(self) -> None:
        """Least squares on the same events does: that is what the instrument is for."""
        rng = np.random.default_rng(2)
        signal = rng.lognormal(7, 0.4, 20_000)
        high = np.stack([signal + rng.normal(0, 250, 20_000), 0.3 * signal + rng.normal(0, 40, 20_000)], axis=1)
        low = rng.normal(0, (250, 40), (20_000, 2))
        found = slopes(high, low, 0)
        se = float(np.sqrt((found.influence[:, 1] ** 2).sum()))
        assert abs(found.value[1] - 0.3) < 3 * se
        both = np.concatenate([high, low])
        least_squares = np.polyfit(both[:, 0], both[:, 1], 1)[0]
        assert least_squares < 0.3 - 6 * se

    def test_outliers_beside_the_line_pull_little(self) -> None:
        rng = np.random.default_rng(3)
        signal = rng.lognormal(9, 0.4, 2_000)
        high = np.stack([signal, 0.1 * signal], axis=1) + rng.normal(0, 50, (2_000, 2))
        high[:100, 1] += 20_000
        low = rng.normal(0, 50, (2_000, 2))
        assert slopes(high, low, 0).value[1] == pytest.approx(0.1, abs=0.002)

    def test_spread_is_the_sd_added_per_root_of_signal(self) -> None:
        rng = np.random.default_rng(4)
        low, high = rng.normal(0, 30, (50_000, 2)), rng.normal(0, (30, 50), (50_000, 2))
        assert spreads(high, low, signal=10_000.0)[1] == pytest.approx(40 / 100, rel=0.05)
        assert spreads(high, low, signal=10_000.0)[0] == pytest.approx(0, abs=0.06)


def test_doublets_are_not_among_the_singlets(laboratory: Laboratory) -> None:
    dirty = laboratory.tube("CD3", seed=13, dirt=Dirt(doublets=0.15, dead=0.0, debris=0.0))
    clean = laboratory.tube("CD3", seed=13, dirt=Dirt(doublets=0.0, dead=0.0, debris=0.0))
    assert singlets(clean.events).mean() > 0.97
    assert 0.82 < singlets(dirty.events).mean() < 0.92
