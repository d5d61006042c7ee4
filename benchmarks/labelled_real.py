"""Files that others have labelled, gated by the product: of ../shared/data, or of the folder NKTRACE_SHARED_DATA."""

from __future__ import annotations

import csv
import gzip
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from benchmarks.labelled import File, Labelled, gate_files
from nktrace.files.fcs import write_fcs
from nktrace.files.gating_table import read_gating_table
from nktrace.files.installation import resource
from nktrace.files.panels import read_panel
from nktrace.model.events import Events, Mask
from nktrace.model.study import Role, Sample

ROOT = Path(__file__).resolve().parents[1]
TABLES = Path(__file__).parent / "tables"
STUDIES = ROOT / "tests" / "data_real" / "studies"

MOUSE_LABELS = {
    "nk": ("NK cells",),
    "nkt_like": ("NK T cells",),
    "b_cells": ("B cells",),
    "cd4_t": ("CD4 T cells",),
    "cd8_t": ("CD8 T cells",),
    "gd_t": ("gd T cells",),
}
BLOOD_LABELS = {"nk": ("CD56dim", "CD56bright")}
_LIVE = "root/boundary/Monocytes/Live/CD14-"
HIPC_NODES = {"nk": f"{_LIVE}Lineage-/CD56+", "nk_cd16": f"{_LIVE}Lineage-/CD16+CD56+"}


def shared_data() -> Path:
    """Where the labelled files are."""
    return Path(os.environ.get("NKTRACE_SHARED_DATA", ROOT.parent / "shared" / "data"))


def mouse() -> list[Labelled]:
    """A mouse spleen, gated by hand: a label per event."""
    folder = shared_data() / "mouse_spleen_nk"
    labels = [line.strip().strip('"') for line in (folder / "gatingResult.csv").read_text("utf-8").splitlines()]
    config = STUDIES / "mouse" / "config"
    panel = read_panel(config / "panels" / "t_b_nk.tsv")
    file = _file("mouse", folder / "68983.fcs", panel.name, _by_label(labels, MOUSE_LABELS), compensation="keyword")
    return gate_files([file], panel, read_gating_table(config / "gating" / "t_b_nk.tsv"))


def hipc() -> list[Labelled]:
    """Human PBMC with the automatic gates of openCyto as the reference."""
    folder = shared_data() / "human_pbmc_hipc"
    with gzip.open(folder / "gates.csv.gz", "rt", encoding="utf-8") as text:
        header, *lines = csv.reader(text)
    node = {population: header.index(name) for population, name in HIPC_NODES.items()}
    truth = {population: np.array([line[column] == "1" for line in lines]) for population, column in node.items()}
    panel = read_panel(STUDIES / "hipc" / "config" / "panels" / "dc_mono_nk.tsv")
    file = _file("hipc", folder / "DC_MONO_NK_12828001_001.fcs", panel.name, truth)
    return gate_files([file], panel, read_gating_table(resource("gating/nk.tsv")))


def blood() -> list[Labelled]:
    """Blood of two healthy persons and one with a lymphoma, simulated by their authors from gated patients."""
    panel = read_panel(TABLES / "screening_tube.tsv")
    files = []
    with tempfile.TemporaryDirectory() as directory:
        for source in sorted((shared_data() / "blood_simulated_labels").glob("*.csv.gz")):
            with gzip.open(source, "rt", encoding="utf-8") as text:
                header, *lines = csv.reader(text)
            values = np.array([line[:-1] for line in lines], dtype=np.float32)
            detectors = tuple(name.split(":")[-1].rsplit(" ", 1)[0].removesuffix(" Exp-SSC") for name in header[:-1])
            path = Path(directory) / f"{source.name.split('.')[0]}.fcs"
            write_fcs(path, Events(np.asfortranarray(values), detectors))
            files.append(_file(f"blood/{path.stem}", path, panel.name, _by_label([x[-1] for x in lines], BLOOD_LABELS)))
        return gate_files(files, panel, read_gating_table(TABLES / "screening_tube_gating.tsv"))


REAL: dict[str, tuple[Callable[[], list[Labelled]], str]] = {
    "mouse": (mouse, "mouse_spleen_nk"),
    "hipc": (hipc, "human_pbmc_hipc"),
    "blood": (blood, "blood_simulated_labels"),
}
"""Data set: how it is read and gated, and the folder that it lies in."""


def missing(name: str) -> str:
    """Why a data set can't be measured here; empty where it can."""
    folder = shared_data() / REAL[name][1]
    return "" if folder.is_dir() else f"there is no {os.path.relpath(folder, ROOT)}"


def _by_label(labels: list[str], populations: Mapping[str, tuple[str, ...]]) -> dict[str, Mask]:
    words = np.array(labels)
    return {population: np.isin(words, names) for population, names in populations.items()}


def _file(name: str, path: Path, panel: str, truth: Mapping[str, Mask], *, compensation: str = "none") -> File:
    sample = Sample(
        sample=path.stem, role=Role.TIMEPOINT, panel=panel, batch="one", fcs=path.name, compensation=compensation
    )
    everything = np.ones(truth["nk"].size, dtype=np.bool_)
    return File(name=name, path=path, sample=sample, truth=truth, judged=everything)
