"""Gating tables: settings by method, names above, all faults at once."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nktrace.files.gating_table import read_gating_table
from nktrace.files.installation import resource
from nktrace.model.errors import Fault, StudyFaults
from nktrace.model.gates import (
    METHODS,
    BooleanSettings,
    EllipseSettings,
    GatingTable,
    PolygonSettings,
    RectangleSettings,
    TimeSettings,
    ValleySettings,
)

HEADER = "population\tparent\tchannels\tmethod\tsettings"


def read(tmp_path: Path, *rows: str) -> GatingTable:
    path = tmp_path / "main.tsv"
    path.write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")
    return read_gating_table(path, shown="main.tsv")


def test_the_table_that_comes_with_nktrace_is_right() -> None:
    table = read_gating_table(resource("gating/nk.tsv"))
    assert {"beads", "singlets", "live", "lymphocytes", "cd3", "t_cells", "nk", "nk_bright", "nk_dim"} <= {
        row.population for row in table.rows
    }


def test_settings_of_every_form(tmp_path: Path) -> None:
    table = read(
        tmp_path,
        "time\troot\tkind:time\ttime\tbins=50; max_deviation=3",
        "a\ttime\tCD3|CD3E, CD56\tvalley\tsign=-+;optional=yes",
        "b\ta\tCD3\trectangle\tx=:0.5",
        "c\ta\tCD3,CD56\trectangle\tx=-1:1;y=2.5e-1:",
        "d\ta\tCD3,CD56\tpolygon\tpoints=0,0 1,0 1,1",
        "e\ta\tCD3,CD56\tellipse\tmean=0.5,0.25;covariance=1,0,1",
        "f\ta\tNA\tboolean\tof=b & !(c | d)",
    )
    rows = {row.population: row for row in table.rows}
    assert rows["time"].settings == TimeSettings(bins=50, max_deviation=3)
    assert rows["a"].settings == ValleySettings(sign="-+")
    assert rows["a"].optional
    assert rows["a"].channels == (("CD3", "CD3E"), ("CD56",))
    assert rows["b"].settings == RectangleSettings(x=(-math.inf, 0.5))
    assert rows["c"].settings == RectangleSettings(x=(-1, 1), y=(0.25, math.inf))
    assert rows["d"].settings == PolygonSettings(points=((0, 0), (1, 0), (1, 1)))
    assert rows["e"].settings == EllipseSettings(mean=(0.5, 0.25), covariance=(1, 0, 1))
    assert rows["f"].settings == BooleanSettings(of="b & !(c | d)")
    assert rows["f"].channels == ()


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("b\troot\tCD3\tvaley\tNA", "column method: there is no 'valey'. Did you mean 'valley'?"),
        ("b\tc\tCD3\tvalley\tNA", "column parent: there is no population 'c'. There is: a, root."),
        ("b\tb\tCD3\tvalley\tNA", "column parent: 'b' names itself"),
        ("b\tz\tCD3\tvalley\tNA", "column parent: 'z' stands below this row. Move that row up"),
        ("a\troot\tCD3\tvalley\tNA", "column population: 'a' stands in row 2 already"),
        ("root\troot\tCD3\tvalley\tNA", "column population: 'root' is every event of the file"),
        ("b\troot\tCD3\tvalley\tsgn=+", "column settings: valley has no setting 'sgn'. Did you mean 'sign'?"),
        ("b\troot\tCD3\tvalley\tsign=+;sign=-", "column settings: sign stands twice"),
        ("b\troot\tCD3\tvalley\tsign", "column settings: 'sign' is not key=value"),
        ("b\troot\tCD3\tvalley\tsign=high", "column settings: sign=high is not"),
        ("b\troot\tCD3\tvalley\tsign=+-", "column settings: sign=+- for 1 channel(s)"),
        ("b\troot\tCD3\tvalley\tmin_depth=deep", "column settings: min_depth=deep: 'deep' is not a number"),
        ("b\troot\tCD3\ttime\tbins=1.5", "column settings: bins=1.5: not a whole number"),
        ("b\troot\tCD3\tvalley\toptional=maybe", "column settings: optional=maybe is neither yes nor no"),
        ("b\troot\tCD3,CD4,CD8\tvalley\tNA", "column channels: 3 channel(s), where valley takes 1 to 2"),
        ("b\troot\tCD3\tsinglets\tNA", "column channels: 1 channel(s), where singlets takes 2"),
        ("b\troot\tCD3|\tvalley\tNA", "column channels: 'CD3|' has an empty name"),
        ("b\troot\tkind:viable\tvalley\tNA", "column channels: there is no kind 'viable'. Did you mean 'viability'?"),
        ("b\troot\tCD3\trectangle\tNA", "column settings: rectangle needs the setting 'x'"),
        ("b\troot\tCD3\trectangle\tx=1", "column settings: x=1: bounds are min:max"),
        ("b\troot\tCD3\trectangle\tx=2:1", "column settings: x=2:1: the lower bound is not below"),
        ("b\troot\tCD3,CD4\trectangle\tx=0:1", "column settings: bounds for 1 channel(s) where there are 2"),
        ("b\troot\tCD3,CD4\tpolygon\tpoints=0,0 1,1", "a polygon has at least three corners"),
        ("b\troot\tCD3,CD4\tpolygon\tpoints=0,0 1,1 2", "2 numbers are needed"),
        ("b\troot\tNA\tboolean\tof=a & c", "column settings: there is no population 'c'"),
        ("b\troot\tNA\tboolean\tof=a & (z", "column settings: "),
        ("b\troot\tNA\tboolean\tof=!b", "column settings: 'b' names itself"),
        ("b\troot\tCD3\tvalley\tnegative=c", "column settings: there is no population 'c'"),
        ("b\troot\tCD3\tvalley\tanchor=z", "column settings: 'z' stands below this row"),
        ("b\troot\tCD3\tcontrol\tof=fmos", "column settings: there is no population 'fmos'"),
    ],
)
def test_each_fault_has_its_row(tmp_path: Path, row: str, says: str) -> None:
    with pytest.raises(StudyFaults) as caught:
        read(tmp_path, "a\troot\tCD3\tvalley\tNA", row, "z\ta\tCD4\tvalley\tNA")
    assert any(f"main.tsv, row 3, {says}" in str(fault) or says in str(fault) for fault in caught.value.faults)
    assert all(fault.row == 3 for fault in caught.value.faults)


def test_all_faults_come_at_once(tmp_path: Path) -> None:
    with pytest.raises(StudyFaults) as caught:
        read(tmp_path, "a\troot\tCD3\tvalley\tsgn=+;bins=3", "b\tc\tCD3\tvaley\tNA")
    assert [fault.row for fault in caught.value.faults] == [3, 2, 2, 3]


@settings(max_examples=80)
@given(
    method=st.sampled_from(sorted(METHODS)),
    channels=st.text(alphabet="CD3|,:kindtme NA", max_size=15),
    text=st.text(alphabet="signxypotf=;:+-,.0159e &!|()a", max_size=40),
)
def test_any_cell_is_read_or_is_a_fault(
    tmp_path_factory: pytest.TempPathFactory, method: str, channels: str, text: str
) -> None:
    rows = ("a\troot\tCD3\tvalley\tNA", f"b\ta\t{channels}\t{method}\t{text}")
    faults: tuple[Fault, ...] = ()
    try:
        table = read(tmp_path_factory.mktemp("any"), *rows)
        assert isinstance(table.rows[1].settings, METHODS[method])
    except StudyFaults as error:
        faults = error.faults
    assert all(fault.row == 3 for fault in faults)
