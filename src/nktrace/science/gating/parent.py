"""What an estimator sees: the events of the parent population, and what stands around them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from nktrace.model.events import Events, FloatArray, Mask
from nktrace.model.gates import Edge, EdgePrior, Gate, GatingRow, Rectangle, Shape, Status
from nktrace.model.panel import Kind
from nktrace.science.intervals import normal_quantile

_Settings = TypeVar("_Settings")
_SEVERITY = (Status.OK, Status.WARN, Status.FAIL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimation:
    """Settings of every estimate: the section `gating` of the configuration, and the level of intervals."""

    min_events: int = 100
    bootstrap: int = 50
    max_distance: float = 3.0
    level: float = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Parent:
    """A population that is to be gated.

    Attributes:
        population: its name; `root` for every event of the file.
        events: all events of the file, on the transformed scale.
        masks: members of every population gated so far, `root` included.
        ancestors: populations above this one, nearest first, of those that a fallback may look at: none above the last
            gate that left out artefacts, doublets, beads or dead cells.
        inherited: the cuts of this population and its ancestors by (channel, edge), the nearest one each.
        gates: those of the populations gated so far.
        expected: the priors of the row to be estimated, by (channel, edge).
        kinds: what each channel's detector is for.
        tops: top of scale by channel, where known.
        without: for an FMO control, the channel left out.
        logarithmic: channels that `values` gives as logarithms, positive events only.
        rng: for resamples.
    """

    population: str
    events: Events
    masks: Mapping[str, Mask]
    ancestors: tuple[str, ...] = ()
    inherited: Mapping[tuple[str, str], Edge] = field(default_factory=dict)
    gates: Mapping[str, Gate] = field(default_factory=dict)
    expected: Mapping[tuple[str, str], EdgePrior] = field(default_factory=dict)
    kinds: Mapping[str, Kind] = field(default_factory=dict)
    tops: Mapping[str, float] = field(default_factory=dict)
    without: str = ""
    logarithmic: frozenset[str] = frozenset()
    options: Estimation = Estimation()
    rng: np.random.Generator

    def values(self, channel: str, population: str | None = None) -> FloatArray:
        """One channel of the members of this (or of another) population, shape (members,)."""
        mask = self.masks[self.population if population is None else population]
        values = self.events.column(channel)[mask]
        return np.log(values[values > 0]) if channel in self.logarithmic else values

    @property
    def size(self) -> int:
        return int(np.count_nonzero(self.masks[self.population]))

    @property
    def z(self) -> float:
        """Half-width of an interval in standard errors."""
        return normal_quantile(self.options.level)


def settings_of(row: GatingRow, kind: type[_Settings]) -> _Settings:
    """A row's settings as its method's class.

    Raises:
        TypeError: the row's method and settings do not belong together.
    """
    if not isinstance(row.settings, kind):
        raise TypeError(f"{row.population}: {type(row.settings).__name__} is not {kind.__name__}")
    return row.settings


def gate_of(row: GatingRow, shape: Shape, edges: tuple[Edge, ...]) -> Gate:
    """A gate whose source, status and reason are those of its edges: the most doubtful one decides."""
    worst = max(edges, key=lambda edge: _SEVERITY.index(edge.status))
    reasons = dict.fromkeys(edge.reason for edge in edges if edge.reason)
    return Gate(
        population=row.population,
        parent=row.parent,
        method=row.method,
        shape=shape,
        edges=edges,
        source=worst.source,
        status=worst.status,
        reason="; ".join(reasons),
    )


def rectangle_of(row: GatingRow, edges: tuple[Edge, ...]) -> Rectangle:
    """The half-open box that `min` and `max` edges make; a side without an edge is open."""
    value = {(edge.channel, edge.edge): edge.value for edge in edges}
    return Rectangle(
        row.markers,
        tuple(value.get((channel, "min"), -math.inf) for channel in row.markers),
        tuple(value.get((channel, "max"), math.inf) for channel in row.markers),
    )
