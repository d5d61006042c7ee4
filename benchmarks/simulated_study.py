"""A simulated study that the product was run on, and what is true of its events: for benchmarks of the whole way."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nktrace.cli import main
from nktrace.engine import snakemake
from nktrace.files.acquisition import read_acquisition
from nktrace.files.lineages import read_lineages
from nktrace.files.nk import read_nk
from nktrace.files.panels import read_panel
from nktrace.files.settings import Settings
from nktrace.files.sheets import read_study
from nktrace.files.truth import Expected, read_expectations
from nktrace.model.events import Events, Mask
from nktrace.model.hla import Direction
from nktrace.model.lineages import Lineages
from nktrace.model.panel import Kind
from nktrace.model.study import Sample, Study
from nktrace.science.hla_controls import Tube
from nktrace.science.simulation.cells import MEMBERS

SUBSETS = ("bright", "adaptive", "terminal", "early_dim", "other_dim")
POPULATIONS = ("nk", "nk_bright", "nk_dim", *SUBSETS, "cd3", "b_cells")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cohort:
    """A simulated study that was run, and what is true of it."""

    directory: Path
    study: Study
    settings: Settings
    expected: Expected

    def tube(self, sample: Sample) -> Tube:
        """A sample as the product gated it."""
        place = self.directory / "results" / "samples" / sample.sample
        return Tube(sample, read_lineages(place / "lineages.parquet"), read_nk(place / "nk.parquet").subset)


@dataclass(frozen=True, slots=True)
class Truth:
    """What events are: members of each population (live single cells), which are dead or doublets, and whose."""

    members: Mapping[str, Mask]
    dead: Mask
    doublet: Mask
    donor: Mask


def simulated(spec: Path, *, seed: int, directory: Path, cores: int) -> Cohort:
    """Simulate the cohort of benchmarks/SPEC with a seed, and run the product on it as far as chimerism.tsv."""
    text = spec.read_text(encoding="utf-8").replace("../resources", str(spec.parents[1] / "resources"))
    again = directory / "cohort.yaml"
    again.write_text(re.sub(r"(?m)^seed: \d+$", f"seed: {seed}", text), encoding="utf-8")
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])  # the steps' `nktrace`
    if main(["simulate", str(again), "--output", str(directory)]):
        raise SystemExit("the cohort could not be simulated")
    if snakemake(directory, ["results/cohort/chimerism.tsv"], cores=cores, profile="local", dry_run=False):
        raise SystemExit("the workflow failed")
    study, settings = read_study(directory)
    return Cohort(
        directory=directory,
        study=study,
        settings=settings,
        expected=read_expectations(directory / "data" / "truth"),
    )


def true_events(cohort: Cohort, sample: Sample) -> Truth:
    """The truth of a sample's file."""
    import pyarrow.parquet as pq

    table = pq.read_table(cohort.directory / "data" / "truth" / f"{sample.sample}.parquet").combine_chunks()

    def among(column: str, words: Sequence[str]) -> Mask:
        coded = table.column(column).chunk(0)
        mask: Mask = np.isin(coded.dictionary.to_pylist(), words)[coded.indices.to_numpy()]
        return mask

    dead, doublet = among("population", ("dead",)), among("population", ("doublet",))
    members = {name: among("kind", MEMBERS[name]) & ~dead & ~doublet for name in (*POPULATIONS, "lymphocytes")}
    return Truth(members, dead, doublet, table.column("is_donor").to_numpy())


def with_true_members(cohort: Cohort, sample: Sample, truth: Truth, *, calls: Mapping[str, str] | None) -> Tube:
    """A tube whose populations are the true ones.

    Args:
        calls: by HLA marker its direction; each event is then positive by its true origin. None: as it was stained.
    """
    panel = read_panel(cohort.directory / cohort.study.panels[sample.panel])
    path = cohort.directory / sample.fcs
    tube = read_acquisition(path, sample, panel, matrix=None, max_condition=cohort.settings.compensation.max_condition)
    if calls is None:
        markers = [detector.marker for detector in panel.used if detector.kind is Kind.HLA]
        hla = {marker: tube.events.column(marker) for marker in markers}
    else:
        hla = {
            marker: (truth.donor == (direction == Direction.DONOR_POSITIVE)).astype(np.float32)
            for marker, direction in calls.items()
        }
    nk = truth.members["nk"]
    subset = np.full(nk.size, "", dtype="U16")
    for name in SUBSETS:
        subset[truth.members[name]] = name
    lineages = Lineages(
        sample=sample.sample,
        panel=sample.panel,
        batch=sample.batch,
        event=np.arange(nk.size, dtype=np.int32),
        member={name: mask for name, mask in truth.members.items() if name not in SUBSETS},
        hla=hla,
        nk_rows=np.flatnonzero(nk),
        nk_markers=Events(np.empty((int(nk.sum()), 0), np.float32, order="F"), ()),
    )
    return Tube(sample, lineages, subset[nk])
