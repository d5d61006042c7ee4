"""How DATA of an FCS file is laid out: the byte order, the number of events and where they lie."""

from __future__ import annotations

from dataclasses import dataclass, replace

from nktrace.files.fcs_parameters import KeywordReader, Parameter, read_parameters
from nktrace.files.fcs_place import claims, count_events, locate
from nktrace.files.fcs_text import Header, Keywords, number


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How DATA is laid out.

    Attributes:
        parameters: the columns.
        event_count: events.
        begin: first byte of DATA in the file.
        big_endian: the byte order.
        next_data: first byte of the next data set, counted from this one's; 0 if it is the last.
        time_step: seconds per tick of Time; None if the file does not say.
        remarks: what was amiss but could be explained exactly.
    """

    parameters: tuple[Parameter, ...]
    event_count: int
    begin: int
    big_endian: bool
    next_data: int
    time_step: float | None
    remarks: tuple[str, ...]

    @property
    def event_bits(self) -> int:
        return sum(parameter.bits for parameter in self.parameters)

    @property
    def packed(self) -> bool:
        """Whether values begin within bytes."""
        return any(parameter.bits % 8 for parameter in self.parameters)


def read_layout(keywords: Keywords, header: Header, *, base: int, size: int, where: str) -> Layout:
    """The layout of a data set that begins at byte `base` of a file of `size` bytes.

    Raises:
        UnreadableFcs: keywords are missing, wrong, or contradict each other or the size of DATA.
        UnsupportedFcs: histograms, ASCII, a mixed byte order, little-endian values that share bytes.
    """
    read = KeywordReader(keywords, header.version, where, [])
    _check_mode(read)
    step = _time_step(read)
    parameters = read_parameters(read, step)
    big_endian = _big_endian(read)
    parameters, event_count, begin = _place(read, parameters, header, base=base, size=size)
    if big_endian is False and any(parameter.bits % 8 for parameter in parameters):
        raise read.unsupported("$PnB", "little-endian integers that share bytes have no order the standard defines")
    return Layout(
        parameters=parameters,
        event_count=event_count,
        begin=base + begin,
        big_endian=big_endian,
        next_data=read.whole("$NEXTDATA", 0),
        time_step=step,
        remarks=tuple(read.remarks),
    )


def _check_mode(read: KeywordReader) -> None:
    mode = read.text("$MODE") if read.version == "3.2" else read.required("$MODE")  # 3.2 knows only list mode
    if mode is not None and mode.upper() != "L":
        raise read.unsupported("$MODE", f"{mode[:40]!r} is no list of events")


def _big_endian(read: KeywordReader) -> bool:
    text = read.required("$BYTEORD")
    order = text.replace(" ", "").split(",")
    rising = [str(place + 1) for place in range(len(order))]
    if len(order) >= 2 and order == rising:
        return False
    if len(order) >= 2 and order == rising[::-1]:
        return True
    raise read.unsupported("$BYTEORD", f"the byte order {text[:40]!r} is not read")


def _time_step(read: KeywordReader) -> float | None:
    text = read.text("$TIMESTEP")
    step = number(text) if text is not None else None
    if text is not None and (step is None or step <= 0):
        read.remarks.append(f"$TIMESTEP {text[:40]!r} is no time: Time stays in ticks")
        return None
    return step


def _place(
    read: KeywordReader, parameters: tuple[Parameter, ...], header: Header, *, base: int, size: int
) -> tuple[tuple[Parameter, ...], int, int]:
    """The parameters (with the widths really stored), the number of events and the first byte of DATA."""
    found = claims(header, read.keywords, where=read.where)
    bits = sum(parameter.bits for parameter in parameters)
    if read.text("$TOT") is None and read.version == "2.0" and found:
        count = count_events(found[0].span, bits, where=read.where)
    else:
        count = read.whole("$TOT")
    if count == 0:
        if any(claim.span.length > 1 for claim in found):
            raise read.error("$TOT", f"no events, but DATA has {found[0].span.length} bytes")
        return parameters, 0, 0
    needed = _bytes(count, parameters)
    filled = _fill_bytes(parameters)
    lengths = {claim.span.length for claim in found}
    if needed not in lengths and needed + 1 not in lengths and _bytes(count, filled) in lengths:
        parameters, needed = filled, _bytes(count, filled)
        read.remarks.append("$PnB gives the bits in use: by the size of DATA each value fills whole bytes")
    begin, remarks = locate(
        found,
        needed=needed,
        text=header.text,
        room=size - base,
        what=f"{count} events of {bits} bits",
        where=read.where,
    )
    read.remarks.extend(remarks)
    return parameters, count, begin


def _bytes(count: int, parameters: tuple[Parameter, ...]) -> int:
    return -(-count * sum(parameter.bits for parameter in parameters) // 8)


def _fill_bytes(parameters: tuple[Parameter, ...]) -> tuple[Parameter, ...]:
    """The parameters with widths of whole bytes and masks for the bits in use.

    A known slip (Beckman Coulter CXP): `$PnB` 10 for values that are stored in 16 bits.
    """
    return tuple(
        parameter
        if parameter.bits % 8 == 0
        else replace(
            parameter,
            bits=-(-parameter.bits // 8) * 8,
            mask=parameter.mask if parameter.mask is not None else (1 << parameter.bits) - 1,
        )
        for parameter in parameters
    )
