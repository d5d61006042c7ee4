"""`nktrace dilute` on a finished study: asked for by name, once, and no part of a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from nktrace.files.tables import read_table
from tests.conftest import Command, Plan

pytestmark = pytest.mark.slow
RULES = {"dilute_pair", "dilution"}
SETTINGS = "dilution: {levels: [0.02, 0.1, 0.5], draws: 3, patients: [S1]}\n"


def test_a_dilution_is_asked_for_and_then_up_to_date(study: Path, nktrace: Command, planned: Plan) -> None:
    config = study / "config" / "config.yaml"
    config.write_text(config.read_text(encoding="utf-8") + SETTINGS, encoding="utf-8")
    assert not RULES & planned(study).keys()  # the run needs none of it
    target = "results/validation/dilution.html"
    assert planned(study, target) == {"dilute_pair": 1, "dilution": 1}
    done = nktrace("dilute", study, "--cores", "2")
    assert done.returncode == 0, done.stderr
    assert "recovery" in done.stdout
    assert (study / target).is_file()
    rows = read_table(study / "results" / "validation" / "dilution_summary.tsv", "dilution_summary")
    nk = [row for row in rows if row["population"] == "nk"]
    assert {row["patient"] for row in nk} == {"S1"}
    assert all(row["slope"] == pytest.approx(1, abs=0.15) for row in nk)
    assert planned(study, target) == {}
