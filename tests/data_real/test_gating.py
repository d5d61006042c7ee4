"""Automatic gates on real tubes against labels that others made."""

from __future__ import annotations

import csv
import gzip
import time
from pathlib import Path

import numpy as np
import pytest

from nktrace.files.fcs import read_fcs
from nktrace.files.gating_table import read_gating_table
from nktrace.files.installation import home
from nktrace.files.panels import read_panel
from nktrace.model.events import Events, Mask
from nktrace.model.gates import GatedSample
from nktrace.model.panel import Panel, bind
from nktrace.science.compensation import compensate, find_spillover
from nktrace.science.gating.parent import Estimation
from nktrace.science.gating.tree import gate_sample, resolve
from nktrace.science.priors import fit_priors
from nktrace.science.transforms import estimate_scale, to_scale

NK_TABLE = home() / "resources" / "gating" / "nk.tsv"
STUDIES = Path(__file__).parent / "studies"
MOUSE_TABLE = STUDIES / "mouse" / "config" / "gating" / "t_b_nk.tsv"


def panel_of(study: str, name: str) -> Panel:
    return read_panel(STUDIES / study / "config" / "panels" / f"{name}.tsv")


def tube(path: Path, panel: Panel) -> tuple[Events, dict[str, float]]:
    """Compensated events of the panel's markers, and the tops of their scales."""
    fcs = read_fcs(path)
    events = compensate(fcs.scale_values(), find_spillover(fcs.keywords), max_condition=1_000)
    columns = bind(panel, names=fcs.names, labels=fcs.labels)
    values = np.asfortranarray(events.values[:, list(columns.values())])
    return Events(values, tuple(columns)), {marker: fcs.tops[column] for marker, column in columns.items()}


def gated(
    tubes: list[tuple[Events, dict[str, float]]], panel: Panel, table: Path, *, borrow: bool
) -> list[GatedSample]:
    tops = tubes[0][1]
    pooled = {
        d.marker: (d.transform, np.concatenate([events.column(d.marker) for events, _ in tubes]), tops[d.marker])
        for d in panel.used
    }
    scale = estimate_scale(pooled)
    rows, skipped = resolve(read_gating_table(table), panel)

    def all_of(priors: object) -> list[GatedSample]:
        return [
            gate_sample(
                to_scale(events, scale),
                rows,
                panel=panel,
                priors=priors,  # type: ignore[arg-type]
                tops=tops,
                options=Estimation(),
                rng=np.random.default_rng(1),
                skipped=skipped,
            )
            for events, _ in tubes
        ]

    alone = all_of(None)
    return all_of(fit_priors(alone)) if borrow else alone


def f1(one: Mask, other: Mask) -> float:
    return float(2 * (one & other).sum() / (one.sum() + other.sum()))


def test_mouse_nk_against_manual_gates(shared_data: Path) -> None:
    panel = panel_of("mouse", "t_b_nk")
    folder = shared_data / "mouse_spleen_nk"
    (sample,) = gated([tube(folder / "68983.fcs", panel)], panel, MOUSE_TABLE, borrow=False)
    labels = np.array([line.strip().strip('"') for line in (folder / "gatingResult.csv").read_text().splitlines()])
    labels = labels[-sample.masks["nk"].size :]
    assert (labels == "NK cells").sum() == 312
    assert f1(sample.masks["nk"], labels == "NK cells") >= 0.93
    assert f1(sample.masks["b_cells"], labels == "B cells") >= 0.95


def test_human_nk_against_the_hipc_gates(shared_data: Path) -> None:
    panel = panel_of("hipc", "dc_mono_nk")
    folder = shared_data / "human_pbmc_hipc"
    (sample,) = gated([tube(folder / "DC_MONO_NK_12828001_001.fcs", panel)], panel, NK_TABLE, borrow=False)
    with gzip.open(folder / "gates.csv.gz", "rt") as handle:
        header, *lines = csv.reader(handle)
    node = header.index("root/boundary/Monocytes/Live/CD14-Lineage-/CD56+")
    reference = np.array([line[node] == "1" for line in lines])
    assert reference.sum() == 6_009
    assert f1(sample.masks["nk"], reference) >= 0.97
    bright = sample.masks["nk_bright"].sum() / sample.masks["nk"].sum()
    assert 0.01 < bright < 0.2


def test_tubes_of_two_thousand_events_lend_each_other(shared_data: Path) -> None:
    panel = panel_of("aurora", "ilt")
    paths = sorted((shared_data / "human_pbmc_aurora").glob("*.fcs"))
    samples = gated([tube(path, panel) for path in paths], panel, NK_TABLE, borrow=True)
    assert len(samples) == 4
    for sample in samples:
        assert 10 <= sample.masks["nk"].sum() <= 400
        assert all(np.isfinite(edge.value) for gate in sample.gates for edge in gate.edges)


@pytest.mark.slow
def test_a_million_events_take_about_a_second(shared_data: Path) -> None:
    panel = panel_of("hipc", "dc_mono_nk")
    events, tops = tube(shared_data / "human_pbmc_hipc" / "DC_MONO_NK_12828001_001.fcs", panel)
    many = events.select(np.random.default_rng(1).integers(0, len(events), 1_000_000))
    rows, _ = resolve(read_gating_table(NK_TABLE), panel)
    start = time.perf_counter()
    gate_sample(many, rows, panel=panel, priors=None, tops=tops, options=Estimation(), rng=np.random.default_rng(1))
    assert time.perf_counter() - start < 5
