"""Dilution series in tables: the draws of all pairs of files, and what was found of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

import numpy as np

from nktrace.model.chimerism import ChimerismStatus
from nktrace.model.dilution import Grid, LevelFinding, Series, SeriesFinding
from nktrace.model.intervals import Interval

ALL_PAIRS = "*"  # no patient can have this name
DETECTED = (ChimerismStatus.DETECTED, ChimerismStatus.QUANTIFIED)
KEY = ("patient", "panel", "population", "antibody", "direction")


@dataclass(frozen=True, slots=True, order=True)
class SeriesKey:
    """Which series: of which files, in which population, by which antibody. `patient` is `*` for all pairs."""

    patient: str
    panel: str
    population: str
    antibody: str
    direction: str


def series_of(rows: Iterable[Mapping[str, Any]]) -> dict[SeriesKey, Series]:
    """The draws of dilution.tsv by series, in the order of the table; a series without any estimate is left out."""
    grouped: dict[SeriesKey, list[Mapping[str, Any]]] = {}
    for row in rows:
        grouped.setdefault(SeriesKey(*(row[name] for name in KEY)), []).append(row)
    found = {key: _series(mine) for key, mine in grouped.items()}
    return {key: series for key, series in found.items() if not np.isnan(series.estimate).all()}


def _series(rows: Sequence[Mapping[str, Any]]) -> Series:
    levels = sorted({row["level"] for row in rows})
    draws = sorted({row["draw"] for row in rows})
    place = {(row["level"], row["draw"]): row for row in rows}

    def grid(value: Callable[[Mapping[str, Any]], float]) -> Grid:
        """A value of every row; nan where a mixture has none."""
        cells = [
            [value(place[at]) if (at := (level, draw)) in place else math.nan for draw in draws] for level in levels
        ]
        return np.array(cells, dtype=np.float64)

    return Series(
        levels=np.array(levels),
        events=grid(itemgetter("events")),
        expected=grid(itemgetter("expected_fraction")),
        true=grid(itemgetter("true_fraction")),
        estimate=grid(itemgetter("donor_fraction")),
        low=grid(itemgetter("ci_low")),
        high=grid(itemgetter("ci_high")),
        detected=grid(lambda row: float(row["status"] in DETECTED)),
        lob=grid(itemgetter("lob")),
        lod=grid(itemgetter("lod")),
        lod_by_counts=grid(itemgetter("lod_by_counts")),
    )


def level_row(key: SeriesKey, found: LevelFinding) -> dict[str, Any]:
    """A row of dilution_levels.tsv."""
    return {
        **_key(key),
        "level": found.level,
        "draws": found.draws,
        "events": found.events,
        "expected_fraction": found.expected,
        "true_fraction": found.true,
        **_three("donor_fraction", found.estimate),
        **_three("recovery", found.recovery),
        **_three("gate_recovery", found.gate_recovery),
        **_three("deviation", found.deviation),
        "sd": found.sd,
        "cv": found.cv,
        **_three("hit_rate", found.hit_rate),
        **_three("coverage", found.coverage),
        **_three("coverage_gated", found.coverage_gated),
    }


def summary_row(key: SeriesKey, found: SeriesFinding) -> dict[str, Any]:
    """A row of dilution_summary.tsv."""
    return {
        **_key(key),
        "pairs": found.pairs,
        "draws": found.draws,
        "events": found.events,
        **_three("recovery", found.recovery),
        **_three("gate_recovery", found.gate_recovery),
        **_three("slope", found.slope),
        **_three("intercept", found.intercept),
        "max_deviation": found.max_deviation,
        **_three("false_positives", found.false_positives),
        **_three("coverage", found.coverage),
        "lob": found.lob,
        "lob_found": found.lob_found,
        "lod": found.lod,
        "lod_by_counts": found.lod_by_counts,
        **_three("lod_found", found.lod_found),
        **_three("hit_rate_at_lod", found.hit_rate_at_lod),
        "goal": found.goal.value,
    }


def _key(key: SeriesKey) -> dict[str, str]:
    return {name: getattr(key, name) for name in KEY}


def _three(name: str, interval: Interval) -> dict[str, float]:
    return {name: interval.value, f"{name}_low": interval.low, f"{name}_high": interval.high}
