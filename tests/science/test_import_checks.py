from __future__ import annotations

import numpy as np
import pytest

from nktrace.model.compensation import Spillover
from nktrace.model.events import Events
from nktrace.model.gates import ROOT, Gate, Rectangle
from nktrace.model.imports import ImportedGates
from nktrace.model.quality import Check, Verdict
from nktrace.model.transforms import Linear, Scale
from nktrace.science.import_checks import differences, import_checks


def spillover(value: float, *detectors: str) -> Spillover:
    return Spillover(detectors, np.array([[1.0, value], [0.0, 1.0]]))


def imported(*, stored: int = 1000, differing: int = 0, matrix: Spillover | None = None) -> ImportedGates:
    """A gate of 1000 of 2000 events."""
    values = np.arange(2000.0)[:, None]
    gate = Gate(population="nk", parent=ROOT, method="rectangle", shape=Rectangle(("A",), (1000.0,), (np.inf,)))
    return ImportedGates(
        gates=(gate,),
        paths={"nk": ("Singlets", "NK")},
        masks={"nk": values[:, 0] >= 1000},
        scale=Scale({"A": Linear()}),
        detectors={"A": "A"},
        spillover=matrix,
        events=Events(values, ("A",)),
        stored={"nk": stored},
        differing={"nk": differing} if differing else {},
        notes=("edges are taken as straight",),
    )


def checked(gates: ImportedGates, own: Spillover | None = None) -> dict[str, Check]:
    return {check.check: check for check in import_checks(gates, spillover=own)}


@pytest.mark.parametrize(("stored", "verdict"), [(1000, Verdict.PASS), (1004, Verdict.PASS), (1012, Verdict.WARN)])
def test_counts_against_those_of_the_workspace(stored: int, verdict: Verdict) -> None:
    check = checked(imported(stored=stored))["import_counts"]
    assert check.status is verdict
    assert check.value == pytest.approx(abs(1000 - stored) / stored)
    assert (f"nk: 1000 events, the workspace stores {stored}" in check.reason) == (stored != 1000)
    assert differences(imported(stored=stored)) == ({} if stored == 1000 else {"nk": (1000, stored)})


def test_members_that_flowkit_has_otherwise_are_told() -> None:
    assert checked(imported())["import_members"].status is Verdict.PASS
    check = checked(imported(differing=3))["import_members"]
    assert (check.status, check.value) == (Verdict.WARN, 3)
    assert "nk: 3 events" in check.reason


def test_gates_on_another_matrix_than_the_samples_own() -> None:
    drawn = imported(matrix=spillover(0.2, "A", "B"))
    assert checked(drawn, spillover(0.2004, "A", "B"))["import_matrix"].status is Verdict.PASS
    check = checked(drawn, spillover(0.25, "A", "B"))["import_matrix"]
    assert check.status is Verdict.WARN
    assert "A into B by 0.05" in check.reason
    assert checked(drawn, spillover(0.2, "A", "C"))["import_matrix"].status is Verdict.WARN  # other detectors
    assert checked(drawn, None)["import_matrix"].status is Verdict.WARN
    assert checked(imported(), spillover(0.2, "A", "B"))["import_matrix"].status is Verdict.SKIPPED


def test_what_was_not_plain_is_a_warning() -> None:
    assert checked(imported())["import_reading"].reason == "edges are taken as straight"
