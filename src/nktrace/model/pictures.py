"""Pictures of gates as plain arrays: what the pages draw and the files store."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ticks = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A gate over the two-dimensional histogram of its parent.

    Attributes:
        population, parent: names.
        channels: of the x and the y axis; scale values.
        x_range, y_range: first and last bin edge of each axis. Events beyond are counted in the outermost bins.
        counts: parent events per bin, uint32, shape (bins of x, bins of y).
        outlines: lines in data coordinates, each of shape (points, 2); an open side ends at the picture's edge.
        parent_events, events: members of the parent and of the population.
        x_ticks, y_ticks: (position, value before the transform) of each axis; none where the axis is linear.
        expression: of a boolean gate, whose outlines are those of the gates that it names; else empty.
    """

    population: str
    parent: str
    channels: tuple[str, str]
    x_range: tuple[float, float]
    y_range: tuple[float, float]
    counts: NDArray[np.uint32]
    outlines: tuple[NDArray[np.float64], ...]
    parent_events: int
    events: int
    x_ticks: Ticks = ()
    y_ticks: Ticks = ()
    expression: str = ""
