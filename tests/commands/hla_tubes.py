"""Gated samples with an HLA marker, written as the steps before chimerism and counts leave them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from nktrace.files.lineages import write_lineages
from nktrace.files.nk import NkTable, write_nk
from nktrace.files.rows import PatientRow, dump_patient
from nktrace.files.tables import write_table
from nktrace.model.events import Events
from nktrace.model.lineages import Lineages
from nktrace.model.study import Patient, Role, Sample

RECIPIENT, DONOR = "A*01:01,A*03:01;B*08:01,B*44:02", "A*02:01,A*11:01;B*07:02,B*35:01"
PANEL = ["channel\tmarker\tkind\tantibody", "FITC-A\tHLA-A2\thla\tBB7.2", "PE-A\tHLA-A3\thla\tanti-A3"]
CELLS = {"nk": 0.15, "cd3": 0.70, "b_cells": 0.10}  # shares of lymphocytes
SUBSETS = ("adaptive", "other_dim")


@dataclass(frozen=True)
class Patients:
    """A directory of samples of one patient, with its row."""

    path: Path
    patient: Patient
    others: tuple[Patient, ...] = ()
    infusions: tuple[dict[str, str], ...] = ()

    def row(self, samples: list[Sample]) -> str:
        return dump_patient(PatientRow(self.patient, tuple(samples), infusions=self.infusions, others=self.others))

    def panel(self) -> Path:
        path = self.path / "main.tsv"
        path.write_text("\n".join(PANEL) + "\n", encoding="utf-8")
        return path


def sample(name: str, day: float, role: Role = Role.TIMEPOINT, **more: object) -> Sample:
    row = Sample(sample=name, patient="P1", day=day, role=role, panel="main", batch="B1", fcs=f"{name}.fcs")
    return replace(row, **more)  # type: ignore[arg-type]


def write_sample(
    directory: Path,
    row: Sample,
    *,
    donor_share: float | dict[str, float],
    unmarked_share: float = 0.0,
    lymphocytes: int = 20_000,
    background: float = 0.002,
    gain: float = 1.0,
    seed: int = 0,
    failure: str = "",
    doubts: dict[str, tuple[str, ...]] | None = None,
    of_subsets: str | None = None,
    unstained: Sequence[str] = (),
    without_stain: Sequence[str] = (),
) -> Path:
    """A sample whose cells carry HLA-A2 if they are the donor's and HLA-A3 if they are the recipient's.

    A share of the cells that are not the donor's is of another donor, and carries neither. Its panel lacks the markers
    of `unstained`; the antibodies of `without_stain` were forgotten.
    """
    rng = np.random.default_rng([seed, len(row.sample), *row.sample.encode()])
    sizes = {name: round(share * lymphocytes) for name, share in CELLS.items()}
    kind = np.repeat([*sizes, "none"], [*sizes.values(), lymphocytes - sum(sizes.values())])
    shares = donor_share if isinstance(donor_share, dict) else dict.fromkeys(CELLS, donor_share)
    donor = rng.random(kind.size) < np.array([shares.get(name, 0.0) for name in kind])
    member = {"lymphocytes": np.ones(kind.size, bool)} | {name: kind == name for name in CELLS}
    if failure:
        member, kind, donor = {}, kind[:0], donor[:0]
    nk_rows = np.flatnonzero(kind == "nk")
    carries = {
        "HLA-A2": donor | (rng.random(kind.size) < background),
        "HLA-A3": ~donor & (rng.random(kind.size) >= unmarked_share),
    }
    hla = {name: _stain(cells & (name not in without_stain), rng, gain) for name, cells in carries.items()}
    lineages = Lineages(
        sample=row.sample,
        panel=row.panel,
        batch=row.batch,
        event=np.arange(kind.size, dtype=np.int32),
        member=member,
        hla={marker: values for marker, values in hla.items() if marker not in unstained},
        nk_rows=nk_rows,
        nk_markers=Events(np.zeros((nk_rows.size, 1), np.float32, order="F"), ("CD56",)),
        failure=failure,
        doubts=doubts or {},
    )
    target = directory / row.sample
    write_lineages(target / "lineages.parquet", lineages)
    subset = np.where(np.arange(nk_rows.size) % 4 == 0, *SUBSETS).astype(np.str_)
    write_nk(
        target / "nk.parquet",
        NkTable(
            sample=row.sample,
            panel=row.panel,
            event=lineages.event[nk_rows],
            markers=lineages.nk_markers,
            cluster=np.ones(nk_rows.size, np.int32),
            subset=subset,
            subset_probability=np.ones(nk_rows.size, np.float32),
            novelty=np.zeros(nk_rows.size, np.float32),
            hla={"HLA-A2": None, "HLA-A3": None},
        ),
    )
    events = {name: int(mask.sum()) for name, mask in member.items()}
    write_populations(target, row.sample, {"beads": ("root", 5_000)} | _tree(events) if events else {})
    write_subsets(target, row.sample, subset, reason=of_subsets)
    return target


def write_populations(
    target: Path, sample_name: str, tree: dict[str, tuple[str, int]], *, doubt: dict[str, tuple[str, str]] | None = None
) -> None:
    """populations.tsv from parent and events of each population; `doubt` gives status and reason of some gates."""
    told = doubt or {}
    rows = [
        {
            "sample": sample_name,
            "population": name,
            "parent": parent,
            "events": events,
            "parent_events": tree[parent][1] if parent in tree else 100_000,
            "fraction": 0.1,
            "ci_low": 0.1,
            "ci_high": 0.1,
            "gate_source": "data",
            "status": told[name][0] if name in told else "ok",
            "reason": told[name][1] if name in told else None,
        }
        for name, (parent, events) in tree.items()
    ]
    write_table(target / "populations.tsv", "populations", rows)


def write_subsets(target: Path, sample_name: str, labels: np.ndarray, *, reason: str | None = None) -> None:
    rows = [
        {
            "sample": sample_name,
            "subset": name,
            "cl_id": None,
            "events": int((labels == name).sum()),
            "nk_events": labels.size,
            "fraction_of_nk": 0.5,
            "ci_low": 0.4,
            "ci_high": 0.6,
            "status": "ok",
            "reason": reason,
            "probability": 0.9,
            "expected_events": None,
            "support": None,
        }
        for name in SUBSETS
    ]
    write_table(target / "subsets.tsv", "subsets", rows)


def _tree(events: dict[str, int]) -> dict[str, tuple[str, int]]:
    return {name: ("root" if name == "lymphocytes" else "lymphocytes", count) for name, count in events.items()}


def _stain(positive: np.ndarray, rng: np.random.Generator, gain: float) -> np.ndarray:
    bright, dim = gain * rng.lognormal(9, 0.4, positive.size), rng.normal(0, 100, positive.size)
    return np.where(positive, bright, dim).astype(np.float32)
