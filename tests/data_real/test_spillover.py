"""Spillover from real single stains, cells and beads, with the peak detectors of a spectral instrument as the panel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import theilslopes

from nktrace.files.fcs import read_fcs
from nktrace.model.events import Events
from nktrace.model.spillover import ControlTube, SpilloverEstimate, Usability
from nktrace.science.single_stains import Needs
from nktrace.science.spillover import TOLERANCE, estimate

PEAKS = {
    "CD16 APC": "R1-A",
    "CD3 Spark Blue 550": "B3-A",
    "CD56 BV605": "V10-A",
    "CD7 BV711": "V13-A",
    "CD8 BUV496": "UV7-A",
    "CD14 Pacific Blue": "V3-A",
    "NKG2D PE": "YG1-A",
    "Viability Zombie NIR": "R7-A",
}
MARKERS = tuple(PEAKS.values())
SCATTER = ("FSC-A", "FSC-H", "SSC-A")


@pytest.fixture(scope="module")
def tubes(shared_data: Path) -> list[ControlTube]:
    found = []
    for path in sorted((shared_data / "single_stains_aurora").glob("*.fcs")):
        file = read_fcs(path)
        found.append(
            ControlTube(
                sample=path.stem,
                marker=next((peak for name, peak in PEAKS.items() if name in path.stem), ""),
                material="pbmc_cryo",
                events=Events(file.scale_values().take(MARKERS + SCATTER).values, MARKERS + SCATTER),
                tops=dict(zip(file.names, map(float, file.tops), strict=True)),
            )
        )
    assert len(found) == 17
    return found


@pytest.fixture(scope="module")
def found(tubes: list[ControlTube]) -> SpilloverEstimate:
    return estimate(tubes, MARKERS, Needs(events=100, stain_index=5.0))


def test_every_detector_has_a_control_that_peaks_there(found: SpilloverEstimate) -> None:
    used = [control for control in found.controls if control.status is Usability.USED]
    assert [control.marker for control in used] == list(MARKERS)
    assert all(control.brightest == control.marker for control in used)
    assert found.spillover.matrix.max() == 1
    assert found.spillover.matrix.min() > -0.002
    assert np.linalg.cond(found.spillover.matrix) < 3


def test_cells_are_held_against_cells_and_beads_against_beads(found: SpilloverEstimate) -> None:
    for control in found.controls:
        if control.negative is not None:
            assert ("Beads" in control.sample) == ("Beads" in control.negative)


def test_no_slope_is_left(found: SpilloverEstimate, tubes: list[ControlTube]) -> None:
    assert max(abs(pair.residual) for pair in found.pairs) < TOLERANCE
    inverse = np.linalg.inv(found.spillover.matrix)
    by_sample = {tube.sample: tube for tube in tubes}
    for control in found.controls:
        if control.status is not Usability.USED:
            continue
        values = by_sample[control.sample].events.take(MARKERS).values.astype(np.float64) @ inverse
        own = MARKERS.index(control.marker)
        for other in set(range(len(MARKERS))) - {own}:
            assert abs(theilslopes(values[::2, other], values[::2, own])[0]) < 0.005


def test_neighbours_of_a_laser_see_what_their_spectra_say(found: SpilloverEstimate) -> None:
    """APC and BV711 shine into the far red, BV605 into BV711's detector, PE hardly beyond its own laser's."""
    share = {(pair.source, pair.receiver): pair.spillover for pair in found.pairs}
    assert 0.10 < share["R1-A", "R7-A"] < 0.20
    assert 0.10 < share["V10-A", "V13-A"] < 0.25
    assert 0.10 < share["V13-A", "R7-A"] < 0.20
    assert abs(share["YG1-A", "R7-A"]) < 0.002
    assert abs(share["V3-A", "YG1-A"]) < 0.002
