"""Gates as Gating-ML 2.0 (ISAC, 2015): another program that reads the FCS file and this one finds the same events.

What Gating-ML cannot say directly is said by auxiliary gates, whose ids begin with `_part.`: the windows of a time gate
and the inner terms of a boolean. Other ids are the populations' names; as XML forbids an id to begin with a digit,
such a population gets `_` before it. No population's name begins so.
"""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from nktrace.files.atomic import replacing
from nktrace.model.compensation import Spillover
from nktrace.model.errors import GatingError
from nktrace.model.gates import ROOT, Boolean, Ellipse, Gate, Polygon, Rectangle, Shape, Windows
from nktrace.model.transforms import Asinh, Linear, Logicle, Scale, Transform
from nktrace.science.gating.boolean import And, Name, Not, Or, Tree, parse

STANDARD = "http://www.isac-net.org/std/Gating-ML/v2.0/"
PREFIXES = {"gating": "gating", "transforms": "transformations", "data-type": "datatypes"}
SPILLOVER = "_spillover"
NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write_gating_ml(
    path: Path | str,
    gates: Sequence[Gate],
    *,
    scale: Scale,
    detectors: Mapping[str, str],
    spillover: Spillover | None,
    uncompensated: Collection[str] = (),
) -> None:
    """Write the gates of one sample, with its compensation and scale. The same gates give the same bytes.

    Args:
        gates: in table order, parents above their children; coordinates are scale positions.
        scale: transform per marker. A linear marker is named without a transform.
        detectors: $PnN per marker.
        spillover: the matrix with detectors by $PnN, written out in full; None where nothing is compensated.
        uncompensated: markers that are looked at before compensation although the matrix has their detectors.

    Raises:
        GatingError: a gate whose parent, marker or named population is missing, a bound that is not a number, or a
            name that XML cannot hold.
    """
    document = _Document(gates, scale=scale, detectors=detectors, spillover=spillover, uncompensated=uncompensated)
    ET.indent(document.root, " ")
    text = ET.tostring(document.root, encoding="unicode")
    with replacing(path) as draft:
        draft.write_text(f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n', encoding="utf-8", newline="\n")


class _Document:
    """The XML tree as it grows: matrix, transforms, then gates in their order."""

    def __init__(
        self,
        gates: Sequence[Gate],
        *,
        scale: Scale,
        detectors: Mapping[str, str],
        spillover: Spillover | None,
        uncompensated: Collection[str],
    ) -> None:
        for prefix, name in PREFIXES.items():
            ET.register_namespace(prefix, STANDARD + name)
        self.root = ET.Element(_name("gating:Gating-ML"))
        _child(self.root, "data-type:custom_info").text = "written by nktrace"
        self.detectors = detectors
        self.uncompensated = uncompensated
        self.compensated: frozenset[str] = frozenset()
        if spillover is not None:
            self._matrix(spillover)
        self.transforms: dict[str, str] = {}
        for marker in detectors:
            if marker in scale.transforms:
                self._transform(marker, scale.transforms[marker])
        self.scale = scale
        self.populations: set[str] = set()
        for gate in gates:
            if gate.parent != ROOT and gate.parent not in self.populations:
                raise GatingError(
                    f"its parent {gate.parent!r} does not stand above it", where=f"gate {gate.population}"
                )
            try:
                self._gate(gate_id_of(gate.population), gate.shape, gate.parent, _Parts(gate.population))
            except GatingError as error:
                raise GatingError(error.what, where=f"gate {gate.population}", mend=error.mend) from None
            self.populations.add(gate.population)

    # --- compensation and transforms ---------------------------------------------------------------------------

    def _matrix(self, spillover: Spillover) -> None:
        """A spectrumMatrix: a spectrum (row) per fluorochrome, which has the name of its own detector."""
        if len(spillover.detectors) < 2:  # the standard knows no matrix of one detector, and the identity needs none
            if spillover.matrix[0, 0] != 1:
                raise GatingError("Gating-ML cannot hold a spillover matrix of one detector that is not 1")
            return
        self.compensated = frozenset(spillover.detectors)
        matrix = _child(self.root, "transforms:spectrumMatrix", {"transforms:id": SPILLOVER})
        for axis in ("fluorochromes", "detectors"):
            labels = _child(matrix, f"transforms:{axis}")
            for detector in spillover.detectors:
                _child(labels, "data-type:fcs-dimension", {"data-type:name": detector})
        for row in spillover.matrix.tolist():
            spectrum = _child(matrix, "transforms:spectrum")
            for value in row:
                _child(spectrum, "transforms:coefficient", {"transforms:value": _number(value)})

    def _transform(self, marker: str, transform: Transform) -> None:
        """Logicle as itself; asinh(x/c) as fasinh with T = c sinh 1, M = 1/ln 10, A = 0; linear needs none."""
        match transform:
            case Linear():
                return
            case Asinh(cofactor):
                kind, values = "fasinh", {"T": cofactor * math.sinh(1.0), "M": 1 / math.log(10.0), "A": 0.0}
            case Logicle(t, w, m, a):
                kind, values = "logicle", {"T": t, "W": w, "M": m, "A": a}
        self.transforms[marker] = f"_scale.{len(self.transforms) + 1}"
        element = _child(self.root, "transforms:transformation", {"transforms:id": self.transforms[marker]})
        _child(element, f"transforms:{kind}", {f"transforms:{key}": _number(value) for key, value in values.items()})

    # --- gates ---------------------------------------------------------------------------------------------------

    def _gate(self, gate_id: str, shape: Shape, parent: str, part: _Parts) -> None:
        match shape:
            case Rectangle(channels, low, high):
                gate = self._open("RectangleGate", gate_id, parent)
                for channel, least, most in zip(channels, low, high, strict=True):
                    self._dimension(gate, channel, least, most)
            case Windows(channel, ((low, high),)):
                self._gate(gate_id, Rectangle((channel,), (low,), (high,)), parent, part)
            case Windows(channel, ()):
                self._gate(gate_id, Rectangle((channel,), (0.0,), (0.0,)), parent, part)  # holds nothing
            case Windows(channel, intervals):
                windows = [(part.next(), low, high) for low, high in intervals]
                for window, low, high in windows:
                    self._gate(window, Rectangle((channel,), (low,), (high,)), parent, part)
                self._operation("or", gate_id, [(window, False) for window, _, _ in windows], parent)
            case Polygon(channels, vertices):
                gate = self._open("PolygonGate", gate_id, parent)
                for channel in channels:
                    self._dimension(gate, channel)
                for vertex in vertices:
                    _coordinates(_child(gate, "gating:vertex"), vertex)
            case Ellipse(channels, mean, covariance, distance_square):
                gate = self._open("EllipsoidGate", gate_id, parent)
                for channel in channels:
                    self._dimension(gate, channel)
                _coordinates(_child(gate, "gating:mean"), mean)
                matrix = _child(gate, "gating:covarianceMatrix")
                for row in covariance:
                    entries = _child(matrix, "gating:row")
                    for value in row:
                        _child(entries, "gating:entry", {"data-type:value": _number(value)})
                _child(gate, "gating:distanceSquare", {"data-type:value": _number(distance_square)})
            case Boolean(expression):
                self._boolean(parse(expression), gate_id, parent, part)

    def _boolean(self, tree: Tree, gate_id: str, parent: str, part: _Parts) -> None:
        """One operation; terms that are more than a name or its negation become auxiliary gates on the root."""
        match tree:
            case Name():
                self._operation("and", gate_id, [self._term(tree, part, parent)] * 2, parent=parent)  # needs two
            case Not(of):
                term, complement = self._term(of, part, parent)
                if complement:
                    self._operation("and", gate_id, [(term, False)] * 2, parent)
                else:
                    self._operation("not", gate_id, [(term, False)], parent)
            case And(of):
                self._operation("and", gate_id, [self._term(term, part, parent) for term in of], parent)
            case Or(of):
                self._operation("or", gate_id, [self._term(term, part, parent) for term in of], parent)

    def _term(self, tree: Tree, part: _Parts, parent: str) -> tuple[str, bool]:
        """The gate that a term refers to, and whether its complement is meant.

        A boolean never refers to its own parent, but to an auxiliary gate that is the same: FlowKit 1.3.2 takes the
        parent's link for the reference and loses the gate.
        """
        match tree:
            case Name(population) if population == ROOT:  # what stands in for an exclusion left out on the root
                every = part.next()
                self._gate(every, Rectangle((next(iter(self.detectors)),), (-math.inf,), (math.inf,)), ROOT, part)
                return every, False
            case Name(population) if population == parent:
                inner = part.next()
                self._boolean(tree, inner, ROOT, part)
                return inner, False
            case Name(population):
                if population not in self.populations:
                    raise GatingError(f"population {population!r} does not stand above it")
                return gate_id_of(population), False
            case Not(of):
                term, complement = self._term(of, part, parent)
                return term, not complement
            case _:
                inner = part.next()
                self._boolean(tree, inner, ROOT, part)
                return inner, False

    def _operation(self, kind: str, gate_id: str, terms: Sequence[tuple[str, bool]], parent: str) -> None:
        operation = _child(self._open("BooleanGate", gate_id, parent), f"gating:{kind}")
        for term, complement in terms:
            attributes = {"gating:ref": term} | ({"gating:use-as-complement": "true"} if complement else {})
            _child(operation, "gating:gateReference", attributes)

    def _open(self, kind: str, gate_id: str, parent: str) -> ET.Element:
        attributes = {"gating:id": gate_id} | ({} if parent == ROOT else {"gating:parent_id": gate_id_of(parent)})
        return _child(self.root, f"gating:{kind}", attributes)

    def _dimension(self, gate: ET.Element, marker: str, low: float = -math.inf, high: float = math.inf) -> None:
        if marker not in self.detectors or marker not in self.scale.transforms:
            raise GatingError(f"marker {marker!r} has no detector or no transform")
        detector = self.detectors[marker]
        compensated = detector in self.compensated and marker not in self.uncompensated
        attributes = {"gating:compensation-ref": SPILLOVER if compensated else "uncompensated"}
        if marker in self.transforms:
            attributes["gating:transformation-ref"] = self.transforms[marker]
        if low != -math.inf:
            attributes["gating:min"] = _bound(low)
        if high != math.inf:
            attributes["gating:max"] = _bound(high)
        dimension = _child(gate, "gating:dimension", attributes)
        _child(dimension, "data-type:fcs-dimension", {"data-type:name": detector})


class _Parts:
    """Ids of the auxiliary gates of one population."""

    def __init__(self, population: str) -> None:
        self.population = population
        self.count = 0

    def next(self) -> str:
        self.count += 1
        return f"_part.{self.population}.{self.count}"


def gate_id_of(population: str) -> str:
    """The id of a population's gate."""
    return f"_{population}" if population[:1].isdigit() else population


def _name(qualified: str) -> str:
    prefix, _, name = qualified.partition(":")
    return f"{{{STANDARD}{PREFIXES[prefix]}}}{name}"


def _child(parent: ET.Element, qualified: str, attributes: Mapping[str, str] | None = None) -> ET.Element:
    for value in (attributes or {}).values():
        if NOT_IN_XML.search(value):
            raise GatingError(f"the name {value!r} holds characters that XML forbids")
    return ET.SubElement(parent, _name(qualified), {_name(key): value for key, value in (attributes or {}).items()})


def _coordinates(element: ET.Element, values: Sequence[float]) -> None:
    for value in values:
        _child(element, "gating:coordinate", {"data-type:value": _number(value)})


def _bound(value: float) -> str:
    """A lower bound of ∞ (nothing is above the cut) is a bound like others."""
    return {math.inf: "INF", -math.inf: "-INF"}.get(value) or _number(value)


def _number(value: float) -> str:
    """The shortest decimal that reads back as the same float64."""
    if not math.isfinite(value):
        raise GatingError(f"a bound or coordinate is {value}")
    return repr(float(value))
