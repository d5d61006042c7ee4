"""How much the place of the gates adds to the error of counts and shares: counting error is not the only one.

Every uncertain number of a gate is moved by one standard error (science/gating/shifts.py); a ratio of two counts varies
by half the difference between both moves, and the numbers are taken as independent.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from nktrace.model.gates import ROOT
from nktrace.model.intervals import UNKNOWN, Interval
from nktrace.model.shifts import NetShift
from nktrace.science.intervals import wilson_of


def share(part: str, whole: str, events: Mapping[str, int], shifts: Sequence[NetShift], *, level: float) -> Interval:
    """The share of a population in one that it is part of, with counting and gate error; unknown of an empty whole.

    Args:
        part, whole: names; a whole that no gate changes (`root`) is named by no shift.
        events: by population.
        shifts: of the sample's gates.
        level: of the interval.
    """
    if events[whole] <= 0:
        return UNKNOWN
    variance = ratio_variance(part, whole, events, shifts)
    return wilson_of(events[part] / events[whole], events[whole], level, variance=variance)


def ratio_variance(part: str, whole: str, events: Mapping[str, int], shifts: Sequence[NetShift]) -> float:
    """Variance of events[part] / events[whole] from the place of the gates."""

    def moved(net: Mapping[str, int]) -> float:
        denominator = events[whole] + net.get(whole, 0)
        return (events[part] + net.get(part, 0)) / denominator if denominator > 0 else events[part] / events[whole]

    return sum(((moved(shift.high) - moved(shift.low)) / 2) ** 2 for shift in shifts)


def relative_sd(part: str, events: Mapping[str, int], shifts: Sequence[NetShift], *, whole: str = ROOT) -> float:
    """Relative standard deviation of a count, or of its ratio to another, from the place of the gates; 0 for none."""
    if not events[part] or not events[whole]:
        return 0.0
    return math.sqrt(ratio_variance(part, whole, events, shifts)) * events[whole] / events[part]
