"""Batch controls from the survey to the row of qc.tsv: kept with the reference, and held against each other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nktrace.commands.fit_gates import fit_reference
from nktrace.files.gate_reference import GateReference
from nktrace.files.gating_table import read_gating_table
from nktrace.files.installation import resource
from nktrace.files.settings import Settings
from nktrace.files.survey import Survey
from nktrace.model.events import Events
from nktrace.model.panel import Panel
from nktrace.model.quality import Verdict
from nktrace.science.control_drift import control_check
from tests.science.gating.runs import STAINS
from tests.science.gating.tube import BLOOD, blood

PANEL = Panel(
    "blood",
    tuple(replace(d, transform="logicle") if d.marker in STAINS else d for d in BLOOD.detectors),
)


def survey(number: int, batch: str, *, role: str = "batch_control", dimmer: float = 0.0) -> Survey:
    """The draw of a tube in linear units; `dimmer` takes decades from the bright CD3 cells."""
    tube, _ = blood(number, events=6_000)
    values = tube.values.copy(order="F")
    for marker in STAINS:
        column = values[:, tube.channels.index(marker)]
        if marker == "CD3":
            column[column > 0.45] -= dimmer / 4.5
        column[:] = 150 * np.sinh(10 * (column - 0.2))
    tops = dict.fromkeys(tube.channels, 262_144.0)
    return Survey(
        sample=f"{role}-{batch}", panel="blood", batch=batch, events=Events(values, tube.channels), tops=tops, role=role
    )


def fitted(surveys: list[Survey]) -> GateReference:
    table = read_gating_table(resource("gating/nk.tsv"))
    return fit_reference(surveys, PANEL, table, settings=Settings(data_dir=""))


@pytest.mark.parametrize(("dimmer", "status"), [(0.0, Verdict.PASS), (0.8, Verdict.WARN)])
def test_a_batch_whose_control_is_dimmer_warns_its_samples(dimmer: float, status: Verdict) -> None:
    surveys = [
        survey(i, batch, dimmer=dimmer if batch == "b2" else 0.0)
        for i, batch in enumerate(("b1", "b2", "b3", "b4", "b5"))
    ]
    reference = fitted([*surveys, survey(9, "b2", role="timepoint")])
    assert reference.controls is not None
    assert [control.sample for control in reference.controls.samples] == [s.sample for s in surveys]
    check, _ = control_check(None, reference.controls, batch="b2", limit=Settings(data_dir="").qc.max_control_drift)
    assert check.status is status
    if status is Verdict.WARN:
        assert "batch_control-b2: CD3 (positive)" in check.reason
    assert control_check(None, reference.controls, batch="b1", limit=0.15)[0].status is Verdict.PASS


def test_without_controls_the_reference_has_none() -> None:
    assert fitted([survey(i, "b1", role="timepoint") for i in range(2)]).controls is None
