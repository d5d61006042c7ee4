"""Cells that stain for neither antibody, beyond what the controls have."""

from __future__ import annotations

import numpy as np
import pytest

from nktrace.model.chimerism import Controls, MarkerCounts
from nktrace.science.stain_checks import NEITHER_CV, hidden_share


def counted(events: int, neither: int, both: int = 0) -> MarkerCounts:
    return MarkerCounts(events=events - neither - both, positive=0, unclear=neither + both, neither=neither)


CONTROLS = Controls(blank=counted(20_000, 400), donor=counted(5_000, 50))


def test_more_than_the_controls_beyond_chance_and_scatter_is_said() -> None:
    assert hidden_share(counted(5_000, 350), CONTROLS) == pytest.approx(0.05)
    assert hidden_share(counted(5_000, 100), CONTROLS) == 0
    assert hidden_share(counted(100, 5), CONTROLS) == 0, "five of a hundred are chance"


def test_doublets_of_both_persons_are_no_such_sign() -> None:
    assert hidden_share(counted(5_000, 100, both=500), CONTROLS) == 0


def test_one_antibody_and_empty_controls_tell_nothing() -> None:
    assert (
        hidden_share(MarkerCounts(events=5_000, positive=20), Controls(blank=counted(9, 0), donor=counted(9, 0))) == 0
    )
    assert hidden_share(counted(5_000, 350), Controls(blank=counted(0, 0), donor=counted(5_000, 50))) == 0
    assert hidden_share(counted(0, 0), CONTROLS) == 0


def test_tubes_that_scatter_as_assumed_are_seldom_flagged() -> None:
    rng, flagged = np.random.default_rng(2), 0
    for _ in range(400):
        tubes = [0.02 * rng.gamma(1 / NEITHER_CV**2, NEITHER_CV**2) for _ in range(3)]
        blank, donor, sample = (
            counted(n, int(rng.binomial(n, rate))) for n, rate in zip((20_000, 5_000, 5_000), tubes, strict=True)
        )
        flagged += hidden_share(sample, Controls(blank=blank, donor=donor)) > 0
    assert flagged / 400 < 0.1
