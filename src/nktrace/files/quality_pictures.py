"""Pictures of quality checks between the steps: quality.npz, plain arrays with a JSON text for the words."""

from __future__ import annotations

import json
import zipfile
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from nktrace.files.arrays import write_arrays
from nktrace.model.errors import NktraceError
from nktrace.model.quality_pictures import (
    ControlPicture,
    Course,
    DriftPicture,
    FlowPicture,
    QualityPictures,
    SpillPicture,
)

_KINDS: dict[str, type] = {"flow": FlowPicture, "spill": SpillPicture, "control": ControlPicture}


def write_quality_pictures(path: Path | str, pictures: QualityPictures) -> None:
    """Write quality.npz: `words` (JSON), and each array as `{picture}.{field}`; courses are `course{i}`."""
    words: dict[str, dict[str, Any]] = {}
    arrays: dict[str, Any] = {}
    drawn = {name: getattr(pictures, name) for name in _KINDS}
    if pictures.drift:
        words["drift"] = {"limit": pictures.drift.limit, "courses": len(pictures.drift.courses)}
        drawn |= {f"course{i}": course for i, course in enumerate(pictures.drift.courses)}
    for name, picture in drawn.items():
        if picture is None:
            continue
        values = {field.name: getattr(picture, field.name) for field in fields(picture)}
        words[name] = {key: value for key, value in values.items() if not isinstance(value, np.ndarray)}
        arrays |= {f"{name}.{key}": value for key, value in values.items() if isinstance(value, np.ndarray)}
    write_arrays(path, {"words": np.array(json.dumps(words))} | arrays)


def read_quality_pictures(path: Path | str) -> QualityPictures:
    """Read what `write_quality_pictures` wrote.

    Raises:
        NktraceError: the file is missing or is none.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            words = json.loads(str(arrays["words"]))
            found = {name: _read(kind, name, words, arrays) for name, kind in _KINDS.items() if name in words}
            if drift := words.get("drift"):
                courses = tuple(_read(Course, f"course{i}", words, arrays) for i in range(drift["courses"]))
                found["drift"] = DriftPicture(courses=courses, limit=drift["limit"])
            return QualityPictures(**found)
    except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise NktraceError(
            f"holds no pictures of quality checks: {error}", where=str(path), mend="Run `nktrace gate` again"
        ) from None


def _read(kind: type, name: str, words: dict[str, Any], arrays: Any) -> Any:
    """A picture of its words and arrays; JSON's lists were tuples."""
    known = {key: _tuples(value) for key, value in words[name].items()}
    return kind(**known, **{key.partition(".")[2]: arrays[key] for key in arrays.files if key.startswith(f"{name}.")})


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value
