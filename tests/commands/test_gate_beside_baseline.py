"""A patient's sample is gated beside the survey of its baseline: only what rests on distances moves."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np

from nktrace.commands.fit_gates import fit_reference
from nktrace.commands.gate import beside_baseline
from nktrace.files.gate_reference import GateReference
from nktrace.files.gating_table import read_gating_table
from nktrace.files.installation import resource
from nktrace.files.settings import Settings
from nktrace.files.survey import Survey
from nktrace.model.gates import GatePriors
from nktrace.model.study import Role, Sample, Study
from nktrace.science.gating.tree import resolve
from tests.science.gating.tube import BLOOD, blood

SETTINGS = Settings(data_dir="")
TABLE = read_gating_table(resource("gating/nk.tsv"))
ROWS, _ = resolve(TABLE, BLOOD)
SAMPLE = Sample(sample="P1-d07", patient="P1", day=7.0, role=Role.TIMEPOINT, panel="blood", batch="b1", fcs="x.fcs")


def survey(name: str, seed: int, *, batch: str = "b1") -> Survey:
    events, _ = blood(seed, events=8_000, nk=0.2)
    return Survey(sample=name, panel="blood", batch=batch, events=events, tops=dict.fromkeys(BLOOD.markers, 262_144.0))


@cache
def reference() -> GateReference:
    return fit_reference([survey(f"S{seed}", seed) for seed in range(3)], BLOOD, TABLE, settings=SETTINGS)


def beside(reference: GateReference, baseline: Survey) -> GatePriors:
    return beside_baseline(reference, baseline, ROWS, SAMPLE, BLOOD, SETTINGS).prior("b1")


def test_a_baseline_sharpens_what_rests_on_distances_and_nothing_else() -> None:
    fitted = reference()
    cohort = fitted.prior("b1").edges
    sharpened = beside(fitted, survey("P1-blank", 9)).edges
    changed = {key for key in cohort if sharpened[key] != cohort[key]}
    assert changed
    assert {(population, channel) for population, channel, _ in changed} == {("nk_bright", "CD56")}
    assert all(sharpened[key].sd < cohort[key].sd and sharpened[key].baseline == "P1-blank" for key in changed)
    assert sharpened.keys() == cohort.keys()


def test_the_same_baseline_gives_the_same_again() -> None:
    fitted = reference()
    assert beside(fitted, survey("P1-blank", 9)) == beside(fitted, survey("P1-blank", 9))


def test_a_baseline_that_could_not_be_read_changes_nothing() -> None:
    fitted = reference()
    empty = survey("P1-blank", 9)
    failed = replace(empty, events=empty.events.select(np.zeros(0, np.intp)), failure="the file ends early")
    assert beside(fitted, failed) == fitted.prior("b1")


def test_which_sample_is_the_baseline() -> None:
    def row(name: str, day: float, role: Role, panel: str = "blood", patient: str | None = "P1") -> Sample:
        return replace(SAMPLE, sample=name, day=day, role=role, panel=panel, patient=patient)

    rows = [
        row("blank", -30.0, Role.BLANK),
        row("old", -20.0, Role.BASELINE),
        row("new", -1.0, Role.BASELINE),
        row("d1", 1.0, Role.TIMEPOINT),
        row("d1-counts", 1.0, Role.TIMEPOINT, "counts"),
        row("donor", 0.0, Role.DONOR),
        row("other-d1", 1.0, Role.TIMEPOINT, patient="P2"),
        row("other-blank", -1.0, Role.BLANK, patient="P2"),
    ]
    study = Study({sample.sample: sample for sample in rows}, {})
    found = {name: study.baseline_of(sample) for name, sample in study.samples.items()}
    assert {name: sample.sample if sample else None for name, sample in found.items()} == {
        "blank": "new",
        "old": "new",
        "new": None,
        "d1": "new",
        "d1-counts": None,
        "donor": None,
        "other-d1": "other-blank",
        "other-blank": None,
    }
