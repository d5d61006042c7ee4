"""FCS files, written: list mode, little-endian floats, every keyword kept."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from nktrace.files.atomic import replacing
from nktrace.files.fcs_text import BLANKS, HEADER_BYTES, LAYOUT, STANDARD_NAME, Keywords, number
from nktrace.model.events import Events

WRITABLE = ("3.0", "3.1", "3.2")
LARGEST_IN_HEADER = 99_999_999
DELIMITERS = "\x0c/|\\!~^#*\x1e"
OFFSET_DIGITS = 12
BLOCK_EVENTS = 4096
NO_CHECKSUM = b"00000000"
SEGMENTS = ("$BEGINANALYSIS", "$ENDANALYSIS", "$BEGINSTEXT", "$ENDSTEXT", "$NEXTDATA")

Given = Mapping[str, str] | Iterable[tuple[str, str]] | None


def write_fcs(
    path: Path | str,
    events: Events,
    *,
    labels: Sequence[str] | None = None,
    tops: Sequence[float] | None = None,
    keywords: Given = None,
    version: str = "3.1",
) -> None:
    """Write events so that `read_fcs(path).scale_values()` gives them back.

    float32 events are written as type F, float64 ones as D. The values are those of the scale: `$PnE` is 0,0,
    `$PnG` is left out and `$TIMESTEP` is 1 (Time is in seconds) whatever `keywords` says of them, but it is left
    out if `keywords` comes from a file that has none; likewise all that describes layout and names is made new.
    Every other keyword is kept, in its order, repeated ones too; an empty value becomes a blank, which FCS has for it.
    ANALYSIS is not written.
    The bytes depend on the arguments only.

    Args:
        path: the file; it is replaced whole or not at all.
        events: values and names of the columns.
        labels: `$PnS`, '' for none; none at all if not given.
        tops: `$PnR`, nan where unknown; if not given, just above the largest finite value.
        keywords: a mapping or pairs; the `Keywords` of a file that was read keep what it repeats.
        version: 3.0, 3.1 or 3.2.

    Raises:
        ValueError: a number of labels or tops unlike the columns, a keyword without name,
            a keyword of the standard as a value, an unknown version.
    """
    if version not in WRITABLE:
        raise ValueError(f"FCS {version} is not written, only {', '.join(WRITABLE)}")
    count = len(events.channels)
    if labels is None:
        labels = [""] * count
    if tops is None:
        tops = [_top(events, index) for index in range(count)]
    pairs = [*_parameter_pairs(events, labels, tops, step=_seconds(keywords)), *_kept(keywords, count)]
    values = events.values
    kind = "D" if values.dtype == np.float64 else "F"
    size = len(events) * count * (8 if kind == "D" else 4)
    text, begin = _text(kind, len(events), count, size, pairs)
    with replacing(path) as draft, draft.open("wb") as stream:
        stream.write(_header(version, begin, size))
        stream.write(text)
        _write_data(stream, values, "<f8" if kind == "D" else "<f4")
        stream.write(NO_CHECKSUM)


def _seconds(keywords: Given) -> bool:
    """Whether Time is known to be in seconds: a file without `$TIMESTEP` has it in ticks."""
    return not isinstance(keywords, Keywords) or number(keywords.get("$TIMESTEP", "")) is not None


def _parameter_pairs(
    events: Events, labels: Sequence[str], tops: Sequence[float], *, step: bool
) -> list[tuple[str, str]]:
    bits = "64" if events.values.dtype == np.float64 else "32"
    pairs: list[tuple[str, str]] = []
    columns = zip(events.channels, labels, tops, strict=True)
    for n, (name, label, top) in enumerate(columns, start=1):
        pairs += [(f"$P{n}N", name), (f"$P{n}B", bits), (f"$P{n}E", "0,0"), (f"$P{n}R", _number(top))]
        if label:
            pairs.append((f"$P{n}S", label))
    if step and any(name.lower() == "time" for name in events.channels):
        pairs.append(("$TIMESTEP", "1"))
    return pairs


def _kept(keywords: Given, count: int) -> list[tuple[str, str]]:
    """The given keywords without those that are made new."""
    if keywords is None:
        return []
    if isinstance(keywords, Keywords):
        pairs: Iterable[tuple[str, str]] = keywords.pairs
    else:
        pairs = keywords.items() if isinstance(keywords, Mapping) else keywords
    labels = {f"$P{n}S" for n in range(1, count + 1)}
    made = {*SEGMENTS, *labels}
    kept = [(name, value) for name, value in pairs if not LAYOUT.fullmatch(name) and name.upper() not in made]
    for name, value in kept:
        if not name.strip(BLANKS) or STANDARD_NAME.fullmatch(value.strip(BLANKS)):
            raise ValueError(f"{value[:40]!r} cannot be written as the value of {name[:40]!r}")
    return kept


def _delimiter(pairs: Sequence[tuple[str, str]]) -> str:
    """The first that stands in no text, else the first that stands in no keyword and is doubled in the values."""
    names = [name for name, _ in pairs]
    texts = [*names, *(value for _, value in pairs)]
    for among in (texts, names):
        for delimiter in DELIMITERS:
            if not any(delimiter in text for text in among):
                return delimiter
    raise ValueError(f"all of the delimiters {DELIMITERS!r} stand in keywords")


def _text(kind: str, events: int, count: int, size: int, pairs: Sequence[tuple[str, str]]) -> tuple[bytes, int]:
    """TEXT, and the first byte of DATA behind it."""
    delimiter = _delimiter(pairs)

    def render(begin: int) -> bytes:
        layout = [
            ("$BEGINANALYSIS", "0"),
            ("$ENDANALYSIS", "0"),
            ("$BEGINSTEXT", "0"),
            ("$ENDSTEXT", "0"),
            ("$BEGINDATA", f"{begin:0{OFFSET_DIGITS}}"),
            ("$ENDDATA", f"{begin + max(size, 1) - 1:0{OFFSET_DIGITS}}"),
            ("$BYTEORD", "1,2,3,4"),
            ("$DATATYPE", kind),
            ("$MODE", "L"),
            ("$NEXTDATA", "0"),
            ("$PAR", str(count)),
            ("$TOT", str(events)),
        ]
        tokens = [
            token.replace(delimiter, 2 * delimiter) if token.strip(BLANKS) else " "
            for pair in (*layout, *pairs)
            for token in pair
        ]
        return (delimiter + "".join(token + delimiter for token in tokens)).encode()

    begin = HEADER_BYTES + len(render(0))
    return render(begin), begin


def _header(version: str, begin: int, size: int) -> bytes:
    end = begin + max(size, 1) - 1
    data = (begin, end) if end <= LARGEST_IN_HEADER else (0, 0)
    offsets = (HEADER_BYTES, begin - 1, *data, 0, 0)
    return (f"FCS{version}    " + "".join(f"{offset:>8}" for offset in offsets)).encode()


def _write_data(stream: BinaryIO, values: np.ndarray, dtype: str) -> None:
    for begin in range(0, len(values), BLOCK_EVENTS):
        stream.write(np.ascontiguousarray(values[begin : begin + BLOCK_EVENTS], dtype).tobytes())


def _top(events: Events, index: int) -> float:
    column = events.values[:, index]
    finite = column[np.isfinite(column)]
    return float(max(1.0, math.floor(finite.max()) + 1)) if finite.size else 1.0


def _number(top: float) -> str:
    """Without a decimal point where there is no fraction; 0 for an unknown top, which no range can be."""
    if not math.isfinite(top):
        return "0"
    return str(int(top)) if float(top).is_integer() else repr(float(top))
