"""config/imports.tsv of a study, and its tables of names."""

from __future__ import annotations

from nktrace.files.sheets import examine_study, read_study
from tests.conftest import WrittenStudy

HEADER = "sample\tgates\tgates_sample\tnames"
NAMES = ["gate\tpopulation", "NK cells\tnk"]


def with_imports(study: WrittenStudy, *rows: str) -> WrittenStudy:
    study.write("imports.tsv", [HEADER, *rows])
    study.write("names/flowjo.tsv", NAMES)
    (study.path / "data" / "a.wsp").write_text("<Workspace/>")
    return study


def test_a_sample_with_gates_from_elsewhere(written_study: WrittenStudy) -> None:
    with_imports(written_study, "S1\ta.wsp\tNA\tnames/flowjo.tsv", "S2\ta.wsp\ttube 2\tnames/flowjo.tsv")
    study, _ = read_study(written_study.path)
    one, two = study.imports["S1"], study.imports["S2"]
    assert (one.gates, one.names, one.gates_sample) == ("data/a.wsp", "config/names/flowjo.tsv", "")
    assert two.gates_sample == "tube 2"


def test_all_faults_at_once(written_study: WrittenStudy) -> None:
    with_imports(
        written_study,
        "S1\tb.wsp\tNA\tnames/flowjo.tsv",
        "S3\ta.wsp\tNA\tnames/flowjo.tsv",
        "F1\ta.wsp\tNA\tnames/flowjo.tsv",
        "S2\t../a.wsp\tNA\t../names.tsv",
        "D1\ta.wsp\tNA\tnames/flowjoo.tsv",
        "S1\ta.wsp\tNA\tnames/typo.tsv",
    )
    written_study.replace("samples.tsv", "fmo\tCD56", "single_stain\tCD56")
    written_study.write("names/typo.tsv", ["gate\tpopulation", "NK cells\tnkk", "B\tb_cells"])
    faults = [str(fault) for fault in examine_study(written_study.path).faults]
    expected = [
        "imports.tsv, row 2, column gates: there is no file 'data/b.wsp'. Did you mean 'a.wsp'?",
        "imports.tsv, row 3, column sample: samples.tsv has no 'S3'",
        "imports.tsv, row 4, column sample: a sample of role single_stain is not gated",
        "imports.tsv, row 5, column gates: '../a.wsp' does not stay within data_dir",
        "imports.tsv, row 5, column names: '../names.tsv' does not stay within config/",
        "imports.tsv, row 7, column sample: 'S1' stands in row 2 already",
        "config/names/flowjoo.tsv: there is no such file. Is it 'flowjo.tsv'?",
        "config/names/typo.tsv, row 2, column population: the gating table of panel main has no population 'nkk'",
    ]
    assert len(faults) == len(expected)
    for part in expected:
        assert any(part in fault for fault in faults), part


def test_a_study_without_the_sheet_has_none(written_study: WrittenStudy) -> None:
    assert not read_study(written_study.path)[0].imports


def test_gates_from_elsewhere_are_changed_where_they_were_drawn(written_study: WrittenStudy) -> None:
    with_imports(written_study, "S1\ta.wsp\tNA\tnames/flowjo.tsv")
    change = ["sample: S1", "population: nk", "method: rectangle", "settings: 'x=0.42:'"]
    written_study.write("overrides/nk.yaml", [*change, "who: A", "when: 2026-03-01T10:00:00Z", "why: seen"])
    faults = [str(fault) for fault in examine_study(written_study.path).faults]
    assert len(faults) == 1
    assert "row 2, column sample: 'S1' has gates that were drawn elsewhere and overrides (nk)" in faults[0]
