"""config/config.yaml: read by the safe loader, checked against files/settings.py, every fault with its line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from nktrace.files.nearest import nearest, suggestion
from nktrace.files.settings import Settings
from nktrace.files.yaml_text import faults_of_yaml
from nktrace.model.errors import Fault, StudyFaults


@dataclass(frozen=True, slots=True)
class ExaminedSettings:
    """What could be read of config.yaml.

    Attributes:
        settings: None where there are faults.
        raw: the mapping that the file holds.
        lines: the line of each name, by its place.
        faults: all of them.
    """

    settings: Settings | None
    faults: list[Fault]
    raw: dict[str, Any] = field(default_factory=dict)
    lines: dict[tuple[str, ...], int] = field(default_factory=dict)


def read_settings(path: Path | str) -> Settings:
    """The settings of a study.

    Raises:
        StudyFaults: all faults of the file at once.
    """
    examined = examine_settings(Path(path))
    if examined.settings is None:
        raise StudyFaults(examined.faults)
    return examined.settings


def examine_settings(path: Path, *, shown: str = "") -> ExaminedSettings:
    """The settings and their faults; `shown` is the name of the file in faults, the path by default."""
    file = shown or str(path)

    try:
        with faults_of_yaml(file):
            root = yaml.compose(path.read_text(encoding="utf-8-sig"), Loader=yaml.SafeLoader)
            raw = {} if root is None else yaml.SafeLoader("").construct_document(root)
    except StudyFaults as error:
        return ExaminedSettings(None, list(error.faults))
    if not isinstance(raw, dict):
        return ExaminedSettings(None, [Fault(file=file, what="the settings are not `name: value` lines")])
    lines = dict(_lines(root))
    faults = [
        Fault(file=file, row=line, column=".".join(place), what="the setting stands twice", mend="Keep one.")
        for place, line in _repeated(root)
    ]
    settings = None
    try:
        settings = Settings.model_validate(raw)
    except ValidationError as error:
        for problem in error.errors(include_url=False, include_context=False):
            place = tuple(str(part) for part in problem["loc"])
            faults.append(_fault(file, place, lines, problem["type"], problem["msg"], problem["input"]))
    if not str(raw.get("data_dir", "?")).strip():
        faults.append(Fault(file=file, row=lines.get(("data_dir",)), column="data_dir", what="it is empty"))
    return ExaminedSettings(None if faults else settings, faults, raw, lines)


def setting_names(model: type[BaseModel] = Settings, prefix: str = "") -> Iterator[str]:
    """The dotted names of all settings, sections included."""
    for name, info in model.model_fields.items():
        yield prefix + name
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            yield from setting_names(info.annotation, f"{prefix}{name}.")


def _fault(
    file: str, place: tuple[str, ...], lines: dict[tuple[str, ...], int], kind: str, what: str, given: Any
) -> Fault:
    row = next((lines[place[:end]] for end in range(len(place), 0, -1) if place[:end] in lines), None)
    mend = ""
    if kind == "extra_forbidden":
        what, mend = "there is no such setting", _mend_name(place)
    elif kind == "missing":
        what, mend = "the setting is missing", "Write where the FCS files are, relative to the study."
    else:
        what = f"{given!r}: {what[:1].lower()}{what[1:]}" if isinstance(given, str | int | float | None) else what
    return Fault(file=file, row=row, column=".".join(place), what=what, mend=mend)


def _mend_name(place: tuple[str, ...]) -> str:
    """The nearest setting of the same section, else the one of that name elsewhere."""
    names = list(setting_names())
    siblings = [name for name in names if name.split(".")[:-1] == list(place[:-1])]
    here = nearest(place[-1], [name.split(".")[-1] for name in siblings])
    if here is not None:
        return f"Did you mean '{'.'.join((*place[:-1], here))}'?"
    elsewhere = {name.split(".")[-1]: name for name in names}
    far = nearest(place[-1], elsewhere)
    return f"Did you mean '{elsewhere[far]}'?" if far else suggestion(place[-1], siblings)


def _lines(node: yaml.Node | None, place: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], int]]:
    """The line of every name, by its place. Aliases are followed to the depth of settings only."""
    if not isinstance(node, yaml.MappingNode) or len(place) > 3:
        return
    for key, value in node.value:
        here = (*place, str(key.value))
        yield here, key.start_mark.line + 1
        yield from _lines(value, here)


def _repeated(node: yaml.Node | None, place: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], int]]:
    """Names that stand twice in one mapping, which YAML readers pass over in silence."""
    if not isinstance(node, yaml.MappingNode) or len(place) > 3:
        return
    seen: set[str] = set()
    for key, value in node.value:
        name = str(key.value)
        if name in seen:
            yield (*place, name), key.start_mark.line + 1
        seen.add(name)
        yield from _repeated(value, (*place, name))
