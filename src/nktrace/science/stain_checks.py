"""Does the HLA stain of a sample look as that of its controls? A failed stain must not pass for an answer.

Without its antibody a cell looks like a donor's where that antibody marks the recipient, and like the recipient's where
it marks the donor. Two antibodies tell: most cells are then positive for neither. One alone tells only where some other
cell of the tube must be positive.
"""

from __future__ import annotations

import math

import numpy as np

from nktrace.model.chimerism import Controls, MarkerCounts
from nktrace.model.hla import Direction
from nktrace.science.hla_controls import ALL, Tube
from nktrace.science.marker_classes import Markers

STAIN_FAILED = "stain_failed"
STAIN_UNLIKE = "stain_unlike_controls"
BEYOND_CHANCE = 3  # standard errors
MORE_UNCLEAR = 0.05  # of the events in no class, beyond what the controls have, that is said
HALF = 0.5  # of the events that should be in a class: fewer, and nothing is told
NEITHER_CV = 0.5  # of the share that stains for neither, between tubes
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
    if counts.hidden:
        told = f"{counts.hidden:.2%} of the events positive for neither beyond the controls: they may be anybody's"
        return [f"{STAIN_UNLIKE} ({told})"]
    chance = BEYOND_CHANCE * math.sqrt(expected * (1 - expected) / counts.total)
    return [f"{STAIN_UNLIKE} ({told})"] if expected - counts.clear > max(MORE_UNCLEAR, chance) else []


def hidden_share(counts: MarkerCounts, controls: Controls) -> float:
    """Share of the events that are positive for neither beyond what the controls have; 0 within chance and scatter.

    Where the antibody against donor cells failed, donor cells are among these; where the other did, the recipient's.
    More events positive for both are no such sign: doublets and cells with membrane of another have no place in the
    controls.
    """
    found, beside = _neither(counts), [_neither(control) for control in (controls.blank, controls.donor)]
    if math.isnan(found) or np.isnan(beside).any():
        return 0.0
    events, expected = max(
        zip((controls.blank.total, controls.donor.total), beside, strict=True), key=lambda one: one[1]
    )
    pooled = (counts.neither + expected * events) / (counts.total + events)
    variance = pooled * (1 - pooled) * (1 / counts.total + 1 / events) + (NEITHER_CV * expected) ** 2
    beyond = found - expected
    return beyond if beyond > BEYOND_CHANCE * math.sqrt(variance) else 0.0


def _neither(counts: MarkerCounts) -> float:
    return counts.neither / counts.total if counts.total else math.nan


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
