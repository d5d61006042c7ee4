"""What the uncertainty of the gates does to counts: every uncertain number moved by one standard error, either way.

A cut has an interval; the events between its bounds may or may not belong to the population, and to all below it. One
number of one gate is moved at a time, and the few events that change are followed down the tree. A count, and a ratio
of two counts, then varies by half the difference between both moves, and the numbers are taken as independent: the
delta method with central differences (Oehlert 1992).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from nktrace.model.events import Events, Mask
from nktrace.model.gates import ROOT, Boolean, Edge, Ellipse, Gate, GatedSample, GatingRow
from nktrace.model.shifts import Moved, Shift
from nktrace.science.gating import REGISTRY
from nktrace.science.gating.boolean import names
from nktrace.science.gating.masks import mask
from nktrace.science.gating.parent import gate_of

_TOGETHER = ("xx", "xy", "yy")  # entries of a covariance vary together: one moved alone would turn the ellipse


def shifts(
    gated: GatedSample, events: Events, rows: Sequence[GatingRow], *, finite: Mask, z: float
) -> tuple[Shift, ...]:
    """Every number of every gate that has an interval, moved down and up by one standard error.

    Args:
        gated: masks over `events`.
        events: on the scale of the gates, shape (n, channels).
        rows: what each gate was made by, in the order of the gates.
        finite: events that may be in a population at all, shape (n,).
        z: half-width of the gates' intervals in standard errors.
    """
    masks = gated.masks | {ROOT: finite}
    found = []
    for position, (gate, row) in enumerate(zip(gated.gates, rows, strict=True)):
        below = list(_below(gate, gated.gates[position + 1 :]))
        for edge in gate.edges:
            error = (edge.high - edge.low) / (2 * z)
            if not 0 < error < np.inf or (isinstance(gate.shape, Ellipse) and edge.edge in _TOGETHER):
                continue
            sides = tuple(_moved(gate, row, edge, by, below, events, masks) for by in (-error, error))
            found.append(Shift(gate.population, edge.channel, edge.edge, *sides))
    return tuple(found)


def _below(gate: Gate, later: Sequence[Gate]) -> Iterator[Gate]:
    """The gates whose members may change with a gate: its descendants, and booleans that name one of them."""
    changed = {gate.population}
    for other in later:
        named = names(other.shape.expression) if isinstance(other.shape, Boolean) else set()
        if other.parent in changed or named & changed:
            changed.add(other.population)
            yield other


def _moved(
    gate: Gate, row: GatingRow, edge: Edge, by: float, below: Sequence[Gate], events: Events, masks: Mapping[str, Mask]
) -> Moved:
    edges = tuple(replace(e, value=e.value + by) if e is edge else e for e in gate.edges)
    moved = gate_of(row, REGISTRY[row.method].shape(row, edges), edges)
    changes = masks[gate.parent] & (masks[gate.population] != mask(moved.shape, events, masks))
    which = np.flatnonzero(changes)
    few = events.select(which)
    members = {population: members[which] for population, members in masks.items()}
    after = dict(members)
    for other in (moved, *below):
        after[other.population] = after[other.parent] & mask(other.shape, few, after)
    change = {
        other.population: after[other.population].astype(np.int8) - members[other.population].astype(np.int8)
        for other in (gate, *below)
    }
    return Moved(which, {population: signs for population, signs in change.items() if signs.any()})
