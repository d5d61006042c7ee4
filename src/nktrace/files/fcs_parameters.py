"""The parameters (columns) of an FCS file, as its keywords describe them: type, width, range and scale."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from nktrace.files.fcs_text import BLANKS, EXPORT_AGAIN, Keywords, number, whole
from nktrace.model.errors import UnreadableFcs, UnsupportedFcs

Kind = Literal["I", "F", "D"]
FLOAT_BITS = {"F": 32, "D": 64}
LARGEST_FLOAT32_LOG10 = 38.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One column of the file, as its keywords describe it.

    Attributes:
        number: n of `$PnX`, from 1.
        name: `$PnN` without outer blanks, made unique; `Pn` if the file gives none.
        label: `$PnS`, '' if there is none.
        kind: I (unsigned integer), F (float32) or D (float64).
        bits: width in the file.
        range: `$PnR`; nan where a float column gives none that can be used (no number, or a logarithmic `$PnE`).
        mask: of the bits in use, for integers whose `$PnR` leaves some unused; else None.
        decades: of the log amplifier, 0 for linear; always 0 for float columns, as the standard demands.
        log_zero: the value of channel 0 under the log amplifier.
        gain: `$PnG`, by which linear values are divided; 1 for log and Time columns.
        step: seconds per tick for Time where `$TIMESTEP` is known; else 1.
    """

    number: int
    name: str
    label: str
    kind: Kind
    bits: int
    range: float
    mask: int | None
    decades: float
    log_zero: float
    gain: float
    step: float

    @property
    def top(self) -> float:
        """The top of the scale: `$PnR` on the scale of the values."""
        if self.decades > 0:
            return float(10**self.decades * self.log_zero)
        return self.range * self.step / self.gain


@dataclass(frozen=True, slots=True)
class KeywordReader:
    """Keywords, with named errors for what is missing, wrong or said twice, and remarks on what is only odd."""

    keywords: Keywords
    version: str
    where: str
    remarks: list[str]

    def text(self, name: str) -> str | None:
        """A keyword's value without blanks; None if it is missing or empty."""
        values = {value.strip(BLANKS) for value in self.keywords.every(name)}
        if len(values) > 1:
            raise self.error(
                name, f"the keyword stands there twice, with {' and '.join(sorted(repr(v[:40]) for v in values))}"
            )
        return (values.pop() or None) if values else None

    def required(self, name: str) -> str:
        text = self.text(name)
        if text is None:
            raise self.error(name, "the required keyword is missing")
        return text

    def whole(self, name: str, default: int | None = None) -> int:
        text = self.text(name) if default is not None else self.required(name)
        if text is None and default is not None:
            return default
        value = whole(text or "")
        if value is None:
            raise self.error(name, f"{(text or '')[:40]!r} is no whole number")
        return value

    def error(self, name: str, what: str) -> UnreadableFcs:
        return UnreadableFcs(what, where=f"{self.where}, {name}", mend=EXPORT_AGAIN)

    def unsupported(self, name: str, what: str) -> UnsupportedFcs:
        return UnsupportedFcs(what, where=f"{self.where}, {name}", mend=EXPORT_AGAIN)


def read_parameters(read: KeywordReader, step: float | None) -> tuple[Parameter, ...]:
    """All parameters; `step` is `$TIMESTEP`, None if unknown.

    Raises:
        UnreadableFcs: a keyword is missing or wrong.
        UnsupportedFcs: the type is ASCII.
    """
    count = read.whole("$PAR")
    if count == 0:
        raise read.error("$PAR", "there are no parameters")
    if count > len(read.keywords):
        raise read.error("$PAR", f"{count} parameters, but the file has {len(read.keywords)} keywords")
    names: set[str] = set()
    parameters = []
    for n in range(1, count + 1):
        parameter = _parameter(read, n, step, names)
        names.add(parameter.name)
        parameters.append(parameter)
    return tuple(parameters)


def _parameter(read: KeywordReader, n: int, step: float | None, taken: set[str]) -> Parameter:
    name = read.text(f"$P{n}N") or f"P{n}"
    is_time = name.lower() == "time" or (read.version == "3.2" and (read.text(f"$P{n}TYPE") or "").lower() == "time")
    kind, bits = _kind(read, n)
    span, mask = _range(read, n, kind, bits)
    if kind != "I" and not _is_linear(read, n):
        span = math.nan  # it counts channels of an amplifier, not values
    decades, log_zero = _amplification(read, n, kind, span, mask, bits)
    if decades > 0 and is_time:
        raise read.error(f"$P{n}E", "Time cannot be logarithmic")
    return Parameter(
        number=n,
        name=_unique(name, n, taken),
        label=(read.keywords.get(f"$P{n}S") or "").strip(BLANKS),
        kind=kind,
        bits=bits,
        range=span,
        mask=mask,
        decades=decades,
        log_zero=log_zero,
        gain=1.0 if is_time else _gain(read, n, decades),
        step=step if is_time and step is not None else 1.0,
    )


def _unique(name: str, n: int, taken: set[str]) -> str:
    """The name; where the file has given it already, with the parameter's number."""
    while name in taken:
        name = f"{name} (P{n})"
    return name


def _kind(read: KeywordReader, n: int) -> tuple[Kind, int]:
    name, kind = "$DATATYPE", read.required("$DATATYPE").upper()
    own = read.text(f"$P{n}DATATYPE")
    if own is not None and own.upper() != kind:
        name, kind = f"$P{n}DATATYPE", own.upper()
        if read.version != "3.2":
            raise read.error(name, f"a type of its own exists from FCS 3.2 on, this is {read.version}")
    if kind == "A":
        raise read.unsupported(name, "numbers as text (type A) are not read")
    if kind not in ("I", "F", "D"):
        raise read.error(name, f"there is no type {kind[:40]!r}")
    bits = read.whole(f"$P{n}B")
    if kind == "I":
        if not 1 <= bits <= 64:
            raise read.error(f"$P{n}B", f"integers of {bits} bits are not read")
        return "I", bits
    if bits != FLOAT_BITS[kind]:
        raise read.error(f"$P{n}B", f"a value of type {kind} has {FLOAT_BITS[kind]} bits, not {bits}")
    return ("F" if kind == "F" else "D"), bits


def _range(read: KeywordReader, n: int, kind: Kind, bits: int) -> tuple[float, int | None]:
    """`$PnR`, and for integers the mask of the bits in use: of the next power of two, as the standard says."""
    text = read.required(f"$P{n}R")
    span = number(text)
    if span is None or span <= 0:
        if kind == "I":
            raise read.error(f"$P{n}R", f"{text[:40]!r} is no range")
        read.remarks.append(f"$P{n}R {text[:40]!r} is no range: the top of the scale is unknown")
        return math.nan, None
    channels = whole(text) or math.ceil(span)
    used = (channels - 1).bit_length()
    return span, (1 << used) - 1 if kind == "I" and used < bits else None


def _amplification(
    read: KeywordReader, n: int, kind: Kind, span: float, mask: int | None, bits: int
) -> tuple[float, float]:
    """`$PnE`: decades and the value of channel 0; (0, 0) for linear."""
    if kind != "I":
        return 0.0, 0.0
    text = read.text(f"$P{n}E")
    if text is None:
        if read.version == "2.0":  # not required there
            return 0.0, 0.0
        raise read.error(f"$P{n}E", "the required keyword is missing: linear or logarithmic?")
    decades, log_zero = (number(part) for part in (text + ",").split(",", 2)[:2])
    if decades is None or log_zero is None or decades < 0 or log_zero < 0 or text.count(",") != 1:
        raise read.error(f"$P{n}E", f"{text[:40]!r} is no amplification")
    if decades == 0:
        return 0.0, 0.0
    log_zero = log_zero or 1.0  # FCS 3.1: f2 = 0 is to be read as 1
    largest = mask if mask is not None else (1 << bits) - 1
    exponent = decades * max(1.0, largest / span)
    if max(exponent, exponent + math.log10(log_zero)) >= LARGEST_FLOAT32_LOG10:
        raise read.error(f"$P{n}E", f"{text[:40]!r} amplifies beyond every scale")
    return decades, log_zero


def _is_linear(read: KeywordReader, n: int) -> bool:
    """Whether a float column says, as it must, that it is linear; else its `$PnE` is not applied."""
    text = read.text(f"$P{n}E")
    if text is None or number(text.partition(",")[0]) == 0:
        return True
    read.remarks.append(f"$P{n}E {text[:40]!r} is not applied: float values are linear; the top is unknown")
    return False


def _gain(read: KeywordReader, n: int, decades: float) -> float:
    text = read.text(f"$P{n}G")
    if text is None:
        return 1.0
    gain = number(text)
    if gain is None or gain < 0:
        raise read.error(f"$P{n}G", f"{text[:40]!r} is no gain")
    if gain == 0:
        read.remarks.append(f"$P{n}G 0 is read as no gain")
        return 1.0
    if decades > 0 and gain != 1:
        read.remarks.append(f"$P{n}G {text[:40]!r} is not applied: gains are of linear values, $P{n}E is logarithmic")
        return 1.0
    return gain
