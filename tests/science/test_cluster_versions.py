"""Which cluster became which."""

from __future__ import annotations

import numpy as np
import pytest

from nktrace.model.transforms import Asinh, Logicle
from nktrace.science.cluster_versions import crosswalk, on_scale
from nktrace.science.transforms import apply


def test_every_pair_of_clusters_that_share_events() -> None:
    old = np.array([1, 1, 1, 1, 2, 2, 0], np.int32)
    new = np.array([1, 1, 1, 3, 3, 2, 2], np.int32)
    rows = [(row.old, row.new, row.events, row.share_of_old, row.share_of_new) for row in crosswalk(old, new)]
    assert rows == [
        (0, 2, 1, 1.0, 0.5),
        (1, 1, 3, 0.75, 1.0),
        (1, 3, 1, 0.25, 0.5),
        (2, 2, 1, 0.5, 0.5),
        (2, 3, 1, 0.5, 0.5),
    ]


def test_no_events_have_no_pairs() -> None:
    assert crosswalk(np.empty(0, np.int32), np.empty(0, np.int32)) == ()


def test_a_value_comes_to_lie_where_the_old_scale_has_it() -> None:
    signal = np.array([-200.0, 0.0, 50.0, 3_000.0, 90_000.0], np.float32)
    now, then = Logicle(262_144, 0.5, 4.5, 0), Asinh(150.0)
    moved = on_scale(apply(signal, now), now=now, then=then)
    assert moved == pytest.approx(apply(signal, then), abs=0.02)
