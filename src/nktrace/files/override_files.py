"""config/overrides/*.yaml: an analyst's changes to single gates, one in a file or a list of them.

A file that is not read is a fault: a result must not look as if it had been applied.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from nktrace.files.gating_table import read_gating_table
from nktrace.files.overrides import COLUMNS, Hierarchy, parse_change, read_keys
from nktrace.files.sheet_text import Row, Sheet
from nktrace.files.yaml_text import faults_of_yaml
from nktrace.model.errors import Fault, StudyFaults
from nktrace.model.overrides import Override
from nktrace.model.panel import Panel
from nktrace.model.study import GATED_ROLES, Sample
from nktrace.science.gating.tree import resolve

_SUFFIXES = (".yaml", ".yml")
_SCOPE = ("sample", "batch", "panel")
_LONG = 50  # so much of an unknown key is shown


@dataclass(frozen=True, slots=True)
class Around:
    """What overrides refer to.

    Attributes:
        samples: by id, those without faults.
        named: the ids of all samples.
        hierarchies: by panel; None where its sheet or gating table has faults.
        version: of the reference in use; None where config.yaml has faults.
    """

    samples: Mapping[str, Sample]
    named: Collection[str]
    hierarchies: Mapping[str, Hierarchy | None]
    version: int | None


def examine_overrides(
    directory: Path,
    *,
    samples: Mapping[str, Sample],
    named: Collection[str],
    panels: Mapping[str, Panel | None],
    gating: Mapping[str, str],
    version: int | None,
) -> tuple[tuple[Override, ...], list[Fault]]:
    """All overrides of a study that can be read, and the faults of the others.

    Args:
        directory: the study.
        samples, named: its samples without faults, and the ids of all.
        panels, gating: by name, those in use; None for a panel with faults; paths within the study.
        version: of the reference in use; None where it is not known.
    """
    hierarchies = {
        name: _hierarchy(directory / gating[name], panel) for name, panel in panels.items() if name in gating
    }
    around = Around(samples, named, hierarchies, version)
    overrides: list[Override] = []
    rows: list[int] = []  # where each names its gate
    faults: list[Fault] = []
    for path in sorted((directory / "config" / "overrides").iterdir()):
        shown = f"config/overrides/{path.name}"
        if path.suffix == ".md" or path.name.startswith("."):
            continue
        if path.suffix not in _SUFFIXES or not path.is_file():
            mend = "Rename it, or move it away."
            faults.append(Fault(file=shown, what="only files that end in .yaml are read here", mend=mend))
            continue
        for number, texts, lines, strange in _entries(path, shown, faults):
            sheet = Sheet(shown, faults=strange)
            override = _override(number, texts, sheet, around)
            faults += [replace(fault, row=lines.get(fault.column, number)) for fault in sheet.faults]
            if override is not None:
                overrides.append(override)
                rows.append(lines["population"])
    faults += _twice(overrides, rows)
    return tuple(overrides), faults


def _hierarchy(gating: Path, panel: Panel | None) -> Hierarchy | None:
    if panel is None:
        return None
    try:
        return Hierarchy(panel, *resolve(read_gating_table(gating), panel))
    except StudyFaults:  # told where gating tables are read
        return None


# --- one file ---------------------------------------------------------------------------------------------------------

Entry = tuple[int, dict[str, str], dict[str, int], list[Fault]]


def _entries(path: Path, shown: str, faults: list[Fault]) -> Iterator[Entry]:
    """The mappings of a file: first line, text and line of each key, and the faults of their form."""
    try:
        with faults_of_yaml(shown):
            root = yaml.compose(path.read_text(encoding="utf-8-sig"), Loader=yaml.SafeLoader)
    except StudyFaults as error:
        faults += error.faults
        return
    for node in root.value if isinstance(root, yaml.SequenceNode) else [root] if root is not None else []:
        number = node.start_mark.line + 1
        if isinstance(node, yaml.MappingNode):
            yield number, *_texts(node, shown)
        else:
            mend = "Write sample, population, method, settings, who, when and why."
            faults.append(Fault(file=shown, row=number, what="an override is `key: value` lines", mend=mend))


def _texts(node: yaml.MappingNode, shown: str) -> tuple[dict[str, str], dict[str, int], list[Fault]]:
    """Every value as it is written: no date, number or tag of YAML is made of it."""
    texts: dict[str, str] = {}
    lines: dict[str, int] = {}
    sheet = Sheet(shown)
    names = [column.name for column in COLUMNS]
    for key, value in node.value:
        name = str(key.value)[:_LONG] if isinstance(key, yaml.ScalarNode) else "…"
        if name not in names:
            sheet.unknown(name, names, what=f"there is no key '{name}'", row=0, column=name)
        elif name in lines:
            sheet.fault("the key stands twice", column=name, mend="Keep one.")
        elif not isinstance(value, yaml.ScalarNode):
            sheet.fault("a text is needed", column=name, mend="Write key: value, the value in quotes if need be.")
        else:
            texts[name] = "" if value.tag.endswith(":null") else " ".join(value.value.split())
        lines[name] = key.start_mark.line + 1
    return texts, lines, sheet.faults


# --- one override -----------------------------------------------------------------------------------------------------


def _override(number: int, texts: Mapping[str, str], sheet: Sheet, around: Around) -> Override | None:
    row = read_keys(number, texts, sheet)
    panel = _panel(row, sheet, around) if all(name in row for name in _SCOPE) else None
    given, version = row.values.get("reference_version"), around.version
    if None not in (given, version) and given != version:
        what = f"the numbers are on the scale of reference {given:g}, and config.yaml uses reference {version}"
        mend = f"Check the gate on the new scale, then write reference_version: {version}."
        sheet.fault(what, row=number, column="reference_version", mend=mend)
    hierarchy = around.hierarchies.get(panel) if panel is not None else None
    if hierarchy is None:  # its faults are told elsewhere
        return None
    change = parse_change(row, hierarchy, sheet)
    if change is None or sheet.faults:
        return None
    values = row.values | {"reference_version": int(row["reference_version"])}
    return Override(**values, change=change, file=sheet.file)


def _panel(row: Row, sheet: Sheet, around: Around) -> str | None:
    """The panel whose hierarchy it is about; None, with a fault unless told elsewhere, where that is not known."""

    def fault(what: str, column: str, mend: str = "") -> None:
        sheet.fault(what, row=row.number, column=column, mend=mend)

    sample, batch, panel = row["sample"], row["batch"], row["panel"]
    if sample is not None and (batch, panel) != (None, None):
        fault("it is of a sample, or of a batch of a panel", "sample", "Take one of them away.")
    elif sample is not None and sample not in around.named:
        sheet.unknown(sample, around.named, what=f"samples.tsv has no '{sample}'", row=row.number, column="sample")
    elif sample is not None and sample in around.samples:
        tube = around.samples[sample]
        if tube.role in GATED_ROLES:
            return tube.panel
        fault(f"'{sample}' is {tube.role.value}, which is not gated", "sample")
    elif sample is None and (batch is None or panel is None):
        fault("whose gate is it?", "sample", "Write sample, or batch and panel.")
    elif sample is None:
        batches = {tube.batch for tube in around.samples.values() if tube.panel == panel}
        if panel not in around.hierarchies:
            what = f"no sample has the panel '{panel}'"
            sheet.unknown(panel, around.hierarchies, what=what, row=row.number, column="panel")
        elif batch not in batches:
            what = f"samples.tsv has no batch '{batch}' of panel {panel}"
            sheet.unknown(batch, batches, what=what, row=row.number, column="batch")
        else:
            return str(panel)
    return None


def _twice(overrides: Sequence[Override], rows: Sequence[int]) -> Iterator[Fault]:
    """Two overrides of one gate: which holds must not hang on the names of files."""
    first: dict[tuple[str | None, ...], str] = {}
    for override, row in zip(overrides, rows, strict=True):
        key = (override.sample, override.batch, override.panel, override.population)
        other = first.get(key)
        if other is not None:
            whose = override.sample or f"batch {override.batch} of panel {override.panel}"
            what = f"the gate {override.population} of {whose} is overridden in {other} too"
            yield Fault(file=override.file, row=row, column="population", what=what, mend="Keep one.")
        first.setdefault(key, f"{override.file}, row {row},")
