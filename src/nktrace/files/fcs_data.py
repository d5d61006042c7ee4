"""DATA of an FCS file, decoded exactly: blocks of records, native columns, values on the scale."""

from __future__ import annotations

from collections.abc import Iterator
from io import BufferedReader
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nktrace.files.fcs_layout import Layout
from nktrace.files.fcs_parameters import Parameter
from nktrace.model.errors import UnreadableFcs
from nktrace.model.events import FloatArray

BLOCK_BYTES = 1 << 18  # a block of records stays in the cache while its columns are taken out
SMALLEST_BLOCK = 256
TABLE_BITS = 16
STORAGE_BITS = (8, 16, 32, 64)


def record_type(layout: Layout) -> np.dtype[np.void]:
    """One event as a numpy record: a field per parameter; integers of 3, 5, 6 or 7 bytes as bytes."""
    order = ">" if layout.big_endian else "<"
    formats: list[str] = []
    for parameter in layout.parameters:
        width = parameter.bits // 8
        if parameter.kind != "I":
            formats.append(f"{order}f{width}")
        else:
            formats.append(f"{order}u{width}" if width in (1, 2, 4, 8) else f"({width},)u1")
    return np.dtype([(f"{parameter.number}", text) for parameter, text in zip(layout.parameters, formats, strict=True)])


def native_type(parameter: Parameter) -> np.dtype[Any]:
    """The smallest native type that holds the parameter's values."""
    if parameter.kind != "I":
        return np.dtype(f"f{parameter.bits // 8}")
    return np.dtype(f"u{next(bits for bits in STORAGE_BITS if bits >= parameter.bits) // 8}")


def blocks(stream: BufferedReader, layout: Layout, *, where: str) -> Iterator[tuple[slice, list[NDArray[Any]]]]:
    """The events block by block: their rows, and one exact column per parameter, valid until the next block.

    Raises:
        UnreadableFcs: the file ends before its DATA does.
    """
    record = None if layout.packed else record_type(layout)
    event_bits = layout.event_bits
    rows = max(SMALLEST_BLOCK, BLOCK_BYTES * 8 // event_bits) // 8 * 8  # a multiple of 8: packed blocks end with a byte
    buffer = bytearray(-(-min(rows, layout.event_count) * event_bits // 8))
    stream.seek(layout.begin)
    for begin in range(0, layout.event_count, rows):
        count = min(rows, layout.event_count - begin)
        wanted = -(-count * event_bits // 8)
        if stream.readinto(memoryview(buffer)[:wanted]) != wanted:
            raise UnreadableFcs("the file became shorter while it was read", where=f"{where}, DATA")
        if record is None:
            columns = unpack(np.frombuffer(buffer, np.uint8, wanted), layout, count)
        else:
            records = np.frombuffer(buffer, record, count)
            columns = [records[f"{parameter.number}"] for parameter in layout.parameters]
        pairs = zip(columns, layout.parameters, strict=True)
        yield (
            slice(begin, begin + count),
            [native(column, parameter, big_endian=layout.big_endian) for column, parameter in pairs],
        )


def unpack(data: NDArray[np.uint8], layout: Layout, count: int) -> list[NDArray[Any]]:
    """Integers that share bytes: one stream of bits, the most significant first."""
    bits = np.unpackbits(data)[: count * layout.event_bits].reshape(count, layout.event_bits)
    columns: list[NDArray[Any]] = []
    begin = 0
    for parameter in layout.parameters:
        values = np.zeros(count, native_type(parameter))
        for place in range(begin, begin + parameter.bits):
            values = (values << values.dtype.type(1)) | bits[:, place]
        columns.append(values)
        begin += parameter.bits
    return columns


def native(column: NDArray[Any], parameter: Parameter, *, big_endian: bool) -> NDArray[Any]:
    """A column as integers or floats, exact: odd widths joined, unused bits masked. Bytes may still be swapped."""
    if column.ndim == 2:
        joined = np.zeros(len(column), native_type(parameter))
        width = column.shape[1]
        for place in range(width):
            shift = width - 1 - place if big_endian else place
            joined |= column[:, place].astype(joined.dtype) << joined.dtype.type(8 * shift)
        column = joined
    if parameter.mask is None:
        return column
    masked: NDArray[Any] = np.bitwise_and(column, native_type(parameter).type(parameter.mask))
    return masked


def raw(stream: BufferedReader, layout: Layout, *, where: str) -> list[NDArray[Any]]:
    """The columns as they are stored: exact, native byte order, shape (events,) each."""
    columns = [np.empty(layout.event_count, native_type(parameter)) for parameter in layout.parameters]
    for rows, block in blocks(stream, layout, where=where):
        for column, part in zip(columns, block, strict=True):
            column[rows] = part
    return columns


def scale_values(stream: BufferedReader, layout: Layout, dtype: np.dtype[Any], *, where: str) -> FloatArray:
    """The events on the scale, shape (events, parameters), column-major."""
    values: FloatArray = np.empty((layout.event_count, len(layout.parameters)), dtype, order="F")
    tables = [_log_table(parameter, dtype) for parameter in layout.parameters]
    with np.errstate(over="ignore", invalid="ignore"):  # float64 beyond float32 becomes inf, NaN stays NaN
        for rows, block in blocks(stream, layout, where=where):
            for index, (parameter, column, table) in enumerate(zip(layout.parameters, block, tables, strict=True)):
                _scale(column, parameter, table, values[rows, index])
    return values


def _scale(
    column: NDArray[Any], parameter: Parameter, table: NDArray[np.floating] | None, out: NDArray[np.floating]
) -> None:
    """Into `out`, computed in float64."""
    if table is not None:
        out[:] = table[column]
    elif parameter.decades > 0:
        out[:] = amplified(column, parameter)
    elif parameter.step != 1:
        np.multiply(column, parameter.step, out=out, dtype=np.float64, casting="same_kind")
    elif parameter.gain != 1:
        np.divide(column, parameter.gain, out=out, dtype=np.float64, casting="same_kind")
    else:
        out[:] = column


def amplified(channel: NDArray[Any], parameter: Parameter) -> NDArray[np.float64]:
    """The value of a channel under the log amplifier: 10^(f1 x / R) f2 (FCS 3.1, `$PnE`)."""
    exponent = parameter.decades * channel.astype(np.float64) / parameter.range
    values: NDArray[np.float64] = 10**exponent * parameter.log_zero
    return values


def _log_table(parameter: Parameter, dtype: np.dtype[Any]) -> NDArray[np.floating] | None:
    """The value of every channel, where there are few."""
    largest = parameter.mask if parameter.mask is not None else (1 << parameter.bits) - 1
    if parameter.decades == 0 or largest >= 1 << TABLE_BITS:
        return None
    return amplified(np.arange(largest + 1), parameter).astype(dtype)
