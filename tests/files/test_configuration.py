"""config.yaml."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nktrace.files.choices import from_json
from nktrace.files.configuration import examine_settings, read_settings
from nktrace.files.settings import Settings, part
from nktrace.model.errors import StudyFaults


def read(tmp_path: Path, content: str | bytes) -> Settings:
    path = tmp_path / "config.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_settings(path)


def test_only_data_dir_is_needed_and_the_rest_has_defaults(tmp_path: Path) -> None:
    assert read(tmp_path, "data_dir: data\n") == Settings(data_dir="data")
    changed = read(tmp_path, "data_dir: data\nchimerism:\n  min_separation: 0.7\nlevel: 9e-1\n")
    assert (changed.chimerism.min_separation, changed.level) == (0.7, 0.9)


def test_a_step_gets_what_it_uses_and_no_more(tmp_path: Path) -> None:
    text = part(read(tmp_path, "data_dir: data\nseed: 3\ngating: {bootstrap: 17}\n"), "gating")
    assert "data_dir" not in text
    assert (from_json(text).seed, from_json(text).gating.bootstrap) == (3, 17)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "config.yaml, column data_dir: the setting is missing"),
        ("data_dir: ''\n", "row 1, column data_dir: it is empty"),
        ("data_dir: x\nsede: 2\n", "row 2, column sede: there is no such setting. Did you mean 'seed'?"),
        ("data_dir: x\ngating:\n  boostrap: 2\n", "row 3, column gating.boostrap: there is no such setting. Did you"),
        ("data_dir: x\nmin_separation: 1\n", "Did you mean 'chimerism.min_separation'?"),
        ("data_dir: x\nseed: seven\n", "row 2, column seed: 'seven': input should be a valid integer"),
        ("data_dir: x\nlevel: 95\n", "row 2, column level: 95: input should be less than 1"),
        ("data_dir: x\nlevel: .nan\n", "row 2, column level: nan: "),
        ("data_dir: x\nkinetics:\n  thresholds: {nk: [a]}\n", "row 3, column kinetics.thresholds.nk.0: 'a'"),
        ("data_dir: x\nchimerism:\n  blank_cv: 0.001\n", "row 3, column chimerism.blank_cv: 0.001: it should be 0 (bl"),
        ("data_dir: x\nchimerism:\n  assumed_blank_cv: 30\n", "assumed_blank_cv: 30: input should be less than or eq"),
        ("data_dir: x\ngating: 3\n", "row 2, column gating: 3: "),
        ("data_dir: x\nseed: 1\nseed: 2\n", "row 3, column seed: the setting stands twice"),
        ("data_dir: x\n\tseed: 1\n", "row 2: this is not YAML"),
        ("- a\n", "not `name: value` lines"),
        ("data_dir: 2024-13-45\n", "a value can't be read"),
        ("data_dir: !!python/object/apply:os.system [ls]\n", "this is not YAML"),
        ("data_dir: " + "[" * 5_000, "a value can't be read"),
        (b"data_dir: \xb5\n", "byte 10 is not UTF-8"),
    ],
)
def test_each_fault_has_its_line(tmp_path: Path, content: str | bytes, says: str) -> None:
    with pytest.raises(StudyFaults) as caught:
        read(tmp_path, content)
    assert says in str(caught.value)
    assert len(caught.value.faults) == 1


def test_all_faults_come_at_once(tmp_path: Path) -> None:
    with pytest.raises(StudyFaults) as caught:
        read(tmp_path, "sede: 1\nlevel: 2\ncounts:\n  volume_unit: ml\n")
    assert [fault.column for fault in caught.value.faults] == ["data_dir", "level", "counts.volume_unit", "sede"]


@settings(max_examples=80, deadline=None)
@given(st.one_of(st.binary(max_size=80), st.text(alphabet="data_ir: \nseg{}[]&*!-1.'\"", max_size=80)))
def test_any_file_is_settings_or_faults(tmp_path_factory: pytest.TempPathFactory, content: bytes | str) -> None:
    path = tmp_path_factory.mktemp("any") / "config.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    examined = examine_settings(path)
    assert (examined.settings is None) == bool(examined.faults)
