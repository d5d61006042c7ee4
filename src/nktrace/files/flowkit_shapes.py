"""Gates of FlowKit as shapes of ours: on which axis each stands, and where its lines are."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nktrace.files.flowkit_scales import DATA, DrawnScale, Positions, drawn_scale
from nktrace.model.compensation import Spillover
from nktrace.model.errors import GatingError
from nktrace.model.events import Events, FloatArray
from nktrace.model.gates import Ellipse, Polygon, Rectangle
from nktrace.model.transforms import Linear, Transform
from nktrace.science.gating.conversion import along_edges, least
from nktrace.science.transforms import exact

Bounds = tuple[float | None, float | None]

PIECES = (1, 2, 4, 8, 16, 32, 64, 128)  # of an edge
NOT_COMPENSATED = (None, "uncompensated")


@dataclass(slots=True)
class Axes:
    """The axes that shapes stand on: a detector, compensated or not, on a scale of ours.

    Attributes:
        events: data values of all detectors as they were measured, float64.
        compensated: the same after compensation by `spillover`.
        transforms: FlowKit's, by name.
        detectors, scale, uncompensated: of the axes that shapes were put on so far.
    """

    events: Events
    compensated: Events
    spillover: Spillover | None
    transforms: Mapping[str, Any]
    detectors: dict[str, str] = field(default_factory=dict)
    scale: dict[str, Transform] = field(default_factory=dict)
    uncompensated: set[str] = field(default_factory=set)
    _columns: dict[str, FloatArray] = field(default_factory=dict)

    def place(self, dimensions: Sequence[Any], transforms: Sequence[Transform]) -> tuple[str, ...]:
        """The axes of a gate's dimensions.

        Raises:
            GatingError: the file has no such channel, or FlowKit would compensate one that is not to be.
        """
        detectors = [channel_of(_name(dimension), self.events.channels) for dimension in dimensions]
        in_matrix = set() if self.spillover is None else set(self.spillover.detectors)
        wanted = [dimension.compensation_ref not in NOT_COMPENSATED for dimension in dimensions]
        axes = []
        for detector, compensated, transform in zip(detectors, wanted, transforms, strict=True):
            as_measured = detector in in_matrix and not compensated
            if as_measured and any(wanted):
                raise GatingError(
                    f"{detector} is not compensated but another channel is: FlowKit would compensate both"
                )
            axis = self._named(f"{detector} as measured" if as_measured else detector, transform)
            if axis not in self.detectors:
                self.detectors[axis], self.scale[axis] = detector, transform
                source = self.events if as_measured else self.compensated
                self._columns[axis] = exact(source.column(detector), transform)
                if as_measured:
                    self.uncompensated.add(axis)
            axes.append(axis)
        return tuple(axes)

    def _named(self, name: str, transform: Transform) -> str:
        """The name of an axis: of all that were placed, no other has it on another scale."""
        name = name if isinstance(transform, Linear) else f"{name} ({type(transform).__name__.lower()})"
        while self.scale.get(name, transform) != transform:
            name += "'"
        return name

    def of(self, channels: Sequence[str], rows: slice | NDArray[np.intp] = slice(None)) -> Events:
        """Events on some axes."""
        values = [self._columns[channel][rows] for channel in dict.fromkeys(channels)]
        table = np.column_stack(values) if values else np.empty((len(self.events), 0))
        return Events(np.asfortranarray(table), tuple(dict.fromkeys(channels)))

    def drawn(self, dimensions: Sequence[Any]) -> list[DrawnScale]:
        """The scales that a gate was drawn on.

        Raises:
            GatingError: a transform that is not known.
        """
        scales = []
        for dimension in dimensions:
            if dimension.transformation_ref is None:
                scales.append(DATA)
            elif dimension.transformation_ref not in self.transforms:
                raise GatingError(f"there is no transform '{dimension.transformation_ref}'")
            else:
                scales.append(drawn_scale(self.transforms[dimension.transformation_ref]))
        return scales


def channel_of(name: str, channels: Sequence[str]) -> str:
    """The $PnN that a channel of a document is; FlowJo writes `_` where a file has `/`.

    Raises:
        GatingError: none or several.
    """
    alike = [c for c in channels if c == name] or [c for c in channels if c.replace("/", "_") == name]
    if len(alike) != 1:
        what = "several columns that could be" if alike else "no channel"
        raise GatingError(f"the FCS file has {what} '{name}'", mend=f"It has: {', '.join(channels)}")
    return alike[0]


def _name(dimension: Any) -> str:
    return str(getattr(dimension, "dimension_ref", None) or dimension.id)


def rectangle(dimensions: Sequence[Any], bounds: Sequence[Bounds], axes: Axes) -> Rectangle:
    """Bounds on data values: an event that lies on one changes no side by a transform there and back."""
    low, high = [], []
    for scale, (lowest, highest) in zip(axes.drawn(dimensions), bounds, strict=True):
        if scale.forward is None:
            low.append(-math.inf if lowest is None else lowest)
            high.append(math.inf if highest is None else highest)
        else:
            low.append(least(scale.forward, -math.inf if lowest is None else lowest))
            high.append(math.inf if highest is None else least(scale.forward, highest))
    channels = axes.place(dimensions, [DATA.transform] * len(dimensions))
    if len(set(channels)) < len(channels):
        raise GatingError("it has the same channel twice")
    return Rectangle(channels, tuple(low), tuple(high))


def quadrant(gate: Any, name: str, axes: Axes) -> Rectangle:
    """One quadrant as the rectangle between its dividers."""
    chosen = gate.quadrants[name]
    dividers = [divider for divider in gate.dimensions if divider.id in chosen.divider_refs]
    return rectangle(dividers, [chosen.get_divider_range(divider.id) for divider in dividers], axes)


def ellipse(gate: Any, axes: Axes) -> Ellipse:
    """An ellipse of Gating-ML: on scales that differ from ours by a factor and a shift only."""
    scales = axes.drawn(gate.dimensions)
    if len(scales) != 2:
        raise GatingError(f"it is an ellipsoid of {len(scales)} dimensions, and only two can be read")
    if not all(scale.straight for scale in scales):
        raise GatingError("it is an ellipse on a scale that this program does not have")
    shift = np.array([float(scale.to_ours(np.zeros(1))[0]) for scale in scales])
    factor = np.array([float(scale.to_ours(np.ones(1))[0]) for scale in scales]) - shift
    x, y = axes.place(gate.dimensions, [scale.transform for scale in scales])
    mean = (factor * np.array(gate.coordinates) + shift).tolist()
    (xx, xy), (yx, yy) = (np.array(gate.covariance_matrix) * np.outer(factor, factor)).tolist()
    if not (xx > 0 and xx * yy > xy * yx):
        raise GatingError("its covariance is that of no ellipse")
    return Ellipse((x, y), (mean[0], mean[1]), ((xx, xy), (yx, yy)), float(gate.distance_square))


def polygon(dimensions: Sequence[Any], vertices: Positions, axes: Axes, *, wrong: Callable[[Polygon], int]) -> Polygon:
    """A polygon, with points along its edges where these are curved on our scales.

    Args:
        dimensions: of FlowKit's gate.
        vertices: shape (corners, 2), as drawn.
        axes: takes up those that it stands on.
        wrong: how many events are on the other side of a polygon's line than FlowKit has them.

    Raises:
        GatingError: no number of points puts all events of the file on their side.
    """
    scales = axes.drawn(dimensions)
    x, y = axes.place(dimensions, [scale.transform for scale in scales])
    if all(scale.straight for scale in scales):
        return _through((x, y), scales, vertices)
    fewest = math.inf
    for pieces in PIECES:
        for open_ends in (False, True):
            shape = _through((x, y), scales, along_edges(vertices, pieces), open_ends=open_ends)
            different = wrong(shape)
            if different == 0:
                return shape
            fewest = min(fewest, different)
    raise GatingError(
        f"its line cannot be had on our scales: at best {fewest} events of this file are on its other side",
        mend="Draw it on logicle, arcsinh or linear scales.",
    )


def _through(
    channels: tuple[str, str], scales: Sequence[DrawnScale], points: Positions, *, open_ends: bool = False
) -> Polygon:
    """A polygon through points as drawn; at an open end, where events pile up, its corners lie beyond all events."""
    places = []
    for scale, positions in zip(scales, points.T, strict=True):
        place = scale.to_ours(positions)
        if open_ends:
            place = np.where(positions <= scale.low, scale.low_place, place)
        places.append(place)
    corners = np.column_stack(places).tolist()
    return Polygon(channels, tuple((x, y) for x, y in corners))
