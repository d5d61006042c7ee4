"""The table of NK subsets that comes with nktrace, and what is refused in a laboratory's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from nktrace.files.subset_rules import read_subset_rules
from nktrace.files.tables import read_rows
from nktrace.model.errors import StudyFaults
from nktrace.model.subsets import SubsetKind, SubsetRule

SHIPPED = Path(__file__).resolve().parents[2] / "resources" / "nk_subsets.tsv"
HEADER = "subset\tpriority\tkind\trequired\tsupporting\tcl_id\tcl_match\tdefinition\tsource"
REST = "rest\t9\texclusive\tnk\tNA\tCL:0000623\tbroad\tNA\tNA"


def shipped() -> dict[str, SubsetRule]:
    return {rule.subset: rule for rule in read_subset_rules(SHIPPED)}


def faults(tmp_path: Path, *rows: str) -> list[str]:
    table = tmp_path / "nk_subsets.tsv"
    table.write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")
    with pytest.raises(StudyFaults) as raised:
        read_subset_rules(table)
    return [str(fault) for fault in raised.value.faults]


def test_bright_and_dim_have_their_own_cell_ontology_ids_and_not_each_others() -> None:
    # CL:0000938 is "CD16-negative, CD56-bright", CL:0000939 "CD16-positive, CD56-dim": often swapped in public code.
    rules = shipped()
    assert (rules["bright"].cl_id, rules["bright"].cl_match) == ("CL:0000938", "exact")
    for dim in ("adaptive", "terminal", "early_dim", "other_dim"):
        assert (rules[dim].cl_id, rules[dim].cl_match) == ("CL:0000939", "broad")
    assert not any(rule.cl_id for rule in rules.values() if rule.kind is SubsetKind.STATE)
    assert "CL:0000814" not in {rule.cl_id for rule in rules.values()}, "that is the NKT cell"


def test_exclusive_subsets_come_in_the_priority_of_the_contract() -> None:
    exclusive = sorted((r for r in shipped().values() if r.priority is not None), key=lambda r: r.priority or 0)
    assert [rule.subset for rule in exclusive] == [
        "bright",
        "adaptive",
        "terminal",
        "early_dim",
        "other_dim",
        "other_nk",
    ]


def test_signs_name_gated_populations() -> None:
    rules = shipped()
    adaptive = {sign.text: sign for clause in rules["adaptive"].required for sign in clause}
    assert adaptive["dim"].populations == ("nk_dim",)
    assert adaptive["CD57+"].populations == ("nk_cd57",)
    assert adaptive["CD57+"].positive
    assert not adaptive["NKG2A-"].positive
    activated = {population for sign in rules["activated"].required[0] for population in sign.populations}
    assert {"nk_cd69", "nk_hla_dr", "nk_nkp44", "nk_cd336"} <= activated
    assert rules["proliferating"].required[0][0].populations == ("nk_ki67", "nk_ki_67")
    assert len(rules["tissue_resident_like"].required) == 2, "CD69, and one of CD103 and CD49a"


def test_every_sign_is_gated_by_the_default_hierarchy() -> None:
    populations = {row["population"] for row in read_rows(SHIPPED.parent / "gating" / "nk.tsv")}
    for rule in shipped().values():
        for sign in [*(sign for clause in rule.required for sign in clause), *rule.supporting]:
            assert populations & set(sign.populations), f"{rule.subset}: {sign.text}"


def test_every_rule_says_where_it_is_from() -> None:
    assert all(rule.source and rule.definition for rule in shipped().values())


def test_a_laboratory_may_add_rows(tmp_path: Path) -> None:
    table = tmp_path / "nk_subsets.tsv"
    extra = "kir_dim\t4.5\texclusive\tdim KIR+\tNA\tCL:0000939\tbroad\tours\tNA"
    table.write_text(SHIPPED.read_text(encoding="utf-8") + extra + "\n", encoding="utf-8")
    added = read_subset_rules(table)[-1]
    assert (added.subset, added.priority, added.required[1][0].populations) == ("kir_dim", 4.5, ("nk_kir",))


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    found = faults(
        tmp_path,
        "a b\t1\texclusive\tdim\tNA\tNA\tnone\tNA\tNA",
        "one\tx\texclusive\tdim\tNA\tNA\tnone\tNA\tNA",
        "two\tNA\texclusive\tCD57\tCD8+/CD16+\tCL:939\tbroad\tNA\tNA",
        "three\t3\tstate\tCD69+\tNA\tNA\tnone\tNA\tNA",
        "four\tNA\tsometimes\tCD69+\tNA\tNA\texact\tNA\tNA",
        "rest\t7\texclusive\tnk\tNA\tNA\tnone\tNA\tNA",
        REST,
    )
    for row, word in ((2, "a b"), (3, "'x'"), (4, "'CD57'"), (4, "/"), (4, "CL:939"), (5, "state"), (6, "sometimes")):
        assert any(f"row {row}" in fault and word in fault for fault in found), (row, word, found)
    assert any("row 8" in fault and "rest" in fault for fault in found), found


@pytest.mark.parametrize(
    ("rows", "what"),
    [
        (["dim\t1\texclusive\tdim\tNA\tNA\tnone\tNA\tNA"], "nowhere to go"),
        (["all\t1\texclusive\tnk\tNA\tNA\tnone\tNA\tNA", REST], "leaves none to rest"),
        (["dim\t9\texclusive\tdim\tNA\tNA\tnone\tNA\tNA", REST], "have one priority"),
        (
            [
                "dim\t1\texclusive\tdim\tNA\tNA\tnone\tNA\tNA",
                "kir\t2\texclusive\tKIR+ dim\tNA\tNA\tnone\tNA\tNA",
                REST,
            ],
            "kir gets no cell: all that meet it meet dim, which comes first",
        ),
        (["x\tNA\tstate\tKi67+\tNA\tCL:0000939\tnone\tNA\tNA", REST], "contradict"),
        (["x\tNA\texclusive\tKi67+\tNA\tNA\tnone\tNA\tNA", REST], "needs its priority"),
    ],
)
def test_rules_that_would_lose_cells_or_never_match_are_refused(tmp_path: Path, rows: list[str], what: str) -> None:
    assert any(what in fault for fault in faults(tmp_path, *rows))
