"""From a patient's tables to the pictures of its page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nktrace.figures.composition import composition
from nktrace.figures.curves import Point, Track, curve_picture, days_of
from nktrace.figures.happenings import Happening
from nktrace.figures.svg import PLAIN
from nktrace.model.palette import category_colors
from nktrace.model.subsets import STATE_PREFIX
from nktrace.pages.render import drawn
from nktrace.pages.words import day, interval, label, number, percent

Row = Mapping[str, Any]
Figure = dict[str, Any]

RECONSTITUTION = ("lymphocytes", "nk", "cd3", "cd4_t", "cd8_t", "b_cells")
FRACTION = "fraction"
FEW_CELLS = 100  # a bar of fewer NK cells is pale


@dataclass(frozen=True, slots=True)
class Curves:
    """A patient's points and fitted curves, and the events to draw beside them."""

    trajectories: Sequence[Row]
    curves: Sequence[Row]
    events: Sequence[Happening]

    def tracks(self, measure: str, *, per_cent: bool = False, **look: Any) -> list[Track]:
        """One per counting platform, since platforms are never joined; none where nothing was measured."""
        mine = [row for row in self.trajectories if row["measure"] == measure]
        scale = 100 if per_cent else 1
        tracks = []
        for platform in dict.fromkeys(row["platform"] for row in mine if not math.isnan(row["observed"])):
            here = sorted((row for row in mine if row["platform"] == platform), key=lambda row: row["day"])
            rows = [row for row in here if not math.isnan(row["observed"])]
            measured = {row["day"] for row in rows}  # a second tube of that day that cannot tell leaves no gap
            apart = f" ({platform})" if platform and platform != "none" else ""
            curve = [
                (row["day"], scale * row["fitted"], scale * row["fitted_low"], scale * row["fitted_high"])
                for row in self.curves
                if row["measure"] == measure and row["platform"] == platform and not math.isnan(row["fitted"])
            ]
            tracks.append(
                Track(
                    name=label(measure) + apart,
                    unit="%" if per_cent else rows[0]["unit"],
                    points=[_observed(row, scale) for row in rows],
                    gaps=[(row["day"], row["reason"] or "") for row in here if row["day"] not in measured],
                    curve=curve,
                    events=self.events,
                    **look,
                )
            )
        return tracks


def donor_figures(fitted: Curves, chimerism: Sequence[Row]) -> list[Figure]:
    """Donor NK cells per platform, and the donor share of NK cells with its limits."""
    return _figures(_donor_tracks(fitted, chimerism, "donor_nk", ""), width=540, height=300)


def each_donor_figures(fitted: Curves, by_donor: Sequence[Row]) -> list[Figure]:
    """The same of each donor that is told from the others, on the same days."""
    tracks = []
    for donor in dict.fromkeys(row["donor"] for row in by_donor):
        mine = [row for row in by_donor if row["donor"] == donor]
        tracks += _donor_tracks(fitted, mine, f"donor_nk:{donor}", f" (donor {donor})")
    return _figures(tracks, width=540, height=260)


def _donor_tracks(fitted: Curves, chimerism: Sequence[Row], measure: str, whose: str) -> list[Track]:
    counted = [track for track in fitted.tracks(measure) if track.unit != FRACTION]
    shares = sorted(
        (row for row in chimerism if row["population"] == "nk" and not math.isnan(row["donor_fraction"])),
        key=lambda row: row["day"],
    )
    if shares:
        curve = next((t.curve for t in fitted.tracks(measure, per_cent=True)), ()) if not counted else ()
        counted.append(
            Track(
                name=f"Donor share of NK cells{whose}",
                unit="%",
                points=[share_point(row) for row in shares],
                curve=curve,
                limits=[(row["day"], 100 * row["lod"]) for row in shares if not math.isnan(row["lod"])],
                blanks=[(row["day"], 100 * row["lob"]) for row in shares if not math.isnan(row["lob"])],
                events=fitted.events,
            )
        )
    return counted


def share_point(row: Row) -> Point:
    """A donor fraction in per cent; one that was not detected lies below its limit of detection."""
    shown = interval(row, "donor_fraction", show="fraction")
    status = (row["status"] or "").replace("_", " ")
    remarks = "; ".join(part for part in (status, f"LoD {percent(row['lod'])}", row["reason"]) if part)
    title = f"day {day(row['day'])}: {shown}; {remarks}"
    if row["status"] == "not_detected":
        return Point(day=row["day"], value=100 * row["lod"], censored=True, title=title)
    value = 100 * min(max(row["donor_fraction"], 0.0), 1.0)
    return Point(day=row["day"], value=value, low=100 * row["ci_low"], high=100 * row["ci_high"], title=title)


def reconstitution_figures(
    fitted: Curves, counts: Sequence[Row], thresholds: Mapping[str, Sequence[float]]
) -> list[Figure]:
    """Counts of the lymphocytes with reference ranges and thresholds of recovery."""
    tracks = []
    for measure in RECONSTITUTION:
        ranges = [
            (row["reference_low"], row["reference_high"])
            for row in counts
            if row["population"] == measure and not math.isnan(row["reference_low"])
        ]
        tracks += fitted.tracks(
            measure,
            reference=ranges[0] if ranges else (math.nan, math.nan),
            thresholds=thresholds.get(measure, ()),
            color=PLAIN,
        )
    return _figures(tracks)


def subset_figures(fitted: Curves) -> list[Figure]:
    """The share of each subset and state of NK cells, from zero on a linear axis."""
    measures = dict.fromkeys(
        row["measure"]
        for row in fitted.trajectories
        if row["measure"].startswith("fraction:") and not math.isnan(row["observed"])
    )
    tracks = [track for measure in measures for track in fitted.tracks(measure, per_cent=True, color=PLAIN, log=False)]
    return _figures(tracks, width=300, height=210)


def composition_figure(
    samples: Sequence[tuple[str, float]], subsets: Sequence[Row], *, name: str, **size: float
) -> Figure | None:
    """Stacked shares of the exclusive subsets; a tube whose panel tells no two of them apart is left out.

    Args:
        samples: id and day of each, in order.
        subsets: rows of subsets.tsv.
        name: what a screen reader says.
        size: width and height of the picture.
    """
    names = exclusive_subsets(subsets)
    known = [row for row in subsets if row["nk_events"] and not math.isnan(row["fraction_of_nk"])]
    found = {(row["sample"], row["subset"]): row for row in known}
    shown = [(sample, at) for sample, at in samples if sum((sample, name) in found for name in names) > 1]
    if not shown:
        return None
    shares: dict[str, list[float]] = {}
    titles: dict[str, list[str]] = {}
    for subset in names:
        rows = [(at, found.get((sample, subset))) for sample, at in shown]
        shares[subset] = [math.nan if row is None else row["fraction_of_nk"] for _, row in rows]
        titles[subset] = [_share_title(row, at) if row else "" for at, row in rows]
    cells = {row["sample"]: row["nk_events"] for row in known}
    pale = [cells[sample] < FEW_CELLS for sample, _ in shown]
    picture = composition([day(at) for _, at in shown], shares, name=name, titles=titles, pale=pale, **size)
    return {"image": drawn(picture), "legend": legend(names)}


def _share_title(row: Row, at: float) -> str:
    shown = interval(row, "fraction_of_nk", show="percent")
    return f"{label(row['subset'])}, day {day(at)}: {shown} of {number(row['nk_events'])} NK cells ({row['sample']})"


def exclusive_subsets(subsets: Sequence[Row]) -> list[str]:
    """The names in the order of the rules, which every table has in full: so a subset has one colour on all pages."""
    return list(dict.fromkeys(row["subset"] for row in subsets if not row["subset"].startswith(STATE_PREFIX)))


def legend(subsets: Sequence[str]) -> list[tuple[str, str]]:
    """The name and the colour of each subset."""
    return [(label(name), color) for name, color in category_colors(subsets).items()]


def _observed(row: Row, scale: float) -> Point:
    shown = interval(
        row, "observed", "observed_low", "observed_high", "percent" if row["unit"] == FRACTION else "number"
    )
    unit = "" if row["unit"] == FRACTION else f" {row['unit']}"
    below = "below " if row["censored"] else ""
    remarks = f"; {row['reason']}" if row["reason"] else ""
    return Point(
        day=row["day"],
        value=scale * row["observed"],
        low=scale * row["observed_low"],
        high=scale * row["observed_high"],
        censored=bool(row["censored"]),
        title=f"day {day(row['day'])}: {below}{shown}{unit}{remarks}",
    )


def _figures(tracks: Sequence[Track], **size: float) -> list[Figure]:
    days = days_of(tracks)
    return [
        {"name": track.name, "unit": track.unit, "image": drawn(curve_picture(track, days=days, **size))}
        for track in tracks
    ]
