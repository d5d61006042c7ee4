"""The same cells in every batch: shifts of staining are found, with their size, and no others."""

from __future__ import annotations

import numpy as np
import pytest

from nktrace.model.control_drift import BatchControl, Controls
from nktrace.model.events import Events
from nktrace.model.quality import Verdict
from nktrace.science.control_drift import control_check, fit_controls, places
from tests.science.gating.tube import panel_of

PANEL = panel_of("p", Time="time", FSC_A="scatter", Live="viability", CD3="lineage", CD57="subset")
LIMIT = 0.15


def control(seed: int, *, cd3: float = 0.0, cd57: float = 0.0, size: int = 8_000) -> Events:
    """CD3: 60 % positive, 0.5 above the negatives on the scale; CD57 has one population, of sd 0.05."""
    rng = np.random.default_rng(seed)
    positive = rng.random(size) < 0.6
    columns = [np.zeros(size), np.zeros(size), np.zeros(size)]
    columns.append(0.2 + rng.normal(0, 0.05, size) + (0.5 + cd3) * positive)
    columns.append(0.3 + rng.normal(0, 0.05, size) + cd57)
    return Events(np.asfortranarray(np.stack(columns, axis=1).astype(np.float32)), PANEL.markers)


def reference(**shifted: dict[str, float]) -> Controls:
    """Controls of batches b1 to b4, some shifted."""
    batches = ("b1", "b2", "b3", "b4")
    tubes = [(f"C-{name}", name, control(i, **shifted.get(name, {}))) for i, name in enumerate(batches)]
    found = fit_controls(tubes, panel=PANEL)
    assert found is not None
    return found


def test_shapes_and_places_of_the_markers() -> None:
    found = reference()
    assert set(found.shapes) == {"CD3", "CD57"}
    assert found.shapes["CD3"].positive_share == pytest.approx(0.6, abs=0.02)
    assert found.shapes["CD3"].distance == pytest.approx(0.5, abs=0.01)
    assert found.shapes["CD57"].positive_share == 0
    assert found.shapes["CD57"].distance == pytest.approx(0.2, abs=0.01)
    assert found.samples[0].places["CD3"].negative == pytest.approx(0.2, abs=0.01)
    assert found.samples[0].places["CD3"].positive == pytest.approx(0.7, abs=0.01)


@pytest.mark.parametrize("batch", ["b1", "b3"])
def test_like_batches_pass(batch: str) -> None:
    check, picture = control_check(None, reference(), batch=batch, limit=LIMIT)
    assert check.status is Verdict.PASS
    assert check.value < 0.03
    assert picture is not None
    assert (picture.batches, picture.own) == (("b1", "b2", "b3", "b4"), batch)


def test_a_batch_that_stains_dimmer_is_told_with_marker_part_and_size() -> None:
    found = reference(b2={"cd3": -0.1})
    check, picture = control_check(None, found, batch="b2", limit=LIMIT)
    assert check.status is Verdict.WARN
    assert check.value == pytest.approx(0.1 / 0.5, abs=0.03)
    assert "the batch's control C-b2: CD3 (positive)" in check.reason
    assert "below 3 other batches" in check.reason
    assert picture is not None
    assert picture.marker == "CD3"
    # One odd batch does not make the others odd: they are held against the median.
    assert control_check(None, found, batch="b1", limit=LIMIT)[0].status is Verdict.PASS


def test_a_marker_of_one_population_drifts_too() -> None:
    check, picture = control_check(None, reference(b4={"cd57": 0.1}), batch="b4", limit=LIMIT)
    assert check.value == pytest.approx(0.5, abs=0.05)
    assert check.reason.startswith("the batch's control C-b4: CD57 stands")
    assert picture is not None
    assert np.isnan(picture.negative).all()


def test_a_later_control_is_held_against_the_frozen_ones() -> None:
    found = reference()
    own = BatchControl(sample="C-b9", batch="b9", places=places(control(9, cd3=0.12), found.shapes))
    check, _ = control_check(own, found, batch="b9", limit=LIMIT)
    assert check.status is Verdict.WARN
    assert check.reason.startswith("CD3 (positive) stands")
    assert "above 4 other batches" in check.reason


def test_no_control_and_no_other_batch_say_so() -> None:
    alone = fit_controls([("C", "b1", control(1))], panel=PANEL)
    assert fit_controls([], panel=PANEL) is None
    assert fit_controls([("C", "b1", control(1, size=50))], panel=PANEL) is None
    for controls, batch, why in ((None, "b1", "batch b1 has no control"), (alone, "b1", "no other batch")):
        check, picture = control_check(None, controls, batch=batch, limit=LIMIT)
        assert (check.status, picture) == (Verdict.SKIPPED, None)
        assert why in check.reason
    assert "batch b2 has no control" in control_check(None, alone, batch="b2", limit=LIMIT)[0].reason
