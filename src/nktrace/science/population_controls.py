"""False-positive rate and sensitivity of a population, from the tubes of known origin that serve it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nktrace.model.chimerism import BLANK_CV_ASSUMED, Controls, MarkerCounts
from nktrace.model.hla import Direction
from nktrace.science.background import FEWEST_BLANKS, telling_of_scatter
from nktrace.science.hla_controls import ALL, NK, Tube
from nktrace.science.marker_classes import Markers, classes_of

NO_COUNTS = MarkerCounts(events=0, positive=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """The settings that bear on chimerism (files/settings.py says what each means)."""

    level: float
    min_separation: float
    min_events: int
    min_reference_events: int
    blank_cv: float | None
    assumed_blank_cv: float
    assumed_sensitivity: float
    assumed_sensitivity_events: int
    complete: float
    mixed: float


def controls_of(
    population: str,
    markers: Markers,
    lineage: str,
    *,
    blanks: Sequence[Tube],
    donors: Sequence[Tube],
    others: Mapping[tuple[str, str, str, str], tuple[MarkerCounts, ...]],
    panel: str,
    choices: Choices,
) -> tuple[Controls, list[str]]:
    """False-positive rate and sensitivity of a population, borrowed from a larger one where it is small; and notes.

    Args:
        markers: that tell donor from recipient; `lineage` is that of their cuts.
        blanks, donors: tubes of the recipient and of the donor alone; without donors a sensitivity is assumed.
        others: blanks of the reference's patients, by panel, marker, direction and lineage: how much tubes differ.
    """
    fallback = tuple(dict.fromkeys((population, lineage, ALL)))
    least = choices.min_reference_events
    blank, blank_from, each = _pooled(markers, lineage, blanks, fallback, least)
    donor, donor_from, _ = _pooled(markers, lineage, donors, tuple(dict.fromkeys((*fallback[:-1], NK, ALL))), least)
    notes = [f"blank_from_{blank_from}"] if blank_from != population else []
    if not donors:
        donor = _assumed_donor(len(markers.cuts), choices)
    elif donor_from != population:
        notes.append(f"sensitivity_from_{donor_from}")
    known, assumed = choices.blank_cv, choices.assumed_blank_cv
    scatter_of: tuple[MarkerCounts, ...] = ()
    if known is None:
        cuts = [markers.cut(number, lineage) for number in range(len(markers.cuts))]
        found = [others.get((panel, cut.marker, cut.direction, lineage), ()) for cut in cuts]
        scatter_of = telling_of_scatter(*found, tuple(each))
        if len(scatter_of) < FEWEST_BLANKS:
            notes.append(f"{BLANK_CV_ASSUMED} ({assumed:g})")
    return Controls(
        blank=blank,
        donor=donor,
        blank_cv=assumed if known is None else known,
        against_recipient=markers.direction != Direction.DONOR_POSITIVE,
        tubes=tuple(each),
        scatter_of=scatter_of,
    ), notes


def _assumed_donor(markers: int, choices: Choices) -> MarkerCounts:
    """What stands for a donor reference: so many events, each positive for its own marker and no other."""
    worth, own = choices.assumed_sensitivity_events, choices.assumed_sensitivity
    if markers == 1:
        return MarkerCounts(events=worth, positive=round(worth * own))
    unclear = round(worth * 2 * own * (1 - own))
    return MarkerCounts(events=worth - unclear, positive=round(worth * own**2), unclear=unclear, neither=unclear // 2)


def _pooled(
    markers: Markers, lineage: str, tubes: Sequence[Tube], populations: Sequence[str], least: int
) -> tuple[MarkerCounts, str, list[MarkerCounts]]:
    """Counts over tubes in the first population of at least so many events, which that was, and the counts per tube."""
    best = (NO_COUNTS, populations[0], list[MarkerCounts]())
    for population in populations:
        each = [
            classes_of(tube, mask, markers, lineage).counts
            for tube in tubes
            if (mask := tube.mask(population)) is not None
        ]
        total = sum(each, NO_COUNTS)
        if total.total > best[0].total:
            best = (total, population, [counts for counts in each if counts.total])
        if total.total >= least:
            break
    return best
