"""Donor fractions through gates and all: do their intervals hold, and what do gates and HLA cuts take from it?

    python -m benchmarks.chimerism_through_gates [SEED …]

A cohort that is unlike the demo's (benchmarks/chimerism_through_gates.yaml) goes the whole way of the product, from FCS
files to chimerism.tsv. The same estimate is then made twice more, each time with less that can go wrong:

- `counting`: the true members of each population, each called by its true origin: nothing is left but counting;
- `cuts`: the true members, called by the HLA cuts and controls of the product;
- `gates`: the product's own result.

So from `counting` to `cuts` one sees what staining, cuts and background take, from there to `gates` what gates take.
The truth is the donor fraction in the simulated blood; blanks are left out. Bias is the median of estimate/truth - 1.
"""

from __future__ import annotations

import math
import os
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.simulated_study import POPULATIONS, Cohort, simulated, true_events, with_true_members
from nktrace.files.blanks import read_blanks
from nktrace.files.hla_cuts import read_hla_cuts
from nktrace.files.tables import read_table
from nktrace.model.chimerism import ChimerismRow, HlaCut, cuts_by_marker
from nktrace.model.hla import Direction
from nktrace.model.intervals import Interval
from nktrace.model.study import Patient, Role, Sample
from nktrace.science.hla_controls import Tube
from nktrace.science.hla_positivity import looks_donor
from nktrace.science.intervals import wilson
from nktrace.science.patient_chimerism import patient_chimerism
from nktrace.science.population_controls import Choices

SPEC = Path(__file__).with_suffix(".yaml")
SEEDS = (31,)
WAYS = ("counting", "cuts", "gates")
TARGET = 0.92
BANDS = (
    (0.0005, "<0.05 %"),
    (0.001, "0.05-0.1 %"),
    (0.01, "0.1-1 %"),
    (0.1, "1-10 %"),
    (0.5, "10-50 %"),
    (math.inf, ">50 %"),
)
NONE = 0.1  # true donor cells expected in a tube, under which a detection is false
ENOUGH = 500  # true cells in a tube; of fewer no rate is shown
NOT_ESTIMATED = ("indeterminate", "uninformative")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A row of chimerism.tsv by one way, beside its truth."""

    way: str
    sample: str
    population: str
    direction: str
    status: str
    events: int
    fraction: Interval
    cells: Interval
    truth: float
    true_cells: float

    @property
    def covers(self) -> bool:
        return self.fraction.low <= self.truth <= self.fraction.high


def of_patient(cohort: Cohort, patient: Patient) -> Iterator[Found]:
    """All rows of a patient, by each way."""
    place = cohort.directory / "results" / "patients" / patient.patient
    cuts = read_hla_cuts(place / "hla_cuts.tsv")
    directions = {cut.marker: cut.direction for cut in cuts if cut.direction}
    by_origin = [replace(cut, cut=0.5) if cut.direction else cut for cut in cuts]
    samples = [*cohort.study.samples_of(patient.patient), *cohort.study.donor_references(patient.patient)]
    truths = {sample.sample: true_events(cohort, sample) for sample in samples}
    counts = {
        (row["sample"], row["population"]): Interval(row["cells_per_ul"], row["ci_low"], row["ci_high"])
        for row in read_table(place / "counts.tsv", "counts")
        if row["platform"] != "none"
    }
    for way, calls, used in (("counting", directions, by_origin), ("cuts", None, cuts)):
        tubes = [with_true_members(cohort, sample, truths[sample.sample], calls=calls) for sample in samples]
        rows = _estimated(cohort, patient, tubes, used, counts, exact=way == "counting")
        yield from _beside(cohort, way, ((row.sample, row.population, _of_row(row)) for row in rows))
    product = read_table(place / "chimerism.tsv", "chimerism")
    yield from _beside(cohort, "gates", ((row["sample"], row["population"], _of_table(row)) for row in product))


def _estimated(
    cohort: Cohort,
    patient: Patient,
    tubes: Sequence[Tube],
    cuts: Sequence[HlaCut],
    counts: Mapping[tuple[str, str], Interval],
    *,
    exact: bool,
) -> list[ChimerismRow]:
    """The product's estimate; `exact` where blanks do not scatter, as true origins are counted."""
    chosen = cohort.settings.chimerism.model_dump(exclude={"cut_bootstrap"}) | ({"blank_cv": 0.0} if exact else {})
    blanks = sorted(cohort.directory.glob("results/reference/*/v*/blanks.tsv"))
    rows, _ = patient_chimerism(
        patient,
        tubes,
        cuts,
        cells_per_ul=counts,
        doses=[(0.0, patient.dose_per_kg)],
        choices=Choices(level=cohort.settings.level, **chosen),
        blanks={} if exact else read_blanks(blanks),
    )
    return rows


def _of_row(row: ChimerismRow) -> dict[str, Any]:
    return {
        "direction": row.direction,
        "status": row.estimate.status.value,
        "events": row.counts.events,
        "fraction": row.estimate.fraction,
        "cells": row.donor_cells,
    }


def _of_table(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "direction": row["direction"] or "",
        "status": row["status"],
        "events": row["events"],
        "fraction": Interval(row["donor_fraction"], row["ci_low"], row["ci_high"]),
        "cells": Interval(row["donor_cells_per_ul"], row["donor_cells_ci_low"], row["donor_cells_ci_high"]),
    }


def _beside(cohort: Cohort, way: str, rows: Iterable[tuple[str, str, dict[str, Any]]]) -> Iterator[Found]:
    for sample, population, values in rows:
        expected = cohort.expected.get((sample, population))
        if expected is None or population not in POPULATIONS or cohort.study.samples[sample].role is Role.BLANK:
            continue
        yield Found(
            way=way,
            sample=sample,
            population=population,
            truth=expected.donor_fraction,
            true_cells=expected.donor_cells_per_ul,
            **values,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Staining:
    """True cells of a lineage in one tube that a marker's cut puts on the wrong side, beside those of its control."""

    population: str
    cells: str
    control: float
    visit: float


def stainings(cohort: Cohort, patient: Patient) -> Iterator[Staining]:
    """Of each visit with enough cells of the donor, or of the recipient."""
    cuts = read_hla_cuts(cohort.directory / "results" / "patients" / patient.patient / "hla_cuts.tsv")
    blanks, donors = cohort.study.own_blanks(patient.patient), cohort.study.donor_references(patient.patient)
    visits = [sample for sample in cohort.study.samples_of(patient.patient) if sample.role is Role.TIMEPOINT]

    def rates(sample: Sample) -> dict[tuple[str, str, str], float]:
        truth = true_events(cohort, sample)
        tube = with_true_members(cohort, sample, truth, calls=None)
        found = {}
        for marker, known in cuts_by_marker(cuts, panel=sample.panel, batch=sample.batch).items():
            for population in ("nk", "cd3", "b_cells"):
                cut = known.at(population)
                if not cut.direction:
                    continue
                like = looks_donor(tube.lineages.hla[marker], cut.cut, Direction(cut.direction))
                for cells, of in (("donor's", truth.donor), ("recipient's", ~truth.donor)):
                    chosen = truth.members[population] & of
                    if chosen.sum() >= ENOUGH:
                        wrong = ~like[chosen] if cells == "donor's" else like[chosen]
                        found[marker, population, cells] = float(wrong.mean())
        return found

    controls = rates(blanks[0]) | rates(donors[0])
    for sample in visits:
        for key, visit in rates(sample).items():
            yield Staining(population=key[1], cells=key[2], control=controls[key], visit=visit)


@dataclass(frozen=True, slots=True, kw_only=True)
class Purity:
    """Of one gated population of one sample: events, truly of it, and where the others come from."""

    population: str
    events: int
    true: int
    dead: int
    doublets: int
    other: int
    missed: int


def purities(cohort: Cohort) -> Iterator[Purity]:
    """What stands in each gate of each visit."""
    for sample in cohort.study.samples.values():
        if sample.role is not Role.TIMEPOINT:
            continue
        tube, truth = cohort.tube(sample), true_events(cohort, sample)
        for name in POPULATIONS:
            found = tube.mask(name)
            if found is None:
                continue
            gate = tube.lineages.event[found]
            true, dead, doublets = (int(mask[gate].sum()) for mask in (truth.members[name], truth.dead, truth.doublet))
            yield Purity(
                population=name,
                events=gate.size,
                true=true,
                dead=dead,
                doublets=doublets,
                other=gate.size - true - dead - doublets,
                missed=int(truth.members[name].sum()) - true,
            )


# --- the report -------------------------------------------------------------------------------------------------------


def coverage(found: Sequence[Found]) -> str:
    """How many intervals, how often they hold, beside the bias."""
    known = [one for one in found if not math.isnan(one.fraction.low)]
    if not known:
        return f"{'-':>19}"
    away = [one.fraction.value / one.truth - 1 for one in known if one.truth > 0]
    bias = f"{np.median(away):>+8.1%}" if away else f"{'-':>8}"
    return f"{len(known):>5}{np.mean([one.covers for one in known]):>7.3f}{bias}"


def table(title: str, found: Sequence[Found], group: Callable[[Found], str], order: Sequence[str]) -> None:
    print(f"\n{title:<20}" + "".join(f"{way + ': n, held, bias':>24}" for way in WAYS))
    for name in (*order, "all"):
        members = [one for one in found if name in ("all", group(one))]
        if members:
            cells = (f"{coverage([one for one in members if one.way == way]):>24}" for way in WAYS)
            print(f"{name:<20}" + "".join(cells))


def band(truth: float) -> str:
    return next(name for edge, name in BANDS if truth <= edge)


def false_detections(found: Sequence[Found]) -> None:
    """Of populations in whose tube no donor cell is to be expected, how many are called present."""
    print(
        f"\n{'false detections':<20}"
        + "".join(f"{way:>24}" for way in WAYS)
        + f"   (under {NONE:g} donor cells expected)"
    )
    for name in (*POPULATIONS, "all"):
        cells = []
        for way in WAYS:
            none = [
                one
                for one in found
                if one.way == way
                and name in ("all", one.population)
                and one.truth * one.events < NONE
                and one.status not in NOT_ESTIMATED
            ]
            hits = sum(one.status != "not_detected" for one in none)
            cells.append(f"{f'{hits} of {len(none)}':>24}")
        print(f"{name:<20}" + "".join(cells))


def report(found: Sequence[Found], staining: Sequence[Staining], purity: Sequence[Purity]) -> None:
    above = [one for one in found if one.truth >= 1e-5]
    table("true fraction", above, lambda one: band(one.truth), [name for _, name in BANDS])
    table("population", above, lambda one: one.population, POPULATIONS)
    table("direction", above, lambda one: one.direction, ("both", "donor_positive", "recipient_positive"))
    false_detections(found)
    cells = [replace(one, fraction=one.cells, truth=one.true_cells) for one in above if not math.isnan(one.cells.value)]
    table("donor cells/uL", cells, lambda one: one.population, POPULATIONS)
    print(f"\n{'on the wrong side of the HLA cut':<34}{'control':>9}{'visits':>9}{'10 %':>9}{'90 %':>9}")
    for key in dict.fromkeys((one.population, one.cells) for one in staining):
        members = [one for one in staining if (one.population, one.cells) == key]
        control, visit = (np.array([getattr(one, name) for one in members]) for name in ("control", "visit"))
        quantiles = [float(np.median(control)), *np.quantile(visit, [0.5, 0.1, 0.9]).tolist()]
        print(f"{f'{key[0]}, {key[1]}':<34}" + "".join(f"{value:>9.3%}" for value in quantiles))
    by_name: dict[str, list[Purity]] = defaultdict(list)
    for one in purity:
        by_name[one.population].append(one)
    print(f"\n{'in the gates':<20}{'events':>9}{'true':>8}{'dead':>8}{'doublets':>10}{'others':>8}{'missed':>8}")
    for name, ones in by_name.items():
        n, m = sum(one.events for one in ones), sum(one.true + one.missed for one in ones)
        true, dead, doublets, other = (
            sum(getattr(one, what) for one in ones) / n for what in ("true", "dead", "doublets", "other")
        )
        missed = sum(one.missed for one in ones) / m
        print(f"{name:<20}{n:>9}{true:>8.1%}{dead:>8.1%}{doublets:>10.1%}{other:>8.1%}{missed:>8.1%}")
    product = [one for one in above if one.way == "gates" and not math.isnan(one.fraction.low)]
    share = wilson(sum(one.covers for one in product), len(product), 0.95)
    verdict = "met" if share.value >= TARGET else "missed"
    print(
        f"\ncoverage of the product {share.value:.3f} ({share.low:.3f} to {share.high:.3f}), target {TARGET}: {verdict}"
    )


def main(seeds: Sequence[int]) -> None:
    began = time.monotonic()
    found: list[Found] = []
    staining: list[Staining] = []
    purity: list[Purity] = []
    for seed in seeds:
        with tempfile.TemporaryDirectory() as directory:
            cohort = simulated(SPEC, seed=seed, directory=Path(directory), cores=os.cpu_count() or 1)
            for patient in cohort.study.patients.values():
                found += of_patient(cohort, patient)
                staining += stainings(cohort, patient)
            purity += purities(cohort)
    report(found, staining, purity)
    print(f"{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main([int(word) for word in sys.argv[1:]] or SEEDS)
