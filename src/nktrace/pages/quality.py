"""The checks of a sample's page: each row with its value beside its limit, and the pictures of what was judged."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from nktrace.figures.quality import (
    control_picture,
    drift_picture,
    flow_picture,
    limit_bar,
    shift_picture,
    spill_picture,
)
from nktrace.model.intervals import Interval
from nktrace.model.nk_drift import MarkerShift
from nktrace.model.pictures import Picture
from nktrace.model.quality_pictures import QualityPictures
from nktrace.pages.render import drawn
from nktrace.pages.words import label
from nktrace.science.nk_checks import SHIFT

Row = Mapping[str, Any]

_LEAST = ("events", "nk_events")  # checks whose limit is a least number
_GATES = {"margin": "margin", "doublets": "singlets", "dead": "live", "nk_events": "nk"}
_SHIFTS = "nk_shifts"
_FIGURES = {"time_removed": "flow_rate"}
_CAPTIONS = {
    "flow_rate": "Events per second. The green band passes, the dashed line is the median; what is shaded is cut out.",
    "signal_drift": "Populations over the run, of the detectors that move most; bars are two standard errors.",
    "compensation_residual": "The pair with the most spillover left. Red: centres of the receiver's negative cells and "
    "the line through them. A right compensation lays it level.",
    "control_drift": "The marker that moves most, in the controls of all batches. Filled: this sample's batch; dashed: "
    "the median of the others.",
    _SHIFTS: "How far the NK populations stand from those of the reference, whatever their shares are; the green band "
    "passes. Hollow: before, filled: after the alignment by the batch's control, where there is one.",
}


def quality_figures(pictures: QualityPictures, checks: Sequence[Row], drift: Sequence[Row]) -> list[dict[str, Any]]:
    """The pictures of checks, each with its row, in the order of the rows.

    Args:
        pictures: of the checks of the gates.
        checks: rows of qc.tsv.
        drift: rows of nk_drift.tsv.
    """
    images = {
        "flow_rate": flow_picture(pictures.flow) if pictures.flow else "",
        "signal_drift": drift_picture(pictures.drift) if pictures.drift else "",
        "compensation_residual": spill_picture(pictures.spill) if pictures.spill else "",
        "control_drift": control_picture(pictures.control) if pictures.control else "",
    }
    rows = {row["check"]: row for row in checks}
    shifted = [row for row in checks if row["check"].startswith(SHIFT) and row["status"] != "skipped"]
    if shifted:  # one picture of all markers
        images[_SHIFTS] = shift_picture([_marker_shift(row) for row in drift], min(row["limit"] for row in shifted))
        worst = min((row["status"] for row in shifted), key=("fail", "warn", "pass").index)
        rows[_SHIFTS] = {"check": _SHIFTS, "status": worst, "reason": ""}
    return [
        {"row": rows[check], "image": drawn(image), "name": label(check), "caption": _CAPTIONS[check]}
        for check, image in images.items()
        if image and check in rows
    ]


def _marker_shift(row: Row) -> MarkerShift:
    aligned = row["aligned_shift"]
    return MarkerShift(
        marker=row["marker"],
        shift=Interval(row["shift"], row["ci_low"], row["ci_high"]),
        aligned=Interval(aligned, math.nan, math.nan),
    )


def with_bars(
    checks: Sequence[Row], figures: Sequence[Mapping[str, Any]], gates: Sequence[Picture]
) -> list[dict[str, Any]]:
    """Rows with `bar`, the value beside its limit, and `anchor`, the picture on this page that shows more.

    Args:
        checks: rows of qc.tsv.
        figures: as `quality_figures` gives them.
        gates: pictures of gates that the page shows.
    """
    drawn_checks = {figure["row"]["check"] for figure in figures}
    populations = {picture.population for picture in gates}
    rows = []
    for row in checks:
        check, value, limit = row["check"], row["value"], row["limit"]
        bar, anchor = "", ""
        if value is not None and limit is not None and limit > 0:
            bar = limit_bar(value, limit, over=row["status"] in ("warn", "fail"), least=check in _LEAST)
        if (figure := _SHIFTS if check.startswith(SHIFT) else _FIGURES.get(check, check)) in drawn_checks:
            anchor = f"check-{figure}"
        elif (gate := _GATES.get(check)) in populations:
            anchor = f"gate-{gate}"
        rows.append({**row, "bar": drawn(bar), "anchor": anchor})
    return rows
