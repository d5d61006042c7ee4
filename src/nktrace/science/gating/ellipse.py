"""`ellipse`: the main peak of two channels, or an ellipse that the table gives."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from nktrace.model.gates import Edge, Ellipse, EllipseSettings, Gate, GatingRow, Source, Status
from nktrace.science.density import smooth
from nktrace.science.gating.parent import Parent, gate_of, settings_of

_EVENTS = 50_000
_GRID = 64
_ROUNDS = 30
_CORE = 3.22  # squared distance that holds 80 % of a normal population: neighbours beyond it do not pull the fit
Array = NDArray[np.float64]


def shape(row: GatingRow, edges: tuple[Edge, ...]) -> Ellipse:
    """The ellipse of the numbers, at the table's squared distance."""
    number = {edge.edge: edge.value for edge in edges}
    x, y = row.markers
    return Ellipse(
        (x, y),
        (number["mean_x"], number["mean_y"]),
        ((number["xx"], number["xy"]), (number["xy"], number["yy"])),
        settings_of(row, EllipseSettings).distance_square,
    )


def estimate(parent: Parent, row: GatingRow) -> Gate:
    """The table's ellipse, else one fitted to the densest place of the parent."""
    settings = settings_of(row, EllipseSettings)
    if settings.mean is not None and settings.covariance is not None:
        edges = _edges(row, settings.mean, settings.covariance)
        return Gate(
            population=row.population, parent=row.parent, method=row.method, shape=shape(row, edges), edges=edges
        )
    points = np.stack([parent.values(channel).astype(np.float64) for channel in row.markers], axis=1)
    points = points[np.isfinite(points).all(axis=1)]
    points = points[:: max(1, points.shape[0] // _EVENTS)]
    if points.shape[0] < parent.options.min_events:
        reason = f"{points.shape[0]} events in {parent.population} show no peak"
        edges = _edges(row, (0.0, 0.0), (1e-12, 0.0, 1e-12), status=Status.FAIL, clear=False, reason=reason)
        return gate_of(row, shape(row, edges), edges)
    mean, covariance, core = main_population(points)
    numbers = (covariance[0, 0], covariance[0, 1], covariance[1, 1])
    xx, xy, yy = (float(number) for number in numbers)
    se = [math.sqrt(v / core) for v in (xx, yy, 2 * xx * xx, xx * yy + xy * xy, 2 * yy * yy)]
    edges = _edges(
        row, (float(mean[0]), float(mean[1])), (xx, xy, yy), half=[parent.z * s for s in se], source=Source.DATA
    )
    return gate_of(row, shape(row, edges), edges)


def _edges(
    row: GatingRow,
    mean: tuple[float, float],
    covariance: tuple[float, float, float],
    *,
    half: list[float] | None = None,
    source: Source = Source.FIXED,
    status: Status = Status.OK,
    clear: bool = True,
    reason: str = "",
) -> tuple[Edge, ...]:
    x, y = row.markers
    names = (("mean_x", x), ("mean_y", y), ("xx", x), ("xy", x), ("yy", y))
    widths = half or [math.nan] * 5
    return tuple(
        Edge(
            channel=channel,
            edge=name,
            value=value,
            low=value - width,
            high=value + width,
            source=source,
            clear=clear,
            status=status,
            reason=reason,
        )
        for (name, channel), value, width in zip(names, (*mean, *covariance), widths, strict=True)
    )


def main_population(points: Array) -> tuple[Array, Array, int]:
    """Mean and covariance of the densest population, from its core (80 %) only, and the size of that core.

    The covariance of a normal population cut at squared distance c is too small by 1 - (c/2)e^(-c/2)/(1 - e^(-c/2))
    in two dimensions, which is put right in every round.

    Args:
        points: shape (events, 2), finite.
    """
    low, high = np.quantile(points, (0.005, 0.995), axis=0)
    span = np.where(high > low, high - low, 1.0)
    cell = np.clip(((points - low) / span * _GRID).astype(np.int64), 0, _GRID - 1)
    counts = np.bincount(cell[:, 0] * _GRID + cell[:, 1], minlength=_GRID * _GRID).reshape(_GRID, _GRID).astype(float)
    density = smooth(smooth(counts, 1.5).T, 1.5).T
    densest = np.unravel_index(int(np.argmax(density)), density.shape)
    mean = low + (np.array(densest) + 0.5) / _GRID * span
    covariance = np.diag((span * 0.05) ** 2)
    shrink = 1 - (_CORE / 2) * math.exp(-_CORE / 2) / (1 - math.exp(-_CORE / 2))
    core = points.shape[0]
    for _ in range(_ROUNDS):
        apart = points - mean
        distance = np.einsum("ij,jk,ik->i", apart, np.linalg.inv(covariance), apart)
        inside = distance <= _CORE
        core = int(np.count_nonzero(inside))
        if core < 10:
            covariance = covariance * 2
            continue
        before, mean = mean, points[inside].mean(axis=0)
        covariance = np.cov(points[inside].T) / shrink + np.diag((1e-6 * span) ** 2)
        if np.all(np.abs(mean - before) < 1e-4 * np.sqrt(np.diag(covariance))):
            break
    return mean, covariance, core
