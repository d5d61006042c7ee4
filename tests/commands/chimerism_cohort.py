"""Tubes of one patient on disk, and the commands that make chimerism.tsv of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nktrace.cli import main
from nktrace.files.installation import resource
from nktrace.files.settings import Settings, part
from nktrace.files.tables import read_table, write_table
from nktrace.model.study import Patient, Role, Sample
from tests.commands.hla_tubes import DONOR, RECIPIENT, Patients, sample, write_sample

SETTINGS = part(Settings(data_dir=""), "chimerism", "counts")
P1 = Patient(patient="P1", donor="Don1", recipient_hla=RECIPIENT, donor_hla=DONOR, dose_per_kg=1e6)
BLANK = sample("P1_blank", -1, Role.BLANK)
PRODUCT = sample("Don1", math.nan, Role.DONOR, patient=None, donor="Don1")
NK_ONLY = {"nk": 1.0}

Rows = dict[tuple[str, str], dict[str, Any]]


class Cohort:
    """Tubes of one patient on disk, and the commands over them."""

    def __init__(self, path: Path, patient: Patient = P1, others: tuple[Patient, ...] = ()) -> None:
        self.patients = Patients(path, patient, others)
        self.path = path
        self.samples: list[Sample] = []

    def add(self, row: Sample, donor_share: float | dict[str, float] = 0.0, **how: Any) -> None:
        self.samples.append(row)
        write_sample(self.path / "samples", row, donor_share=donor_share, **how)

    def counts(self, cells: Sequence[tuple[str, str, float, float, float]]) -> None:
        blank = {"patient": "P1", "day": 7.0, "reference_low": None, "reference_high": None, "grade": None}
        rows = [
            blank
            | {"sample": s, "population": p, "cells_per_ul": v, "ci_low": low, "ci_high": high}
            | {"platform": "beads", "status": "ok", "reason": None}
            for s, p, v, low, high in cells
        ]
        write_table(self.path / "counts.tsv", "counts", rows)

    def run(self, *blanks: str) -> tuple[Rows, list[dict[str, Any]]]:
        row, cuts = self.patients.row(self.samples), str(self.path / "hla_cuts.tsv")
        directories = [self.path / "samples" / one.sample for one in self.samples]
        common = ["--patient", row, "--settings", SETTINGS]
        lineages = [str(directory / "lineages.parquet") for directory in directories]
        known = ["--panel", str(self.patients.panel()), "--antibodies", str(resource("hla_antibodies.tsv"))]
        assert main(["hla-cuts", *common, *known, "--output", cuts, *lineages]) == 0
        if not (self.path / "counts.tsv").exists():
            self.counts([])
        counts = str(self.path / "counts.tsv")
        output = ["--cuts", cuts, "--counts", counts, "--output-dir", str(self.path), "--blanks", *blanks, "--"]
        assert main(["chimerism", *common, *output, *map(str, directories)]) == 0
        together = read_table(self.path / "chimerism.tsv", "chimerism")
        alone = read_table(self.path / "chimerism_by_antibody.tsv", "chimerism_by_antibody")
        return {(r["sample"], r["population"]): r for r in together}, alone
