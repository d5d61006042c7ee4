"""Real files as a study over time, and counts from the volume that an instrument wrote."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Callable
from datetime import datetime

import pytest

from nktrace.files.fcs import read_fcs
from nktrace.files.tables import read_rows
from tests.data_real.finished import RealStudy

Studies = Callable[[str], RealStudy]

MICROLITRES = {"first": 30.35, "second": 30.29}  # $VOL as the Aurora writes it


def seconds(study: RealStudy, sample: str) -> float:
    """How long the acquisition took."""
    keywords = read_fcs(study.path / study.sheets.samples[sample].fcs).keywords
    begin, end = (datetime.strptime(keywords[name], "%H:%M:%S.%f") for name in ("$BTIM", "$ETIM"))
    return (end - begin).total_seconds()


def test_cells_per_microlitre_come_from_the_files_volume(real_study: Studies) -> None:
    study = real_study("volumetric")
    counts = {row["sample"]: row for row in study.table("counts") if row["population"] == "lymphocytes"}
    assert set(counts) == set(MICROLITRES)
    for sample, volume in MICROLITRES.items():
        row, gated = counts[sample], study.population(sample, "lymphocytes")
        watched = study.population(sample, "time")["fraction"]
        assert row["platform"] == "volumetric"
        assert row["cells_per_ul"] == pytest.approx(gated["events"] / (volume * watched), rel=1e-5)
        assert f"volume {volume:g} uL by the file's $VOL" in row["reason"]
        assert 10 < volume / seconds(study, sample) * 60 < 150, "as nL no instrument would be so slow"
        (unit,) = (r["reason"] for r in study.table("qc") if (r["sample"], r["check"]) == (sample, "acquired_ul"))
        assert unit == f"$VOL {volume:g} in uL as Aurora writes it"


def test_one_tube_acquired_twice_has_one_count(real_study: Studies) -> None:
    study = real_study("volumetric")
    first, second = (row for row in study.table("counts") if row["population"] == "lymphocytes")
    gap = math.log(first["cells_per_ul"] / second["cells_per_ul"])
    counting = math.sqrt(sum(1 / study.population(sample, "lymphocytes")["events"] for sample in MICROLITRES))
    assert abs(gap) < 1.96 * counting
    assert first["ci_low"] < second["cells_per_ul"] < first["ci_high"]


def test_events_off_the_line_of_singlets_are_said_with_the_count(real_study: Studies) -> None:
    """A fifth of this tube is no singlet: too much for coincidence, so nothing is added back, and it is a warning."""
    for row in real_study("volumetric").table("counts"):
        assert row["status"] == "warn"
        assert re.search(r"doublets: 2\d\.\d% of events lie outside singlets", row["reason"])


@pytest.mark.slow
def test_five_patients_seven_visits_around_a_transplantation(real_study: Studies) -> None:
    """No HLA, no NK marker and no platform: every table and page is there, and says what cannot be known and why."""
    study = real_study("gvhd")
    with (study.data / "annotation.csv").open(encoding="utf-8") as handle:
        known = list(csv.DictReader(handle))
    assert len(known) == 35
    visits = {(f"G{row['Patient']}", float(row["Days"])) for row in known}
    trajectories = study.table("trajectories")
    assert {(row["patient"], row["day"]) for row in trajectories} == visits
    assert (min(day for _, day in visits), max(day for _, day in visits)) == (-8, 35)
    assert {row["measure"] for row in trajectories} >= {"lymphocytes"}
    assert all(math.isnan(row["observed"]) and row["reason"] for row in trajectories)
    assert all("fractions only" in row["reason"] for row in study.table("counts"))
    kinetics = study.table("kinetics")
    assert {row["patient"] for row in kinetics} == set(study.sheets.patients)
    assert {row["status"] for row in kinetics} == {"not_estimable"}
    assert all(row["reason"] for row in kinetics)
    assert {row["status"] for row in study.table("chimerism")} <= {"indeterminate", "uninformative"}
    for patient in study.sheets.patients:
        days = sorted(day for name, day in visits if name == patient)
        page = (study.path / "results" / "patients" / patient / "report.html").read_text(encoding="utf-8")
        assert f"Patient {patient}" in page
        assert "No cell counts: no sample has beads, a volume or the analyser" in page
        assert len(read_rows(study.path / "results" / "patients" / patient / "counts.tsv")) >= len(days)
