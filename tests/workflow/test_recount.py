"""FlowKit, reading the FCS files and our Gating-ML, counts every population as we do."""

from __future__ import annotations

from pathlib import Path

from nktrace.files.tables import read_rows
from tests.reference.flowkit_counts import differences


def test_flowkit_counts_the_same_in_every_simulated_sample(finished_study: Path) -> None:
    populations = 0
    for row in read_rows(finished_study / "config" / "samples.tsv"):
        other, number = differences(
            finished_study / "data" / row["fcs"], finished_study / "results" / "samples" / row["sample"]
        )
        assert other == {}, row["sample"]
        populations += number
    assert populations > 100
