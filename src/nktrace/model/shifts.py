"""What a gate's uncertainty changes: one of its numbers moved by one standard error, as events and as counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Moved:
    """The events whose membership changes where one number of a gate moves.

    Attributes:
        events: their numbers, ascending, shape (k,).
        change: +1 for those that enter a population, -1 for those that leave it, shape (k,); by population, those that
            stay as they are left out.
    """

    events: NDArray[np.intp]
    change: Mapping[str, NDArray[np.int8]]


@dataclass(frozen=True, slots=True)
class Shift:
    """One uncertain number of a gate, and what one standard error of it down (`low`) and up (`high`) does."""

    population: str
    channel: str
    edge: str
    low: Moved
    high: Moved

    def net(self) -> NetShift:
        """The same as numbers of events."""
        sides = ({name: int(change.sum()) for name, change in side.change.items()} for side in (self.low, self.high))
        return NetShift(self.population, self.channel, self.edge, *sides)


@dataclass(frozen=True, slots=True)
class NetShift:
    """A shift as numbers: how many more events a population then has; those that keep theirs may be left out."""

    population: str
    channel: str
    edge: str
    low: dict[str, int]
    high: dict[str, int]
