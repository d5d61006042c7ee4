"""The page of a matrix that was computed from single stains: the matrix, its spread, and each control as a picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nktrace.figures.gates import gate_picture
from nktrace.model.spillover import ControlTube, PairReport, SpilloverEstimate, Usability
from nktrace.pages.render import drawn, page
from nktrace.pages.words import number, percent
from nktrace.science.control_pictures import control_pictures, spread_matrix

# how a status of a control looks among those of checks
LOOKS = {Usability.USED: "pass", Usability.SPARE: "skipped"}


def compensation_page(
    found: SpilloverEstimate,
    tubes: Sequence[ControlTube],
    *,
    batch: str,
    panel: str,
    tables: Sequence[str],
) -> str:
    """The HTML of results/compensation/BATCH.PANEL.html.

    Args:
        found: the matrix with its reports.
        tubes: the controls, for their pictures.
        tables: names of the files beside the page.
    """
    markers = found.spillover.detectors
    off_diagonal = np.where(np.eye(len(markers), dtype=bool), np.nan, found.spillover.matrix)
    used = [control for control in found.controls if control.status is Usability.USED]
    return page(
        "compensation.html",
        batch=batch,
        panel=panel,
        markers=markers,
        spillover=_heat(off_diagonal, percent),
        spread=_heat(spread_matrix(found), number),
        controls=[{"report": control, "look": LOOKS.get(control.status, "warn")} for control in found.controls],
        missing=[marker for marker in markers if marker not in {control.marker for control in used}],
        facts=_facts(found, len(used)),
        pictures=_pictures(found, tubes),
        tables=tables,
    )


def _facts(found: SpilloverEstimate, used: int) -> list[dict[str, str]]:
    facts = [{"name": "detectors with a control", "value": f"{used} of {len(found.spillover.detectors)}"}]
    if found.pairs:
        worst = max(found.pairs, key=lambda pair: abs(pair.residual))
        widest = max(found.pairs, key=lambda pair: pair.se)
        facts += [
            {"name": "largest slope that is left", "value": number(abs(worst.residual))},
            {"name": "largest standard error", "value": f"{percent(widest.se)} ({_named(widest)})"},
            {"name": "condition number", "value": number(float(np.linalg.cond(found.spillover.matrix)))},
        ]
    return facts


def _named(pair: PairReport) -> str:
    return f"{pair.source} in {pair.receiver}"


def _heat(values: NDArray[np.float64], words: Any) -> list[list[dict[str, Any] | None]]:
    """Cells with a shade 0..1 by the square root of the value, which shows a percent beside a half."""
    most = math.sqrt(max(float(np.nanmax(values)), 0.0)) if np.isfinite(values).any() else 0.0
    return [
        [
            None
            if math.isnan(value)
            else {"words": words(value), "shade": math.sqrt(max(value, 0.0)) / most if most else 0.0}
            for value in row
        ]
        for row in values.tolist()
    ]


def _pictures(found: SpilloverEstimate, tubes: Sequence[ControlTube]) -> list[dict[str, Any]]:
    by_sample = {tube.sample: tube for tube in tubes}
    rows = []
    for control in found.controls:
        taken = control_pictures(by_sample[control.sample], found) if control.sample in by_sample else None
        if taken is None:
            continue
        x, y = taken[0].channels
        images = [
            drawn(gate_picture(picture, name=f"{x} and {y} of {control.sample}, {when} compensation"))
            for picture, when in zip(taken, ("before", "after"), strict=True)
        ]
        rows.append({"control": control, "receiver": y, "images": images})
    return rows
