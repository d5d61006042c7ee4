"""Subsets where a gate moves: cells enter NK, leave it, or change their sign."""

from __future__ import annotations

import numpy as np

from nktrace.model.events import Events
from nktrace.model.lineages import Lineages
from nktrace.model.shifts import Moved, Shift
from nktrace.science.subset_error import subset_shifts
from nktrace.science.subsets import call_subsets, nk_members
from tests.science.test_subsets import CELLS, MARKERS, RULES

EVENT = np.array([10, 11, 12, 20, 21, 22], dtype=np.int32)
GATED = Lineages(
    sample="S",
    panel="p",
    batch="b",
    event=EVENT,
    member={name: np.array(mask, dtype=bool) for name, mask in CELLS.items()},
    hla={},
    nk_rows=np.arange(6),
    nk_markers=Events(np.empty((6, 0), np.float32, order="F"), ()),
)
STILL = Moved(np.empty(0, np.intp), {})


def moved(events: list[int], **change: list[int]) -> Moved:
    return Moved(np.array(events), {name: np.array(signs, np.int8) for name, signs in change.items()})


def test_a_cell_that_loses_its_sign_goes_to_the_next_subset() -> None:
    adaptive_loses_cd57 = Shift("nk_cd57", "CD57", "min", STILL, moved([11], nk_cd57=[-1]))
    (net,) = subset_shifts(RULES, GATED, (adaptive_loses_cd57,))
    assert net.low == {}
    assert net.high == {"adaptive": -1, "other_dim": 1}


def test_cells_that_enter_or_leave_nk_change_their_subset_and_nk() -> None:
    stranger = moved([15], nk=[1], nk_dim=[1], nk_nkg2a=[1])  # in no population before
    bright_leaves = moved([10], nk=[-1], nk_bright=[-1], nk_nkg2a=[-1], nk_cd69=[-1])
    (net,) = subset_shifts(RULES, GATED, (Shift("nk", "CD56", "min", stranger, bright_leaves),))
    assert net.low == {"nk": 1, "early_dim": 1}
    assert net.high == {"nk": -1, "bright": -1, "state:activated": -1}


def test_the_interval_of_a_subset_widens() -> None:
    shift = Shift("nk_cd57", "CD57", "min", moved([13], nk_cd57=[1]), moved([11], nk_cd57=[-1]))
    shifts = subset_shifts(RULES, GATED, (shift,))
    plain, wide = (
        {
            c.subset: c.fraction
            for c in call_subsets(RULES, nk_members(GATED), markers=MARKERS, level=0.95, shifts=s).counts
        }
        for s in ((), shifts)
    )
    assert wide["adaptive"].value == plain["adaptive"].value
    assert wide["adaptive"].high - wide["adaptive"].low > plain["adaptive"].high - plain["adaptive"].low
    assert wide["bright"] == plain["bright"]
