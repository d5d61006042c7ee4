from __future__ import annotations

from pathlib import Path

import pytest

from nktrace.files.population_names import named_by, own_name, proposals, read_names
from nktrace.model.errors import StudyFaults

PATHS = [
    ("Lymphs",),
    ("Lymphs", "Singlets"),
    ("Lymphs", "Singlets", "NK1.1+"),
    ("Lymphs", "Singlets", "NK1.1+", "NK cells"),
    ("Lymphs", "Singlets", "NK1.1-"),
    ("Lymphs", "Singlets", "NK1.1-", "NK cells"),
]


def table(path: Path, *rows: str) -> Path:
    path.write_text("\n".join(("gate\tpopulation", *rows)) + "\n", encoding="utf-8")
    return path


def test_gates_are_named_by_path_or_by_as_much_as_is_unique(tmp_path: Path) -> None:
    sheet = read_names(table(tmp_path / "n.tsv", "NK1.1+/NK cells\tnk", "Lymphs/Singlets\tsinglets"))
    assert named_by(sheet, PATHS) == {
        PATHS[0]: "Lymphs",
        PATHS[1]: "singlets",
        PATHS[2]: "NK1.1pos",
        PATHS[3]: "nk",
        PATHS[4]: "NK1.1neg",
        PATHS[5]: "NK_cells",
    }


def test_an_unnamed_gate_never_passes_for_a_population_of_ours(tmp_path: Path) -> None:
    sheet = read_names(table(tmp_path / "n.tsv", "NK1.1+/NK cells\tnk"))
    named = named_by(sheet, [*PATHS, ("live",), ("NK",), ("root",)])
    assert named[("live",)] == "live_gate"
    assert named[("NK",)] == "NK_gate"
    assert named[("root",)] == "root_2"
    assert len({name.casefold() for name in named.values()}) == len(named)


def test_gates_of_the_same_name_stay_apart() -> None:
    named = named_by(None, PATHS)
    assert (named[PATHS[3]], named[PATHS[5]]) == ("NK_cells", "NK_cells_2")


def test_all_faults_of_the_table_at_once(tmp_path: Path) -> None:
    rows = ("NK cells\tnk", "Singlts\tsinglets", "Lymphs\tlymphocytes", "/Lymphs\tlymphs")
    sheet = read_names(table(tmp_path / "n.tsv", *rows), shown="config/n.tsv")
    with pytest.raises(StudyFaults) as caught:
        named_by(sheet, PATHS)
    lines = str(caught.value).splitlines()
    assert len(lines) == 3
    assert "row 2, column gate: 2 gates are called 'NK cells'. Write more of its path" in lines[0]
    assert "row 3" in lines[1]
    assert "Did you mean 'Singlets'?" in lines[1]
    assert "'/Lymphs' is lymphocytes already" in lines[2]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ((), "no names"),
        (("a\tnk", "b\tnk"), "stands in row 2 already"),
        (("a\tnk", "a\tlive"), "stands in row 2 already"),
        (("a\troot",), "every event"),
        (("a\tn k",), "not an id"),
    ],
)
def test_tables_that_are_wrong_whatever_the_gates(tmp_path: Path, rows: tuple[str, ...], message: str) -> None:
    with pytest.raises(StudyFaults, match=message):
        read_names(table(tmp_path / "n.tsv", *rows))


@pytest.mark.parametrize(
    ("gate", "name"),
    [
        ("CD3+ CD56+", "CD3pos_CD56pos"),
        ("CD3-", "CD3neg"),
        ("HLA-DR+", "HLA-DRpos"),
        ("CD3- CD56+, live", "CD3neg_CD56pos_live"),
        ("_part.nk.1", "part.nk.1"),
        ("zellen: \u00fc", "zellen"),
        ("+", "pos"),
        ("\u00b0", "gate"),
    ],
)
def test_own_names_are_ids(gate: str, name: str) -> None:
    assert own_name(gate) == name


def test_proposals_leave_negatives_and_doubles_alone() -> None:
    paths = [("Live cells",), ("Live cells", "NK-"), ("Live cells", "NK"), ("NK cells",), ("b_cells",), ("something",)]
    assert proposals(paths) == {("Live cells",): "live", ("Live cells", "NK"): "nk", ("b_cells",): "b_cells"}
