"""config/overrides/: what an analyst may write of a gate, and every fault of it with file, line and key."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nktrace.files.installation import home
from nktrace.files.overrides import COLUMNS, Hierarchy, load_overrides
from nktrace.files.provenance import collect
from nktrace.files.rows import dump_overrides
from nktrace.files.sheets import examine_study, read_study
from nktrace.model.errors import StudyFaults
from nktrace.model.gates import METHODS, PolygonSettings, RectangleSettings
from nktrace.model.overrides import ShiftSettings
from tests.conftest import WrittenStudy

RIGHT = {
    "sample": "S2",
    "population": "nk",
    "method": "rectangle",
    "settings": "'x=0.42:'",
    "who": "A. Analyst",
    "when": "2026-03-01T10:00:00Z",
    "why": "cut through the NK cells",
}


def text_of(**changes: str | None) -> str:
    return "".join(f"{key}: {value}\n" for key, value in (RIGHT | changes).items() if value is not None)


def faults_of(study: WrittenStudy) -> list[str]:
    return [str(fault) for fault in examine_study(study.path).faults]


def test_an_override_sets_a_gate(written_study: WrittenStudy) -> None:
    written_study.write("overrides/nk.yaml", text_of())
    study, _ = read_study(written_study.path)
    (override,) = study.overrides_of(study.samples["S2"])
    assert override.change.settings == RectangleSettings(x=(0.42, float("inf")))
    assert (override.change.markers, override.change.parent) == (("CD56",), "cd3_neg")
    assert override.reason == "override by A. Analyst at 2026-03-01T10:00:00Z: cut through the NK cells"
    assert override.file == "config/overrides/nk.yaml"
    assert study.overrides_of(study.samples["S1"]) == ()


def test_a_tube_that_is_not_gated_has_no_gate_to_change(written_study: WrittenStudy) -> None:
    written_study.replace("samples.tsv", "fmo\tCD56", "single_stain\tCD56")
    written_study.write("overrides/nk.yaml", text_of(sample="F1"))
    (fault,) = faults_of(written_study)
    assert "row 1, column sample: 'F1' is single_stain, which is not gated" in fault


def test_a_file_may_hold_a_list_and_a_gate_other_channels(written_study: WrittenStudy) -> None:
    corners = "points=0.1,0.2 0.3,0.2\n    0.3,0.4"  # over two lines, as a long polygon stands
    items = [
        text_of(method="shift", settings="x=-0.05"),
        text_of(population="cd3", method="polygon", channels="CD3,CD56", settings=corners),
    ]
    lines = ["- " + item.replace("\n", "\n  ").replace("\n    0.3", "\n      0.3").rstrip() for item in items]
    written_study.write("overrides/two.yaml", "\n".join(lines) + "\n")
    study, _ = read_study(written_study.path)
    cd3, nk = study.overrides_of(study.samples["S2"])
    assert nk.change == ShiftSettings(x=-0.05)
    assert cd3.change.markers == ("CD3", "CD56")
    assert cd3.change.settings == PolygonSettings(((0.1, 0.2), (0.3, 0.2), (0.3, 0.4)))


def test_that_of_a_sample_goes_before_that_of_its_batch(written_study: WrittenStudy) -> None:
    written_study.write("overrides/batch.yaml", text_of(sample=None, batch="B1", panel="main"))
    written_study.write("overrides/one.yml", text_of(method="shift", settings="x=0.1"))
    study, _ = read_study(written_study.path)
    methods = {name: [o.method for o in study.overrides_of(sample)] for name, sample in study.samples.items()}
    assert methods == {"S1": ["rectangle"], "S2": ["shift"], "D1": ["rectangle"], "F1": ["rectangle"]}


def test_words_and_empty_files_beside_overrides_are_no_fault(written_study: WrittenStudy) -> None:
    written_study.write("overrides/README.md", "who may change gates")
    written_study.write("overrides/.gitkeep", "")
    written_study.write("overrides/none.yaml", "# nothing yet\n")
    study, _ = read_study(written_study.path)
    assert study.overrides == ()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"sample": "S3"}, "row 1, column sample: samples.tsv has no 'S3'"),
        ({"sample": None}, "column sample: whose gate is it? Write sample, or batch and panel."),
        ({"batch": "B1"}, "column sample: it is of a sample, or of a batch of a panel"),
        ({"sample": None, "batch": "B1"}, "column sample: whose gate is it?"),
        ({"sample": None, "batch": "B2", "panel": "main"}, "column batch: samples.tsv has no batch 'B2' of panel main"),
        (
            {"sample": None, "batch": "B1", "panel": "mian"},
            "column panel: no sample has the panel 'mian'. Did you mean",
        ),
        ({"population": "nkk"}, "row 2, column population: the gating of panel main has no 'nkk'. Did you mean 'nk'?"),
        ({"population": "b_cells"}, "has no 'b_cells': panel main has no CD19 or CD20"),
        ({"population": "singlets"}, "has no 'singlets': panel main has no FSC-H or FSC-W"),
        ({"method": "rectangel"}, "row 3, column method: there is no 'rectangel'. Did you mean 'rectangle'?"),
        ({"settings": "x=0.4"}, "row 4, column settings: x=0.4: bounds are min:max"),
        ({"settings": "'x=0.4:;y=0.1:'"}, "column settings: bounds for 2 channel(s) where there are 1"),
        ({"settings": "'x=0.4:;z=1'"}, "column settings: rectangle has no setting 'z'"),
        ({"settings": None}, "column settings: rectangle needs the setting 'x'"),
        ({"settings": "'x=0.4:;optional=yes'"}, "column settings: optional is of the gating table"),
        ({"settings": "[0.4]"}, "column settings: a text is needed"),
        ({"settings": "x=0.4:"}, "this is not YAML: mapping values are not allowed here"),
        ({"channels": "CD57"}, "column channels: panel main has no CD57. Did you mean 'CD56'?"),
        (
            {"method": "polygon", "settings": "points=0,0 1,0 1,1"},
            "column channels: 1 channel(s), where polygon takes 2",
        ),
        ({"method": "shift", "settings": "x=0"}, "column settings: it moves nothing"),
        ({"method": "shift", "settings": "y=0.1"}, "column settings: y=0.1, where nk has one channel"),
        ({"method": "shift", "settings": "x=a"}, "column settings: x=a: 'a' is not a number"),
        ({"method": "shift", "settings": "x=1", "channels": "CD3"}, "column channels: a gate is moved on its own"),
        ({"method": "shift", "settings": "x=1", "population": "time"}, "time is gated by time, which can't be moved"),
        ({"method": "shift", "settings": "x=1", "population": "nk_dim"}, "by boolean, which can't be moved"),
        ({"method": "boolean", "settings": "of=cd3 & nk_dim"}, "column settings: 'nk_dim' stands below this row"),
        ({"method": "boolean", "settings": "of=!"}, "column settings: boolean `!` ends where a population"),
        ({"method": "control", "settings": "of=b_cells"}, "column settings: there is no population 'b_cells'"),
        (
            {"method": "valley", "settings": "anchor=cd4"},
            "column settings: there is no population 'cd4'. Did you mean 'cd3'?",
        ),
        ({"method": "ellipse", "settings": "mean=1,1;covariance=1,2,1", "channels": "CD3,CD56"}, "covariance"),
        ({"who": "''"}, "column who: it is empty or NA, and its value is needed"),
        ({"who": None}, "column who: the key is missing"),
        ({"why": "~"}, "column why: it is empty or NA"),
        ({"why": '"a\\u202eb"'}, "column why: 'a\\u202eb' has invisible characters"),
        (
            {"when": "2026-03-01"},
            "row 6, column when: '2026-03-01' is not a date and time in UTC. Write it as 2026-03-01T10",
        ),
        ({"when": "2026-03-01T10:00:00+01:00"}, "is not a date and time in UTC"),
        ({"when": "2026-02-30T10:00Z"}, "column when: '2026-02-30T10:00Z' is not a moment of the calendar"),
        (
            {"reference_version": "2"},
            "on the scale of reference 2, and config.yaml uses reference 1. Check the gate on",
        ),
        ({"reason": "x"}, "row 8, column reason: there is no key 'reason'"),
        ({"populaton": "nk"}, "column populaton: there is no key 'populaton'. Did you mean 'population'?"),
        ({"why": "a\nwhy: b"}, "column why: the key stands twice"),
    ],
)
def test_a_fault_says_file_line_and_key(written_study: WrittenStudy, changes: dict[str, str], says: str) -> None:
    written_study.write("overrides/nk.yaml", text_of(**changes))
    found = faults_of(written_study)
    assert len(found) == 1, found
    assert found[0].startswith("config/overrides/nk.yaml")
    assert says in found[0]


def test_all_faults_come_at_once(written_study: WrittenStudy) -> None:
    written_study.write("overrides/a.yaml", text_of(population="kn", who=None, when="yesterday", whi="x"))
    written_study.write("overrides/b.yaml", "- no key\n- [1, 2]\n")
    written_study.write("overrides/c.json", "{}")
    text = "\n".join(faults_of(written_study))
    for says in (
        "a.yaml, row 2, column population: ",
        "a.yaml, row 1, column who: the key is missing",
        "a.yaml, row 5, column when: 'yesterday'",
        "a.yaml, row 7, column whi: there is no key 'whi'. Did you mean",
        "b.yaml, row 1: an override is `key: value` lines",
        "b.yaml, row 2: an override is `key: value` lines",
        "c.json: only files that end in .yaml are read here",
    ):
        assert says in text
    assert text.count("\n") == 6


def test_two_overrides_of_one_gate_name_both_places(written_study: WrittenStudy) -> None:
    written_study.write("overrides/a.yaml", text_of())
    written_study.write("overrides/b.yaml", text_of(why="another opinion"))
    (fault,) = faults_of(written_study)
    assert fault.startswith("config/overrides/b.yaml, row 2, ")
    assert "is overridden in config/overrides/a.yaml, row 2, too" in fault


def test_a_new_reference_asks_for_a_new_look(written_study: WrittenStudy) -> None:
    written_study.write("config.yaml", "data_dir: data\nreference_version: 2\n")
    written_study.write("overrides/a.yaml", text_of())
    (fault,) = faults_of(written_study)
    assert "Check the gate on the new scale, then write reference_version: 2." in fault
    written_study.write("overrides/a.yaml", text_of(reference_version="2"))
    assert faults_of(written_study) == []


def test_a_fault_elsewhere_is_not_told_again(written_study: WrittenStudy) -> None:
    written_study.write("overrides/a.yaml", text_of())
    written_study.replace("samples.tsv", "s2.fcs", "s3.fcs")
    assert len(faults_of(written_study)) == 1
    written_study.replace("samples.tsv", "s3.fcs", "s2.fcs")
    written_study.replace("panels/main.tsv", "BB7.2", "BB7.3")
    assert len(faults_of(written_study)) == 1


KEYS = st.sampled_from([column.name for column in COLUMNS]) | st.text(max_size=8)
WORDS = st.sampled_from(
    [
        *(
            *METHODS,
            "shift",
            "S2",
            "nk",
            "cd3",
            "time",
            "main",
            "B1",
            "CD56",
            "CD3,CD56",
            "x=:",
            "x=1",
            "of=nk",
            "of=(((",
        ),
        *("sign=-", "NA", "~", "-", "1", "points=0,0 1,0 0,1", "2026-03-01T10:00:00Z", "a: b", "x=nan", "x=1e999:"),
    ]
)
VALUES = WORDS | st.text(max_size=12) | st.lists(st.text(max_size=3), max_size=2).map(str) | st.text("-:#&*!|>{[ ")


@given(st.lists(st.dictionaries(KEYS, VALUES, max_size=9), max_size=3), st.booleans(), st.binary(max_size=30))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_anything_is_read_or_refused(
    written_study: WrittenStudy, entries: list[dict[str, str]], as_list: bool, noise: bytes
) -> None:
    lines = [
        f"{'- ' if as_list and not i else ''}{key}: {value}"
        for e in entries
        for i, (key, value) in enumerate(e.items())
    ]
    written_study.write("overrides/a.yaml", "\n".join(lines).encode(errors="replace"))
    written_study.write("overrides/b.yaml", text_of(population="cd3").encode() + noise)
    examined = examine_study(written_study.path)
    assert all(fault.file.startswith("config/overrides/") for fault in examined.faults)
    assert all(str(fault).isprintable() for fault in examined.faults)


def test_a_step_reads_what_a_rule_hands_it(written_study: WrittenStudy) -> None:
    written_study.write("overrides/a.yaml", text_of())
    written_study.write(
        "overrides/b.yaml",
        text_of(population="cd3", method="polygon", channels="'CD3,CD56'", settings="points=0,0 1,0 0,1"),
    )
    written_study.write("overrides/c.yaml", text_of(population="t_cells", method="shift", settings="x=0.1"))
    examined = examine_study(written_study.path)
    study = examined.study
    hierarchy = hierarchy_of(written_study)
    written = dump_overrides(study.overrides_of(study.samples["S2"]))
    read = load_overrides(written, hierarchy)
    assert {name: o.change for name, o in read.items()} == {o.population: o.change for o in study.overrides}
    assert {o.why for o in read.values()} == {RIGHT["why"]}
    assert dump_overrides(study.overrides_of(study.samples["S1"])) == "[]"
    with pytest.raises(StudyFaults, match="no 'kn'"):
        load_overrides(written.replace('"nk"', '"kn"'), hierarchy)


def test_the_name_of_the_file_reruns_nothing(written_study: WrittenStudy) -> None:
    written_study.write("overrides/a.yaml", text_of())
    before = read_study(written_study.path)[0].overrides
    (written_study.path / "config/overrides/a.yaml").rename(written_study.path / "config/overrides/b.yaml")
    assert dump_overrides(read_study(written_study.path)[0].overrides) == dump_overrides(before)


def test_provenance_says_who_when_why_and_from_which_file(written_study: WrittenStudy) -> None:
    written_study.write("overrides/a.yaml", text_of())
    (record,) = collect(written_study.path)["overrides"]
    assert record.pop("reference_version") == 1
    sha256 = record.pop("sha256")
    assert record == RIGHT | {"settings": "x=0.42:", "file": "config/overrides/a.yaml"}
    assert collect(written_study.path)["configuration"]["files"]["config/overrides/a.yaml"] == sha256
    written_study.write("overrides/a.yaml", text_of(why="another"))
    assert collect(written_study.path)["overrides"][0]["sha256"] != sha256


def hierarchy_of(study: WrittenStudy) -> Hierarchy:
    from nktrace.files.gating_table import read_gating_table
    from nktrace.science.gating.tree import resolve

    panel = examine_study(study.path).panels["main"]
    assert panel is not None
    return Hierarchy(panel, *resolve(read_gating_table(home() / "resources/gating/nk.tsv"), panel))
