"""Automatic gates: one file per method of the gating table, and the registry that names them.

A method is its settings class (model/gates.py), a file here with `estimate` (the parent's events → a gate) and `shape`
(the gate's numbers → its shape, again after a prior has moved them), and one line below.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from nktrace.model.gates import Edge, Gate, GatingRow, Shape
from nktrace.science.gating import (
    boolean,
    control,
    ellipse,
    excess,
    fixed,
    margin,
    mixture,
    scatter,
    singlets,
    time,
    valley,
)
from nktrace.science.gating.parent import Parent


@dataclass(frozen=True, slots=True)
class Method:
    """How a method of the gating table becomes a gate.

    Attributes:
        estimate: the gate of a row for the events of its parent.
        shape: the shape that a row's numbers make.
        priors: what the cohort lends a sample: `edges`, each cut by itself; `whole`, all numbers together or none
            (those of one two-dimensional shape depend on each other); `none`.
    """

    estimate: Callable[[Parent, GatingRow], Gate]
    shape: Callable[[GatingRow, tuple[Edge, ...]], Shape]
    priors: str


REGISTRY: dict[str, Method] = {
    "time": Method(time.estimate, time.shape, "none"),
    "margin": Method(margin.estimate, margin.shape, "none"),
    "singlets": Method(singlets.estimate, singlets.shape, "whole"),
    "scatter": Method(scatter.estimate, scatter.shape, "whole"),
    "valley": Method(valley.estimate, valley.shape, "edges"),
    "mixture": Method(mixture.estimate, mixture.shape, "edges"),
    "control": Method(control.estimate, control.shape, "edges"),
    "excess": Method(excess.estimate, excess.shape, "edges"),
    "rectangle": Method(fixed.estimate_rectangle, fixed.rectangle, "none"),
    "polygon": Method(fixed.estimate_polygon, fixed.polygon, "none"),
    "ellipse": Method(ellipse.estimate, ellipse.shape, "whole"),
    "boolean": Method(boolean.estimate, boolean.shape, "none"),
}
