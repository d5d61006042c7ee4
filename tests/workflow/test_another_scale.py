"""A sample whose values are on another scale than those of the reference, through the whole way."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from nktrace.files.clusters import read_reference
from nktrace.files.fcs import read_fcs, write_fcs
from nktrace.files.tables import read_table
from nktrace.model.events import Events

Command = Callable[..., subprocess.CompletedProcess[str]]


def three_times(path: Path, *channels: str) -> None:
    """Write the file anew with these fluorescences times 3; all of them where none is named."""
    file = read_fcs(path)
    events = file.scale_values()
    values = events.values.copy(order="F")
    for column, channel in enumerate(events.channels):
        if channel in channels or (not channels and channel.partition("-")[0] not in ("Time", "FSC", "SSC")):
            values[:, column] *= 3
    written = Events(values, events.channels)
    write_fcs(path, written, labels=file.labels, tops=file.tops, keywords=file.keywords)


@pytest.mark.slow
@pytest.mark.parametrize(("channels", "named"), [((), None), (("BV421-A",), {"CD57"})])
def test_values_times_three_are_flagged_by_marker(
    study: Path, channels: tuple[str, ...], named: set[str] | None, nktrace: Command
) -> None:
    sample = "S1-d07"
    other = {path.name: path.read_bytes() for path in (study / "results" / "samples" / "S2-d07").iterdir()}
    three_times(study / "data" / f"{sample}.fcs", *channels)
    done = nktrace("sample", study, sample, "--cores", "2")
    assert done.returncode == 0, done.stderr
    rows = read_table(study / "results" / "samples" / sample / "qc.tsv", "qc")
    flagged = {row["check"].removeprefix("nk_shift:") for row in rows if row["status"] in ("warn", "fail")}
    markers = set(read_reference(study / "results" / "reference" / "phenotyping" / "v1" / "clusters").markers)
    assert flagged & markers == (markers if named is None else named)
    assert "check-nk_shifts" in (study / "results" / "samples" / sample / "report.html").read_text(encoding="utf-8")
    assert {path.name: path.read_bytes() for path in (study / "results" / "samples" / "S2-d07").iterdir()} == other
