"""How probable each subset is for each NK cell: signs of overlapping populations, taken through the subset rules.

Each cut of a gate below `nk` is either met or not; a pattern of all of them gives every sign, and so exactly one
exclusive subset. The probability of a subset is that of the patterns which lead to it, the cuts independent of each
other given the values of the cell. That the cell is an NK cell is taken as known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nktrace.model.lineages import Lineages
from nktrace.model.subsets import SubsetCount, SubsetKind, SubsetRule, SubsetStatus
from nktrace.science.intervals import normal_quantile
from nktrace.science.nk_overlap import Array, Overlap
from nktrace.science.subsets import SubsetCalls, by_priority, deciding, subset_index, subset_masks


@dataclass(frozen=True, slots=True)
class SubsetProbabilities:
    """What the overlap of populations makes of the subsets of one sample.

    Attributes:
        called: per NK event the probability of the subset that it was called, nan without one, shape (nk events,).
        counts: one per rule, with `probability` and `expected_events`.
    """

    called: NDArray[np.float32]
    counts: tuple[SubsetCount, ...]


def subset_probabilities(
    rules: Sequence[SubsetRule], lineages: Lineages, calls: SubsetCalls, *, level: float
) -> SubsetProbabilities:
    """The probability of the subset that each NK cell was called, and the expected number of cells in each.

    The calls stay what the gates say. A gate that is not made of cuts along single markers is taken as certain, and
    `reason` says so. Rules that rest on too many cuts have no probability.

    Args:
        rules: by which the cells were called.
        lineages: of the sample.
        calls: of its NK cells (science/subsets.py).
        level: of the intervals of the cuts.
    """
    overlap = Overlap(lineages, z=normal_quantile(level))
    exclusive = by_priority(rules)
    shares = _shares_of_exclusive(exclusive, overlap)
    called = np.full(calls.index.shape, np.nan, dtype=np.float32)
    counts = []
    for count in calls.counts:
        rule = next(rule for rule in rules if rule.title == count.subset)
        if count.status is SubsetStatus.OK and rule.kind is SubsetKind.EXCLUSIVE:
            number = exclusive.index(rule)
            members = calls.index == number
            if shares is not None:
                share = shares.get(number, np.zeros(members.shape))
                called[members] = share[members]
                count = _with_probability(count, share, members)
        elif count.status is SubsetStatus.OK:
            state = _share_of_state(rule, overlap)
            if state is not None:
                count = _with_probability(count, state, subset_masks([rule], overlap.member)[rule.title])
        certain = [name for name in deciding([rule], overlap.member) if overlap.certain(name)]
        if certain and count.status is SubsetStatus.OK:
            note = f"taken as certain, not cut along single markers: {', '.join(certain)}"
            count = replace(count, reason="; ".join(filter(None, (count.reason, note))))
        counts.append(count)
    return SubsetProbabilities(called, tuple(counts))


def _with_probability(count: SubsetCount, share: Array, members: NDArray[np.bool_]) -> SubsetCount:
    mean = float(share[members].mean()) if members.any() else np.nan
    return replace(count, probability=mean, expected_events=float(share.sum()))


def _shares_of_exclusive(exclusive: Sequence[SubsetRule], overlap: Overlap) -> dict[int, Array] | None:
    patterns = overlap.patterns(deciding(exclusive, overlap.member))
    if patterns is None:
        return None
    return spread(subset_index(exclusive, patterns.member), patterns.probability, events=len(overlap))


def _share_of_state(rule: SubsetRule, overlap: Overlap) -> Array | None:
    patterns = overlap.patterns(deciding([rule], overlap.member))
    if patterns is None:
        return None
    holds = subset_masks([rule], patterns.member)[rule.title]
    shares = spread(holds.astype(np.int16), patterns.probability, events=len(overlap))
    return shares.get(1, np.zeros(len(overlap)))


def spread(outcome: NDArray[np.int16], probability: Sequence[Array], *, events: int) -> dict[int, Array]:
    """How probable each outcome is for each event, when each cut is met with its own probability.

    One cut after another is decided; parts of the table of outcomes that are the same are carried on together, so the
    work grows with the number of different parts and not with that of patterns.

    Args:
        outcome: of each pattern, shape (2 ** cuts,); the first cut is the highest bit of a pattern's number.
        probability: that each cut is met, shape (events,) each.
        events: their number.

    Returns:
        By outcome its probability, shape (events,); they sum to 1.
    """
    parts = {outcome.tobytes(): (outcome, np.ones(events))}
    for met in probability:
        halves: dict[bytes, tuple[NDArray[np.int16], Array]] = {}
        for part, weight in parts.values():
            without, with_it = np.split(part, 2)
            same = np.array_equal(without, with_it)
            split = [(without, weight)] if same else [(without, weight * (1 - met)), (with_it, weight * met)]
            for half, share in split:
                key = half.tobytes()
                halves[key] = (half, halves[key][1] + share) if key in halves else (half, share)
        parts = halves
    return {int(part[0]): weight for part, weight in parts.values()}
