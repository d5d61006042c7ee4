"""The limit of detection against the number of events, as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nktrace.figures.axes import spanning
from nktrace.figures.plane import Plane
from nktrace.figures.svg import SOFT


@dataclass(frozen=True, slots=True, kw_only=True)
class LodCurve:
    """What one background allows.

    Attributes:
        points: (lineage events, limit of detection).
        planned: (lineage events, limit of detection) of each plan.
    """

    name: str
    color: str
    dash: str = ""
    points: Sequence[tuple[float, float]]
    planned: Sequence[tuple[float, float]] = ()


def lod_picture(curves: Sequence[LodCurve], *, asked: Sequence[float]) -> str:
    """Curves on logarithmic axes; level lines where a limit was asked for, and a point where a curve stays below it."""
    xs = [x for curve in curves for x, _ in (*curve.points, *curve.planned)]
    ys = [y for curve in curves for _, y in (*curve.points, *curve.planned)]
    plane = Plane(
        spanning(xs, log=True),
        spanning([*ys, *asked], log=True),
        name="Limit of detection against events of the lineage",
        axes=("events of the lineage in the sample", "limit of detection (donor fraction)"),
        width=640,
        height=400,
    )
    for lod in asked:
        plane.across(lod, SOFT, title=f"asked: {lod:g}")
    for curve in curves:
        plane.line(curve.points, curve.color, title=curve.name, dash=curve.dash)
    for curve in curves:
        for x, y in curve.planned:
            plane.point(x, y, curve.color, title=f"{curve.name}: {x:,.0f} events for {y:.3g}")
    return plane.picture()
