"""The page of one sample: quality with reasons, every gate as a picture, subsets, populations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from nktrace.figures.gates import gate_picture
from nktrace.model.pictures import Picture
from nktrace.model.quality_pictures import QualityPictures
from nktrace.model.recount import Recount
from nktrace.model.study import Sample
from nktrace.pages.quality import quality_figures, with_bars
from nktrace.pages.render import drawn, page
from nktrace.pages.words import interval, number, percent
from nktrace.science.doubt import flags_in

Row = Mapping[str, Any]


def sample_page(
    sample: Sample,
    *,
    populations: Sequence[Row],
    cuts: Sequence[Row],
    checks: Sequence[Row],
    subsets: Sequence[Row],
    pictures: Sequence[Picture],
    overrides: Sequence[Row] = (),
    quality: QualityPictures = QualityPictures(),  # noqa: B008 (frozen)
    drift: Sequence[Row] = (),
    recount: Recount | None = None,
) -> str:
    """The HTML of a sample's page.

    Args:
        sample: its row of the sheet.
        populations, cuts, checks, subsets: rows of populations.tsv, gates.tsv, qc.tsv and subsets.tsv.
        pictures: gates over the density of their parents.
        overrides: rows of overrides.tsv.
        quality: pictures of the checks.
        drift: rows of nk_drift.tsv.
        recount: what FlowKit made of the gates when it was last asked.
    """
    tree = _tree(populations)
    figures = quality_figures(quality, checks, drift)
    checks = with_bars(checks, figures, pictures)
    by_status = {
        status: [row for row in checks if row["status"] == status] for status in ("fail", "warn", "pass", "skipped")
    }
    return page(
        "sample.html",
        sample=sample,
        failure=next((row for row in by_status["fail"] if row["check"] == "readable"), None),
        facts=_facts(populations, subsets),
        problems=[*by_status["fail"], *by_status["warn"]],
        passed=by_status["pass"],
        skipped=by_status["skipped"],
        figures=figures,
        gates=_gates(pictures, tree),
        sources=Counter(row["gate_source"] for row in populations),
        subsets=subsets,
        populations=tree,
        cuts=cuts,
        overrides=overrides,
        recount=recount,
    )


def _facts(populations: Sequence[Row], subsets: Sequence[Row]) -> list[dict[str, str]]:
    by_name = {row["population"]: row for row in populations}
    facts = []
    if populations:
        facts.append({"name": "events in the file", "value": number(populations[0]["parent_events"])})
    if live := by_name.get("live"):
        facts.append({"name": f"live of {live['parent']}", "value": percent(live["fraction"])})
    if nk := by_name.get("nk"):
        facts.append({"name": "NK events", "value": number(nk["events"])})
        lymphocytes = by_name.get("lymphocytes")
        if lymphocytes and lymphocytes["events"]:
            facts.append({"name": "NK of lymphocytes", "value": percent(nk["events"] / lymphocytes["events"])})
    bright = next((row for row in subsets if row["subset"] == "bright" and row["status"] == "ok"), None)
    if bright:
        doubt = " – gate doubtful" if flags_in(bright["reason"]) else ""
        value = interval(bright, "fraction_of_nk", show="percent") + doubt
        facts.append({"name": "bright of NK (95\u202f%)", "value": value})
    return facts


def _tree(populations: Sequence[Row]) -> list[dict[str, Any]]:
    """Parents before their children, each with its depth; a row whose parent is not among them is a root."""
    names = {row["population"] for row in populations}
    children: dict[str | None, list[Row]] = {}
    for row in populations:
        children.setdefault(row["parent"] if row["parent"] in names else None, []).append(row)
    ordered: list[dict[str, Any]] = []
    waiting = [(row, 0) for row in reversed(children.get(None, []))]
    while waiting:
        row, depth = waiting.pop()
        ordered.append({**row, "depth": depth})
        waiting += [(child, depth + 1) for child in reversed(children.get(row["population"], []))]
    return ordered


def _gates(pictures: Sequence[Picture], tree: Sequence[Row]) -> list[dict[str, Any]]:
    """The gates in the order of the hierarchy; those of no table row stand last."""
    rows = {row["population"]: row for row in tree}
    order = {name: position for position, name in enumerate(rows)}
    return [
        {"picture": picture, "image": drawn(gate_picture(picture)), "row": rows.get(picture.population)}
        for picture in sorted(pictures, key=lambda picture: order.get(picture.population, len(order)))
    ]
