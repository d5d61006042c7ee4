"""Where a parent holds hardly any negatives, the valley between dim and bright cells is no cut for positives."""

from __future__ import annotations

import numpy as np
import pytest

from nktrace.model.events import Events
from nktrace.model.gates import ROOT, Edge, ValleySettings
from nktrace.science.gating.parent import Parent
from nktrace.science.gating.valley import cut

NEGATIVE, DIM, BRIGHT = 0.2, 0.55, 0.85


def cd56_of(*, negatives: int, t_cells: int = 2_000, settings: ValleySettings) -> Edge:
    """The CD56 cut of 2,000 dim and 400 bright NK cells with some negatives, beside T cells that lack it."""
    rng = np.random.default_rng(1)
    sizes = (t_cells, negatives, 2_000, 400)
    means = np.repeat([NEGATIVE, NEGATIVE, DIM, BRIGHT], sizes)
    values = (means + 0.05 * rng.standard_normal(means.size)).astype(np.float32)[:, None]
    is_t = np.arange(means.size) < t_cells
    masks = {ROOT: np.ones(means.size, dtype=np.bool_), "cd3": is_t, "cd3_neg": ~is_t}
    parent = Parent(population="cd3_neg", events=Events(np.asfortranarray(values), ("CD56",)), masks=masks, rng=rng)
    return cut(parent, "CD56", edge="min", settings=settings)


@pytest.mark.parametrize("which", ["first", "deepest", "last"])
def test_without_negatives_nothing_dim_is_cut_off(which: str) -> None:
    found = cd56_of(negatives=0, settings=ValleySettings(which=which, negative="cd3"))
    assert NEGATIVE + 0.05 < found.value < DIM - 0.1
    assert not found.clear


def test_with_negatives_their_valley_is_taken_and_no_other() -> None:
    found = cd56_of(negatives=500, settings=ValleySettings(which="last", negative="cd3"))
    assert NEGATIVE + 0.1 < found.value < DIM - 0.1
    assert found.clear


def test_a_table_that_names_no_negatives_or_a_tube_without_them_takes_the_valley_there_is() -> None:
    assert DIM < cd56_of(negatives=0, settings=ValleySettings()).value < BRIGHT
    assert DIM < cd56_of(negatives=0, t_cells=5, settings=ValleySettings(negative="cd3")).value < BRIGHT
