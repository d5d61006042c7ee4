"""What the uncertainty of the gates does to the subsets: a moved gate lets cells in or out, or gives another sign."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from nktrace.model.events import Mask
from nktrace.model.lineages import Lineages
from nktrace.model.shifts import Moved, NetShift, Shift
from nktrace.model.subsets import NK, SubsetRule
from nktrace.science.subsets import nk_members, subset_masks


def subset_shifts(rules: Sequence[SubsetRule], lineages: Lineages, shifts: Sequence[Shift]) -> tuple[NetShift, ...]:
    """How many more cells each subset and state, and `nk` itself, has where a gate moves by one standard error.

    Args:
        rules: as `call_subsets` takes them.
        lineages: of the sample.
        shifts: of its gates, over the events of its file.
    """
    usable = tuple(nk_members(lineages))
    if NK not in usable:
        return ()
    return tuple(
        NetShift(
            shift.population,
            shift.channel,
            shift.edge,
            *(_net(rules, *_members(lineages, usable, side)) for side in (shift.low, shift.high)),
        )
        for shift in shifts
    )


def _members(lineages: Lineages, usable: Sequence[str], moved: Moved) -> tuple[Mapping[str, Mask], Mapping[str, Mask]]:
    """Memberships of the events that a move changes, before and after it; events in no population are not stored."""
    place = np.searchsorted(lineages.event, moved.events)
    stored = place < len(lineages)
    stored[stored] = lineages.event[place[stored]] == moved.events[stored]
    before, after = {}, {}
    for population in usable:
        members = np.zeros(moved.events.shape[0], dtype=np.bool_)
        members[stored] = lineages.member[population][place[stored]]
        before[population] = members
        change = moved.change.get(population)
        after[population] = members if change is None else (members + change).astype(np.bool_)
    return before, after


def _net(rules: Sequence[SubsetRule], before: Mapping[str, Mask], after: Mapping[str, Mask]) -> dict[str, int]:
    counts = [_counts(rules, members) for members in (before, after)]
    return {name: counts[1][name] - counts[0][name] for name in counts[0] if counts[1][name] != counts[0][name]}


def _counts(rules: Sequence[SubsetRule], members: Mapping[str, Mask]) -> dict[str, int]:
    nk = {population: mask[members[NK]] for population, mask in members.items()}
    return {name: int(np.count_nonzero(mask)) for name, mask in {NK: nk[NK], **subset_masks(rules, nk)}.items()}
