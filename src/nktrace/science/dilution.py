"""In-silico dilution: which events of blank and donor reference make up a mixture.

Both files are cut into random halves that share no event. One half of each is the control (blank and donor
reference), the other is mixed; within a mixture events are drawn without replacement.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nktrace.model.chimerism import Controls, MarkerCounts
from nktrace.model.dilution import Mixture, Recipe
from nktrace.science.limits import detected_mean

Rows = NDArray[np.intp]


def halves(events: int, rng: np.random.Generator) -> tuple[Rows, Rows]:
    """Two disjoint random halves of a file's rows, each in the file's order."""
    order = rng.permutation(events)
    return np.sort(order[: events // 2]), np.sort(order[events // 2 :])


def recipes(
    levels: Sequence[float], *, blank_events: int, donor_events: int, blank_share: float, donor_share: float
) -> list[Recipe]:
    """How many events of each half give these donor fractions of NK cells, all levels with as many NK cells.

    That number of NK cells is the largest that both halves can give at every level.

    Args:
        levels: donor fractions, 0 ≤ level < 1.
        blank_events, donor_events: events of the halves that are mixed.
        blank_share, donor_share: NK cells per event of either file, above 0.
    """
    most = max(levels)
    cells = blank_events * blank_share / (1 - min(levels))
    if most > 0:
        cells = min(cells, donor_events * donor_share / most)
    return [
        Recipe(
            level=level,
            blank_events=min(blank_events, round((1 - level) * cells / blank_share)),
            donor_events=min(donor_events, round(level * cells / donor_share)),
        )
        for level in levels
    ]


def expected_fraction(recipe: Recipe, *, blank_share: float, donor_share: float) -> float:
    """The donor fraction of a population in a mixture, from its share of all events in either file; nan for none."""
    donor = recipe.donor_events * donor_share
    both = donor + recipe.blank_events * blank_share
    return donor / both if both else float("nan")


def mixture(
    recipe: Recipe, blank: Rows, donor: Rows, *, blank_total: int, donor_total: int, rng: np.random.Generator
) -> Mixture:
    """Draw a mixture without replacement, in an order of time that one run could have.

    A donor event stands at the same relative place of the blank's run as in its own, and takes the time of the blank's
    event there: the flow rate, its clogs and a clock that starts anew stay those of the blank's run.

    Args:
        blank, donor: rows of the halves that are mixed.
        blank_total, donor_total: events of the whole files.
    """
    taken = np.sort(rng.choice(blank, recipe.blank_events, replace=False))
    added = np.sort(rng.choice(donor, recipe.donor_events, replace=False))
    clock = (added * blank_total) // donor_total
    place = np.concatenate([taken, clock])
    order = np.argsort(place, kind="stable")
    return Mixture(
        is_donor=np.repeat([False, True], [taken.size, added.size])[order],
        row=np.concatenate([taken, added])[order],
        clock=place[order],
    )


def lod_by_counts(counts: MarkerCounts, controls: Controls, lob_events: int) -> float:
    """The donor fraction that exceeds the limit of blank with probability 0.95, at the rates of the controls.

    Unlike the limit of detection that a sample states, it is not raised to 20 donor events and takes the blank's rate
    as it was counted, not its lower bound: what the hit rate of a dilution series should find.
    """
    return (detected_mean(lob_events) - counts.events * controls.blank.rate) / (counts.events * controls.separation)
