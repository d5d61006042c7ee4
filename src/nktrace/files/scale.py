"""The scales of a panel, one per batch, as JSON: part of the frozen reference."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path

from nktrace.files.atomic import replacing
from nktrace.model.errors import ReferenceUnusable, SettingsError
from nktrace.model.transforms import Asinh, Linear, Logicle, Scale, Transform
from nktrace.science.transforms import check

KINDS: dict[str, type[Transform]] = {"linear": Linear, "asinh": Asinh, "logicle": Logicle}


def write_scales(path: Path | str, scales: Mapping[str, Scale]) -> None:
    """Write the scale of every batch. The same scales give the same bytes; numbers come back to the last bit."""
    document = {
        batch: {marker: _to_json(transform) for marker, transform in scale.transforms.items()}
        for batch, scale in sorted(scales.items())
    }
    with replacing(path) as draft:
        draft.write_text(json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def read_scales(path: Path | str) -> dict[str, Scale]:
    """Read what `write_scales` wrote: batch → scale, markers in the order in which they were written.

    Raises:
        ReferenceUnusable: no such file, or it is no file of scales.
    """
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8"))
        return {
            batch: Scale({marker: _from_json(entry) for marker, entry in markers.items()})
            for batch, markers in document.items()
        }
    except OSError as error:
        raise ReferenceUnusable(f"cannot be read: {error.strerror}", where=str(path)) from None
    except (ValueError, TypeError, KeyError, AttributeError, SettingsError) as error:
        raise ReferenceUnusable(f"is no file of scales: {error}", where=str(path)) from None


def _to_json(transform: Transform) -> dict[str, str | float]:
    kind = next(kind for kind, cls in KINDS.items() if isinstance(transform, cls))
    return {"transform": kind} | {name: float(value) for name, value in dataclasses.asdict(transform).items()}


def _from_json(entry: Mapping[str, str | float]) -> Transform:
    numbers = {name: float(value) for name, value in entry.items() if name != "transform"}
    transform = KINDS[str(entry["transform"])](**numbers)
    check(transform)
    return transform
