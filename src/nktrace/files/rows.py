"""Rows of the study's sheets as JSON on a command line: exactly the values that a step uses, and no more."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from nktrace.model.errors import SettingsError
from nktrace.model.overrides import Override
from nktrace.model.study import Patient, Role, Sample


@dataclass(frozen=True, slots=True)
class PatientRow:
    """A patient with the samples that its steps use: timeline, donor references, and pooled blanks if it needs them.

    `others` are the patients whose blanks are pooled: by their typing these serve, or do not, for an antibody.
    """

    patient: Patient
    samples: tuple[Sample, ...]
    infusions: tuple[Mapping[str, str], ...] = ()
    events: tuple[Mapping[str, str], ...] = ()
    others: tuple[Patient, ...] = ()


def dump_sample(sample: Sample) -> str:
    return json.dumps(_plain(asdict(sample)), sort_keys=True)


def load_sample(text: str) -> Sample:
    """A sample from its JSON row.

    Raises:
        SettingsError: the text is not such a row.
    """
    return _sample(_object(text, "--sample"))


def dump_patient(row: PatientRow) -> str:
    return json.dumps(_plain(asdict(row)), sort_keys=True)


def load_patient(text: str) -> PatientRow:
    """A patient and its samples from their JSON row.

    Raises:
        SettingsError: the text is not such a row.
    """
    row = _object(text, "--patient")
    return PatientRow(
        patient=Patient(**_with_nan(Patient, row["patient"])),
        samples=tuple(_sample(sample) for sample in row["samples"]),
        infusions=tuple(row.get("infusions", ())),
        events=tuple(row.get("events", ())),
        others=tuple(Patient(**_with_nan(Patient, other)) for other in row.get("others", ())),
    )


def dump_rows(rows: Iterable[Mapping[str, object]]) -> str:
    """Any short list of facts, such as one per sample, as JSON."""
    return json.dumps([_plain(dict(row)) for row in rows], sort_keys=True)


def dump_overrides(overrides: Iterable[Override]) -> str:
    """What an analyst made of a sample's gates, as written; where it is written changes no result."""
    left_out = ("change", "file", "reference_version")
    written = ({field.name: getattr(override, field.name) for field in fields(override)} for override in overrides)
    return dump_rows({name: text for name, text in row.items() if text and name not in left_out} for row in written)


def load_rows(text: str, option: str = "--rows") -> list[dict[str, Any]]:
    """The list that `dump_rows` wrote.

    Raises:
        SettingsError: the text is not a JSON list of objects.
    """
    try:
        rows = json.loads(text)
    except json.JSONDecodeError as error:
        raise SettingsError(f"not JSON ({error})", where=option) from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise SettingsError("not a JSON list of objects", where=option)
    return rows


def _sample(row: dict[str, Any]) -> Sample:
    values = _with_nan(Sample, row)
    values["role"] = Role(values["role"])
    return Sample(**values)


def _object(text: str, option: str) -> dict[str, Any]:
    try:
        row = json.loads(text)
    except json.JSONDecodeError as error:
        raise SettingsError(f"not JSON ({error})", where=option) from None
    if not isinstance(row, dict):
        raise SettingsError("not a JSON object", where=option)
    return row


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and math.isnan(value):
        return None
    return value


def _with_nan(kind: type, row: dict[str, Any]) -> dict[str, Any]:
    floats = {field.name for field in fields(kind) if field.type == "float"}
    return {key: math.nan if value is None and key in floats else value for key, value in row.items()}
