"""How much the place of the gates adds to the error of a donor fraction.

At the edge of a gate stand cells of another kind, of which another share is the donor's: T cells beside NK cells. Every
uncertain number of a gate is moved by one standard error (science/gating/shifts.py). The events that then enter or
leave a population look like donor cells or not by the same cuts as all others, so the share of donor-like events varies
by half the difference between both moves; the numbers are taken as independent (the delta method, Oehlert 1992).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nktrace.model.chimerism import MarkerCounts
from nktrace.model.events import Mask
from nktrace.model.shifts import Moved, Shift


def rate_variance(
    counts: MarkerCounts,
    population: str,
    shifts: Sequence[Shift],
    *,
    event: NDArray[np.int32],
    donor_like: Mask,
    clear: Mask,
) -> float:
    """Variance of `counts.rate` from the place of the gates; 0 without events or shifts.

    Args:
        counts: of the population.
        population: as the gates name it.
        shifts: of the sample's gates, over the events of its file.
        event: rows of the file whose markers are known, ascending, shape (n,); of other events nothing is known, and
            they count for neither.
        donor_like, clear: which of these look like donor cells, and which are in a class at all, shape (n,) each.
    """
    if not counts.events:
        return 0.0

    def moved(side: Moved) -> float:
        change = side.change.get(population)
        if change is None:
            return counts.rate
        place = np.searchsorted(event, side.events)
        known = place < event.size
        known[known] = event[place[known]] == side.events[known]
        place, signs = place[known], change[known].astype(np.int64)
        signs = np.where(clear[place], signs, 0)
        events = counts.events + int(signs.sum())
        positive = counts.positive + int(signs[donor_like[place]].sum())
        return positive / events if events > 0 else counts.rate

    return sum(((moved(shift.high) - moved(shift.low)) / 2) ** 2 for shift in shifts)
