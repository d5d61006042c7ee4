"""Plain arrays between the steps: one .npz, the same bytes for the same arrays."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nktrace.files.atomic import replacing

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the least date of a zip archive: the same arrays give the same bytes


def write_arrays(path: Path | str, arrays: Mapping[str, Any]) -> None:
    """Write arrays by name; no objects, hence no pickles."""
    with replacing(path) as draft, zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name, array in arrays.items():
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, np.asarray(array), allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy", _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, buffer.getvalue())
