"""Pictures of gates between the steps: one .npz of plain arrays, with a JSON text for the words."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nktrace.files.arrays import write_arrays
from nktrace.model.errors import NktraceError
from nktrace.model.pictures import Picture


def write_pictures(path: Path | str, pictures: Sequence[Picture]) -> None:
    """Write pictures.npz: `pictures` (JSON), `counts{i}` and `outline{i}_{j}`."""
    words = [
        {
            "population": picture.population,
            "parent": picture.parent,
            "channels": picture.channels,
            "x_range": picture.x_range,
            "y_range": picture.y_range,
            "outlines": len(picture.outlines),
            "parent_events": picture.parent_events,
            "events": picture.events,
            "x_ticks": picture.x_ticks,
            "y_ticks": picture.y_ticks,
            "expression": picture.expression,
        }
        for picture in pictures
    ]
    arrays: dict[str, Any] = {"pictures": np.array(json.dumps(words))}
    for i, picture in enumerate(pictures):
        arrays[f"counts{i}"] = picture.counts
        arrays |= {f"outline{i}_{j}": line for j, line in enumerate(picture.outlines)}
    write_arrays(path, arrays)


def read_pictures(path: Path | str) -> tuple[Picture, ...]:
    """Read what `write_pictures` wrote.

    Raises:
        NktraceError: the file is missing or is none.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            words = json.loads(str(arrays["pictures"]))
            return tuple(_picture(i, word, arrays) for i, word in enumerate(words))
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise NktraceError(
            f"holds no pictures of gates: {error}", where=str(path), mend="Run `nktrace gate` again"
        ) from None


def _picture(i: int, word: dict[str, Any], arrays: Any) -> Picture:
    return Picture(
        population=word["population"],
        parent=word["parent"],
        channels=(word["channels"][0], word["channels"][1]),
        x_range=(word["x_range"][0], word["x_range"][1]),
        y_range=(word["y_range"][0], word["y_range"][1]),
        counts=arrays[f"counts{i}"],
        outlines=tuple(arrays[f"outline{i}_{j}"] for j in range(word["outlines"])),
        parent_events=word["parent_events"],
        events=word["events"],
        x_ticks=tuple((position, value) for position, value in word["x_ticks"]),
        y_ticks=tuple((position, value) for position, value in word["y_ticks"]),
        expression=word["expression"],
    )
