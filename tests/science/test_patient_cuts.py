from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from nktrace.model.chimerism import HlaCut
from nktrace.model.events import Events
from nktrace.model.hla import Antibody, Target
from nktrace.model.lineages import Lineages
from nktrace.model.study import Patient, Role, Sample, donors_met
from nktrace.science.hla_controls import Tube
from nktrace.science.patient_cuts import CutChoices, hla_cuts

PATIENT = Patient(patient="P1", donor="D1", recipient_hla="A*01:01,A*03:01", donor_hla="A*02:01,A*03:01")
ANTIBODY = Antibody(antibody="BB7.2", specificity="A2", reacts=(Target("A", "02"),), source="")
CHOICES = CutChoices(
    level=0.95, min_separation=0.8, min_events=200, assumed_sensitivity=0.95, assumed_events=20, bootstrap=20
)
Cells = dict[str, np.ndarray]


def tube(name: str, role: Role, cells: Cells, *, batch: str = "B1", **more: object) -> Tube:
    """A tube from the HLA values of each lineage."""
    values = np.concatenate(list(cells.values())).astype(np.float32)
    kind = np.repeat(list(cells), [lineage.size for lineage in cells.values()])
    patient = "P1" if role is Role.BLANK else None
    sample = Sample(sample=name, patient=patient, day=-1, role=role, panel="nk", batch=batch, fcs="", donor="D1")
    lineages = Lineages(
        sample=name,
        panel="nk",
        batch=batch,
        event=np.arange(values.size, dtype=np.int32),
        member={"lymphocytes": np.ones(values.size, bool)} | {lineage: kind == lineage for lineage in cells},
        hla={"HLA-A2": values},
        nk_rows=np.flatnonzero(kind == "nk"),
        nk_markers=Events(np.empty((int((kind == "nk").sum()), 0), np.float32, order="F"), ()),
    )
    return Tube(replace(sample, **more), lineages)  # type: ignore[arg-type]


def cuts(*tubes: Tube, choices: CutChoices = CHOICES, others: Sequence[Patient] = ()) -> dict[tuple[str, str], HlaCut]:
    donors = donors_met(PATIENT, ())
    rows = hla_cuts(
        PATIENT, tubes, donors=donors, others=others, antibodies={("nk", "HLA-A2"): ANTIBODY}, choices=choices, seed=1
    )
    return {(row.batch, row.population): row for row in rows}


def dim(rng: np.random.Generator, n: int, sd: float = 100.0) -> np.ndarray:
    return rng.normal(0, sd, n)


def bright(rng: np.random.Generator, n: int, median: float = 8_000.0) -> np.ndarray:
    return median * rng.lognormal(0, 0.4, n)


def test_a_lineage_that_binds_antibody_by_its_fc_receptors_has_a_cut_of_its_own() -> None:
    rng = np.random.default_rng(1)
    sticky = 700 * rng.lognormal(0, 0.4, 3_000)
    blank = tube("blank", Role.BLANK, {"nk": dim(rng, 3_000), "b_cells": sticky})
    donor = tube("donor", Role.DONOR, {"nk": bright(rng, 3_000), "b_cells": bright(rng, 3_000, 12_000)})
    found = cuts(blank, donor)
    assert found["", "b_cells"].cut > np.quantile(sticky, 0.99) > found["", "nk"].cut
    assert all(row.blank.rate < 0.005 and row.donor.rate > 0.98 for row in found.values() if row.population != "all")
    assert {row.reason for row in found.values()} == {""}


def test_a_small_lineage_borrows_and_says_from_where() -> None:
    rng = np.random.default_rng(2)
    blank = tube("blank", Role.BLANK, {"nk": dim(rng, 3_000), "b_cells": dim(rng, 50)})
    donor = tube("donor", Role.DONOR, {"nk": bright(rng, 3_000)})  # a product of NK cells alone
    found = cuts(blank, donor)["", "b_cells"]
    assert found.reason == "cut_blank_from_all; cut_donor_from_nk"
    assert found.blank.events == 3_050
    few = cuts(tube("blank", Role.BLANK, {"nk": dim(rng, 60)}), donor)["", "nk"]
    assert few.reason == "cut_blank_few_events (60)"


def test_without_a_donor_reference_the_cut_is_by_the_blanks_peak_and_is_moved_all_the_same() -> None:
    rng = np.random.default_rng(3)
    blank = tube("blank", Role.BLANK, {"nk": dim(rng, 20_000)})
    healthy = [
        tube(f"healthy_{batch}", Role.BATCH_CONTROL, {"nk": gain * dim(rng, 5_000)}, batch=batch, donor="H")
        for batch, gain in (("B1", 1.0), ("B2", 2.0))
    ]
    found = cuts(blank, *healthy)
    assert found["", "nk"].status == found["B2", "nk"].status == "assumed"
    assert found["B2", "nk"].donor.rate == pytest.approx(0.95)
    assert found["B2", "nk"].cut == pytest.approx(2 * found["", "nk"].cut, rel=0.1)


def test_a_donor_reference_of_another_batch_is_moved_home_by_the_batch_controls() -> None:
    rng = np.random.default_rng(4)
    blank = tube("blank", Role.BLANK, {"nk": 150 + dim(rng, 5_000)})
    there = tube("donor", Role.DONOR, {"nk": bright(rng, 5_000, 1_500)}, batch="B2")
    healthy = [
        tube(f"healthy_{batch}", Role.BATCH_CONTROL, {"nk": bright(rng, 5_000, median)}, batch=batch, donor="H")
        for batch, median in (("B1", 9_000), ("B2", 1_500))
    ]
    apart, moved = cuts(blank, there), cuts(blank, there, *healthy)
    here = cuts(blank, tube("donor", Role.DONOR, {"nk": bright(rng, 5_000, 9_000)}))["", "nk"]
    assert "donor_batch_differs" in apart["", "nk"].reason
    assert moved["", "nk"].reason == here.reason == ""
    assert abs(math.log(moved["", "nk"].cut / here.cut)) < abs(math.log(apart["", "nk"].cut / here.cut))
    assert moved["B2", "nk"].cut < moved["", "nk"].cut
    assert "shifted_by_batch_control" in moved["B2", "nk"].reason


def test_pooled_blanks_are_cut_in_the_batch_of_the_donor_reference_where_one_of_them_is_of_it() -> None:
    """Another batch stains a third as bright: its blanks move to the donor's batch, not the donor's cells to it."""
    rng = np.random.default_rng(6)
    others = [replace(PATIENT, patient=name, recipient_hla="A*01:01,A*03:01") for name in ("P2", "P3")]
    pooled = [
        tube(f"{other.patient}_blank", Role.BLANK, {"nk": gain * dim(rng, 5_000)}, batch=batch, patient=other.patient)
        for other, batch, gain in zip(others, ("B1", "B2"), (0.3, 1.0), strict=True)
    ]
    donor = tube("donor", Role.DONOR, {"nk": bright(rng, 5_000)}, batch="B2")
    healthy = [
        tube(f"healthy_{batch}", Role.BATCH_CONTROL, {"nk": gain * bright(rng, 5_000)}, batch=batch, donor="H")
        for batch, gain in (("B1", 0.3), ("B2", 1.0))
    ]
    found = cuts(*pooled, donor, *healthy, others=others)
    assert {batch for batch, _ in found} == {"", "B1"}
    assert "donor_batch_differs" not in found["", "nk"].reason
    here = cuts(*pooled[1:], donor, others=others)["", "nk"]
    assert found["", "nk"].cut == pytest.approx(here.cut, rel=0.2)


def test_controls_of_different_persons_say_nothing_of_the_batches() -> None:
    rng = np.random.default_rng(5)
    blank = tube("blank", Role.BLANK, {"nk": dim(rng, 3_000)})
    donor = tube("donor", Role.DONOR, {"nk": bright(rng, 3_000)})
    healthy = [
        tube(f"healthy_{batch}", Role.BATCH_CONTROL, {"nk": bright(rng, 3_000, median)}, batch=batch, donor=batch)
        for batch, median in (("B1", 9_000), ("B2", 3_000))
    ]
    assert {batch for batch, _ in cuts(blank, donor, *healthy)} == {""}
