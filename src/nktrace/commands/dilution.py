"""`nktrace dilution`: tables and page of the dilution series of all pairs of files."""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nktrace.files.atomic import replacing
from nktrace.files.choices import from_json
from nktrace.files.dilution import ALL_PAIRS, SeriesKey, level_row, series_of, summary_row
from nktrace.files.tables import read_table, write_table
from nktrace.model.chimerism import BLANK_CV_ASSUMED
from nktrace.model.dilution import SeriesFinding
from nktrace.model.subsets import NK
from nktrace.pages.dilution import dilution_page
from nktrace.science.dilution_findings import findings, over_pairs

if TYPE_CHECKING:
    from nktrace.files.settings import Chimerism

TABLES = ("dilution", "dilution_pairs", "dilution_levels", "dilution_summary")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pairs", nargs="+", type=Path, metavar="PAIR_DIR", help="what `nktrace dilute-pair` wrote")
    parser.add_argument("--settings", required=True, type=from_json, metavar="JSON")
    parser.add_argument("--output-dir", required=True, type=Path, help="results/validation")


def run(args: argparse.Namespace) -> int:
    """Write the stacked draws, what they show per level and per series, and the page."""
    draws, pairs = (
        [row for directory in args.pairs for row in read_table(directory / f"{name}.tsv", name)]
        for name in ("dilution", "dilution_pairs")
    )
    choices, level = args.settings.dilution, args.settings.level
    series = series_of(draws)
    found = {
        key: findings(one, level=level, goal=choices.goal, goal_from=choices.goal_from) for key, one in series.items()
    }
    every = _together(found, level=level, goal=choices.goal) | found
    rows: dict[str, list[dict[str, Any]]] = {
        "dilution": draws,
        "dilution_pairs": pairs,
        "dilution_levels": [level_row(key, each) for key, one in found.items() for each in one.levels],
        "dilution_summary": [summary_row(key, one) for key, one in every.items()],
    }
    html = dilution_page(
        series,
        every,
        pairs,
        _cuts(draws),
        scatter=_scatter(draws, args.settings.chimerism),
        goal=choices.goal,
        goal_from=choices.goal_from,
        tables=[f"{name}.tsv" for name in TABLES],
    )
    for name in TABLES:
        write_table(args.output_dir / f"{name}.tsv", name, rows[name])
    with replacing(args.output_dir / "dilution.html") as draft:
        draft.write_text(html, encoding="utf-8")
    return 0


def _together(found: Mapping[SeriesKey, SeriesFinding], *, level: float, goal: float) -> dict[SeriesKey, SeriesFinding]:
    """The pairs of a panel together, by population, antibody and direction, where there are two at least."""
    groups: dict[SeriesKey, list[SeriesFinding]] = {}
    for key, one in found.items():
        group = SeriesKey(ALL_PAIRS, key.panel, key.population, key.antibody, key.direction)
        groups.setdefault(group, []).append(one)
    return {key: over_pairs(ones, level=level, goal=goal) for key, ones in groups.items() if len(ones) > 1}


def _scatter(draws: Sequence[Mapping[str, Any]], chosen: Chimerism) -> list[dict[str, Any]]:
    """Which scatter of blanks the limits for NK cells allow for, and who says so."""
    if chosen.blank_cv is not None:
        return [{"cv": chosen.blank_cv, "setting": "blank_cv"}] if chosen.blank_cv else []
    limited = [row for row in draws if row["population"] == NK and not math.isnan(row["lob"])]
    assumed = {BLANK_CV_ASSUMED in (row["reason"] or "") for row in limited}
    told: list[dict[str, Any]] = [{"cv": None, "setting": ""}] if False in assumed else []
    if True in assumed and chosen.assumed_blank_cv:
        told.append({"cv": chosen.assumed_blank_cv, "setting": "assumed_blank_cv"})
    return told


def _cuts(draws: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Over the draws, where each antibody is cut for NK cells."""
    values: dict[tuple[str, str, str], list[float]] = {}
    for row in draws:
        if row["population"] == NK and row["cut"] == row["cut"]:
            values.setdefault((row["patient"], row["antibody"], row["direction"]), []).append(row["cut"])
    return [
        {
            "patient": patient,
            "antibody": antibody,
            "direction": direction,
            "median": float(np.median(cuts)),
            "low": min(cuts),
            "high": max(cuts),
        }
        for (patient, antibody, direction), cuts in values.items()
    ]
