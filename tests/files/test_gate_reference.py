"""The gate reference keeps the batch controls where there are any."""

from __future__ import annotations

from pathlib import Path

import pytest

from nktrace.files.gate_reference import PANEL, GateReference, read_gate_reference, write_gate_reference
from nktrace.model.control_drift import BatchControl, Controls, MarkerPlace, MarkerShape
from nktrace.model.errors import ReferenceUnusable
from nktrace.model.gates import GatePriors
from nktrace.model.transforms import Linear, Scale

CONTROLS = Controls(
    shapes={"CD3": MarkerShape(positive_share=0.6, distance=0.5)},
    samples=(BatchControl(sample="C1", batch="b1", places={"CD3": MarkerPlace(negative=0.2, positive=0.7)}),),
)


def reference(controls: Controls | None) -> GateReference:
    scales, priors = {PANEL: Scale({"CD3": Linear()})}, {PANEL: GatePriors({})}
    return GateReference(panel="p", scales=scales, priors=priors, samples=[("C1", "b1")], controls=controls)


def test_controls_come_back(tmp_path: Path) -> None:
    write_gate_reference(tmp_path / "with", reference(CONTROLS))
    write_gate_reference(tmp_path / "without", reference(None))
    assert read_gate_reference(tmp_path / "with").controls == CONTROLS
    assert CONTROLS.batches == ("b1",)
    assert read_gate_reference(tmp_path / "without").controls is None
    assert not (tmp_path / "without" / "controls.json").exists()


def test_controls_that_are_none_are_refused(tmp_path: Path) -> None:
    write_gate_reference(tmp_path / "r", reference(CONTROLS))
    (tmp_path / "r" / "controls.json").write_text('{"samples": 3}', encoding="utf-8")
    with pytest.raises(ReferenceUnusable):
        read_gate_reference(tmp_path / "r")
