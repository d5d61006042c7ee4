"""What a study may hold, in words: schema, README and commented sheets, all from the columns and settings themselves.

`python -m nktrace.files.study_docs` writes workflow/schemas/settings.schema.json, config/README.md and docs/tables.md
anew; a test fails where they are behind.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from nktrace.files import gating_table, overrides, panels, population_names
from nktrace.files import sheet_columns as sheets
from nktrace.files.atomic import replacing
from nktrace.files.cells import Column
from nktrace.files.installation import home, resource
from nktrace.files.settings import Settings
from nktrace.files.table_docs import tables_page
from nktrace.model.gates import METHODS

SHEETS: dict[str, tuple[Column, ...]] = {
    "samples": sheets.SAMPLES,
    "patients": sheets.PATIENTS,
    "panels": panels.COLUMNS,
    "gating": gating_table.COLUMNS,
    "overrides": overrides.COLUMNS,
    "imports": sheets.IMPORTS,
    "names": population_names.COLUMNS,
    "infusions": sheets.INFUSIONS,
    "events": sheets.EVENTS,
    "external_chimerism": sheets.EXTERNAL_CHIMERISM,
    "reference_samples": sheets.REFERENCE_SAMPLES,
}
_BOUNDS = (
    ("exclusiveMinimum", "above"),
    ("minimum", "at least"),
    ("exclusiveMaximum", "below"),
    ("maximum", "at most"),
)


def settings_schema() -> str:
    """The JSON schema of config.yaml, for editors."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema"} | Settings.model_json_schema()
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def commented_settings(data_dir: str) -> str:
    """A config.yaml that sets `data_dir` only; every other setting stands there as a comment with its default."""
    lines = ["# Scientific choices of this study. A line that begins with '#' without a blank is a setting with its"]
    lines += ["# default: take the '#' away to set it (with the line of its section). Unknown names are errors.", ""]
    for name, field in Settings.model_fields.items():
        lines.append(f"# {field.description or _summary(field.annotation)}")
        if name == "data_dir":
            lines.append(f"data_dir: {_yaml(data_dir)}")
        elif section := _section(field.annotation):
            lines.append(f"#{name}:")
            for key, inner in section.model_fields.items():
                lines.append(f"#  # {' '.join((inner.description or '').split())}")
                lines.append(f"#  {key}: {_yaml(inner.get_default(call_default_factory=True))}")
        else:
            lines.append(f"#{name}: {_yaml(field.default)}")
        lines.append("")
    return "\n".join(lines)


def commented_columns(sheet: str) -> str:
    """Comment lines that explain each column of a sheet."""
    lines = ["# Lines that begin with '#' are comments. Cells are separated by tabs; NA means not available."]
    lines += [f"# {c.name}{' (needed)' if c.needed else ''}: {_plain(c.doc)}" for c in SHEETS[sheet]]
    return "\n".join(lines) + "\n"


def readme() -> str:
    """config/README.md: the prose of resources/study/README.md with its tables filled in."""
    tables = {name: _columns_table(columns) for name, columns in SHEETS.items()}
    tables |= {"settings": _settings_table(), "methods": _methods_table()}
    tables["overrides"] = _columns_table(overrides.COLUMNS, called="key")
    text = resource("study/README.md").read_text(encoding="utf-8")
    return re.sub(r"<!-- table: (\w+) -->", lambda match: tables[match[1]], text)


def write_docs() -> None:
    """Write the generated files of a checkout anew."""
    for path, text in generated().items():
        with replacing(path) as draft:
            draft.write_text(text, encoding="utf-8")


def generated() -> dict[Path, str]:
    """The files of a checkout that are made from the columns and settings, with what they should hold."""
    return {
        home() / "workflow" / "schemas" / "settings.schema.json": settings_schema(),
        home() / "config" / "README.md": readme(),
        home() / "docs" / "tables.md": tables_page(),
    }


def _columns_table(columns: Sequence[Column], *, called: str = "column") -> str:
    lines = [f"| {called} | needed | holds | meaning |", "|---|---|---|---|"]
    for column in columns:
        needed = "; ".join(filter(None, ["yes" if column.needed else "", column.when])) or "no"
        lines.append(f"| `{column.name}` | {needed} | {_cell(column.kind.says)} | {_cell(column.doc)} |")
    return "\n".join(lines)


def _settings_table() -> str:
    lines = ["| setting | default | holds | meaning |", "|---|---|---|---|"]
    definitions = Settings.model_json_schema()
    for name, default, schema in _leaves(Settings, definitions, ""):
        holds, doc = _cell(_holds(schema)), _cell(schema["description"])
        lines.append(f"| `{name}` | {default} | {holds} | {doc} |")
    return "\n".join(lines)


def _leaves(model: type[BaseModel], schema: dict[str, Any], prefix: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Dotted name, default as YAML, and schema of each setting."""
    for name, field in model.model_fields.items():
        if section := _section(field.annotation):
            yield from _leaves(section, section.model_json_schema(), f"{prefix}{name}.")
        else:
            default = "(needed)" if field.is_required() else f"`{_yaml(field.get_default(call_default_factory=True))}`"
            yield prefix + name, default, schema["properties"][name]


def _holds(schema: dict[str, Any]) -> str:
    words = {"integer": "whole number", "number": "number", "string": "text", "boolean": "true or false"}
    words |= {"array": "list of numbers", "object": "lists of numbers, by name"}
    options = schema.get("enum") or re.findall(r"\w+", schema.get("pattern", ""))
    if options:
        return "one of " + ", ".join(f"`{option}`" for option in options)
    if "anyOf" in schema:  # a value or null
        return " or ".join(_holds(each) for each in schema["anyOf"])
    if schema["type"] == "array" and schema["items"].get("type") == "string":
        return "list of names"
    bounds = " and ".join(f"{word} {schema[key]:g}" for key, word in _BOUNDS if key in schema)
    return f"{words.get(schema['type'], schema['type'])} {bounds}".strip()


def _methods_table() -> str:
    lines = ["| method | settings, with their defaults |", "|---|---|"]
    for name, settings in METHODS.items():
        text = " ".join((settings.__doc__ or "").split())
        lines.append(f"| `{name}` | {_cell(text.removeprefix(f'`{name}`: '))} |")
    return "\n".join(lines)


def _section(annotation: Any) -> type[BaseModel] | None:
    """The model of a group of settings; None for a single setting."""
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def _summary(annotation: Any) -> str:
    return (annotation.__doc__ or "").strip().split("\n")[0]


def _yaml(value: object) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, width=10_000, sort_keys=False)
    return text.removesuffix("\n").removesuffix("\n...").strip()


def _plain(text: str) -> str:
    return text.replace("`", "")


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    write_docs()
