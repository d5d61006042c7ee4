"""FlowKit, asked for the gates of a document and for their members."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nktrace.files.gate_documents import GateDocument, Kind
from nktrace.model.compensation import Spillover
from nktrace.model.errors import GatingError
from nktrace.model.events import Mask
from nktrace.model.imports import GatePath

if TYPE_CHECKING:
    from flowkit import GatingStrategy, Matrix

OWN_MATRIX = "the matrix of the file"
# what FlowKit 1.3.2 raises on documents that it does not expect: none of it is a fault of this program
_FAILS = (ValueError, TypeError, LookupError, AttributeError, NotImplementedError, ArithmeticError, SyntaxError)


@dataclass(frozen=True, slots=True)
class Drawn:
    """A gate as FlowKit keeps it: its own object, or the bounds of one quadrant by divider.

    `parent` is the gate that it is cut from, () for all events; `members` its events as FlowKit finds them.
    """

    path: GatePath
    parent: GatePath
    gate: Any
    members: Mask
    quadrant: str = ""


@dataclass(frozen=True, slots=True)
class Strategy:
    """All gates of a document, with FlowKit's transforms by name and its matrices by name."""

    drawn: tuple[Drawn, ...]
    transforms: Mapping[str, Any]
    matrices: Mapping[str, Matrix]


def read_through_flowkit(document: GateDocument, fcs: Path | str, *, own: Spillover | None) -> Strategy:
    """Let FlowKit read gates and file, and gate the one by the other.

    Args:
        document: prepared by `read_gate_document`.
        fcs: the file.
        own: the matrix that the file carries, for gates that refer to it.

    Raises:
        GatingError: FlowKit cannot read the document or the file, or gate the one by the other.
    """
    with quiet_flowkit(document.source) as flowkit:
        if document.kind is Kind.FLOWJO:
            samples = flowkit.parse_wsp(io.BytesIO(document.xml))["samples"]
            strategy = samples[document.sample]["gating_strategy"]
        else:
            strategy = flowkit.parse_gating_xml(io.BytesIO(document.xml))
        _refer_to_own_matrix(strategy, own, flowkit)
        name = document.sample or "sample"
        sample = flowkit.Sample(str(fcs), sample_id=name, use_flowjo_labels=document.kind is Kind.FLOWJO)
        results = strategy.gate_sample(sample)
        drawn = tuple(_drawn(strategy, results))
        return Strategy(drawn, dict(strategy.transformations), dict(strategy.comp_matrices))


@contextmanager
def quiet_flowkit(source: str) -> Iterator[Any]:
    """FlowKit without its warnings; what it raises becomes one line.

    Raises:
        GatingError: FlowKit failed.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import flowkit
        from flowio.exceptions import FCSParsingError
        from flowkit.exceptions import FlowKitException
        from lxml.etree import LxmlError
        from networkx import NetworkXException

        try:
            yield flowkit
        except (*_FAILS, FlowKitException, FCSParsingError, LxmlError, NetworkXException) as error:
            what = f"FlowKit {flowkit.__version__} cannot use it: {type(error).__name__}: {error}"
            raise GatingError(what, where=source) from error


def _gates(strategy: GatingStrategy) -> Iterator[tuple[GatePath, Any, str]]:
    """Every gate with its path below the root; a quadrant with the gate that holds it and its own name."""
    from flowkit import gates
    from flowkit.exceptions import QuadrantReferenceError

    for name, path in strategy.get_gate_ids():
        try:
            gate = strategy.get_gate(name, path)
        except QuadrantReferenceError:
            yield (*path[1:], name), strategy.get_gate(path[-1], path[:-1]), name
            continue
        if not isinstance(gate, gates.QuadrantGate):
            yield (*path[1:], name), gate, ""


def _refer_to_own_matrix(strategy: GatingStrategy, own: Spillover | None, flowkit: Any) -> None:
    """Put the file's matrix, as this program reads it, where gates say `FCS`: FlowKit's own reading of it can fail."""
    for _, gate, _ in _gates(strategy):
        for dimension in gate.dimensions or ():
            if dimension.compensation_ref == "FCS":
                dimension.compensation_ref = OWN_MATRIX if own else "uncompensated"
    if own:
        matrix = flowkit.Matrix(own.matrix, list(own.detectors), fluorochromes=list(own.detectors))
        strategy.add_comp_matrix(OWN_MATRIX, matrix)


def _drawn(strategy: GatingStrategy, results: Any) -> Iterator[Drawn]:
    quadrants = {path[:-1] for path, _, quadrant in _gates(strategy) if quadrant}
    for path, gate, quadrant in _gates(strategy):
        above = ("root", *path[:-2]) if quadrant else ("root", *path[:-1])
        members = np.asarray(results.get_gate_membership(path[-1], above), dtype=np.bool_)
        parent = path[:-1]
        while parent in quadrants:
            parent = parent[:-1]
        yield Drawn(path, parent, gate, members, quadrant)
