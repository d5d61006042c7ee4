"""Does the HLA stain of a sample look as that of its controls? A failed stain must not pass for an answer.

Without its antibody a cell looks like a donor's where that antibody marks the recipient, and like the recipient's where
it marks the donor. Two antibodies tell: most cells are then positive for neither. One alone tells only where some other
cell of the tube must be positive.
"""

from __future__ import annotations

import math

from nktrace.model.chimerism import Controls, MarkerCounts
from nktrace.model.hla import Direction
from nktrace.science.hla_controls import ALL, Tube
from nktrace.science.marker_classes import Markers

STAIN_FAILED = "stain_failed"
STAIN_UNLIKE = "stain_unlike_controls"
MORE_UNCLEAR = 0.05  # of the events in no class, beyond what the controls have, that is said
HALF = 0.5  # of the events that should be in a class: fewer, and nothing is told
MOST_STAINED = 0.05  # share of the tube's lymphocytes that must carry the recipient's marker


def stain_flags(tube: Tube, markers: Markers, counts: MarkerCounts, controls: Controls) -> list[str]:
    """What is unlike the controls; an estimate is not to be had where one starts with `STAIN_FAILED`.

    Args:
        counts: of the population, by class.
        controls: of the same population and markers.
    """
    if len(markers.cuts) == 1:
        return _of_one(tube, markers)
    expected = min(controls.donor.clear, controls.blank.clear)
    if not counts.total or math.isnan(expected):
        return []
    told = f"{1 - counts.clear:.1%} of the events positive for both or neither, {1 - expected:.1%} in the controls"
    if counts.clear < HALF * expected:
        return [f"{STAIN_FAILED} ({told})"]
    chance = 3 * math.sqrt(expected * (1 - expected) / counts.total)
    return [f"{STAIN_UNLIKE} ({told})"] if expected - counts.clear > max(MORE_UNCLEAR, chance) else []


def _of_one(tube: Tube, markers: Markers) -> list[str]:
    """By an antibody against the recipient alone, a tube in which hardly any cell carries its marker."""
    cut = markers.cut(0, ALL)
    everything = tube.mask(ALL)
    if markers.direction != Direction.RECIPIENT_POSITIVE or everything is None or not everything.any():
        return []
    stained = float((tube.lineages.hla[cut.marker][everything] >= cut.cut).mean())
    if stained >= MOST_STAINED:
        return []
    return [f"failed_stain_not_excluded ({stained:.1%} of all lymphocytes carry the marker of the recipient)"]
