"""Schema, README and commented sheets say what the reader reads: they are made from the same columns and settings."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest
import yaml

import nktrace
from nktrace.files.configuration import setting_names
from nktrace.files.installation import home
from nktrace.files.settings import Settings
from nktrace.files.study_docs import SHEETS, commented_columns, commented_settings, generated, readme, settings_schema
from nktrace.model.gates import METHODS

LEAVES = sorted(name for name in setting_names() if not any(other.startswith(f"{name}.") for other in setting_names()))


@pytest.mark.parametrize(("path", "text"), generated().items(), ids=lambda value: getattr(value, "name", "text"))
def test_generated_files_are_up_to_date(path: Path, text: str) -> None:
    assert path.read_text(encoding="utf-8") == text, "run: python -m nktrace.files.study_docs"


def test_every_column_setting_and_method_is_explained() -> None:
    text = readme()
    assert "<!-- table" not in text
    for columns in SHEETS.values():
        for column in columns:
            assert f"| `{column.name}` |" in text
            assert len(column.doc) > 3
    for name in [*LEAVES, *METHODS]:
        assert f"| `{name}` |" in text
    assert all(len(row.split(" | ")) == 4 for row in text.split("\n") if row.startswith("| `") and row.count(" | ") > 1)


def test_every_setting_is_used_somewhere() -> None:
    package = Path(nktrace.__file__).parent
    sources = [p for p in package.rglob("*.py") if p.name not in ("settings.py", "study_docs.py", "configuration.py")]
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in sources]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    used = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    used |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    rules = "".join(path.read_text(encoding="utf-8") for path in (home() / "workflow" / "rules").glob("*.smk"))
    assert [n for n in LEAVES if n.split(".")[-1] not in used and f"SETTINGS.{n}" not in rules] == []


def test_the_schema_knows_every_setting_and_refuses_others() -> None:
    schema = json.loads(settings_schema())
    assert set(schema["properties"]) == set(Settings.model_fields)
    assert schema["required"] == ["data_dir"]
    assert schema["additionalProperties"] is False
    assert all(section["additionalProperties"] is False for section in schema["$defs"].values())


def test_the_commented_settings_are_the_defaults() -> None:
    text = commented_settings("fcs files")
    assert yaml.safe_load(text) == {"data_dir": "fcs files"}
    everything = yaml.safe_load(re.sub(r"^#(?! )|^#(?=  )", "", text, flags=re.MULTILINE))
    assert Settings.model_validate(everything) == Settings(data_dir="fcs files")
    assert {key for key, value in everything.items() if value is None} == set(), "no section is left out"
    assert list(everything) == list(Settings.model_fields)


def test_commented_columns_are_comments_only() -> None:
    for sheet, columns in SHEETS.items():
        lines = commented_columns(sheet).splitlines()
        assert all(line.startswith("# ") for line in lines)
        assert len(lines) == len(columns) + 1
