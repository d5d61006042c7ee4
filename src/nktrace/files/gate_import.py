"""Gates of Gating-ML or a FlowJo workspace as gates of ours, holding the events that FlowKit gives them.

Rectangles and quadrants become bounds on data values, exactly. Polygons and ellipses stand on a scale of ours; where
they were drawn on one that is none of ours (FlowJo's biexponential), their edges are followed by points, as many as it
takes to hold the same events of this file. A gate that cannot be had in this way is refused by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nktrace.files.fcs import read_fcs
from nktrace.files.flowkit_reading import Drawn, Strategy, read_through_flowkit
from nktrace.files.flowkit_shapes import NOT_COMPENSATED, Axes, channel_of, ellipse, polygon, quadrant, rectangle
from nktrace.files.gate_documents import GateDocument, read_gate_document, shown
from nktrace.model.compensation import Spillover
from nktrace.model.errors import GatingError
from nktrace.model.events import Mask
from nktrace.model.gates import ROOT, Boolean, Gate, Polygon, Shape, Source
from nktrace.model.imports import GatePath, ImportedGates
from nktrace.model.transforms import Scale
from nktrace.science.compensation import compensate, find_spillover
from nktrace.science.gating.conversion import lies_on_ellipse
from nktrace.science.gating.masks import mask

Namer = Callable[[Sequence[GatePath]], Mapping[GatePath, str]]

OUTSIDE = "_outside"  # what stands behind the name of a gate that keeps the events outside its line


def import_gates(
    gates: Path | str, fcs: Path | str, *, name: Namer, sample: str = "", max_condition: float
) -> ImportedGates:
    """Read the gates of a sample, with our names, and decide which events of its file they hold.

    Args:
        gates: Gating-ML or FlowJo workspace.
        fcs: the file.
        name: paths of all gates → the population of each.
        sample: name of the sample in the workspace, where it isn't plain.
        max_condition: a matrix with a larger condition number is refused.

    Raises:
        UnreadableFcs: the FCS file cannot be read exactly.
        CompensationError: the matrix is singular, or names detectors that the file lacks.
        GatingError: the gates cannot be read, or one of them cannot be had exactly; it says which.
        StudyFaults: the table of names does not fit the gates.
    """
    fcs = Path(fcs)
    file = read_fcs(fcs)
    document = read_gate_document(gates, sample=sample, fcs_name=fcs.name, channels=file.names)
    strategy = read_through_flowkit(document, fcs, own=find_spillover(file.keywords))
    events = file.scale_values(np.float64)
    if any(drawn.members.shape != (len(events),) for drawn in strategy.drawn):
        raise GatingError(f"FlowKit does not read the {len(events)} events of {fcs}", where=document.source)
    names = name([drawn.path for drawn in strategy.drawn])
    complements = {population + OUTSIDE for population in names.values()} & set(names.values())
    if complements:
        raise GatingError(f"a gate cannot be called '{min(complements)}'", where=document.source)
    spillover = _spillover(strategy, events.channels, document.source)
    compensated = compensate(events, spillover, max_condition=max_condition)
    axes = Axes(events, compensated, spillover, strategy.transforms)
    taken: list[Gate] = []
    masks: dict[str, Mask] = {ROOT: np.ones(len(events), dtype=np.bool_)}
    differing: dict[str, int] = {}
    for drawn in _in_order(strategy.drawn, document.source):
        try:
            for gate in _gates(drawn, document, names, axes, masks):
                taken.append(gate)
                axis_names = getattr(gate.shape, "channels", ())
                masks[gate.population] = masks[gate.parent] & mask(gate.shape, axes.of(axis_names), masks)
        except GatingError as error:
            where = f"{document.source}, gate {shown(drawn.path)}"
            raise GatingError(error.what, where=where, mend=error.mend) from None
        different = int(np.count_nonzero(masks[names[drawn.path]] != drawn.members))
        if different:
            differing[names[drawn.path]] = different
    del masks[ROOT]
    return ImportedGates(
        gates=tuple(taken),
        paths={names[drawn.path]: drawn.path for drawn in strategy.drawn},
        masks=masks,
        scale=Scale(axes.scale),
        detectors=axes.detectors,
        uncompensated=frozenset(axes.uncompensated),
        spillover=spillover,
        events=axes.of(tuple(axes.detectors)),
        stored={names[path]: count for path, count in document.stored.items()},
        differing=differing,
        notes=document.notes,
    )


def _spillover(strategy: Strategy, channels: Sequence[str], source: str) -> Spillover | None:
    """The one matrix that the gates refer to, with its detectors named as in the file."""
    dimensions = [dimension for drawn in strategy.drawn for dimension in drawn.gate.dimensions or ()]
    used = sorted({str(d.compensation_ref) for d in dimensions if d.compensation_ref not in NOT_COMPENSATED})
    if not used:
        return None
    if len(used) > 1:
        raise GatingError(f"its gates refer to several matrices ({', '.join(used)}), not to one", where=source)
    matrix = strategy.matrices.get(used[0])
    if matrix is None or matrix.matrix.shape != (len(matrix.detectors),) * 2:
        raise GatingError(f"the matrix '{used[0]}' is missing, or not square", where=source)
    detectors = tuple(channel_of(detector, channels) for detector in matrix.detectors)
    return Spillover(detectors, np.array(matrix.matrix, dtype=np.float64))


def _in_order(drawn: Sequence[Drawn], source: str) -> Iterator[Drawn]:
    """Each gate after its parent and after what it is a combination of."""
    waiting = list(drawn)
    done: set[GatePath] = {()}
    while waiting:
        ready = [gate for gate in waiting if {gate.parent, *_named(gate)} <= done]
        if not ready:
            raise GatingError(f"{shown(waiting[0].path)} is made of gates that do not exist", where=source)
        yield from ready
        done |= {gate.path for gate in ready}
        waiting = [gate for gate in waiting if gate.path not in done]


def _named(drawn: Drawn) -> list[GatePath]:
    return [_path(reference) for reference in getattr(drawn.gate, "gate_refs", ())]


def _path(reference: Mapping[str, Any]) -> GatePath:
    return (*reference["path"][1:], reference["ref"])


def _gates(
    drawn: Drawn, document: GateDocument, names: Mapping[GatePath, str], axes: Axes, masks: Mapping[str, Mask]
) -> Iterator[Gate]:
    """A gate of ours; two where the events outside a line are meant, as our shapes hold those inside."""
    population, parent = names[drawn.path], names[drawn.parent] if drawn.parent else ROOT
    outside = bool(getattr(drawn.gate, "use_complement", False))
    shape = _shape(drawn, document, names, axes, within=masks[parent], outside=outside)
    if outside:
        yield _gate(population + OUTSIDE, parent, shape)
        shape = Boolean(f"!{population}{OUTSIDE}")
    yield _gate(population, parent, shape)


def _gate(population: str, parent: str, shape: Shape) -> Gate:
    # quality checks know the share of doublets by the method of its gate
    method = population if population == "singlets" else type(shape).__name__.lower()
    return Gate(population=population, parent=parent, method=method, shape=shape, source=Source.IMPORT)


def _shape(
    drawn: Drawn,
    document: GateDocument,
    names: Mapping[GatePath, str],
    axes: Axes,
    *,
    within: Mask,
    outside: bool,
) -> Shape:
    from flowkit import gates as kinds

    match drawn.gate:
        case kinds.BooleanGate(type=operation, gate_refs=references):
            terms = [("!" if r["complement"] else "") + names[_path(r)] for r in references]
            return Boolean(
                f"!({terms[0]})" if operation == "not" else {"and": " & ", "or": " | "}[operation].join(terms)
            )
        case kinds.QuadrantGate():
            return quadrant(drawn.gate, drawn.quadrant, axes)
        case kinds.RectangleGate(dimensions=dimensions):
            return rectangle(dimensions, [(_bound(d, "min"), _bound(d, "max")) for d in dimensions], axes)
        case kinds.EllipsoidGate():
            return ellipse(drawn.gate, axes)
        case kinds.PolygonGate(dimensions=dimensions, vertices=corners):
            vertices = np.array(corners, dtype=np.float64)
            if len(dimensions) != 2 or len(vertices) < 3 or not np.isfinite(vertices).all():
                raise GatingError("FlowKit makes no polygon of it: it has no three corners, or one that is at no place")
            if drawn.path in document.ellipses:
                _check_ellipse(vertices, axes.drawn(dimensions), document.ellipses[drawn.path])
            rows = np.flatnonzero(within)
            members = drawn.members[rows] != outside

            def wrong(shape: Polygon) -> int:
                return int(np.count_nonzero(mask(shape, axes.of(shape.channels, rows), {}) != members))

            return polygon(dimensions, vertices, axes, wrong=wrong)
    raise GatingError(f"a {type(drawn.gate).__name__} cannot be read")


def _bound(dimension: Any, side: str) -> float | None:
    bound = getattr(dimension, side, None)
    return None if bound is None else float(bound)


def _check_ellipse(vertices: np.ndarray, scales: Sequence[Any], ellipse: tuple[Any, Any, float]) -> None:
    """FlowKit can turn an ellipse by a right angle, or make it on another display than FlowJo's."""
    *foci, longest = ellipse
    display = vertices * 256 / np.array([scale.display for scale in scales])
    if not lies_on_ellipse(display, np.array(foci), longest):
        raise GatingError("FlowKit makes another ellipse of it than FlowJo drew", mend="Draw it as a polygon.")
