from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nktrace.files.embedding import read_embeddings, write_embeddings
from nktrace.model.errors import NktraceError
from tests.pages.study_rows import an_embedding

NOTHING = {
    "rows": np.empty(0, np.int64),
    "places": np.empty((0, 2), np.float32),
    "values": np.empty((0, 2), np.float32),
    "cluster": np.empty(0, np.int32),
    "subset": np.empty(0, np.str_),
}


def test_what_is_written_is_read_and_twice_the_same_bytes(tmp_path: Path) -> None:
    written = [an_embedding("p1"), an_embedding("p2", **NOTHING, method="", reason="µ − <b>")]
    write_embeddings(tmp_path / "embedding.npz", written)
    first = (tmp_path / "embedding.npz").read_bytes()
    for one, other in zip(read_embeddings(tmp_path / "embedding.npz"), written, strict=True):
        for name in ("panel", "method", "reason", "samples"):
            assert getattr(one, name) == getattr(other, name)
        assert tuple(one.markers) == tuple(other.markers)
        for name in NOTHING:
            assert np.array_equal(getattr(one, name), getattr(other, name))
            assert getattr(one, name).dtype.kind == getattr(other, name).dtype.kind
    write_embeddings(tmp_path / "embedding.npz", written)
    assert (tmp_path / "embedding.npz").read_bytes() == first


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04", b"no archive"])
def test_another_file_is_refused_by_name(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "embedding.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(NktraceError, match="holds no embeddings"):
        read_embeddings(path)
