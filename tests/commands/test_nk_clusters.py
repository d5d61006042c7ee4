"""From gated events to clusters, subsets and the export: fit-clusters, assign, export-nk by their command lines."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from nktrace.cli import main
from nktrace.files.blanks import write_blanks
from nktrace.files.checks import write_checks
from nktrace.files.embedding import read_embeddings
from nktrace.files.hla_cuts import write_hla_cuts
from nktrace.files.lineages import write_lineages
from nktrace.files.rows import dump_rows, dump_sample
from nktrace.files.settings import Settings, part
from nktrace.files.shifts import write_shifts
from nktrace.files.tables import read_rows, read_table
from nktrace.model.chimerism import HlaCut, MarkerCounts
from nktrace.model.events import Events
from nktrace.model.gates import Edge
from nktrace.model.lineages import Lineages, NkGate
from nktrace.model.quality import Check, Verdict
from nktrace.model.study import Role, Sample

SUBSETS = Path(__file__).resolve().parents[2] / "resources" / "nk_subsets.tsv"
SETTINGS = part(
    Settings.model_validate(
        {
            "data_dir": "",
            "clustering": {
                "prototypes": 20,
                "metaclusters": 4,
                "bootstrap": 3,
                "export_events": 100,
                "embedding": "pca",
            },
        }
    ),
    "clustering",
    "chimerism",
    "qc",
)
PANEL = """channel\tmarker\tkind\tantibody
Time\tTime\ttime\tNA
SSC-A\tSSC-A\tscatter\tNA
B1\tCD3\tlineage\tNA
B2\tCD56\tlineage\tNA
B3\tCD16\tlineage\tNA
B4\tCD57\tsubset\tNA
B5\tNKG2A\tsubset\tNA
B6\tHLA-A2\thla\tBB7.2
"""
MARKERS = ("SSC-A", "CD3", "CD56", "CD16", "CD57", "NKG2A", "HLA-A2")


def lineages(sample: str, *, seed: int, events: int = 1_200, panel: str = "nk14", failure: str = "") -> Lineages:
    """Bright, CD57+ and CD57− dim cells; every other event is no NK cell."""
    rng = np.random.default_rng(seed)
    nk = np.arange(events) % 2 == 0
    kind = rng.choice(3, events, p=(0.1, 0.5, 0.4))
    means = np.array(
        [
            (0.2, 0.1, 0.80, 0.35, 0.25, 0.65, 0.3),
            (0.2, 0.1, 0.55, 0.60, 0.65, 0.25, 0.3),
            (0.2, 0.1, 0.55, 0.60, 0.25, 0.65, 0.3),
        ]
    )
    values = (means[kind] + rng.normal(0, 0.05, (events, 7)))[nk].astype(np.float32)
    return Lineages(
        sample=sample,
        panel=panel,
        batch="B1",
        event=np.arange(events, dtype=np.int32) * 2 + 5,
        member={
            "nk": nk,
            "nk_bright": nk & (kind == 0),
            "nk_dim": nk & (kind != 0),
            "nk_cd57": nk & (kind == 1),
            "nk_nkg2a": nk & (kind != 1),
            "t_cells": ~nk,
        },
        hla={"HLA-A2": rng.lognormal(5, 1, events).astype(np.float32)},
        nk_rows=np.flatnonzero(nk),
        nk_markers=Events(np.asfortranarray(values), MARKERS),
        failure=failure,
    )


def hla_cut(panel: str, population: str, cut: float) -> HlaCut:
    return HlaCut(
        panel=panel,
        marker="HLA-A2",
        antibody="BB7.2",
        population=population,
        direction="donor_positive",
        blank_samples=("B",),
        donor_samples=("D",),
        cut=cut,
        cut_low=cut,
        cut_high=cut,
        blank=MarkerCounts(events=100, positive=0),
        donor=MarkerCounts(events=100, positive=99),
        status="ok",
        reason="",
    )


class Study:
    """A directory with a panel and gated samples, and the commands over it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.panel = directory / "nk14.tsv"
        self.panel.write_text(PANEL, encoding="utf-8")
        self.reference = directory / "reference"

    def add(self, sample: Lineages) -> str:
        path = self.directory / sample.sample / "lineages.parquet"
        write_lineages(path, sample)
        write_shifts(path.parent / "shifts.parquet", ())
        gated = Check(check="readable", status=Verdict.FAIL if sample.failure else Verdict.PASS, reason=sample.failure)
        write_checks(path.parent / "gate_checks.tsv", sample.sample, [gated])
        return str(path)

    def fit(self, *paths: str, to: Path | None = None) -> int:
        words = ["fit-clusters", "--panel", str(self.panel), "--subsets", str(SUBSETS), "--settings", SETTINGS]
        return main([*words, "--output", str(to or self.reference), *paths])

    def assign(self, sample: str, *more: str, to: str = "") -> int:
        row = dump_sample(Sample(sample=sample, role=Role.TIMEPOINT, panel="nk14", batch="B1", fcs="x.fcs"))
        words = ["assign", "--sample", row, "--panel", str(self.panel), "--subsets", str(SUBSETS)]
        words += ["--shifts", str(self.directory / sample / "shifts.parquet")]
        words += ["--checks", str(self.directory / sample / "gate_checks.tsv")]
        words += ["--settings", SETTINGS, "--reference", str(self.reference), *more]
        words += ["--output-dir", str(self.directory / (to or sample))]
        return main([*words, str(self.directory / sample / "lineages.parquet")])

    def export(self, output: Path, rows: list[dict[str, Any]], *samples: str) -> int:
        paths = [str(self.directory / sample / "nk.parquet") for sample in samples]
        words = ["export-nk", "--rows", dump_rows(rows), "--settings", SETTINGS, "--output", str(output)]
        words += ["--panels", str(self.panel), "--subsets", str(SUBSETS)]
        words += ["--references", str(self.reference / "reference.json")]
        return main([*words, "--embedding", str(output.with_suffix(".npz")), *paths])


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return Study(tmp_path)


@pytest.fixture
def fitted(study: Study) -> Study:
    paths = [study.add(lineages(name, seed=seed)) for seed, name in enumerate(("S1", "S2"))]
    assert study.fit(*paths) == 0
    return study


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(directory.iterdir())}


def test_the_same_samples_in_any_order_give_the_same_reference(fitted: Study) -> None:
    paths = [str(fitted.directory / name / "lineages.parquet") for name in ("S2", "S1")]
    assert fitted.fit(*paths, to=fitted.directory / "again") == 0
    assert contents(fitted.directory / "again") == contents(fitted.reference)


def test_the_reference_names_its_clusters_and_its_samples(fitted: Study) -> None:
    facts = json.loads((fitted.reference / "reference.json").read_text(encoding="utf-8"))
    assert facts["samples"] == {"S1": 600, "S2": 600}
    assert [row["marker"] for row in facts["markers"]] == ["CD56", "CD16", "CD57", "NKG2A"]
    rows = read_rows(fitted.reference / "clusters.tsv")
    assert {"bright", "terminal", "early_dim"} <= {row["subset"] for row in rows}


def test_nk_and_subsets_are_those_of_the_contract(fitted: Study) -> None:
    cuts = fitted.directory / "hla_cuts.tsv"
    write_hla_cuts(cuts, "P1", [hla_cut("mini", "nk", 9), hla_cut("nk14", "all", 500), hla_cut("nk14", "nk", 200)])
    assert fitted.assign("S1", "--cuts", str(cuts)) == 0
    nk = pq.read_table(fitted.directory / "S1" / "nk.parquet")
    assert nk.schema.names == ["event", *MARKERS, "cluster", "subset", "subset_probability", "novelty", "hla_HLA-A2"]
    assert nk.num_rows == 600
    assert nk.column("event").to_pylist()[:3] == [5, 9, 13]
    values = lineages("S1", seed=0).hla["HLA-A2"][::2]
    assert nk.column("hla_HLA-A2").to_pylist() == (values >= 200).tolist()
    rows = {row["subset"]: row for row in read_table(fitted.directory / "S1" / "subsets.tsv", "subsets")}
    assert rows["adaptive"]["status"] == "not_resolvable"
    assert rows["adaptive"]["reason"] == "NKG2C+: not in the panel"
    assert math.isnan(rows["adaptive"]["fraction_of_nk"])
    exclusive = [row for name, row in rows.items() if not name.startswith("state:") and row["status"] == "ok"]
    assert sum(row["events"] for row in exclusive) == 600
    assert sum(row["fraction_of_nk"] for row in exclusive) == pytest.approx(1)
    assert rows["bright"]["cl_id"] == "CL:0000938"
    assert rows["bright"]["events"] == nk.column("subset").to_pylist().count("bright")


def test_without_a_cut_for_nk_cells_that_of_all_lymphocytes_serves_and_an_unusable_one_gives_no_calls(
    fitted: Study,
) -> None:
    cuts = fitted.directory / "hla_cuts.tsv"
    values = lineages("S1", seed=0).hla["HLA-A2"][::2]
    for rows, calls in (
        ([hla_cut("nk14", "all", 500), hla_cut("nk14", "cd3", 7)], (values >= 500).tolist()),
        ([hla_cut("nk14", "all", 500), hla_cut("nk14", "nk", math.nan)], [None] * 600),
        ([hla_cut("mini", "nk", 500)], [None] * 600),
    ):
        write_hla_cuts(cuts, "P1", rows)
        assert fitted.assign("S1", "--cuts", str(cuts)) == 0
        assert pq.read_table(fitted.directory / "S1" / "nk.parquet").column("hla_HLA-A2").to_pylist() == calls


def test_the_cut_of_the_samples_batch_is_taken_and_donor_t_cells_are_looked_for_where_a_product_is_told(
    fitted: Study,
) -> None:
    cuts = fitted.directory / "hla_cuts.tsv"
    moved = [replace(hla_cut("nk14", "nk", cut), batch=batch) for batch, cut in (("", 500), ("B1", 300), ("B2", 100))]
    write_hla_cuts(cuts, "P1", [hla_cut("nk14", "all", 9), hla_cut("nk14", "cd3", 200), *moved])
    assert fitted.assign("S1", "--cuts", str(cuts), "--product-cd3=0.001") == 0
    calls = pq.read_table(fitted.directory / "S1" / "nk.parquet").column("hla_HLA-A2").to_pylist()
    assert calls == (lineages("S1", seed=0).hla["HLA-A2"][::2] >= 300).tolist()
    checks = {row["check"]: row for row in read_table(fitted.directory / "S1" / "qc.tsv", "qc")}
    assert checks["donor_t_cells"]["status"] == "skipped"
    assert "0 T cells" in checks["donor_t_cells"]["reason"]
    assert fitted.assign("S1", "--cuts", str(cuts)) == 0
    assert "donor_t_cells" not in {row["check"] for row in read_table(fitted.directory / "S1" / "qc.tsv", "qc")}


def test_donor_t_cells_are_held_against_the_scatter_of_the_references_blanks(fitted: Study) -> None:
    sample = lineages("T", seed=0)
    fitted.add(replace(sample, member=sample.member | {"cd3": sample.member["t_cells"]}))
    cuts, blanks = fitted.directory / "hla_cuts.tsv", fitted.directory / "blanks.tsv"
    cut = replace(hla_cut("nk14", "cd3", 3_000), blank=MarkerCounts(events=1_000, positive=10))
    write_hla_cuts(cuts, "P1", [replace(cut, population="all"), cut])
    limits = []
    for wild in (0, 60):
        of = {"panel": "nk14", "marker": "HLA-A2", "direction": "donor_positive", "population": "cd3", "events": 1_000}
        found = (10, 10, 10 + wild, 10, 10 + wild // 4, 10)
        write_blanks(blanks, [of | {"patient": f"P{n}", "marker_events": events} for n, events in enumerate(found)])
        assert fitted.assign("T", "--cuts", str(cuts), "--product-cd3=0.001", "--blanks", str(blanks)) == 0
        checks = {row["check"]: row for row in read_table(fitted.directory / "T" / "qc.tsv", "qc")}
        limits.append(checks["donor_t_cells"]["limit"])
    assert limits[1] > 1.5 * limits[0]


def test_without_cuts_the_hla_calls_are_not_available(fitted: Study) -> None:
    assert fitted.assign("S1", "--cuts") == 0
    nk = pq.read_table(fitted.directory / "S1" / "nk.parquet")
    assert nk.column("hla_HLA-A2").null_count == 600


def test_a_new_sample_changes_no_other_and_two_runs_are_the_same_bytes(fitted: Study) -> None:
    assert fitted.assign("S1") == 0
    before = contents(fitted.directory / "S1")
    fitted.add(lineages("S3", seed=9))
    assert fitted.assign("S3") == 0
    assert fitted.assign("S1", to="again") == 0
    after = contents(fitted.directory / "again")
    assert {name: before[name] for name in after} == after


def test_a_failed_sample_gives_tables_without_rows_and_nothing_to_the_reference(study: Study) -> None:
    good = study.add(lineages("good", seed=1))
    failed = Lineages(
        sample="bad",
        panel="nk14",
        batch="B1",
        event=np.empty(0, np.int32),
        member={},
        hla={},
        nk_rows=np.empty(0, np.int64),
        nk_markers=Events(np.empty((0, 0), np.float32), ()),
        failure="the file ends in the middle of its data",
    )
    assert study.fit(good, study.add(failed)) == 0
    assert json.loads((study.reference / "reference.json").read_text(encoding="utf-8"))["samples"]["bad"] == 0
    assert study.assign("bad") == 0
    assert read_table(study.directory / "bad" / "subsets.tsv", "subsets") == []
    nk = pq.read_table(study.directory / "bad" / "nk.parquet")
    assert nk.num_rows == 0
    assert nk.schema.names == ["event", *MARKERS, "cluster", "subset", "subset_probability", "novelty", "hla_HLA-A2"]


def test_a_study_without_nk_cells_still_gives_tables(study: Study) -> None:
    none = lineages("none", seed=1, events=1)
    none.member["nk"][:] = False
    empty = Events(np.empty((0, 7), np.float32, order="F"), MARKERS)
    none = Lineages(
        sample="none",
        panel="nk14",
        batch="B1",
        event=none.event,
        member={name: mask & False for name, mask in none.member.items()},
        hla=none.hla,
        nk_rows=np.empty(0, np.int64),
        nk_markers=empty,
    )
    assert study.fit(study.add(none)) == 0
    assert study.assign("none") == 0
    rows = read_table(study.directory / "none" / "subsets.tsv", "subsets")
    assert {row["reason"] for row in rows if row["subset"] == "bright"} == {"no NK events"}
    assert all(math.isnan(row["fraction_of_nk"]) for row in rows)
    assert study.export(study.directory / "nk.h5ad", [{"sample": "none", "patient": None, "day": None}], "none") == 0


def test_a_sample_without_a_marker_of_the_reference_is_refused_by_name(
    fitted: Study, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = lineages("S9", seed=3)
    part_of = Lineages(
        sample="S9",
        panel="nk14",
        batch="B1",
        event=whole.event,
        member=whole.member,
        hla=whole.hla,
        nk_rows=whole.nk_rows,
        nk_markers=whole.nk_markers.take(("CD3", "CD56", "CD16", "NKG2A")),
    )
    fitted.add(part_of)
    assert fitted.assign("S9") == 2
    error = capsys.readouterr().err
    assert error.startswith("ERROR: ")
    assert "CD57" in error
    assert error.count("\n") == 1
    assert not (fitted.directory / "S9" / "nk.parquet").exists()


def test_a_sample_of_another_panel_is_refused(fitted: Study, capsys: pytest.CaptureFixture[str]) -> None:
    other = fitted.add(lineages("S8", seed=3, panel="mini"))
    assert fitted.assign("S8") == 2
    assert fitted.fit(other, to=fitted.directory / "new") == 2
    assert capsys.readouterr().err.count("panel mini, not of nk14") == 2


def test_a_sample_given_twice_is_refused(study: Study, capsys: pytest.CaptureFixture[str]) -> None:
    path = study.add(lineages("S1", seed=1))
    assert study.fit(path, path) == 2
    assert "S1 is given twice" in capsys.readouterr().err
    assert not study.reference.exists()


def test_the_export_draws_evenly_and_scanpy_finds_nothing_missing(fitted: Study) -> None:
    import anndata

    fitted.add(lineages("S3", seed=9, events=40))
    for sample in ("S1", "S2", "S3"):
        assert fitted.assign(sample) == 0
    rows = [
        {"sample": "S1", "patient": "P1", "day": -1.0, "role": "baseline"},
        {"sample": "S2", "patient": "P1", "day": 7.0, "role": "timepoint"},
        {"sample": "S3", "patient": None, "day": math.nan, "role": "donor"},
    ]
    output = fitted.directory / "nk.h5ad"
    assert fitted.export(output, rows, "S1", "S2", "S3") == 0
    data = anndata.read_h5ad(output)
    assert data.shape == (100, 7)
    assert list(data.var_names) == list(MARKERS)
    assert {"sample", "patient", "day", "cluster", "subset"} <= set(data.obs.columns)
    assert data.obs["sample"].value_counts().to_dict() == {"S1": 40, "S2": 40, "S3": 20}
    assert data.obs.loc[data.obs["sample"] == "S2", "day"].unique().tolist() == [7.0]
    assert data.obs.loc[data.obs["sample"] == "S3", "patient"].isna().all()
    assert data.obs_names.is_unique
    nk = pq.read_table(fitted.directory / "S2" / "nk.parquet").to_pandas().set_index("event")
    one = data[data.obs["sample"] == "S2"]
    assert np.array_equal(one[:, "CD56"].X.ravel(), nk.loc[one.obs["event"], "CD56"])
    assert one.obs["subset"].tolist() == nk.loc[one.obs["event"], "subset"].tolist()
    assert one.obs["cluster"].tolist() == nk.loc[one.obs["event"], "cluster"].astype(str).tolist()
    again = fitted.directory / "again.h5ad"
    assert fitted.export(again, rows, "S3", "S1", "S2") == 0
    assert again.read_bytes() == output.read_bytes()
    assert again.with_suffix(".npz").read_bytes() == output.with_suffix(".npz").read_bytes()


def test_the_export_embeds_what_it_draws_and_says_what_it_rests_on(fitted: Study) -> None:
    import anndata

    for sample in ("S1", "S2"):
        assert fitted.assign(sample) == 0
    rows = [{"sample": "S1", "patient": "P1", "day": -1.0}, {"sample": "S2", "patient": None, "day": None}]
    output = fitted.directory / "nk.h5ad"
    assert fitted.export(output, rows, "S1", "S2") == 0
    data = anndata.read_h5ad(output)
    (embedding,) = read_embeddings(output.with_suffix(".npz"))
    assert (embedding.method, embedding.samples) == ("pca", 2)
    assert list(embedding.markers) == ["CD56", "CD16", "CD57", "NKG2A"]
    assert np.isfinite(data.obsm["X_pca"]).all()
    assert np.allclose(data.obsm["X_pca"][embedding.rows], embedding.places - embedding.places.min(axis=0), atol=1e-6)
    assert np.array_equal(data[:, "CD57"].X.ravel()[embedding.rows], embedding.values[:, 2])
    assert data.obs["subset"].to_numpy()[embedding.rows].tolist() == embedding.subset.tolist()
    sealed = json.loads((fitted.reference / "reference.json").read_text(encoding="utf-8"))
    facts = data.uns["nktrace"]
    assert facts["references"]["nk14"]["sha256"] == sealed["sha256"]
    assert (facts["seed"], facts["level"]) == (1, 0.95)


def test_the_export_of_a_sample_without_a_row_is_refused(fitted: Study, capsys: pytest.CaptureFixture[str]) -> None:
    assert fitted.assign("S1") == 0
    assert fitted.export(fitted.directory / "nk.h5ad", [{"sample": "S2"}], "S1") == 2
    assert "there is no row of S1" in capsys.readouterr().err
    assert not (fitted.directory / "nk.npz").exists()


def test_assigning_starts_without_the_libraries_of_the_fit() -> None:
    heavy = "{'pandas', 'scipy', 'sklearn', 'flowkit', 'matplotlib', 'anndata'}"
    code = f"import nktrace.commands.assign, sys; print(sorted({heavy} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_doubts_of_gates_reach_the_subsets(fitted: Study) -> None:
    flag = "gate_doubtful: nk_bright (one peak)"
    fitted.add(replace(lineages("S1", seed=0), doubts={"nk_bright": (flag,), "nk_dim": (flag,)}))
    assert fitted.assign("S1") == 0
    rows = read_table(fitted.directory / "S1" / "subsets.tsv", "subsets")
    resolved = [row for row in rows if row["status"] == "ok" and not row["subset"].startswith("state:")]
    assert resolved
    assert all(row["reason"].startswith(flag) for row in resolved)


def with_cuts(sample: Lineages) -> Lineages:
    """The same cells with the cuts that part them."""

    def cut(population: str, marker: str, value: float) -> NkGate:
        edge = Edge(channel=marker, edge="min", value=value, low=value - 0.01, high=value + 0.01)
        return NkGate(population=population, parent="nk", edges=(edge,))

    gates = [cut("nk_bright", "CD56", 0.675), cut("nk_cd16", "CD16", 0.475)]
    gates += [cut("nk_cd57", "CD57", 0.45), cut("nk_nkg2a", "NKG2A", 0.45)]
    member = dict(sample.member)
    for gate in gates:
        (edge,) = gate.edges
        mask = np.zeros(len(sample), bool)
        mask[sample.nk_rows] = sample.nk_markers.column(edge.channel) >= edge.value
        member[gate.population] = mask
    member["nk_dim"] = sample.member["nk"] & ~member["nk_bright"]
    dim = NkGate(population="nk_dim", parent="nk", expression="!nk_bright")
    return replace(sample, member=member, nk_gates=(*gates, dim))


def test_each_cell_has_the_probability_of_its_subset(fitted: Study) -> None:
    fitted.add(with_cuts(lineages("S1", seed=0)))
    assert fitted.assign("S1") == 0
    nk = pq.read_table(fitted.directory / "S1" / "nk.parquet").to_pandas()
    rows = {row["subset"]: row for row in read_table(fitted.directory / "S1" / "subsets.tsv", "subsets")}
    assert nk["subset_probability"].dtype == np.float32
    assert nk["subset_probability"].between(0, 1).all()
    assert nk["subset_probability"].min() < 0.9 < nk["subset_probability"].median()
    for subset, members in nk.groupby("subset"):
        assert rows[subset]["events"] == len(members)
        assert rows[subset]["probability"] == pytest.approx(members["subset_probability"].mean(), rel=1e-4)
    exclusive = [row for row in rows.values() if row["status"] == "ok" and not row["subset"].startswith("state:")]
    assert sum(row["expected_events"] for row in exclusive) == pytest.approx(len(nk), rel=1e-5)
    assert rows["bright"]["support"] > 0.9, "CD16-, NKG2A+ and CD57-"
    assert math.isnan(rows["adaptive"]["probability"])
    assert math.isnan(rows["adaptive"]["expected_events"])


def test_a_subset_that_a_laboratory_adds_is_called_like_any_other(fitted: Study) -> None:
    own = fitted.directory / "nk_subsets.tsv"
    row = "cd16neg_bright\t0.5\texclusive\tbright CD16-\tNKG2A+\tNA\tnone\tour own\tNA\n"
    own.write_text(SUBSETS.read_text(encoding="utf-8") + row, encoding="utf-8")
    fitted.add(with_cuts(lineages("S1", seed=0)))
    assert fitted.assign("S1", to="before") == 0
    assert fitted.assign("S1", "--subsets", str(own)) == 0
    before, after = (
        {row["subset"]: row for row in read_table(fitted.directory / name / "subsets.tsv", "subsets")}
        for name in ("before", "S1")
    )
    added = after["cd16neg_bright"]
    assert added["events"] > 50
    assert (added["status"], added["cl_id"]) == ("ok", None)
    assert added["events"] + after["bright"]["events"] == before["bright"]["events"]
    assert added["probability"] > 0.9
    assert added["support"] > 0.9
    nk = pq.read_table(fitted.directory / "S1" / "nk.parquet").to_pandas()
    of_own = nk[nk["subset"] == "cd16neg_bright"]
    assert len(of_own) == added["events"]
    assert (of_own["CD16"] < 0.475).all()
