"""Embeddings between the steps: one .npz of plain arrays, with a JSON text for the words."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nktrace.files.arrays import write_arrays
from nktrace.model.embedding import Embedding
from nktrace.model.errors import NktraceError

_WORDS = ("panel", "method", "reason", "samples", "markers")
_ARRAYS = ("rows", "places", "values", "cluster", "subset")


def write_embeddings(path: Path | str, embeddings: Sequence[Embedding]) -> None:
    """Write embedding.npz: `embeddings` (JSON), and the arrays `rows{i}`, `places{i}`, … of each."""
    words = [{name: getattr(embedding, name) for name in _WORDS} for embedding in embeddings]
    arrays: dict[str, Any] = {"embeddings": np.array(json.dumps(words))}
    for i, embedding in enumerate(embeddings):
        arrays |= {f"{name}{i}": getattr(embedding, name) for name in _ARRAYS}
    write_arrays(path, arrays)


def read_embeddings(path: Path | str) -> tuple[Embedding, ...]:
    """Read what `write_embeddings` wrote.

    Raises:
        NktraceError: the file is missing or is none.
    """
    try:
        with Path(path).open("rb") as handle, np.load(handle, allow_pickle=False) as arrays:
            words = json.loads(str(arrays["embeddings"]))
            return tuple(
                Embedding(**{name: word[name] for name in _WORDS}, **{name: arrays[f"{name}{i}"] for name in _ARRAYS})
                for i, word in enumerate(words)
            )
    except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise NktraceError(
            f"holds no embeddings: {error}", where=str(path), mend="Run `nktrace export-nk` again"
        ) from None
