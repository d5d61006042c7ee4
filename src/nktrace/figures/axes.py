"""Axes: where a value stands, and which ticks help to read it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

Tick = tuple[float, str]
_MULTIPLES = ((1,), (1, 2, 5), (1, 1.5, 2, 3, 5, 7), (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9))
_CALENDAR = (1, 2, 7, 14, 28, 56, 91, 182, 364, 728, 1820, 3640)
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True, slots=True)
class Linear:
    """From `low` to `high` in equal steps."""

    low: float
    high: float

    def place(self, value: float) -> float:
        """0 at the low end, 1 at the high one."""
        return (value - self.low) / (self.high - self.low)

    def ticks(self, most: int = 5) -> list[Tick]:
        """At most so many round values."""
        step = _round_step((self.high - self.low) / most)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [(index * step, short(round(index * step, 12))) for index in range(first, last + 1)]


@dataclass(frozen=True, slots=True)
class Days(Linear):
    """Days, in steps that a calendar knows."""

    def ticks(self, most: int = 6) -> list[Tick]:
        """At most so many whole days, weeks, months of four weeks, or years."""
        span = self.high - self.low
        step = next((days for days in _CALENDAR if span / days <= most), span)
        first, last = math.ceil(self.low / step), math.floor(self.high / step)
        return [(index * step, short(index * step)) for index in range(first, last + 1)]


@dataclass(frozen=True, slots=True)
class Log:
    """From `low` > 0 to `high` in equal ratios. What is not positive stands at the low end."""

    low: float
    high: float

    def place(self, value: float) -> float:
        """0 at the low end, 1 at the high one."""
        if value <= 0:
            return 0.0
        return math.log(value / self.low) / math.log(self.high / self.low)

    def ticks(self, most: int = 6) -> list[Tick]:
        """Decades; where these are few also 2 and 5 times them, and more."""
        decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        values: list[float] = []
        for multiples in _MULTIPLES:
            found = [float(f"{multiple}e{decade}") for decade in decades for multiple in multiples]
            found = [value for value in found if self.low * (1 - 1e-9) <= value <= self.high * (1 + 1e-9)]
            if len(found) > most and values:
                break
            values = found
            if len(values) > 3:
                break
        every = max(1, -(-len(values) // most))
        return [(value, short(value)) for value in values[::every]]


Axis = Linear | Log


def spanning(values: Sequence[float], *, log: bool) -> Axis:
    """An axis that shows all finite values with some room; logarithmic only where something is positive."""
    finite = [value for value in values if math.isfinite(value)]
    positive = [value for value in finite if value > 0]
    if log and positive:
        low, high = min(positive), max(positive)
        middle, half = math.sqrt(low) * math.sqrt(high), max(math.log(high / low) / 2 * 1.12, math.log(2.6))
        return Log(middle * math.exp(-half), middle * math.exp(half))
    low, high = (min(finite), max(finite)) if finite else (0.0, 1.0)
    room = 0.06 * (high - low) or 0.5 * abs(high) or 1.0
    return Linear(low - room, high + room)


def short(value: float) -> str:
    """A tick's label: 0.05, 20, 1 000, 50k, 10⁶."""
    if value == 0:
        return "0"
    size = abs(value)
    if 1e-3 <= size < 1e4:
        return f"{value:,.6g}".replace(",", "\u202f").replace("-", "−")
    if 1e4 <= size < 1e6 and round(value / 1e3, 6) == int(value / 1e3):
        return f"{value / 1e3:g}k".replace("-", "−")
    mantissa, exponent = f"{value:.2e}".split("e")
    mantissa = mantissa.rstrip("0").rstrip(".").replace("-", "−")
    power = power_of_ten(int(exponent))
    return {"1": power, "−1": f"−{power}"}.get(mantissa, f"{mantissa}·{power}")


def decade(value: float) -> str:
    """Zero, or a power of ten with its sign: −10³."""
    if value == 0:
        return "0"
    return ("−" if value < 0 else "") + power_of_ten(round(math.log10(abs(value))))


def power_of_ten(exponent: int) -> str:
    """10⁻³."""
    return "10" + str(exponent).translate(_SUPERSCRIPT)


def _round_step(least: float) -> float:
    """The least of 1, 2, 2.5 and 5 times a power of ten that is not below."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(multiple * power for multiple in (1, 2, 2.5, 5, 10) if multiple * power >= least * (1 - 1e-9))
