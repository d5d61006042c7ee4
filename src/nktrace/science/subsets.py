"""NK subsets by marker signs: what a panel can resolve, which cell belongs where, and with which interval.

A sign is membership in a gated population, so positivity is decided by gating alone and only once. The populations of
a marker are found by name: `CD57+` is `nk_cd57`, `HLA-DR+` is `nk_hla_dr`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from nktrace.model.events import Mask
from nktrace.model.lineages import Lineages
from nktrace.model.shifts import NetShift
from nktrace.model.subsets import NK, Sign, SubsetCount, SubsetKind, SubsetRule, SubsetStatus
from nktrace.science.doubt import Flags, failed, together
from nktrace.science.gate_error import share

NO_SUBSET = -1
_MOSTLY = 0.5  # share of the supporting signs under which a subset's cells are said to lack them


def population_of(marker: str) -> str:
    """The gated population that a marker's positive NK cells stand in: `nk_` and the marker, normalised."""
    return f"{NK}_{normalised(marker)}"


def normalised(marker: str) -> str:
    """A marker in lower case, everything but letters and digits as `_`: `HLA-DR` is `hla_dr`."""
    return re.sub(r"[\W_]+", "_", marker.lower()).strip("_")


def nk_members(lineages: Lineages) -> dict[str, Mask]:
    """Membership of the NK events in every gated population, shape (nk events,); empty where NK was not gated.

    A population whose gate failed is left out: that none of the cells stand in it says nothing.
    """
    if NK not in lineages.member:
        return {}
    return {
        population: mask[lineages.nk_rows]
        for population, mask in lineages.member.items()
        if population == NK or not failed(lineages.doubts.get(population, ()))
    }


@dataclass(frozen=True, slots=True)
class SubsetCalls:
    """The subsets of one sample's NK cells.

    Attributes:
        names: exclusive subsets in priority.
        index: per NK event the position in `names`, `NO_SUBSET` where no rule holds, shape (nk events,).
        counts: one row per rule, exclusive subsets first.
    """

    names: tuple[str, ...]
    index: NDArray[np.int16]
    counts: tuple[SubsetCount, ...]

    @property
    def labels(self) -> NDArray[np.str_]:
        """The name of the subset per NK event; empty where no rule holds."""
        return np.array([*self.names, ""])[self.index]


def call_subsets(
    rules: Sequence[SubsetRule],
    member: Mapping[str, Mask],
    *,
    markers: Sequence[str],
    level: float,
    doubts: Mapping[str, Flags] = MappingProxyType({}),
    shifts: Sequence[NetShift] = (),
) -> SubsetCalls:
    """Share out the NK cells to exclusive subsets by priority, and count overlapping states.

    What the gated populations cannot resolve is not available, and its cells go to the next rule that they meet. The
    last exclusive rule takes every cell (files/subset_rules.py sees to that), so the fractions sum to 1. A subset is as
    doubtful as the gates of its signs, and an exclusive one as those of the rules before it, which it gets the rest of.

    Args:
        rules: any order; exclusive ones are tried by priority.
        member: masks of gated populations over the NK events, shape (nk events,) each; `nk` among them if it was gated.
        markers: of the panel, for the reasons.
        level: of the intervals.
        doubts: flags of populations that rest on doubtful gates, for the reasons.
        shifts: what the error of the gates does to the subsets (science/subset_error.py), for the intervals.
    """
    exclusive = by_priority(rules)
    index = subset_index(exclusive, member)
    counts = []
    before: Flags = ()
    for number, rule in enumerate([*exclusive, *(rule for rule in rules if rule.kind is SubsetKind.STATE)]):
        lacking = _lacking(rule, member, markers, doubts)
        if lacking:
            counts.append(_not_resolvable(rule, None, index.size if NK in member else None, lacking))
        else:
            mask = index == number if rule.kind is SubsetKind.EXCLUSIVE else _holds(rule, member)
            flags = _doubts_of(rule, member, doubts)
            if rule.kind is SubsetKind.EXCLUSIVE:
                flags = before = together(flags, before)
            counts.append(_count(rule, mask, member, flags, shifts, level=level))
    return SubsetCalls(tuple(rule.subset for rule in exclusive), index, tuple(counts))


def by_priority(rules: Sequence[SubsetRule]) -> list[SubsetRule]:
    """The exclusive rules in the order in which they are tried."""
    return sorted((rule for rule in rules if rule.kind is SubsetKind.EXCLUSIVE), key=lambda rule: rule.priority or 0)


def subset_index(exclusive: Sequence[SubsetRule], member: Mapping[str, Mask]) -> NDArray[np.int16]:
    """Per NK event the first rule that can be decided and holds, `NO_SUBSET` without one, shape (nk events,)."""
    index = np.full(member[NK].size if NK in member else 0, NO_SUBSET, dtype=np.int16)
    for number, rule in enumerate(exclusive):
        if _decidable(rule, member):
            index[(index == NO_SUBSET) & _holds(rule, member)] = number
    return index


def subset_masks(rules: Sequence[SubsetRule], member: Mapping[str, Mask]) -> dict[str, Mask]:
    """Members of every subset and state that can be decided, by title, shape (nk events,) each."""
    exclusive = by_priority(rules)
    index = subset_index(exclusive, member)
    masks = {rule.title: index == number for number, rule in enumerate(exclusive)}
    states = [rule for rule in rules if rule.kind is SubsetKind.STATE]
    return masks | {rule.title: _holds(rule, member) for rule in states if _decidable(rule, member)}


def deciding(rules: Sequence[SubsetRule], member: Mapping[str, Mask]) -> tuple[str, ...]:
    """The gated populations that decide those rules which can be decided, in the order in which they are asked."""
    signs = [sign for rule in rules if _decidable(rule, member) for clause in rule.required for sign in clause]
    used = [_gated(sign, member) for sign in signs]
    return tuple(dict.fromkeys(population for population in used if population is not None))


def _decidable(rule: SubsetRule, member: Mapping[str, Mask]) -> bool:
    return NK in member and all(any(_gated(sign, member) for sign in clause) for clause in rule.required)


def _gated(sign: Sign, member: Mapping[str, Mask]) -> str | None:
    return next((population for population in sign.populations if population in member), None)


def _doubts_of(rule: SubsetRule, member: Mapping[str, Mask], doubts: Mapping[str, Flags]) -> Flags:
    used = [_gated(sign, member) for clause in rule.required for sign in clause]
    return together(*(doubts.get(population or "", ()) for population in (*used, NK)))


def _lacking(rule: SubsetRule, member: Mapping[str, Mask], markers: Sequence[str], doubts: Mapping[str, Flags]) -> str:
    """What is missing to decide a rule, for people; empty if nothing is."""
    if NK not in member:
        return "the population nk was not gated"
    if failed(doubts.get(NK, ())):
        return "; ".join(doubts[NK])
    in_panel = {population_of(marker) for marker in markers}
    reasons = []
    for clause in rule.required:
        if any(_gated(sign, member) for sign in clause):
            continue
        signs = "/".join(sign.text for sign in clause)
        populations = [population for sign in clause for population in sign.populations]
        unsound = together(*(doubts[population] for population in populations if failed(doubts.get(population, ()))))
        if unsound:
            reasons.append(f"{signs}: no gate that holds")
            reasons += unsound
        elif in_panel.isdisjoint(populations):
            reasons.append(f"{signs}: not in the panel")
        else:
            reasons.append(f"{signs}: in the panel, but no gate ({' or '.join(populations)})")
    return "; ".join(reasons)


def _holds(rule: SubsetRule, member: Mapping[str, Mask]) -> Mask:
    mask = np.ones(member[NK].size, dtype=bool)
    for clause in rule.required:
        mask &= np.any([_shows(sign, member) for sign in clause], axis=0)
    return mask


def _shows(sign: Sign, member: Mapping[str, Mask]) -> Mask:
    """Which NK events carry a sign; none where it was not gated."""
    population = _gated(sign, member)
    if population is None:
        return np.zeros(member[NK].size, dtype=bool)
    return member[population] if sign.positive else ~member[population]


def _count(
    rule: SubsetRule,
    mask: Mask,
    member: Mapping[str, Mask],
    flags: Flags,
    shifts: Sequence[NetShift],
    *,
    level: float,
) -> SubsetCount:
    if not mask.size:
        return _not_resolvable(rule, 0, 0, "no NK events")
    events = int(np.count_nonzero(mask))
    notes = list(flags)
    for clause in rule.required:
        used = [sign.text for sign in clause if _gated(sign, member)]
        if len(used) < len(clause):
            notes.append(f"by {'/'.join(used)} of {'/'.join(sign.text for sign in clause)}")
    supporting = [sign for sign in rule.supporting if _gated(sign, member)]
    support = math.nan
    if supporting and events:
        shares = [np.count_nonzero(_shows(sign, member) & mask) / events for sign in supporting]
        support = sum(shares) / len(shares)
        shown = (f"{sign.text} {share:.2f}" for sign, share in zip(supporting, shares, strict=True))
        notes.append("supporting signs: " + ", ".join(shown))
        if support < _MOSTLY:
            notes.append("most supporting signs are lacking")
    return SubsetCount(
        subset=rule.title,
        cl_id=rule.cl_id,
        events=events,
        nk_events=int(mask.size),
        fraction=share(rule.title, NK, {rule.title: events, NK: int(mask.size)}, shifts, level=level),
        status=SubsetStatus.OK,
        reason="; ".join(notes),
        support=support,
    )


def _not_resolvable(rule: SubsetRule, events: int | None, nk_events: int | None, reason: str) -> SubsetCount:
    return SubsetCount(
        subset=rule.title,
        cl_id=rule.cl_id,
        events=events,
        nk_events=nk_events,
        status=SubsetStatus.NOT_RESOLVABLE,
        reason=reason,
    )
