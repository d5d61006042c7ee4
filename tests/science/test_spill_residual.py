"""Residual spillover on cells whose compensation error is known, with markers that are expressed together."""

from __future__ import annotations

import numpy as np
import pytest

from nktrace.model.compensation import Spillover
from nktrace.model.events import Events
from nktrace.model.panel import Detector, Kind, Panel
from nktrace.model.quality import Verdict
from nktrace.science.spill_residual import residuals, spill_check, spill_pairs

MARKERS = ("CD3", "CD8", "CD56", "CD16")
PAIRS = tuple((a, b) for a in MARKERS for b in MARKERS if a != b)


def cells(seed: int, *, size: int = 20_000, **errors: float) -> Events:
    """Compensated blood cells: T cells (a third CD8+), NK cells (CD56+, most CD16+, some CD8 dim), others.

    `errors` are residual coefficients such as CD3_CD56=0.02. Noise grows with the signals of the other detectors, as
    photon counting leaves it after compensation, and brightness follows the size of a cell.
    """
    rng = np.random.default_rng(seed)
    kind = rng.choice(4, p=(0.45, 0.2, 0.15, 0.2), size=size)  # CD4 T, CD8 T, NK, other
    big = rng.normal(0, 0.15, size)

    def bright(level: float, spread: float, where: np.ndarray) -> np.ndarray:
        return np.where(where, level * np.exp(rng.normal(0, spread, size) + big), 0.0)

    nk = kind == 2
    true = np.stack(
        [
            bright(20_000, 0.3, kind <= 1),
            bright(30_000, 0.25, kind == 1) + bright(3_000, 0.5, nk & (rng.random(size) < 0.4)),
            bright(4_000, 0.4, nk) + bright(2_000, 0.5, (kind == 1) & (rng.random(size) < 0.2)),
            bright(15_000, 0.5, nk & (rng.random(size) < 0.9)),
        ],
        axis=1,
    )
    noise = np.sqrt(120.0**2 + 1.5 * (true.sum(axis=1, keepdims=True) * 0.1 + true))
    values = true + noise * rng.normal(size=true.shape) + 60 * np.exp(big)[:, None]
    for pair, error in errors.items():
        source, receiver = (MARKERS.index(name) for name in pair.split("_"))
        values[:, receiver] += error * true[:, source]
    return Events(np.asfortranarray(values.astype(np.float32)), MARKERS)


def test_right_compensation_passes_beside_markers_expressed_together() -> None:
    for seed in range(10):
        check, picture = spill_check(cells(seed), PAIRS, limit=0.02)
        assert check.status is Verdict.PASS, check.reason
        assert check.value < 0.015
        assert picture is not None


@pytest.mark.parametrize("pair", ["CD3_CD56", "CD8_CD16", "CD16_CD3", "CD3_CD8"])
@pytest.mark.parametrize("error", [0.05, -0.05])
def test_an_error_of_five_points_is_found_with_its_pair_and_direction(pair: str, error: float) -> None:
    check, picture = spill_check(cells(1, **{pair: error}), PAIRS, limit=0.02)
    assert check.status is Verdict.WARN
    assert check.value == pytest.approx(0.05, abs=0.01)
    source, receiver = pair.split("_")
    assert check.reason.startswith(f"{source} into {receiver}: {'+' if error > 0 else '−'}")
    assert ("too little" if error > 0 else "too much") in check.reason
    assert picture is not None
    assert (picture.source, picture.receiver) == (source, receiver)


def test_intervals_hold_small_errors() -> None:
    held = 0
    for seed in range(12):
        (found,) = residuals(cells(seed, CD3_CD56=0.02), [("CD3", "CD56")])
        assert found.slope == pytest.approx(0.02, abs=0.008)
        held += found.low - 0.002 <= 0.02 <= found.high + 0.002
    assert held >= 10


def test_a_marker_that_all_source_cells_express_is_no_spillover() -> None:
    """Every NK cell has some CD8: nothing is negative there, and the shift is not proportional to the source."""
    events = cells(3)
    values = events.values.copy(order="F")
    nk = events.column("CD56") > 1_500
    values[nk, MARKERS.index("CD8")] += 1_000 * np.exp(np.random.default_rng(1).normal(0, 0.5, nk.sum()))
    found = residuals(Events(values, MARKERS), [("CD16", "CD8")])
    assert all(abs(residual.slope) < 0.02 or residual.sure < 0.01 for residual in found)


def test_what_cannot_be_judged_says_why() -> None:
    check, picture = spill_check(cells(1, size=300), PAIRS, limit=0.02)
    assert (check.status, picture) == (Verdict.SKIPPED, None)
    dim = cells(1)
    dim.values[:] = np.random.default_rng(1).normal(0, 100, dim.values.shape)
    check, picture = spill_check(dim, PAIRS, limit=0.02)
    assert (check.status, picture) == (Verdict.SKIPPED, None)
    assert "12 pairs" in check.reason
    assert "no detector" in spill_check(dim, (), limit=0.02)[0].reason


def test_constant_detectors_are_no_pair() -> None:
    flat = cells(1)
    flat.values[:, 1] = 7.0
    assert all("CD8" not in (r.source, r.receiver) for r in residuals(flat, PAIRS))


def test_pairs_are_those_with_a_coefficient_or_all_of_unmixed_data() -> None:
    def detector(marker: str, kind: Kind = Kind.LINEAGE, transform: str = "logicle") -> Detector:
        return Detector(channel=f"{marker}-A", marker=marker, kind=kind, transform=transform)

    panel = Panel(
        "p",
        (
            detector("CD3"),
            detector("CD8"),
            detector("Live", Kind.VIABILITY),
            detector("Old", transform="linear"),
            detector("Time", Kind.TIME),
        ),
    )
    names = {d.marker: d.channel for d in panel.detectors}
    matrix = Spillover(("CD3-A", "CD8-A", "Live-A"), np.array([[1, 0.1, 0.1], [0, 1, 0], [0.1, 0.1, 1]]))
    assert spill_pairs(matrix, names, panel) == (("CD3", "CD8"),)
    both = (("CD3", "CD8"), ("CD8", "CD3"))
    assert spill_pairs(None, names, panel) == both
    nothing = np.array([[1, 1e-6], [0, 1]])
    assert spill_pairs(Spillover(("CD3-A", "CD8-A"), nothing), names, panel) == both
