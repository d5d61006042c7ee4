"""A finished run over real files, as the tests read it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nktrace.files.lineages import read_lineages
from nktrace.files.sheets import read_study
from nktrace.files.tables import read_table
from nktrace.model.events import Mask
from nktrace.model.study import Sample, Study


@dataclass(frozen=True)
class RealStudy:
    """A finished run over real files. Read it, never write to it."""

    path: Path
    data: Path

    @property
    def sheets(self) -> Study:
        return read_study(self.path)[0]

    @property
    def samples(self) -> list[Sample]:
        return list(self.sheets.samples.values())

    def of_sample(self, sample: str) -> Path:
        return self.path / "results" / "samples" / sample

    def table(self, name: str) -> list[dict[str, Any]]:
        """A table over all samples."""
        return read_table(self.path / "results" / "cohort" / f"{name}.tsv", name)

    def population(self, sample: str, population: str) -> dict[str, Any]:
        """The row of populations.tsv."""
        (row,) = (r for r in self.table("populations") if (r["sample"], r["population"]) == (sample, population))
        return row

    def members(self, sample: str, population: str) -> Mask:
        """Which events of the file are in a population, shape (events of the file,)."""
        lineages = read_lineages(self.of_sample(sample) / "lineages.parquet")
        (root,) = {
            r["parent_events"] for r in self.table("populations") if (r["sample"], r["parent"]) == (sample, "root")
        }
        mask = np.zeros(root, dtype=np.bool_)
        mask[lineages.event[lineages.member[population]]] = True
        return mask
