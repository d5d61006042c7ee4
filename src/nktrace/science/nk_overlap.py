"""Which cuts the populations below `nk` rest on, and how probable it is that each NK cell truly meets each cut."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nktrace.model.events import Events, Mask
from nktrace.model.gates import Edge
from nktrace.model.lineages import Lineages, NkGate
from nktrace.model.subsets import NK
from nktrace.science.gating.boolean import And, Name, Not, Or, Tree, evaluate, named_in, names, parse
from nktrace.science.gating.excess import STEP, WITHIN
from nktrace.science.positivity import positivity
from nktrace.science.subsets import nk_members

_MOST_CUTS = 16  # 65,536 patterns
_DIFFERING = 0.001  # share of events that cuts may put elsewhere than their gate did: float32 at the edge, no more

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Patterns:
    """Every way in which an event may meet some cuts or not; the first cut is the highest bit of a pattern's number.

    Attributes:
        member: populations by pattern, shape (2 ** cuts,).
        probability: that an event meets each cut, shape (events,) each.
    """

    member: dict[str, Mask]
    probability: tuple[Array, ...]


@dataclass(frozen=True, slots=True)
class Cut:
    """What lies on or above a place on one channel.

    Attributes:
        parent: the population that is cut.
        edge: the place, with its interval.
        within: another place that holds for the events of a control, if that is the higher one.
        control: where that control begins, on a channel of its own.
    """

    parent: str
    edge: Edge
    within: Edge | None = None
    control: Edge | None = None

    @property
    def name(self) -> str:
        """The same for the same cut of two gates, and with a blank, as no population has one."""
        edges = [edge for edge in (self.edge, self.within, self.control) if edge is not None]
        return " ".join([self.parent, *(f"{edge.channel} {edge.value!r}" for edge in edges)])

    def strata(self, events: Events) -> list[tuple[Mask, Edge]]:
        """Events that share one place, and that place."""
        if self.within is None or self.control is None:
            return [(np.ones(len(events), dtype=np.bool_), self.edge)]
        inside = _at_least(events, self.control)
        if self.control.edge == f"{STEP}_max":
            inside = ~inside
        return [(~inside, self.edge), (inside, max(self.edge, self.within, key=lambda edge: edge.value))]

    def met(self, events: Events) -> Mask:
        """Which events meet it, shape (events,)."""
        met = np.zeros(len(events), dtype=np.bool_)
        for stratum, edge in self.strata(events):
            met |= stratum & _at_least(events, edge)
        return met

    def probability(self, events: Events, members: Mask, *, z: float) -> Array:
        """That each event truly meets it, by the density of the members of the parent; shape (events,)."""
        found = self.met(events).astype(np.float64)
        for stratum, edge in self.strata(events):
            values = events.column(edge.channel)
            known = stratum & np.isfinite(values)
            curve = positivity(values[stratum & members], cut=edge.value, error=(edge.high - edge.low) / (2 * z))
            found[known] = curve.of(values[known])
        return found


def _at_least(events: Events, edge: Edge) -> Mask:
    met: Mask = events.column(edge.channel) >= np.float64(edge.value)
    return met


class Overlap:
    """The NK events of a sample, and how sure it is on which side of each cut they lie.

    Attributes:
        member: membership of the NK events in every population, as gated.
    """

    def __init__(self, lineages: Lineages, *, z: float) -> None:
        """Of a sample whose cuts have intervals of z standard errors."""
        self.member = nk_members(lineages)
        self._events = lineages.nk_markers
        self._z = z
        self._gates = {gate.population: gate for gate in lineages.nk_gates}
        self._cuts: dict[str, Cut] = {}
        self._trees: dict[str, Tree] = {}
        self._probability: dict[str, Array] = {}

    def __len__(self) -> int:
        return len(self._events)

    def certain(self, population: str) -> bool:
        """Whether it is taken as gated, since it is not made of cuts along single markers."""
        return not named_in(self._tree(population)) <= {NK, *self._cuts}

    def patterns(self, populations: Iterable[str]) -> Patterns | None:
        """What may be the case with the cuts that some populations rest on; None if there are too many."""
        trees = {population: self._tree(population) for population in populations}
        used = list(dict.fromkeys(name for tree in trees.values() for name in sorted(named_in(tree)) if name != NK))
        if len(used) > _MOST_CUTS:
            return None
        number = np.arange(2 ** len(used))
        met = {name: (number >> bit & 1).astype(np.bool_) for bit, name in enumerate(reversed(used))}
        met[NK] = np.ones(number.shape, dtype=np.bool_)
        member = {NK: met[NK]} | {population: evaluate(tree, met) for population, tree in trees.items()}
        return Patterns(member, tuple(self._met(name) for name in used))

    def _met(self, name: str) -> Array:
        """The probability of a cut, or the membership of a population that is certain."""
        if name not in self._probability:
            cut = self._cuts.get(name)
            self._probability[name] = (
                self.member[name].astype(np.float64)
                if cut is None
                else cut.probability(self._events, self.member[cut.parent], z=self._z)
            )
        return self._probability[name]

    def _tree(self, population: str) -> Tree:
        """A population in terms of cuts, and of populations that are certain."""
        if population not in self._trees:
            self._trees[population] = self._grown(population)
        return self._trees[population]

    def _grown(self, population: str) -> Tree:
        gate = self._gates.get(population)
        if gate is None or not {gate.parent, *_named(gate)} <= self.member.keys():
            return Name(population)
        if gate.expression:
            own = self._with_cuts(parse(gate.expression))
        else:
            cuts = cuts_of(gate, self._events.channels)
            members = self.member[gate.parent].copy()
            for cut, above in cuts:
                members &= cut.met(self._events) == above
            differing = np.count_nonzero(members != self.member[population])
            if not cuts or differing > _DIFFERING * len(self):
                return Name(population)
            self._cuts |= {cut.name: cut for cut, _ in cuts}
            signs = tuple(Name(cut.name) if above else Not(Name(cut.name)) for cut, above in cuts)
            own = signs[0] if len(signs) == 1 else And(signs)
        return own if gate.parent == NK else And((self._tree(gate.parent), own))

    def _with_cuts(self, tree: Tree) -> Tree:
        match tree:
            case Name(population):
                return self._tree(population)
            case Not(of):
                return Not(self._with_cuts(of))
            case And(of):
                return And(tuple(self._with_cuts(term) for term in of))
            case Or(of):
                return Or(tuple(self._with_cuts(term) for term in of))


def _named(gate: NkGate) -> set[str]:
    return names(gate.expression) if gate.expression else set()


def cuts_of(gate: NkGate, channels: Iterable[str]) -> list[tuple[Cut, bool]]:
    """The cuts along single markers that a gate is made of, and whether its members lie above; none if it is not.

    Either a box (edges `min` and `max` on any channel), or the step of an `excess` gate.
    """
    by_name = {edge.edge: edge for edge in gate.edges}
    if not gate.edges or not {edge.channel for edge in gate.edges} <= set(channels):
        return []
    if by_name.keys() <= {"min", "max"}:
        return [(Cut(gate.parent, edge), edge.edge == "min") for edge in gate.edges]
    steps = [edge for name, edge in by_name.items() if name in (f"{STEP}_min", f"{STEP}_max")]
    if len(gate.edges) == 3 and len(steps) == 1 and {"min", WITHIN} <= by_name.keys():
        return [(Cut(gate.parent, by_name["min"], by_name[WITHIN], steps[0]), True)]
    return []
