"""The page of one patient: whose NK cells, how many, which subset, for how long."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nktrace.model.chimerism import ALL_DONORS
from nktrace.model.study import Patient, Sample
from nktrace.pages.answers import answers
from nktrace.pages.count_checks import counts_checked
from nktrace.pages.external import patient_methods
from nktrace.pages.happenings import happenings, legend, near
from nktrace.pages.patient_figures import (
    Curves,
    composition_figure,
    donor_figures,
    each_donor_figures,
    reconstitution_figures,
    subset_figures,
)
from nktrace.pages.render import page
from nktrace.pages.subset_changes import patient_changes

Row = Mapping[str, Any]

LINEAGES = ("nk", "nk_bright", "nk_dim", "cd3", "t_cells", "b_cells", "monocytes")


def patient_page(
    patient: Patient,
    *,
    samples: Sequence[Sample],
    counts: Sequence[Row],
    chimerism: Sequence[Row],
    by_donor: Sequence[Row] = (),
    trajectories: Sequence[Row],
    curves: Sequence[Row],
    kinetics: Sequence[Row],
    cuts: Sequence[Row],
    subsets: Sequence[Row],
    checks: Sequence[Row],
    thresholds: Mapping[str, Sequence[float]],
    events: Sequence[Mapping[str, str]] = (),
    infusions: Sequence[Mapping[str, str]] = (),
    overrides: Sequence[Row] = (),
    subset_change: Sequence[Row] = (),
    external: Sequence[Row] = (),
    count_checks: Sequence[Row] = (),
) -> str:
    """The HTML of a patient's page.

    Args:
        patient, samples: rows of the sheets; samples on the timeline by day.
        counts, chimerism, trajectories, curves, kinetics, cuts: the patient's tables.
        by_donor: rows of chimerism.tsv about one of several donors; `chimerism` has those of all of them.
        subsets, checks: rows of subsets.tsv and qc.tsv of all its samples.
        thresholds: cells per microlitre that count as recovery, by measure.
        events, infusions: rows of events.tsv and infusions.tsv.
        overrides: rows of overrides.tsv of all its samples.
        subset_change: the patient's table.
        external: chimerism by other methods beside flow, where there is any.
        count_checks: the patient's table.
    """
    happened = happenings(infusions, events, death_day=patient.death_day, dose_per_kg=patient.dose_per_kg)
    marks, far = near(happened, [sample.day for sample in samples])
    fitted = Curves(trajectories, curves, marks)
    return page(
        "patient.html",
        patient=patient,
        happened=happened,
        far=far,
        marks=legend(marks),
        two_step=patient.first_donor_exposure_day < 0,
        answers=answers(
            samples,
            chimerism=chimerism,
            by_donor=by_donor,
            trajectories=trajectories,
            kinetics=kinetics,
            subsets=subsets,
        ),
        donor_figures=donor_figures(fitted, chimerism),
        reconstitution=reconstitution_figures(fitted, counts, thresholds),
        count_checks=counts_checked(count_checks),
        composition=composition_figure(
            [(sample.sample, sample.day) for sample in samples],
            subsets,
            name="NK subsets of each sample, stacked shares of NK cells",
        ),
        subset_figures=subset_figures(fitted),
        changes=patient_changes(subset_change),
        external=patient_methods(external, marks),
        shares=_shares(samples, chimerism),
        chimerism=[*chimerism, *by_donor],
        several_donors=bool(by_donor) or any(row["donor"] == ALL_DONORS for row in chimerism),
        each_donor=each_donor_figures(fitted, by_donor),
        donor_kinetics=[row for row in kinetics if row["measure"].startswith("donor_nk:")],
        kinetics=[row for row in kinetics if row["measure"] == "donor_nk"],
        recovery=[row for row in kinetics if row["measure"].partition(":")[0] not in ("donor_nk", "fraction")],
        cuts=cuts,
        samples=_samples(samples, checks),
        problems=[row for row in checks if row["status"] in ("warn", "fail")],
        overrides=overrides,
    )


def _shares(samples: Sequence[Sample], chimerism: Sequence[Row]) -> dict[str, Any]:
    """The donor fraction as a table: one line per sample, one column per lineage of which anything is known."""
    known = {row["population"] for row in chimerism if row["status"] not in ("indeterminate", "uninformative")}
    lineages = [lineage for lineage in LINEAGES if lineage in known] or ["nk"]
    cells = {(row["sample"], row["population"]): row for row in chimerism}
    lines = [
        {"sample": sample, "cells": [cells.get((sample.sample, lineage)) for lineage in lineages]}
        for sample in samples
        if any((sample.sample, lineage) in cells for lineage in lineages)
    ]
    return {"lineages": lineages, "lines": lines}


def _samples(samples: Sequence[Sample], checks: Sequence[Row]) -> list[dict[str, Any]]:
    rows = []
    for sample in samples:
        bad = [row for row in checks if row["sample"] == sample.sample and row["status"] in ("warn", "fail")]
        worst = "fail" if any(row["status"] == "fail" for row in bad) else "warn" if bad else "pass"
        reasons = "; ".join(f"{row['check']}: {row['reason'] or row['status']}" for row in bad)
        rows.append({"sample": sample, "status": worst, "reason": reasons})
    return rows
