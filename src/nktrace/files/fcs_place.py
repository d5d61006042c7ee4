"""Where the events of an FCS file lie: what HEADER and TEXT claim, held against `$TOT`, widths and the file's size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nktrace.files.fcs_text import BLANKS, EXPORT_AGAIN, HEADER_BYTES, Header, Keywords, Span, whole
from nktrace.model.errors import UnreadableFcs


@dataclass(frozen=True, slots=True)
class Claim:
    """A statement of the file about where DATA lies."""

    source: str
    span: Span


def claims(header: Header, keywords: Keywords, *, where: str) -> list[Claim]:
    """What HEADER and TEXT say, as far as they say something. FCS 2.0 has the place in HEADER only.

    Raises:
        UnreadableFcs: an offset of TEXT is no number.
    """
    found = [Claim("HEADER", header.data)] if header.data.begin > 0 else []
    if header.version == "2.0" and found:
        return found
    offsets = [keywords.get(name, "").strip(BLANKS) or "0" for name in ("$BEGINDATA", "$ENDDATA")]
    begin, end = (whole(text) for text in offsets)
    if begin is None or end is None:
        raise UnreadableFcs(
            f"{offsets[0][:40]!r} to {offsets[1][:40]!r} are no offsets", where=f"{where}, $BEGINDATA/$ENDDATA"
        )
    if begin > 0:
        found.append(Claim("TEXT", Span(begin, end)))
    return found


def locate(
    found: Sequence[Claim], *, needed: int, text: Span, room: int, what: str, where: str
) -> tuple[int, tuple[str, ...]]:
    """The first byte of DATA, counted from the data set's, and remarks.

    HEADER and TEXT may contradict each other: then the one that has exactly the size that the events need counts.
    A segment that is longer by one byte is read too: several makers give as its end the byte after it.

    Args:
        found: the claims.
        needed: bytes that the events need; above 0.
        text: the TEXT segment, which DATA cannot overlap.
        room: bytes from the data set's first to the end of the file.
        what: the events in words.
        where: the file, for messages.

    Raises:
        UnreadableFcs: no claim has the needed size, or two that have it differ, or the file is cut off.
    """
    if not found:
        raise UnreadableFcs("neither HEADER nor TEXT says where DATA lies", where=where, mend=EXPORT_AGAIN)
    sized = [claim for claim in found if claim.span.length in (needed, needed + 1)]
    fitting = [claim for claim in sized if _apart(claim.span.begin, needed, text)]
    if sized and not fitting:
        raise UnreadableFcs(
            f"DATA from byte {sized[0].span.begin} on would lie in HEADER or TEXT",
            where=f"{where}, $BEGINDATA",
            mend=EXPORT_AGAIN,
        )
    if not fitting:
        said = " and ".join(
            f"{claim.span.length} bytes from byte {claim.span.begin} by {claim.source}" for claim in found
        )
        raise UnreadableFcs(
            f"{what} need {needed} bytes, but DATA has {said}", where=f"{where}, $TOT and DATA", mend=EXPORT_AGAIN
        )
    inside = [claim for claim in fitting if claim.span.begin + needed <= room]
    if not inside:
        raise UnreadableFcs(
            f"DATA needs the bytes up to {fitting[0].span.begin + needed - 1}, the file ends at byte {room - 1}",
            where=f"{where}, DATA",
            mend="The file is cut off: copy it again",
        )
    if len({claim.span.begin for claim in inside}) > 1:
        raise UnreadableFcs(
            f"HEADER says that DATA begins at byte {found[0].span.begin}, TEXT at {found[1].span.begin}",
            where=f"{where}, $BEGINDATA",
            mend=EXPORT_AGAIN,
        )
    return inside[0].span.begin, tuple(_remarks(found, inside[0], needed))


def _apart(begin: int, needed: int, text: Span) -> bool:
    return begin >= HEADER_BYTES and (begin > text.end or begin + needed <= text.begin)


def _remarks(found: Sequence[Claim], taken: Claim, needed: int) -> list[str]:
    remarks = []
    if taken.span.length == needed + 1:
        remarks.append("the end of DATA is given one byte too late")
    if any(claim.span != taken.span for claim in found):
        remarks.append(f"HEADER and TEXT differ on where DATA lies: {taken.source} has the size of the events")
    return remarks


def count_events(span: Span, event_bits: int, *, where: str) -> int:
    """The number of events by the size of DATA, for FCS 2.0, where `$TOT` is not required.

    Raises:
        UnreadableFcs: DATA does not hold a whole number of events.
    """
    for length in (span.length, span.length - 1):
        if length >= 0 and length * 8 % event_bits == 0:
            return length * 8 // event_bits
    raise UnreadableFcs(
        f"DATA has {span.length} bytes, which is no whole number of events of {event_bits} bits",
        where=f"{where}, $TOT",
        mend=EXPORT_AGAIN,
    )
