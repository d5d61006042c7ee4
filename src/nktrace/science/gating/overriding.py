"""An analyst's gate in the place of the automatic one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from nktrace.model.errors import GatingError
from nktrace.model.gates import (
    ControlSettings,
    Edge,
    EdgePrior,
    Ellipse,
    Gate,
    GatingRow,
    Polygon,
    Rectangle,
    Shape,
    Source,
    Status,
)
from nktrace.model.overrides import Override, ShiftSettings
from nktrace.science.gating import REGISTRY
from nktrace.science.gating.control import FMO
from nktrace.science.gating.fixed import corners
from nktrace.science.gating.parent import Parent

_SPREAD = ("xx", "xy", "yy")  # of an ellipse, which a move leaves as it is


def overridden(automatic: Gate, override: Override, *, parent: Parent, row: GatingRow) -> Gate:
    """The gate that an override makes of the automatic one; its `method` stays that of the gating table.

    A replaced gate is what its method finds in the parent, the cohort's priors left out; they stand beside its cuts for
    information. It is as doubtful as that method finds it: numbers that an analyst wrote are not, nor is a gate that an
    analyst looked at and moved, unless there was none to be moved (`fail`).

    Args:
        automatic: the gate without this override, the cohort's prior in it.
        override: of the gate's population.
        parent, row: as for the automatic gate.

    Raises:
        GatingError: a gate without numbers, or one of time, can't be moved.
    """
    if isinstance(override.change, ShiftSettings):
        gate = _trusted(shifted(automatic, override.change, row=row))
    else:
        own = replace(parent, expected=_controls(override.change, parent.expected))
        gate = REGISTRY[override.change.method].estimate(own, override.change)
    return replace(
        gate,
        method=automatic.method,
        edges=tuple(_marked(edge, parent.expected.get((edge.channel, edge.edge))) for edge in gate.edges),
        source=Source.OVERRIDE,
        reason="; ".join(filter(None, (override.reason, gate.reason))),
    )


def _trusted(gate: Gate) -> Gate:
    if gate.status is Status.FAIL:
        return gate
    return replace(
        gate, status=Status.OK, reason="", edges=tuple(replace(e, status=Status.OK, reason="") for e in gate.edges)
    )


def _controls(row: GatingRow, expected: Mapping[tuple[str, str], EdgePrior]) -> dict[tuple[str, str], EdgePrior]:
    """What FMO tubes say, which is a measurement and reaches a gate as a prior; only `of=fmo` asks for it."""
    asked = isinstance(row.settings, ControlSettings) and row.settings.of == FMO
    return {key: prior for key, prior in expected.items() if asked and prior.source is Source.CONTROL}


def _marked(edge: Edge, prior: EdgePrior | None) -> Edge:
    edge = replace(edge, source=Source.OVERRIDE)
    if prior is None:
        return edge
    return replace(edge, prior=prior.mean, distance=(edge.value - prior.mean) / prior.sd)


def shifted(gate: Gate, shift: ShiftSettings, *, row: GatingRow) -> Gate:
    """A gate moved as a whole: its shape, its numbers and their intervals.

    Where its method can't make the moved shape from moved numbers (the band of singlets), the corners of that stand
    instead, without intervals.

    Args:
        gate: to be moved.
        shift: along the channels of its shape.
        row: that it was made by.

    Raises:
        GatingError: the shape is a boolean or windows of time.
    """
    by = (shift.x, shift.y)
    match gate.shape:
        case Rectangle(channels, low, high):
            shape: Shape = Rectangle(channels, _plus(low, by), _plus(high, by))
        case Polygon(channels, vertices):
            shape = Polygon(channels, tuple((x + shift.x, y + shift.y) for x, y in vertices))
        case Ellipse(channels, (x, y)):
            shape = replace(gate.shape, mean=(x + shift.x, y + shift.y))
        case _:
            raise GatingError(f"the gate of {gate.population} can't be moved", mend="Replace it by another method.")
    along = dict(zip(channels, by, strict=False))
    edges = tuple(e if e.edge in _SPREAD else _moved(e, along.get(e.channel, 0.0)) for e in gate.edges)
    made = REGISTRY[row.method].shape(row, edges)
    if _alike(made, shape):
        return replace(gate, shape=made, edges=edges)
    return replace(gate, shape=shape, edges=corners(shape) if isinstance(shape, Polygon) else ())


def _plus(bounds: tuple[float, ...], by: tuple[float, float]) -> tuple[float, ...]:
    return tuple(bound + b for bound, b in zip(bounds, by, strict=False))


def _moved(edge: Edge, by: float) -> Edge:
    return replace(edge, value=edge.value + by, low=edge.low + by, high=edge.high + by)


def _alike(one: Shape, other: Shape) -> bool:
    """Whether two shapes are the same but for rounding."""
    first, second = _numbers(one), _numbers(other)
    return type(one) is type(other) and first.shape == second.shape and np.allclose(first, second, rtol=1e-9)


def _numbers(shape: Shape) -> NDArray[np.float64]:
    match shape:
        case Rectangle(_, low, high):
            return np.array((low, high))
        case Polygon(_, vertices):
            return np.array(vertices)
        case Ellipse(_, mean, covariance):
            return np.array((mean, *covariance))
        case _:
            return np.empty(0)
