"""The page of an in-silico dilution, for a laboratory's validation file."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nktrace.figures.dilution import found_beside_mixed, hit_picture, recovery_picture
from nktrace.figures.svg import DONOR, INK, PLAIN, SOFT
from nktrace.files.dilution import ALL_PAIRS, SeriesKey, level_row, summary_row
from nktrace.model.dilution import Series, SeriesFinding
from nktrace.model.intervals import Interval
from nktrace.model.subsets import NK
from nktrace.pages.render import drawn, page
from nktrace.pages.words import NOT_AVAILABLE, number

GOAL_LOOKS = {"met": "pass", "missed": "fail", "unknown": "skipped"}


def dilution_page(
    series: Mapping[SeriesKey, Series],
    found: Mapping[SeriesKey, SeriesFinding],
    pairs: Sequence[Mapping[str, Any]],
    cuts: Sequence[Mapping[str, Any]],
    *,
    scatter: Sequence[Mapping[str, Any]],
    goal: float,
    goal_from: float,
    tables: Sequence[str],
) -> str:
    """The HTML of results/validation/dilution.html.

    Args:
        series: the draws.
        found: what they show, and of all pairs together.
        pairs: rows of dilution_pairs.tsv.
        cuts: of each pair, population and antibody the median, least and greatest cut of the draws, for NK cells.
        scatter: of the false-positive rate between tubes, what the limits allow for: `cv` and its `setting`, or neither
            where the study's blanks tell it.
        goal, goal_from: what the laboratory allows, and from which donor fraction.
        tables: names of the files beside the page.
    """
    rows = [_summary(key, one) for key, one in found.items()]
    of_nk = [row for row in rows if row["population"] == NK]
    return page(
        "dilution.html",
        facts=_facts(series, pairs),
        pairs=pairs,
        refused=[pair for pair in pairs if pair["status"] != "ok"],
        cuts=cuts,
        summary=of_nk,
        others=[row for row in rows if row["population"] != NK and (row["patient"] == ALL_PAIRS or len(pairs) == 1)],
        pictures=[
            _pictures(key, series[key], one, goal=goal, goal_from=goal_from)
            for key, one in found.items()
            if key.population == NK and key in series
        ],
        scatter=scatter,
        goal=goal,
        goal_from=goal_from,
        draws=min((pair["draws"] for pair in pairs), default=0),
        legends={
            "found": [("a draw, detected", DONOR), ("a draw, not detected", SOFT), ("mean of a level", INK)],
            "recovery": [("the HLA marker: found over donor cells in the gate", DONOR), ("the gates alone", PLAIN)],
            "hits": [("found, with its interval", DONOR), ("expected by counts", PLAIN, True), ("stated", INK, True)],
        },
        all_pairs=ALL_PAIRS,
        tables=tables,
    )


def _facts(series: Mapping[SeriesKey, Series], pairs: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    done = [pair for pair in pairs if pair["status"] == "ok"]
    levels = max((one.levels.size for one in series.values()), default=0)
    cells = [float(np.median(one.events)) for key, one in series.items() if key.population == NK]
    facts = [
        {"name": "pairs of blank and donor reference", "value": f"{len(done)} of {len(pairs)}"},
        {"name": "levels, the blank among them", "value": str(levels)},
        {"name": "draws of each level", "value": str(min((pair["draws"] for pair in done), default=0))},
        {"name": "mixtures gated", "value": number(sum(pair["draws"] * levels for pair in done))},
    ]
    if cells:
        least, most = number(round(min(cells))), number(round(max(cells)))
        facts.append({"name": "NK cells in a mixture", "value": least if least == most else f"{least} to {most}"})
    return facts


def _summary(key: SeriesKey, one: SeriesFinding) -> dict[str, Any]:
    row = summary_row(key, one)
    lod = one.lod_found.value
    return row | {
        "look": GOAL_LOOKS[row["goal"]],
        "over_counts": lod / one.lod_by_counts,
        "over_stated": lod / one.lod,
        "slope_words": _three_digits(one.slope),
    }


def _three_digits(interval: Interval) -> str:
    """1.000 (0.998 to 1.002): of a slope the third digit tells."""
    if not interval.known:
        return NOT_AVAILABLE
    words = f"{interval.value:.3f}"
    return words if math.isnan(interval.low) else f"{words} ({interval.low:.3f} to {interval.high:.3f})"


def _pictures(key: SeriesKey, series: Series, one: SeriesFinding, *, goal: float, goal_from: float) -> dict[str, Any]:
    who = f"{key.patient}, {key.antibody}"
    return {
        "key": key,
        "found": drawn(found_beside_mixed(series, one, name=f"Found beside mixed, {who}")),
        "recovery": drawn(recovery_picture(one, goal=goal, goal_from=goal_from, name=f"Recovery, {who}")),
        "hits": drawn(hit_picture(one, name=f"Detection, {who}")),
        "levels": [level_row(key, each) for each in one.levels],
    }
