"""Panel sheets."""

from __future__ import annotations

from pathlib import Path

import pytest

from nktrace.files.panels import read_panel
from nktrace.model.errors import StudyFaults
from nktrace.model.panel import Kind

HEADER = "channel\tmarker\tkind\ttransform\tantibody"


def write(tmp_path: Path, *rows: str) -> Path:
    path = tmp_path / "main.tsv"
    path.write_text("\n".join([HEADER, *rows]) + "\n")
    return path


def test_markers_and_transforms_have_their_defaults(tmp_path: Path) -> None:
    panel = read_panel(
        write(
            tmp_path,
            "Time\tNA\ttime\tNA\tNA",
            "SSC-A|SSC\tNA\tscatter\tNA\tNA",
            "BV605-A\tCD14+CD19\tlineage\tNA\tNA",
            "165Ho\tCD16\tsubset\tasinh:5\tNA",
            "FITC-A\tHLA-A2\thla\tlogicle\tBB7.2",
        )
    )
    assert panel.name == "main"
    assert panel.markers == ("Time", "SSC-A", "CD14+CD19", "CD16", "HLA-A2")
    assert [d.transform for d in panel.detectors] == ["linear", "linear", "logicle", "asinh:5", "logicle"]
    assert panel.detector("HLA-A2").kind is Kind.HLA
    assert panel.detector("SSC-A").aliases == ("SSC-A", "SSC")


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("A\tCD3,CD4\tlineage\tNA\tNA", "column marker: 'CD3,CD4' has a ','"),
        ("A\tcluster\tlineage\tNA\tNA", "column marker: 'cluster' is the name of something else"),
        ("A\tstability\tsubset\tNA\tNA", "column marker: 'stability' is the name of something else"),
        (
            "A,B\tNA\tlineage\tNA\tNA",
            "column marker: 'A,B' has a ',', which gating tables use. Give the detector a marker",
        ),
        ("A\tX1\tlineage\tasinh\tNA", "column transform: 'asinh' has no cofactor. Write asinh:150"),
        ("A\tX1\tlineage\tasinh:0\tNA", "column transform: 'asinh:0' has no cofactor"),
        ("A\tX1\tlineage\tlogical\tNA", "column transform: there is no 'logical'. Did you mean 'logicle'?"),
        ("A||B\tX1\tlineage\tNA\tNA", "column channel: 'A||B' has an empty alias"),
        ("A\tX1\tNA\tNA\tNA", "column kind: the cell is empty or NA"),
        ("A\tX1\thla\tNA\tNA", "column antibody: a detector of kind hla needs its antibody"),
        ("A\tX1\thla\tNA\tanti-B72", "column antibody: hla_antibodies.tsv has no 'anti-B72'. Did you mean 'anti-B7'?"),
        ("A\tcd-3\tlineage\tNA\tNA", "column marker: 'cd-3' stands in row 2 already"),
        ("B|C\tX1\tlineage\tNA\tNA", "column channel: 'C' stands in row 2 already"),
    ],
)
def test_each_fault_has_its_row(tmp_path: Path, row: str, says: str) -> None:
    with pytest.raises(StudyFaults) as caught:
        read_panel(write(tmp_path, "C\tCD3\tlineage\tNA\tNA", row), antibodies=("BB7.2", "anti-B7"), shown="main.tsv")
    assert len(caught.value.faults) == 1
    assert f"main.tsv, row 3, {says}" in str(caught.value)


def test_a_panel_without_detectors_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(StudyFaults, match="the panel has no detectors"):
        read_panel(write(tmp_path))
