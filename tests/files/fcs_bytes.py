"""FCS files built byte by byte, so that every fault can be put in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

BEGIN_DATA = 2000


def column(n: int, *, bits: int = 32, top: str = "1024", log: str = "0,0", name: str = "") -> dict[str, str]:
    """The keywords of parameter `n`."""
    return {f"$P{n}B": str(bits), f"$P{n}R": top, f"$P{n}E": log, f"$P{n}N": name or f"C{n}"}


def keywords(columns: Sequence[Mapping[str, str]], *, events: int, size: int, kind: str = "F") -> dict[str, str]:
    """All required keywords, for DATA of `size` bytes at BEGIN_DATA."""
    pairs = {
        "$BEGINANALYSIS": "0",
        "$BEGINDATA": str(BEGIN_DATA),
        "$BEGINSTEXT": "0",
        "$BYTEORD": "1,2,3,4",
        "$DATATYPE": kind,
        "$ENDANALYSIS": "0",
        "$ENDDATA": str(BEGIN_DATA + size - 1),
        "$ENDSTEXT": "0",
        "$MODE": "L",
        "$NEXTDATA": "0",
        "$PAR": str(len(columns)),
        "$TOT": str(events),
    }
    for described in columns:
        pairs |= described
    return pairs


def text_of(pairs: Mapping[str, str] | Sequence[tuple[str, str]], delimiter: str = "|") -> bytes:
    """A TEXT segment, nothing escaped."""
    items = pairs.items() if isinstance(pairs, Mapping) else pairs
    return (delimiter + "".join(f"{name}{delimiter}{value}{delimiter}" for name, value in items)).encode()


def file_of(
    text: bytes, data: bytes, *, version: str = "3.1", offsets: tuple[int, int] | None = None, tail: bytes = b""
) -> bytes:
    """HEADER, TEXT, DATA at BEGIN_DATA; `offsets` of DATA in HEADER if they are to be others than the true ones."""
    begin, end = offsets if offsets is not None else (BEGIN_DATA, BEGIN_DATA + len(data) - 1)
    header = f"FCS{version}    " + "".join(f"{value:>8}" for value in (58, 57 + len(text), begin, end, 0, 0))
    return (header.encode() + text).ljust(BEGIN_DATA) + data + tail
