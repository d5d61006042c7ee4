"""The clusters of each panel: a heat map, and the NK cells on two axes.

The heat map is a table whose cells are shaded by the marker's median, so that its numbers can be read and copied.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nktrace.figures.embedding import RAMP, category_dots, marker_dots
from nktrace.files.table_columns import CLUSTERS_BEFORE, CLUSTERS_BEHIND
from nktrace.files.tables import NA
from nktrace.model.clusters import AMBIGUOUS, UNASSIGNED
from nktrace.model.embedding import Embedding
from nktrace.model.palette import category_colors
from nktrace.pages.render import drawn
from nktrace.pages.words import NOT_AVAILABLE, label, number, percent
from nktrace.science.likeness import by_likeness

_NOT_MARKERS = (*CLUSTERS_BEFORE, *CLUSTERS_BEHIND)
_METHODS = {"umap": "UMAP", "pca": "principal components"}
_NO_SUBSET, _NO_CLUSTER, _GREY = "no subset", "in no cluster", "#b9c2cc"
_DEEP = 0.68  # from this shade on the median is written in white


def cluster_sections(
    clusters: Sequence[Mapping[str, str]], embeddings: Sequence[Embedding], subsets: Sequence[str]
) -> list[dict[str, Any]]:
    """One per panel: `panel`, `heat`, and `plane` (None where nothing was embedded).

    Shades go from the lowest median of the panel's clusters to the highest, the same for all markers and pictures.

    Args:
        clusters: rows of clusters.tsv as text.
        embeddings: of the panels.
        subsets: the exclusive subsets in the order that gives them their colours.
    """
    colors = category_colors(subsets)
    of_panel = {embedding.panel: embedding for embedding in embeddings}
    sections = []
    for panel in dict.fromkeys(row["panel"] for row in clusters):
        rows = [row for row in clusters if row["panel"] == panel]
        markers = [name for name in rows[0] if name not in _NOT_MARKERS and any(row[name] != NA for row in rows)]
        medians = np.array([[_float(row[marker]) for marker in markers] for row in rows]).reshape(len(rows), -1)
        ends = (float(np.nanmin(medians)), float(np.nanmax(medians))) if markers else (0.0, 0.0)
        plane = _plane(of_panel[panel], rows, colors, ends) if panel in of_panel else None
        scale = {"low": _two_digits(ends[0]), "high": _two_digits(ends[1])}
        heat = {"markers": markers, "rows": _heat(rows, medians, colors, ends)}
        sections.append({"panel": panel, "heat": heat, "plane": plane, "scale": scale})
    return sections


def _heat(
    rows: Sequence[Mapping[str, str]],
    medians: NDArray[np.float64],
    colors: Mapping[str, str],
    ends: tuple[float, float],
) -> list[dict[str, Any]]:
    """The lines of the heat map: clusters in the order of their likeness."""
    low, span = ends[0], ends[1] - ends[0]

    def cell(median: float) -> dict[str, Any] | None:
        shade = (median - low) / span if span else 0.5
        return None if math.isnan(median) else {"median": f"{median:.2f}", "shade": shade, "deep": shade > _DEEP}

    return [
        {
            "cluster": row["cluster"],
            "subset": _subset(row),
            "color": colors.get(row["subset"]),
            "ambiguous": row["subset"] == AMBIGUOUS,
            "unstable": row.get("unstable") == "true",
            "members": "" if row.get("members", NA) == NA else row["members"].replace("_", " "),
            "fraction": percent(_float(row["fraction"])),
            "stability": _two_digits(_float(row["stability"])),
            "seeds": _two_digits(_float(row.get("seed_agreement", NA))),
            "cells": [cell(median) for median in medians[index].tolist()],
        }
        for index in by_likeness(medians)
        for row in [rows[index]]
    ]


def _plane(
    embedding: Embedding, rows: Sequence[Mapping[str, str]], colors: Mapping[str, str], ends: tuple[float, float]
) -> dict[str, Any]:
    """NK cells on two axes: by subset, by cluster, and by each marker."""
    places, kind = embedding.places, f"NK cells of panel {embedding.panel} on two axes"
    facts = {
        "method": _METHODS.get(embedding.method, embedding.method),
        "reason": embedding.reason,
        "events": number(len(embedding.rows)),
        "samples": number(embedding.samples),
        "ramp": ", ".join(RAMP),
    }
    if not len(embedding.rows):
        return facts | {"kinds": [], "markers": []}
    subset = [name or _NO_SUBSET for name in embedding.subset.tolist()]
    others = sorted(set(subset) - {*colors, _NO_SUBSET})
    of_subset = _occurring(category_colors([*colors, *others]), subset, _NO_SUBSET)
    cluster = [_NO_CLUSTER if number == UNASSIGNED else str(number) for number in embedding.cluster.tolist()]
    numbers = [str(number) for number in range(1, int(embedding.cluster.max()) + 1)]
    of_cluster = _occurring(category_colors(numbers), cluster, _NO_CLUSTER)
    called = {row["cluster"]: f"{row['cluster']} {_subset(row)}" for row in rows}
    by_cluster = category_dots(places, cluster, of_cluster, name=f"{kind}, by cluster", numbered=numbers)
    return facts | {
        "kinds": [
            {
                "name": "By subset",
                "image": drawn(category_dots(places, subset, of_subset, name=f"{kind}, by subset")),
                "legend": [(label(name), color) for name, color in of_subset.items()],
            },
            {
                "name": "By cluster",
                "image": drawn(by_cluster),
                "legend": [(called.get(name, name), color) for name, color in of_cluster.items()],
            },
        ],
        "markers": [
            {"name": marker, "image": drawn(marker_dots(places, values, ends=ends, name=f"{kind}, by {marker}"))}
            for marker, values in zip(embedding.markers, embedding.values.T, strict=True)
        ],
    }


def _occurring(colors: Mapping[str, str], names: Sequence[str], nothing: str) -> dict[str, str]:
    """The colours of the names that occur; grey for the one that means none."""
    found = set(names)
    return {name: color for name, color in {**colors, nothing: _GREY}.items() if name in found}


def _subset(row: Mapping[str, str]) -> str:
    return NOT_AVAILABLE if row["subset"] == NA else label(row["subset"])


def _two_digits(value: float) -> str:
    return NOT_AVAILABLE if math.isnan(value) else f"{value:.2f}"


def _float(text: str) -> float:
    return math.nan if text == NA else float(text)
