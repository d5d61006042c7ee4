"""The page that people open first: all patients at a glance, what failed, and where to read on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from nktrace.figures.axes import spanning
from nktrace.figures.curves import Line, Point, Track, days_of, overlay, sparkline
from nktrace.figures.svg import CATEGORIES
from nktrace.model.embedding import Embedding
from nktrace.pages.answers import SEEN
from nktrace.pages.claims import carried, detection, statements
from nktrace.pages.clusters import cluster_sections
from nktrace.pages.external import cohort_methods
from nktrace.pages.patient_figures import FRACTION, composition_figure, exclusive_subsets, share_point
from nktrace.pages.reconstitution import reached_of, reconstitution
from nktrace.pages.render import drawn, page
from nktrace.pages.subset_changes import cohort_changes
from nktrace.pages.swimmer import course
from nktrace.pages.words import NOT_AVAILABLE, day, interval, number

Row = Mapping[str, Any]

KEY_QUANTITIES = ("cmax", "tlast", "first_below", "half_life_days")
SUMMARY = ("ever_detected", "tmax", *KEY_QUANTITIES)
ALL = "all"  # the group of all patients in cohort.tsv
ARM = "arm:"  # before the name of others
DASHES = ("", "7 3", "9 3 2 3", "3 3")  # of the counting platforms of one patient
_WORSE = ("skipped", "pass", "warn", "fail")


def cohort_page(
    *,
    samples: Sequence[Row],
    patients: Sequence[Row],
    checks: Sequence[Row],
    trajectories: Sequence[Row],
    kinetics: Sequence[Row],
    chimerism: Sequence[Row],
    by_donor: Sequence[Row] = (),
    summary: Sequence[Row],
    subsets: Sequence[Row],
    clusters: Sequence[Mapping[str, str]],
    embeddings: Sequence[Embedding] = (),
    overrides: Sequence[Row] = (),
    subset_change: Sequence[Row] = (),
    subset_change_tests: Sequence[Row] = (),
    external_chimerism: Sequence[Row] = (),
    external_agreement: Sequence[Row] = (),
) -> str:
    """The HTML of results/report/index.html.

    Args:
        samples, patients: who they are (sample, patient, day, role, panel, batch; patient, arm, and for their course
            dose_per_kg, first_donor_exposure_day, last_followup_day, death_day, infusions, events).
        checks, trajectories, kinetics, chimerism, summary, subsets: rows of the cohort's tables; `summary` is
            cohort.tsv.
        by_donor: rows of chimerism.tsv about one of several donors; `chimerism` has those of all of them.
        clusters: rows of clusters.tsv as text.
        embeddings: NK cells of each panel on two axes.
        overrides: rows of overrides.tsv of all samples.
        subset_change, subset_change_tests: rows of these tables.
        external_chimerism, external_agreement: of these, where another method told chimerism too.
    """
    worst: dict[str, str] = {}
    for row in checks:
        worst[row["sample"]] = max(row["status"], worst.get(row["sample"], "skipped"), key=_WORSE.index)
    rated = [{**sample, "status": worst.get(sample["sample"], "skipped")} for sample in samples]
    shares = sorted((row for row in chimerism if row["population"] == "nk"), key=lambda row: row["day"])
    of_any = [*shares, *(row for row in by_donor if row["population"] == "nk")]
    seen = {row["patient"] for row in of_any if row["status"] in SEEN}
    asked = {row["patient"] for row in of_any if row["status"] in (*SEEN, "not_detected")}
    known = [carried(row, reached=reached_of(row, patients, kinetics)) for row in summary if row["n"]]
    return page(
        "cohort.html",
        samples=rated,
        patients=_patients(patients, kinetics, shares, rated),
        facts={"patients": len(patients), "samples": len(samples), "seen": detection(len(seen), len(asked))},
        claims=statements(patients),
        unreadable=[row for row in checks if row["check"] == "readable" and row["status"] == "fail"],
        flagged=sorted(
            (row for row in checks if row["status"] in ("warn", "fail") and row["check"] != "readable"),
            key=lambda row: row["status"] != "fail",
        ),
        course=course(patients, samples, [*chimerism, *by_donor]),
        curves=[figure for figure in _curves(patients, trajectories) if figure],
        reconstitution=reconstitution(patients, kinetics, summary),
        donor_summary=[
            row for row in known if row["measure"] == "donor_nk" and row["quantity"] in SUMMARY and row["group"] == ALL
        ],
        summary=known,
        arms=_arms(known),
        compositions=_compositions(patients, samples, subsets),
        changes=cohort_changes(patients, subset_change, subset_change_tests),
        methods=cohort_methods(patients, external_chimerism, external_agreement),
        clusters=cluster_sections(clusters, embeddings, exclusive_subsets(subsets)),
        overrides=overrides,
    )


def _arms(summary: Sequence[Row]) -> dict[str, Any] | None:
    """Donor NK cells of each arm side by side, as they are: median, range and n; None with one arm."""
    arms = list(dict.fromkeys(row["group"] for row in summary if (row["group"] or "").startswith(ARM)))
    found = {(row["quantity"], row["group"]): row for row in summary if row["measure"] == "donor_nk"}
    lines = [(quantity, [_of_arm(found.get((quantity, arm))) for arm in arms]) for quantity in SUMMARY]
    known = [(quantity, cells) for quantity, cells in lines if any(cells)]
    return {"names": [arm.removeprefix(ARM) for arm in arms], "lines": known} if known else None


def _of_arm(row: Row | None) -> str:
    if row is None:
        return ""
    ends = next((part for part in (row["note"] or "").split("; ") if part.startswith("range ")), "")
    known = [row["count"] or (number(row["median"]) if not math.isnan(row["median"]) else ""), ends]
    return f"{', '.join(filter(None, known)) or NOT_AVAILABLE} (n = {row['n']})"


def _patients(
    patients: Sequence[Row], kinetics: Sequence[Row], shares: Sequence[Row], rated: Sequence[Row]
) -> list[dict[str, Any]]:
    points = {patient["patient"]: _share_points(patient["patient"], shares) for patient in patients}
    everyone = [point for mine in points.values() for point in mine]
    days = days_of([Track(name="", unit="", points=everyone)])
    values = spanning([point.value for point in everyone], log=True)
    rows = []
    for patient in patients:
        name = patient["patient"]
        mine = [row for row in kinetics if row["patient"] == name and row["measure"] == "donor_nk"]
        quantities = {row["quantity"]: row for row in mine if row["quantity"] in KEY_QUANTITIES}
        seen = [row for row in shares if row["patient"] == name and row["status"] in SEEN]
        statuses = [sample["status"] for sample in rated if sample["patient"] == name]
        line = sparkline(points[name], days=days, values=values, name=f"Donor share of NK cells of {name} over time")
        rows.append(
            {
                **patient,
                "line": drawn(line) if points[name] else "",
                "quantities": [quantities.get(quantity) for quantity in KEY_QUANTITIES],
                "highest": max(seen, key=lambda row: row["donor_fraction"], default=None),
                "samples": len(statuses),
                "quality": {status: statuses.count(status) for status in ("fail", "warn") if status in statuses},
            }
        )
    return rows


def _share_points(patient: str, shares: Sequence[Row]) -> list[Point]:
    return [share_point(row) for row in shares if row["patient"] == patient and not math.isnan(row["donor_fraction"])]


def _compositions(patients: Sequence[Row], samples: Sequence[Row], subsets: Sequence[Row]) -> list[dict[str, Any]]:
    figures = []
    for patient in patients:
        mine = [(s["sample"], s["day"]) for s in samples if s["patient"] == patient["patient"] and s["day"] is not None]
        name = f"NK subsets of {patient['patient']} over time, stacked shares of NK cells"
        timeline = sorted(mine, key=lambda sample: sample[1])
        figure = composition_figure(timeline, subsets, name=name, width=280, height=190)
        if figure:
            figures.append({"patient": patient["patient"], **figure})
    return figures


def _curves(patients: Sequence[Row], trajectories: Sequence[Row]) -> list[dict[str, Any] | None]:
    donor = [row for row in trajectories if row["measure"] == "donor_nk"]
    counted = [row for row in donor if row["unit"] != FRACTION]
    uncounted = [row for row in donor if row["unit"] == FRACTION]
    nk = [row for row in trajectories if row["measure"] == "nk"]
    return [
        _overlay(patients, counted, "Donor NK cells"),
        _overlay(patients, uncounted, "Donor share of NK cells, where there is no count"),
        _overlay(patients, nk, "All NK cells"),
    ]


def _overlay(patients: Sequence[Row], trajectories: Sequence[Row], title: str) -> dict[str, Any] | None:
    """A colour per patient, the same in every picture, and a dash per counting platform of one patient."""
    lines = []
    for index, patient in enumerate(patients):
        rows = [row for row in trajectories if row["patient"] == patient["patient"] and not math.isnan(row["observed"])]
        platforms = sorted({row["platform"] or "" for row in rows})
        for dash, platform in enumerate(platforms):
            name = f"{patient['patient']} ({platform})" if len(platforms) > 1 else patient["patient"]
            mine = sorted((row for row in rows if (row["platform"] or "") == platform), key=lambda row: row["day"])
            lines.append(
                Line(
                    name=name,
                    points=[_point(row, name) for row in mine],
                    color=CATEGORIES[index % len(CATEGORIES)],
                    dash=DASHES[dash % len(DASHES)],
                )
            )
    if not lines:
        return None
    unit = trajectories[0]["unit"]
    legend = [(line.name, line.color, line.dash) for line in lines]
    return {"name": title, "unit": unit, "image": drawn(overlay(lines, name=title, unit=unit)), "legend": legend}


def _point(row: Row, name: str) -> Point:
    below = "below " if row["censored"] else ""
    shown = interval(row, "observed", "observed_low", "observed_high")
    title = f"{name}, day {day(row['day'])}: {below}{shown} {row['unit']}"
    return Point(day=row["day"], value=row["observed"], censored=bool(row["censored"]), title=title)
