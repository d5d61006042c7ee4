"""HEADER and TEXT of an FCS file: where the segments lie, and the keywords.

Layout: FCS 2.0 (Cytometry 11:323, 1990), 3.0 (Cytometry 28:118, 1997), 3.1 (Cytometry A 77:97, 2010) and
3.2 (Cytometry A 99:100, 2021).

A doubled delimiter is the standard's escape for the delimiter itself; it forbids empty values, but instruments
write them, also as two delimiters. Which one is meant follows from where it stands:

- inside a value it is an escaped delimiter (a keyword is never empty, so nothing else can be meant);
- after a keyword it ends the keyword and an empty value (no instrument escapes delimiters in keywords);
- three or more after a keyword end the keyword and begin a value with escaped delimiters.

A file in which this leaves a keyword without value, or a keyword of the standard as a value, is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO

from nktrace.model.errors import UnreadableFcs, UnsupportedFcs

VERSIONS = ("2.0", "3.0", "3.1", "3.2")
HEADER_BYTES = 58
LARGEST_TEXT = 1 << 24
EXPORT_AGAIN = "Export the file again from the cytometer's software as FCS 3.1, list mode"

# Keywords that say how DATA is to be read: they must be neither cut off nor given twice with two values.
LAYOUT = re.compile(
    r"\$(BEGINDATA|ENDDATA|BEGINSTEXT|ENDSTEXT|BYTEORD|DATATYPE|MODE|NEXTDATA|PAR|TOT|TIMESTEP"
    r"|P\d+(B|E|G|N|R|DATATYPE))",
    re.IGNORECASE | re.ASCII,
)
BLANKS = " \t\r\n\0"
STANDARD_NAME = re.compile(r"\$[A-Z][A-Z0-9]+")


class Keywords(Mapping[str, str]):
    """The keywords of a file, in its order, all of them.

    Looked up without regard to case, `$` included; of a keyword that stands there twice the first value is given
    (`every` gives all). Iterating gives each name once. A value of blanks only is the empty string, which FCS
    cannot write otherwise.
    """

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self.pairs = tuple(pairs)
        self._values: dict[str, list[str]] = {}
        self._names: dict[str, str] = {}
        for name, value in self.pairs:
            self._values.setdefault(name.upper(), []).append(value)
            self._names.setdefault(name.upper(), name)

    def __getitem__(self, name: str) -> str:
        return self._values[name.upper()][0]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names.values())

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.upper() in self._values

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Keywords) and self.pairs == other.pairs

    def __hash__(self) -> int:
        return hash(self.pairs)

    def __repr__(self) -> str:
        return f"Keywords({list(self.pairs)!r})"

    def every(self, name: str) -> tuple[str, ...]:
        """All values of a keyword, in the file's order."""
        return tuple(self._values.get(name.upper(), ()))


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes of a segment, counted from the data set's first byte; `end` is its last byte. (0, 0) is none."""

    begin: int
    end: int

    @property
    def length(self) -> int:
        return self.end - self.begin + 1 if self.begin > 0 else 0


@dataclass(frozen=True, slots=True)
class Header:
    """What the first 58 bytes of a data set say."""

    version: str
    text: Span
    data: Span


def whole(text: str) -> int | None:
    """A whole number that is not negative, as in `$PAR`; None if it is none."""
    match = re.fullmatch(r"\+?(\d{1,20})(\.0*)?", text.strip(BLANKS), re.ASCII)
    return int(match[1]) if match else None


def number(text: str) -> float | None:
    """A finite number, as in `$PnG`; None if it is none."""
    match = re.fullmatch(r"[+-]?(\d{1,40}(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?", text.strip(BLANKS), re.ASCII)
    value = float(match[0]) if match else float("inf")
    return value if abs(value) != float("inf") else None


def read_header(stream: BinaryIO, *, base: int, where: str) -> Header:
    """The HEADER at byte `base`.

    Raises:
        UnreadableFcs: it is not FCS, too short, or an offset is no number.
        UnsupportedFcs: the version is none of VERSIONS.
    """
    stream.seek(base)
    header = stream.read(HEADER_BYTES)
    if header[:3] != b"FCS":
        raise UnreadableFcs("it does not begin with FCS: this is no FCS file", where=where)
    version = header[3:6].decode("latin-1")
    if version not in VERSIONS:
        raise UnsupportedFcs(f"FCS version {version!r} is not read", where=where, mend=EXPORT_AGAIN)
    if len(header) < HEADER_BYTES - 16:  # ANALYSIS, which may be missing, is not read
        raise UnreadableFcs(f"the file ends within its HEADER, after {len(header)} bytes", where=where)
    offsets = [_offset(header[at : at + 8], at, where) for at in (10, 18, 26, 34)]
    text, data = Span(*offsets[:2]), Span(*offsets[2:])
    if text.begin < HEADER_BYTES or text.length < 2:
        raise UnreadableFcs(
            f"TEXT cannot lie at bytes {text.begin} to {text.end}", where=f"{where}, HEADER bytes 10-25"
        )
    if data.begin == text.end:  # a known slip: the end of TEXT given as the byte after it
        text = Span(text.begin, text.end - 1)
    return Header(version, text, data)


def _offset(field: bytes, at: int, where: str) -> int:
    text = field.decode("latin-1").strip(" \0")
    value = whole(text) if text else 0
    if value is None:
        raise UnreadableFcs(f"the offset {text!r} is no number", where=f"{where}, HEADER byte {at}")
    return value


def read_keywords(
    stream: BinaryIO, header: Header, *, base: int, size: int, where: str
) -> tuple[Keywords, tuple[str, ...]]:
    """The keywords of TEXT and of the supplementary TEXT, and remarks on what was amiss but could be explained.

    Args:
        stream: the file.
        header: its HEADER.
        base: first byte of the data set.
        size: bytes of the file.
        where: name of the file for messages.

    Raises:
        UnreadableFcs: TEXT goes beyond the file, or does not part into keywords and values.
    """
    text = _segment(stream, header.text, base=base, size=size, where=f"{where}, TEXT")
    pairs, remarks = split_pairs(text, where=where)
    extra = _supplement(Keywords(pairs), where)
    if extra.length == 0 or extra.begin == header.text.begin:
        return Keywords(pairs), remarks
    supplement = _segment(stream, extra, base=base, size=size, where=f"{where}, supplementary TEXT")
    if supplement[:1] != text[:1]:
        remark = "the supplementary TEXT does not begin with the delimiter: it holds no keywords and is not read"
        return Keywords(pairs), (*remarks, remark)
    more, more_remarks = split_pairs(supplement, where=f"{where}, supplementary TEXT")
    return Keywords([*pairs, *more]), (*remarks, *more_remarks)


def _supplement(keywords: Keywords, where: str) -> Span:
    ends = [keywords.get(name) or "0" for name in ("$BEGINSTEXT", "$ENDSTEXT")]
    begin, end = (whole(text) for text in ends)
    if begin is None or end is None:
        raise UnreadableFcs(f"{ends[0]!r} to {ends[1]!r} are no offsets", where=f"{where}, $BEGINSTEXT/$ENDSTEXT")
    return Span(begin, end) if end > begin else Span(0, 0)


def _segment(stream: BinaryIO, span: Span, *, base: int, size: int, where: str) -> bytes:
    if base + span.end >= size:
        raise UnreadableFcs(
            f"it goes to byte {span.end}, the file ends at byte {size - base - 1}",
            where=where,
            mend="The file is cut off: copy it again",
        )
    if span.length > LARGEST_TEXT:
        raise UnsupportedFcs(f"{span.length} bytes of keywords are not read", where=where)
    stream.seek(base + span.begin)
    return stream.read(span.length)


def split_pairs(text: bytes, *, where: str) -> tuple[list[tuple[str, str]], tuple[str, ...]]:
    """Keywords and values of a TEXT segment that begins with its delimiter, and remarks.

    Raises:
        UnreadableFcs: the first byte is no delimiter, a keyword is empty or lacks its value, or the delimiter
            stands unescaped in a value, so that keywords and values change places.
    """
    delimiter = text[:1]
    if not 0 < delimiter[0] < 127 or delimiter == b"$" or delimiter.isalnum():
        raise UnreadableFcs(f"TEXT begins with {delimiter!r}, which is no delimiter", where=where, mend=EXPORT_AGAIN)
    pairs: list[tuple[str, str]] = []
    name: str | None = None
    token, begin = bytearray(), 1
    for run in re.compile(re.escape(delimiter) + b"+").finditer(text, 1):
        token += text[begin : run.start()]
        begin, count = run.end(), run.end() - run.start()
        if name is None:
            name = _decode(token).strip(BLANKS)
            if not name:
                raise UnreadableFcs("a keyword is empty", where=f"{where}, TEXT byte {run.start()}", mend=EXPORT_AGAIN)
            token, count = bytearray(), count - 1
        token += delimiter * (count // 2)
        if count % 2:
            pairs.append((name, _value(token, name, where)))
            name, token = None, bytearray()
    token += text[begin:]
    if name is None:
        if token.strip(BLANKS.encode()):
            raise UnreadableFcs(
                f"the keyword {_decode(token)[:40]!r} has no value: a delimiter is missing or not escaped",
                where=where,
                mend=EXPORT_AGAIN,
            )
        return pairs, ()
    if LAYOUT.fullmatch(name):
        raise UnreadableFcs("TEXT ends within the value", where=f"{where}, {name}", mend=EXPORT_AGAIN)
    pairs.append((name, _value(token, name, where)))
    return pairs, (f"TEXT ends without a delimiter: the value of {name[:40]!r} may be cut off",)


def _value(token: bytearray, name: str, where: str) -> str:
    value = _decode(token)
    if STANDARD_NAME.fullmatch(value.strip(BLANKS)):
        raise UnreadableFcs(
            f"{value.strip(BLANKS)[:40]} stands where the value of {name[:40]!r} should: a delimiter is not escaped",
            where=where,
            mend=EXPORT_AGAIN,
        )
    return value if value.strip(BLANKS) else ""


def _decode(token: bytearray) -> str:
    """UTF-8 as FCS 3.1 says, Latin-1 as older instruments write."""
    try:
        return token.decode("utf-8")
    except UnicodeDecodeError:
        return token.decode("latin-1")
