"""The page of a plan: how many events a limit of detection needs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nktrace.figures.planning import LodCurve, lod_picture
from nktrace.figures.svg import CATEGORIES
from nktrace.pages.render import drawn, page
from nktrace.pages.words import number, percent
from nktrace.science.planning import Plan

DASHES = ("", "7 3", "2 3", "9 3 2 3")
POINTS = 700


def plan_page(plans: Sequence[Plan], rows: Sequence[Mapping[str, Any]], *, assumed: Sequence[str]) -> str:
    """The HTML: what is assumed, a row per plan, and the picture.

    Args:
        plans: what was asked for and found.
        rows: the same as rows of the table, with the columns of `nktrace plan`.
        assumed: what holds for all rows, a clause each.
    """
    curves = lod_curves(plans)
    return page(
        "plan.html",
        rows=rows,
        assumed=assumed,
        image=drawn(lod_picture(curves, asked=sorted({plan.lod for plan in plans}))) if curves else "",
        legend=[(curve.name, curve.color, curve.dash) for curve in curves],
    )


def lod_curves(plans: Sequence[Plan]) -> list[LodCurve]:
    """A curve per marker and blank: a colour per background, a dash per size of the blank and the like."""
    kinds = list(dict.fromkeys((plan.marker, plan.blank_asked) for plan in plans))
    backgrounds = list(dict.fromkeys(marker.background for marker, _ in kinds))
    others = list(dict.fromkeys((marker.sensitivity, marker.blank_cv, blank) for marker, blank in kinds))
    most = max([1e5, *(2.0 * plan.events for plan in plans if plan.events)])
    grid = np.unique(np.geomspace(300, most, POINTS).round())
    curves = []
    for marker, blank in kinds:
        mine = [plan for plan in plans if (plan.marker, plan.blank_asked) == (marker, blank) and plan.events]
        limits = [marker.limits(n, n if blank is None else blank).lod for n in grid.tolist()]
        parts = [f"background {percent(marker.background)}"]
        if len({m.sensitivity for m, _ in kinds}) > 1:
            parts.append(f"sensitivity {number(marker.sensitivity)}")
        if len({m.blank_cv for m, _ in kinds}) > 1:
            parts.append(f"cv {number(marker.blank_cv)}")
        if len({b for _, b in kinds}) > 1:
            parts.append("blank as the sample" if blank is None else f"blank of {_events(blank)} events")
        curves.append(
            LodCurve(
                name=", ".join(parts),
                color=CATEGORIES[backgrounds.index(marker.background) % len(CATEGORIES)],
                dash=DASHES[others.index((marker.sensitivity, marker.blank_cv, blank)) % len(DASHES)],
                points=list(zip(grid.tolist(), limits, strict=True)),
                planned=list(dict.fromkeys((plan.events or 0, plan.limits.lod) for plan in mine if plan.limits)),
            )
        )
    return curves


def _events(blank: float) -> str:
    return "endless" if math.isinf(blank) else number(int(blank))
