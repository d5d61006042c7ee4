"""The clusters of each panel as a heat map: a table whose cells are shaded by the marker's median."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nktrace.files.tables import NA
from nktrace.pages.words import NOT_AVAILABLE, label, number, percent

_NOT_MARKERS = ("panel", "cluster", "subset", "cl_id", "fraction", "stability")


def heat_maps(clusters: Sequence[Mapping[str, str]]) -> list[dict[str, Any]]:
    """One per panel: its markers, and the clusters with a shade 0..1 per marker (the panel's lowest to highest median).

    Args:
        clusters: rows of clusters.tsv as text.
    """
    maps = []
    for panel in dict.fromkeys(row["panel"] for row in clusters):
        rows = [row for row in clusters if row["panel"] == panel]
        markers = [name for name in rows[0] if name not in _NOT_MARKERS and any(row[name] != NA for row in rows)]
        medians = [float(row[marker]) for row in rows for marker in markers if row[marker] != NA]
        low, span = (min(medians), max(medians) - min(medians)) if medians else (0.0, 0.0)
        lines = [
            {
                "cluster": row["cluster"],
                "subset": NOT_AVAILABLE if row["subset"] == NA else label(row["subset"]),
                "fraction": percent(_number(row["fraction"])),
                "stability": number(_number(row["stability"])),
                "cells": [_cell(_number(row[marker]), low, span) for marker in markers],
            }
            for row in rows
        ]
        maps.append({"panel": panel, "markers": markers, "rows": lines})
    return maps


def _cell(median: float | None, low: float, span: float) -> dict[str, Any] | None:
    return None if median is None else {"median": f"{median:.2f}", "shade": (median - low) / span if span else 0.5}


def _number(text: str) -> float | None:
    return None if text == NA else float(text)
