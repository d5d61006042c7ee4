"""A batch is moved to where its control says it belongs, in order, and nothing else is changed."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nktrace.model.clusters import ClusterReference, empty_reference
from nktrace.model.errors import ReferenceUnusable
from nktrace.model.events import Events
from nktrace.model.lineages import Lineages
from nktrace.model.quality import Verdict
from nktrace.science.nk_alignment import aligned, alignment_check, control_quantiles, target_quantiles
from tests.science.test_nk_drift import reference

MARKERS = ("CD56", "CD57")


def cells(seed: int, *, positive: float = 0.45, shift: float = 0.0, size: int = 3_000) -> np.ndarray:
    """One population of CD56; CD57− and CD57+ cells with hardly any between, moved by the batch."""
    rng = np.random.default_rng(seed)
    cd57 = np.where(rng.random(size) < positive, 0.7, 0.25) + rng.normal(0, 0.04, size) + shift
    return np.stack([rng.normal(0.5, 0.06, size), cd57], axis=1).astype(np.float32)


def control(batch: str, values: np.ndarray, *, panel: str = "nk14") -> Lineages:
    size = len(values)
    return Lineages(
        sample=f"C-{batch}",
        panel=panel,
        batch=batch,
        event=np.arange(size, dtype=np.int32),
        member={"nk": np.ones(size, dtype=bool)},
        hla={},
        nk_rows=np.arange(size),
        nk_markers=Events(np.asfortranarray(values), MARKERS),
    )


def quantiles(*controls: Lineages) -> dict[str, np.ndarray]:
    return control_quantiles(controls, panel="nk14", markers=MARKERS)


def fitted_with(target: np.ndarray) -> ClusterReference:
    return dataclasses.replace(reference(), quantiles=target)


def test_a_batch_that_stands_aside_is_moved_to_the_mean_of_the_batches() -> None:
    found = quantiles(control("b1", cells(1)), control("b2", cells(2, shift=0.1)))
    target = target_quantiles(found)
    for batch, shift in (("b1", 0.0), ("b2", 0.1)):
        moved = aligned(cells(9, positive=0.8, shift=shift), found[batch], target)
        for low, high, place in ((0.0, 0.5, 0.3), (0.5, 1.0, 0.75)):
            part = moved[(moved[:, 1] > low) & (moved[:, 1] < high), 1]
            assert np.median(part) == pytest.approx(place, abs=0.01)
        assert np.median(moved[:, 0]) == pytest.approx(0.5, abs=0.01)


def test_another_share_in_the_control_does_not_tear_its_parts() -> None:
    # 40 or 50 % positive: quantiles between the parts stand 0.45 apart, and none of the cells should move
    found = quantiles(control("b1", cells(1, positive=0.40)), control("b2", cells(2, positive=0.48)))
    sample = cells(9)
    moved = aligned(sample, found["b1"], found["b2"])
    assert np.quantile(np.abs(moved - sample), 0.99) < 0.05


def test_beyond_the_outer_quantiles_all_move_as_these() -> None:
    own, target = np.tile(np.linspace(0.2, 0.8, 19), (2, 1)), np.tile(np.linspace(0.25, 0.85, 19), (2, 1))
    values = np.array([[-3.0, 0.5], [9.0, np.nan], [np.inf, 0.2]], np.float32)
    moved = aligned(values, own, target)
    assert moved[:, 0] == pytest.approx([-2.95, 9.05, np.inf])
    assert moved[0, 1] == pytest.approx(0.55)
    assert np.isnan(moved[1, 1])


@given(st.integers(0, 2**32 - 1))
def test_the_order_of_the_cells_is_kept(seed: int) -> None:
    rng = np.random.default_rng(seed)
    own, target = np.sort(rng.normal(size=(2, 2, 19)), axis=2)
    if rng.random() < 0.3:
        own[:, 5:9] = own[:, 5:6]  # a control with many equal values
    values = np.sort(rng.normal(0, 1.5, (300, 2)), axis=0).astype(np.float32)
    moved = aligned(values, own, target)
    assert (np.diff(moved, axis=0) >= -1e-6).all()


def test_each_cell_moves_by_itself() -> None:
    found = quantiles(control("b1", cells(1)), control("b2", cells(2, shift=0.1)))
    batch = cells(9)
    whole = aligned(batch, found["b1"], target_quantiles(found))
    assert aligned(batch[17:20], found["b1"], target_quantiles(found)).tobytes("C") == whole[17:20].tobytes("C")


def test_controls_of_a_batch_count_the_same_and_so_do_batches() -> None:
    one, other, third = cells(1), cells(2, shift=0.1, size=900), cells(3, shift=0.2)
    found = quantiles(control("b1", one), control("b1", other), control("b2", third))
    alone = [quantiles(control("b", values))["b"] for values in (one, other, third)]
    assert found["b1"] == pytest.approx((alone[0] + alone[1]) / 2)
    assert target_quantiles(found) == pytest.approx((found["b1"] + found["b2"]) / 2)


def test_few_cells_align_nothing_and_say_so() -> None:
    found = quantiles(control("b1", cells(1)), control("b2", cells(2, size=150)))
    assert set(found) == {"b1"}
    target, values = target_quantiles(found), cells(9)
    assert aligned(values, found.get("b2"), target) is values
    assert aligned(values, found["b1"], target_quantiles({})) is values
    check = alignment_check(found.get("b2"), fitted_with(target), batch="b2")
    assert check.status is Verdict.WARN
    assert check.reason == "not aligned: no control of batch b2 has 200 NK events (role `batch_control`)"
    without = alignment_check(None, fitted_with(target_quantiles({})), batch="b2")
    assert "the reference's batches" in without.reason
    assert alignment_check(found["b1"], fitted_with(target), batch="b1").status is Verdict.PASS


def test_onto_a_reference_without_clusters_nothing_is_aligned() -> None:
    empty = empty_reference("nk14", samples={}, reason="no reference sample has NK events")
    check = alignment_check(quantiles(control("b1", cells(1)))["b1"], empty, batch="b1")
    assert check.status is Verdict.SKIPPED
    assert check.reason == "the reference has no clusters: no reference sample has NK events"


def test_a_control_of_another_panel_is_refused() -> None:
    with pytest.raises(ReferenceUnusable, match="C-b1 is of panel mini"):
        quantiles(control("b1", cells(1), panel="mini"))
