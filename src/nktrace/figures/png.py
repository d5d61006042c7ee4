"""The least PNG that a density picture needs: one byte per pixel into a palette."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def data_uri(pixels: NDArray[np.uint8], palette: Sequence[tuple[int, int, int]]) -> str:
    """An image as a data URI; the first colour of the palette is transparent.

    Args:
        pixels: positions in the palette, shape (rows from the top, columns).
        palette: red, green and blue, at most 256.

    Source: Portable Network Graphics, third edition, W3C 2025 (colour type 3, filter 0).
    """
    rows, columns = pixels.shape
    lines = np.zeros((rows, columns + 1), dtype=np.uint8)  # each line begins with its filter: none
    lines[:, 1:] = pixels
    png = b"\x89PNG\r\n\x1a\n" + b"".join(
        (
            _chunk(b"IHDR", struct.pack(">IIBBBBB", columns, rows, 8, 3, 0, 0, 0)),
            _chunk(b"PLTE", bytes(value for color in palette for value in color)),
            _chunk(b"tRNS", b"\0"),
            _chunk(b"IDAT", zlib.compress(lines.tobytes(), 9)),
            _chunk(b"IEND", b""),
        )
    )
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
