"""What gating hands on: the events of a sample that stand in any population, and the markers of its NK cells."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from nktrace.model.events import Events, Mask
from nktrace.model.gates import Boolean, Edge, Gate
from nktrace.model.subsets import NK


@dataclass(frozen=True, slots=True, kw_only=True)
class NkGate:
    """How a population below `nk` was cut, from which follows how sure it is that a cell belongs to it.

    Attributes:
        edges: with channel, edge, value and interval; none of a boolean.
        expression: of a boolean, else empty.
    """

    population: str
    parent: str
    edges: tuple[Edge, ...] = ()
    expression: str = ""


def gates_below_nk(gates: Iterable[Gate]) -> tuple[NkGate, ...]:
    """Of the gates of a sample, parents before their children, those below `nk`."""
    below: dict[str, NkGate] = {}
    for gate in gates:
        if gate.parent == NK or gate.parent in below:
            expression = gate.shape.expression if isinstance(gate.shape, Boolean) else ""
            below[gate.population] = NkGate(
                population=gate.population, parent=gate.parent, edges=gate.edges, expression=expression
            )
    return tuple(below.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineages:
    """The gated events of one sample (file results/samples/{sample}/lineages.parquet).

    Attributes:
        sample, panel, batch: ids.
        event: 0-based row in the FCS file, ascending, shape (n,).
        member: per population a mask of shape (n,).
        hla: per marker of kind `hla` the compensated value in linear units, float32, shape (n,): cuts are made and
            moved between batches in linear units, since the transformed scale belongs to a batch.
        nk_rows: which of the n rows are NK, ascending, shape (k,).
        nk_markers: transformed values of every used marker (time apart) for those rows, shape (k, markers).
        failure: why the file could not be read; empty where it could.
        doubts: per population the flags of the doubtful gates it rests on (science/doubt.py); sound ones are absent.
        nk_gates: of the populations below `nk`, parents before their children.
    """

    sample: str
    panel: str
    batch: str
    event: NDArray[np.int32]
    member: dict[str, Mask]
    hla: dict[str, NDArray[np.float32]]
    nk_rows: NDArray[np.int64]
    nk_markers: Events
    failure: str = ""
    doubts: dict[str, tuple[str, ...]] = field(default_factory=dict)
    nk_gates: tuple[NkGate, ...] = ()

    def __len__(self) -> int:
        return int(self.event.shape[0])
