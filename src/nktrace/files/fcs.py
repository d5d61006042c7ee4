"""FCS files: read strictly, or refused by name.

    file = read_fcs("tube.fcs")
    file.keywords["$CYT"], file.names, file.event_count
    events = file.scale_values()

Versions 2.0, 3.0, 3.1 and 3.2, list mode: integers of 1 to 64 bits, float32, float64 and mixtures of them, both
byte orders. What a maker is known to get wrong is read where size and keywords leave only one reading, and said in
`remarks`; all else is refused.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nktrace.files import fcs_data
from nktrace.files.fcs_layout import Layout, read_layout
from nktrace.files.fcs_parameters import Parameter
from nktrace.files.fcs_text import Keywords, read_header, read_keywords
from nktrace.files.fcs_write import write_fcs
from nktrace.model.errors import UnreadableFcs
from nktrace.model.events import Events

__all__ = ["FcsFile", "Keywords", "Parameter", "read_fcs", "write_fcs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FcsFile:
    """One data set of an FCS file, checked as far as HEADER, TEXT and the file's size allow.

    Attributes:
        path: the file.
        version: 2.0, 3.0, 3.1 or 3.2.
        keywords: every keyword.
        layout: how DATA is laid out.
        remarks: what was amiss but could be explained, in words; further data sets are named here too.
        header_only: the events were not asked for.
        stamp: size and time of the file when it was read, by which a later change is seen.
    """

    path: Path
    version: str
    keywords: Keywords
    layout: Layout
    remarks: tuple[str, ...]
    header_only: bool
    stamp: tuple[int, int]

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        return self.layout.parameters

    @property
    def event_count(self) -> int:
        return self.layout.event_count

    @property
    def time_step(self) -> float | None:
        """Seconds per tick of Time; None if the file does not say, then Time is in ticks."""
        return self.layout.time_step

    @property
    def names(self) -> tuple[str, ...]:
        """`$PnN`, unique."""
        return tuple(parameter.name for parameter in self.parameters)

    @property
    def labels(self) -> tuple[str, ...]:
        """`$PnS`, '' where there is none."""
        return tuple(parameter.label for parameter in self.parameters)

    @property
    def tops(self) -> tuple[float, ...]:
        """The top of the scale of each column (`$PnR` on the scale of the values); nan if the file does not say."""
        return tuple(parameter.top for parameter in self.parameters)

    def scale_values(self, dtype: type[np.float32 | np.float64] = np.float32) -> Events:
        """The events on the scale: `$PnE` and `$PnG` applied, Time in seconds, shape (events, parameters).

        NaN and infinite values of float files stay as they are; float64 values beyond float32 become infinite.

        Raises:
            UnreadableFcs: the file was changed since it was opened.
        """
        with self._open() as stream:
            return Events(fcs_data.scale_values(stream, self.layout, np.dtype(dtype), where=str(self.path)), self.names)

    def raw(self) -> list[NDArray[Any]]:
        """The columns as stored, without any scale: exact, unused bits masked, native byte order.

        Raises:
            UnreadableFcs: the file was changed since it was opened.
        """
        with self._open() as stream:
            return fcs_data.raw(stream, self.layout, where=str(self.path))

    @contextmanager
    def _open(self) -> Iterator[BufferedReader]:
        if self.header_only:
            raise ValueError(f"{self.path} was read with header_only: its events cannot be asked for")
        with _reading(self.path) as stream:
            if _stamp(stream) != self.stamp:
                raise UnreadableFcs("the file was changed since its header was read", where=str(self.path))
            yield stream


def read_fcs(path: Path | str, *, header_only: bool = False, data_set: int = 0) -> FcsFile:
    """Read HEADER and TEXT of an FCS file and check them against each other and the file's size.

    The events are read when `scale_values` or `raw` asks for them.

    Args:
        path: the file.
        header_only: the events will not be asked for.
        data_set: which of the file's data sets, from 0.

    Raises:
        UnreadableFcs: the file is cut off, contradicts itself or the standard.
        UnsupportedFcs: it is of a kind that is not read.
    """
    path = Path(path)
    with _reading(path) as stream:
        return _read(stream, path, header_only=header_only, data_set=data_set)


@contextmanager
def _reading(path: Path) -> Iterator[BufferedReader]:
    try:
        with path.open("rb") as stream:
            yield stream
    except OSError as error:
        raise UnreadableFcs(f"it cannot be read: {error.strerror or error}", where=str(path)) from error


def _stamp(stream: BufferedReader) -> tuple[int, int]:
    status = os.fstat(stream.fileno())
    return status.st_size, status.st_mtime_ns


def _read(stream: BufferedReader, path: Path, *, header_only: bool, data_set: int) -> FcsFile:
    stamp, base, where = _stamp(stream), 0, str(path)
    size = stamp[0]
    for index in range(data_set + 1):
        header = read_header(stream, base=base, where=where)
        keywords, remarks = read_keywords(stream, header, base=base, size=size, where=where)
        layout = read_layout(keywords, header, base=base, size=size, where=where)
        if index < data_set:
            base = _next(base, layout, size, where)
    if layout.next_data:
        remarks = (*remarks, "the file holds further data sets")
    return FcsFile(
        path=path,
        version=header.version,
        keywords=keywords,
        layout=layout,
        remarks=(*remarks, *layout.remarks),
        header_only=header_only,
        stamp=stamp,
    )


def _next(base: int, layout: Layout, size: int, where: str) -> int:
    if layout.next_data == 0 or base + layout.next_data >= size:
        raise UnreadableFcs("the file has no such data set", where=f"{where}, $NEXTDATA")
    return base + layout.next_data
