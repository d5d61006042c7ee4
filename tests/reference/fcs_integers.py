"""Integers of an FCS file, decoded one by one from the bits: slow, to be read beside the standard."""

from __future__ import annotations

from collections.abc import Sequence


def decode(
    data: bytes, *, widths: Sequence[int], ranges: Sequence[int], events: int, big_endian: bool
) -> list[list[int]]:
    """One list of integers per parameter.

    Whole bytes: a value's bytes stand in the file's order. Other widths: the bits of all values follow each other,
    the most significant first. Bits above the next power of two of `$PnR` are not part of the value.
    """
    columns: list[list[int]] = [[] for _ in widths]
    position = 0
    for _ in range(events):
        for column, width, channels in zip(columns, widths, ranges, strict=True):
            bits = [_bit(data, position + place) for place in range(width)]
            position += width
            if not big_endian:
                chunks = [bits[at : at + 8] for at in range(0, width, 8)]
                bits = [bit for chunk in reversed(chunks) for bit in chunk]
            value = sum(bit << place for place, bit in enumerate(reversed(bits)))
            power = 1
            while power < channels:
                power *= 2
            column.append(value % power)
    return columns


def _bit(data: bytes, position: int) -> int:
    return data[position // 8] >> (7 - position % 8) & 1
