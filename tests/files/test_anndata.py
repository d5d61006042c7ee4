"""nk.h5ad as scanpy sees it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nktrace.files.anndata import NkSample, write_nk_anndata
from nktrace.files.nk import NkTable
from nktrace.model.embedding import Embedding
from nktrace.model.events import Events
from nktrace.model.palette import category_colors
from nktrace.model.panel import Detector, Kind, Panel

SUBSETS = ("bright", "adaptive", "other_dim")
ODD = "µ −'\"<b>/é\u202f日"
PANELS = {
    "phenotyping": Panel(
        "phenotyping",
        (
            Detector(channel="B1-A", marker="CD56", fluorochrome="BUV737", kind=Kind.LINEAGE),
            Detector(channel="B2-A", marker=ODD, fluorochrome=ODD, kind=Kind.SUBSET, transform="asinh:150"),
            Detector(channel="B3-A", marker="A2/A28", kind=Kind.HLA, antibody="BB7.2"),
        ),
    ),
    "counting": Panel("counting", (Detector(channel="FITC-A", marker="CD56", kind=Kind.LINEAGE, fluorochrome="FITC"),)),
}


def table(sample: str, *, panel: str = "phenotyping", events: int = 60, seed: int = 1) -> NkTable:
    rng = np.random.default_rng(seed)
    markers = PANELS[panel].markers
    several = len(markers) > 1
    cluster = np.resize(np.array([10, 2, 0, 9], np.int32), events) if several else np.ones(events, np.int32)
    return NkTable(
        sample=sample,
        panel=panel,
        event=np.arange(events, dtype=np.int32) * 3,
        markers=Events(np.asfortranarray(rng.random((events, len(markers)), dtype=np.float32)), markers),
        cluster=cluster,
        subset=np.resize(np.array(["other_dim", "bright", "", ODD]), events),
        subset_probability=np.where(cluster == 0, np.nan, 0.9).astype(np.float32),
        novelty=rng.random(events, dtype=np.float32),
        hla={"A2/A28": np.arange(events) % 2 == 0, "B7": None} if several else {},
    )


def embedding(panel: str, rows: np.ndarray, method: str = "umap") -> Embedding:
    places = np.random.default_rng(3).normal(size=(len(rows), 2)).astype(np.float32)
    arrays = {
        "values": np.zeros((len(rows), 1)),
        "cluster": np.ones(len(rows)),
        "subset": np.array(["bright"] * len(rows)),
    }
    return Embedding(panel=panel, method=method, markers=("CD56",), rows=rows, places=places, **arrays)


WHO = {"patient": ODD, "day": 7.0, "batch": "B1", "role": "timepoint", "material": "whole_blood"}


def written(path: Path, samples: list[NkSample], embeddings: list[Embedding] | None = None) -> Any:
    import anndata

    facts = {"version": "1", "seed": 1, "references": {"phenotyping": {"sha256": "abc", "version": "v1"}}}
    write_nk_anndata(path, samples, panels=PANELS, subsets=SUBSETS, embeddings=embeddings or [], facts=facts)
    return anndata.read_h5ad(path)


@pytest.fixture
def two_panels(tmp_path: Path) -> Any:
    samples = [
        NkSample(table("S1"), WHO),
        NkSample(table("S2", panel="counting", events=8), {"patient": None, "day": None}),
        NkSample(table("S3", seed=2), WHO | {"day": -1.0}),
    ]
    embeddings = [embedding("counting", np.array([5, 2])), embedding("phenotyping", np.array([119, 0, 60]))]
    return written(tmp_path / "nk.h5ad", samples, embeddings)


def test_every_value_comes_back(two_panels: Any) -> None:
    one = table("S1")
    block = two_panels[two_panels.obs["sample"] == "S1"]
    assert np.array_equal(block[:, list(one.markers.channels)].X, one.markers.values)
    assert block.obs["event"].tolist() == one.event.tolist()
    assert np.array_equal(block.obs["novelty"], one.novelty)
    assert np.array_equal(block.obs["subset_probability"], one.subset_probability, equal_nan=True)
    assert block.obs["hla_A2_A28"].tolist() == ["positive", "negative"] * 30
    assert block.obs["hla_B7"].isna().all()
    assert set(block.obs["patient"]) == {ODD}
    assert two_panels.obs_names.is_unique


def test_what_is_not_known_is_null_and_not_a_word(two_panels: Any) -> None:
    lone = two_panels.obs[two_panels.obs["sample"] == "S2"]
    assert lone[["patient", "batch", "role", "material", "hla_A2_A28"]].isna().all(axis=None)
    assert lone["day"].isna().all()
    assert two_panels.obs["cluster"].isna().sum() == 30
    assert two_panels.obs["subset"].isna().sum() == 32


def test_every_column_is_a_category_a_number_or_a_truth_value(two_panels: Any) -> None:
    import pandas as pd

    for name, kind in two_panels.obs.dtypes.items():
        assert isinstance(kind, pd.CategoricalDtype) or kind.kind in "fib", name


def test_categories_stand_in_the_order_that_a_reader_expects(two_panels: Any) -> None:
    clusters = two_panels.obs["cluster"].cat.categories.tolist()
    assert clusters == ["counting:1", "phenotyping:2", "phenotyping:9", "phenotyping:10"]
    assert two_panels.obs["subset"].cat.categories.tolist() == ["bright", "other_dim", ODD]


def test_colours_are_those_of_the_pages(two_panels: Any) -> None:
    colors = category_colors([*SUBSETS, ODD])
    assert two_panels.uns["subset_colors"].tolist() == [colors["bright"], colors["other_dim"], colors[ODD]]
    numbers = category_colors([str(number) for number in range(1, 11)])
    assert two_panels.uns["cluster_colors"].tolist() == [numbers[name] for name in ("1", "2", "9", "10")]


def test_markers_say_what_they_are_and_which_panel_has_them(two_panels: Any) -> None:
    var = two_panels.var
    assert var.loc["CD56", "channel"] == "phenotyping: B1-A; counting: FITC-A"
    assert var.loc["CD56", "kind"] == "lineage"
    assert var.loc[ODD, "transform"] == "asinh:150"
    assert var.loc["A2/A28", "antibody"] == "BB7.2"
    assert var["in_counting"].tolist() == [True, False, False]
    lacking = two_panels[two_panels.obs["panel"] == "counting", ~var["in_counting"].to_numpy()]
    assert np.isnan(lacking.X).all()


def test_places_stand_beside_their_events_and_panels_apart(two_panels: Any) -> None:
    places = two_panels.obsm["X_umap"]
    shown = np.flatnonzero(np.isfinite(places).all(axis=1))
    assert two_panels.obs_names[shown].tolist() == ["S1:0", "S2:6", "S2:15", "S3:0", "S3:177"]
    assert two_panels.obs["embedded"].sum() == 5
    of_panel = [places[shown][(two_panels.obs["panel"].iloc[shown] == panel).to_numpy(), 0] for panel in PANELS]
    assert max(map(min, of_panel)) > min(map(max, of_panel))
    assert two_panels.uns["nktrace"]["embedding"]["phenotyping"]["events"] == 3


def test_facts_are_kept(two_panels: Any) -> None:
    assert two_panels.uns["nktrace"]["references"]["phenotyping"]["sha256"] == "abc"
    assert "nan where the panel lacks the marker" in two_panels.uns["nktrace"]["X"]


def test_twice_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        written(tmp_path / name, [NkSample(table("S1"), WHO)], [embedding("phenotyping", np.arange(9))])
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_no_events_are_a_file_all_the_same(tmp_path: Path) -> None:
    data = written(
        tmp_path / "nk.h5ad", [NkSample(table("S1", events=0), WHO)], [embedding("phenotyping", np.arange(0), "")]
    )
    assert data.shape == (0, 3)
    assert {"cluster", "subset", "patient", "day", "embedded"} <= set(data.obs.columns)
    assert "X_umap" not in data.obsm
    assert math.isclose(data.uns["nktrace"]["embedding"]["phenotyping"]["events"], 0)


def test_markers_that_differ_by_a_slash_keep_columns_of_their_own(tmp_path: Path) -> None:
    from dataclasses import replace

    calls = {"A/B": np.ones(60, dtype=bool), "A_B": np.zeros(60, dtype=bool)}
    data = written(tmp_path / "nk.h5ad", [NkSample(replace(table("S1"), hla=calls), WHO)])
    assert set(data.obs["hla_A_B"]) == {"positive"}
    assert set(data.obs["hla_A_B_"]) == {"negative"}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning", "ignore::FutureWarning")
def test_scanpy_draws_and_ranks_without_further_work(tmp_path: Path) -> None:
    scanpy = pytest.importorskip("scanpy")
    import matplotlib as mpl

    mpl.use("Agg")
    samples = [NkSample(table("S1"), WHO), NkSample(table("S2", panel="counting"), WHO)]
    written(tmp_path / "nk.h5ad", samples, [embedding("phenotyping", np.arange(0, 60, 2))])
    data = scanpy.read_h5ad(tmp_path / "nk.h5ad")
    colors = {name: data.uns[f"{name}_colors"].tolist() for name in ("subset", "cluster")}
    scanpy.pl.umap(data, color=["subset", "cluster", "CD56"], show=False)
    one = data[(data.obs["panel"] == "phenotyping") & data.obs["subset"].notna()].copy()
    scanpy.pl.heatmap(one, ["CD56", ODD], groupby="subset", show=False)
    scanpy.tl.rank_genes_groups(one, "subset", method="wilcoxon")
    assert {name: list(data.uns[f"{name}_colors"]) for name in colors} == colors
    mpl.pyplot.close("all")
