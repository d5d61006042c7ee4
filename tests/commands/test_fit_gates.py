"""The reference of a panel: what it holds depends on the samples, not on how their results are to be told."""

from __future__ import annotations

from nktrace.commands.fit_gates import fit_reference
from nktrace.files.settings import Settings
from tests.commands.test_gate_beside_baseline import TABLE, reference, survey
from tests.science.gating.tube import BLOOD


def test_the_level_of_the_intervals_moves_no_prior() -> None:
    surveys = [survey(f"S{seed}", seed) for seed in range(3)]
    wide = fit_reference(surveys, BLOOD, TABLE, settings=Settings(data_dir="", level=0.99))
    assert wide.priors == reference().priors
