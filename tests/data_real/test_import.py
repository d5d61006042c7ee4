"""Gates that others drew by hand, on the file that they drew them for."""

from __future__ import annotations

import shutil
import warnings
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from nktrace.cli import main
from nktrace.files.fcs import read_fcs
from nktrace.files.flowkit_counts import recounted
from nktrace.files.gate_import import import_gates
from nktrace.files.lineages import read_lineages
from nktrace.files.population_names import named_by, read_names
from nktrace.files.tables import read_table
from nktrace.model.imports import ImportedGates
from nktrace.science.compensation import compensate, find_spillover
from nktrace.science.gating.masks import inside_polygon
from nktrace.science.import_checks import differences, import_checks
from tests.conftest import Command, Plan

STUDIES = Path(__file__).parent / "studies"

NAMES = {
    "Singlets": "singlets",
    "NK cells": "nk",
    "NK T cells": "nkt_like",
    "B cells": "b_cells",
    "CD8 T cells": "cd8_t",
    "gd T cells": "gd_t",
}


@pytest.fixture(scope="module")
def spleen(shared_data: Path) -> Path:
    return shared_data / "mouse_spleen_nk"


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("names") / "names.tsv"
    path.write_text("gate\tpopulation\n" + "".join(f"{gate}\t{ours}\n" for gate, ours in NAMES.items()))
    return path


@pytest.fixture(scope="module")
def workspace(spleen: Path, names: Path) -> ImportedGates:
    sheet = read_names(names)
    return import_gates(
        spleen / "gating.wsp", spleen / "68983.fcs", name=lambda paths: named_by(sheet, paths), max_condition=1000.0
    )


def test_the_workspace_gives_the_labels_event_for_event(spleen: Path, workspace: ImportedGates) -> None:
    events = next(iter(workspace.masks.values())).size
    lines = (spleen / "gatingResult.csv").read_text().splitlines()
    labels = np.array([line.strip().strip('"') for line in lines[-events:]])
    assert workspace.masks["nk"].sum() == 312
    assert workspace.differing == {}
    for gate in ("NK cells", "NK T cells", "B cells", "CD8 T cells", "gd T cells"):
        np.testing.assert_array_equal(workspace.masks[NAMES[gate]], labels == gate, err_msg=gate)


def test_every_difference_from_the_stored_counts_is_told(workspace: ImportedGates) -> None:
    told = differences(workspace)
    assert told["b_cells"] == (2_460, 2_459)
    assert told["singlets"] == (18_702, 18_689)
    assert "nk" not in told
    assert len(workspace.stored) == len(workspace.paths) == 15
    by_name = {check.check: check for check in import_checks(workspace, spillover=workspace.spillover)}
    assert "b_cells: 2460 events, the workspace stores 2459" in by_name["import_counts"].reason
    assert {check.status.value for check in by_name.values()} == {"pass"}


def test_by_hand(spleen: Path, names: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [str(spleen / name) for name in ("gating.wsp", "68983.fcs")]
    assert main(["import-gates", *words]) == 0
    printed = capsys.readouterr().out
    assert "Lymphocytes/Singlets/Singlets2/NK1_1+/NK cells\tnk\n" in printed  # a line for the table of names
    assert main(["import-gates", *words, "--names", str(names), "--output-dir", str(tmp_path)]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["b_cells", "2460", "2459", "+1"] in [row[-4:] for row in rows]
    assert ["nk", "312", "312", "0"] in [row[-4:] for row in rows]
    counts = recounted(spleen / "68983.fcs", tmp_path)
    assert len(counts) == 15
    assert all(ours == theirs for ours, theirs in counts.values())
    assert main(["import-gates", words[0], words[1], "--sample", "68983"]) == 2
    assert "Did you mean '68983.fcs'?" in capsys.readouterr().err


def test_gating_ml_as_flowjo_exported_it(spleen: Path) -> None:
    """Another gating of the same file, without names, matrix or scales; read here a second time, gate by gate."""
    path = spleen / "manualGating.xml"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        imported = import_gates(
            path, spleen / "68983.fcs", name=lambda paths: named_by(None, paths), max_condition=1000.0
        )
    file = read_fcs(spleen / "68983.fcs")
    raw = file.scale_values(np.float64)
    compensated = compensate(raw, find_spillover(file.keywords), max_condition=1000.0)
    gating, types = (f"{{http://www.isac-net.org/std/Gating-ML/v2.0/{name}}}" for name in ("gating", "datatypes"))
    members: dict[str | None, np.ndarray] = {None: np.ones(len(raw), dtype=np.bool_)}
    for gate in ET.parse(path).getroot():  # noqa: S314 - a file that is known
        inside = members[gate.get(f"{gating}parent_id")]
        columns = []
        for dimension in gate.findall(f"{gating}dimension"):
            name = dimension[0].get(f"{types}name") or ""
            source = compensated if name.startswith("Comp-") else raw
            columns.append(source.column(name.removeprefix("Comp-")))
            inside = inside & (columns[-1] >= float(dimension.get(f"{gating}min", "-inf")))
            inside = inside & (columns[-1] < float(dimension.get(f"{gating}max", "inf")))
        corners = [
            [float(c.get(f"{types}value") or "nan") for c in vertex] for vertex in gate.findall(f"{gating}vertex")
        ]
        if corners:
            inside = inside & inside_polygon(columns[0], columns[1], np.array(corners))
        members[gate.get(f"{gating}id")] = inside
    assert imported.differing == {}
    assert len(imported.masks) == len(members) - 1 == 15
    for name, mask in imported.masks.items():
        np.testing.assert_array_equal(mask, members[imported.paths[name][-1]], err_msg=name)
    assert imported.masks["ID1229333490"].sum() == 311  # its NK cells, drawn otherwise than the 312 of the workspace


@pytest.fixture
def study(spleen: Path, names: Path, tmp_path: Path) -> Path:
    """Two tubes of the same file; the gates of one were drawn elsewhere."""
    path = tmp_path / "study"
    shutil.copytree(STUDIES / "mouse", path)
    (path / "data").mkdir()
    (path / "config" / "names").mkdir()
    for tube in ("own", "drawn"):
        shutil.copyfile(spleen / "68983.fcs", path / "data" / f"{tube}.fcs")
    shutil.copyfile(spleen / "gating.wsp", path / "data" / "gating.wsp")
    shutil.copyfile(names, path / "config" / "names" / "flowjo.tsv")
    samples = path / "config" / "samples.tsv"
    header, row = samples.read_text().splitlines()
    rows = [row.replace("spleen", tube).replace("68983", tube) for tube in ("own", "drawn")]
    samples.write_text("\n".join((header, *rows)) + "\n")
    (path / "config" / "config.yaml").write_text("data_dir: data\n")
    sheet = "sample\tgates\tgates_sample\tnames\ndrawn\tgating.wsp\t68983.fcs\tnames/flowjo.tsv\n"
    (path / "config" / "imports.tsv").write_text(sheet)
    return path


def test_a_sample_of_a_study_is_gated_by_them_alone(study: Path, nktrace: Command, planned: Plan) -> None:
    done = nktrace("sample", study, "drawn")
    assert done.returncode == 0, done.stderr
    results = study / "results" / "samples" / "drawn"
    populations = {row["population"]: row for row in read_table(results / "populations.tsv", "populations")}
    assert populations["nk"]["events"] == 312
    assert {row["gate_source"] for row in populations.values()} == {"import"}
    cuts = read_table(results / "gates.tsv", "gates")
    assert {"CD3", "NK1.1", "FSC-W"} < {row["channel"] for row in cuts}  # FSC-W is not in the panel
    checks = {row["check"]: row for row in read_table(results / "qc.tsv", "qc")}
    assert checks["import_members"]["value"] == 0
    assert "the workspace stores 2459" in checks["import_counts"]["reason"]
    assert read_lineages(results / "lineages.parquet").nk_rows.size == 312
    assert "gate from import" in (results / "report.html").read_text()
    done = nktrace("recount", study, "--sample", "drawn")
    assert done.returncode == 0, done.stderr
    assert "15 populations of 1 sample counted again by FlowKit: 0 differ" in done.stdout

    targets = [f"results/samples/{tube}/populations.tsv" for tube in ("own", "drawn")]
    assert planned(study, *targets) == {}  # clusters are fitted on both, and recounting asks for nothing
    gates = study / "data" / "gating.wsp"
    gates.write_text(gates.read_text().replace("14199.0", "14200.0"))
    assert planned(study, *targets)["gate"] == 1


def test_imported_nk_cells_count_where_the_panel_could_not_gate_them(study: Path, nktrace: Command) -> None:
    panel = study / "config" / "panels" / "t_b_nk.tsv"
    lines = panel.read_text().splitlines(keepends=True)
    panel.write_text("".join(line for line in lines if not line.startswith("PE-A\t")))
    done = nktrace("sample", study, "drawn")
    assert done.returncode == 0, done.stderr
    results = study / "results" / "samples" / "drawn"
    assert read_lineages(results / "lineages.parquet").nk_rows.size == 312
