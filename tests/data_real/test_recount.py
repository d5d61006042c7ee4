"""FlowKit, reading the real files and our Gating-ML, counts every population as we do."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from nktrace.files.flowkit_counts import recounted
from tests.data_real.finished import RealStudy


@pytest.mark.parametrize(("name", "least"), [("aurora", 80), ("mouse", 14), ("hipc", 10)])
def test_flowkit_counts_the_same_in_every_real_sample(
    real_study: Callable[[str], RealStudy], name: str, least: int
) -> None:
    study = real_study(name)
    populations = 0
    for sample in study.samples:
        counts = recounted(study.path / sample.fcs, study.of_sample(sample.sample))
        assert {name: both for name, both in counts.items() if both[0] != both[1]} == {}, sample.sample
        populations += len(counts)
    assert populations >= least
