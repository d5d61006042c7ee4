"""A new version of the reference stands beside the old one, and says which cluster became which."""

from __future__ import annotations

import subprocess
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest

from nktrace.files.clusters import read_reference
from nktrace.files.tables import read_rows

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.mark.slow
def test_raising_the_version_keeps_the_old_reference_and_writes_what_became_of_it(
    study: Path, nktrace: Command
) -> None:
    place = study / "results" / "reference" / "phenotyping"
    before = {path.name: path.read_bytes() for path in (place / "v1" / "clusters").iterdir()}
    config = study / "config" / "config.yaml"
    changed = "reference_version: 2\nclustering: {prototypes: 60, bootstrap: 3}\n"
    config.write_text(config.read_text(encoding="utf-8") + changed, encoding="utf-8")
    done = nktrace("run", study, "--cores", "2")
    assert done.returncode == 0, done.stderr
    assert {path.name: path.read_bytes() for path in (place / "v1" / "clusters").iterdir()} == before
    assert not (place / "v1" / "clusters" / "became.tsv").exists()
    rows = read_rows(place / "v2" / "clusters" / "became.tsv")
    assert {(row["old_version"], row["new_version"]) for row in rows} == {("v1", "v2")}
    new = {str(cluster.number) for cluster in read_reference(place / "v2" / "clusters").clusters}
    assert {row["new_cluster"] for row in rows} - {"NA"} == new
    shares = defaultdict(float)
    for row in rows:
        shares[row["old_cluster"]] += float(row["share_of_old"])
    assert dict(shares) == pytest.approx(dict.fromkeys(shares, 1.0))
    # The same events on the same scale: what is called bright stays bright.
    bright = [row for row in rows if row["old_subset"] == "bright"]
    assert sum(float(r["events"]) for r in bright if r["new_subset"] == "bright") > 0.8 * sum(
        float(r["events"]) for r in bright
    )
