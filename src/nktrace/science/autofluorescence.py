"""Positive cells of a control that are by nature more, or less, autofluorescent than the negative ones.

Stained cells are often of another kind than those that they are held against: NK cells among lymphocytes, dead cells
among live ones. The difference of their autofluorescence is then taken for spillover into every detector, by the share
that it has of the signal. It shows itself: it has the spectrum of the negative events in all detectors, while no
fluorochrome is seen in all, and spillover is never negative.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nktrace.science.slopes import Slopes

Array = NDArray[np.float64]

_LEAST, _SHARE = 4, 1 / 3  # detectors that must agree, and their share of all
_AGREE = 2.0  # standard errors
_OTHER_SPECTRUM = 0.05  # sd: two kinds of cells glow alike, not the same
_USUAL = 0.5  # sd of the difference before it is seen, in units of the negative events' own background


@dataclass(frozen=True, slots=True)
class Excess:
    """How much more background positive events have than negative ones: a share of the latter's, and its sd."""

    share: float
    sd: float


UNSEEN = Excess(0.0, 0.25)
"""Where the detectors don't tell, it is taken for none, give or take a quarter."""


def excess(found: Slopes, place: int) -> Excess:
    """How much more background positive events have than negative ones, where that is plain.

    Where a third of the detectors (four at least) rise by the same share of their own background, within their errors,
    that share is taken for autofluorescence, and shrunk by its error. Detectors below it would see less than nothing of
    the fluorochrome: if more than a tenth do, nothing is said.

    Args:
        found: slopes of a control that is not compensated.
        place: column of the stained detector.
    """
    background = found.background[0]
    seen = np.flatnonzero((background > 0) & (np.arange(background.size) != place))
    if seen.size == 0:
        return UNSEEN
    share = found.value[seen] * found.signal / background[seen]
    se = np.sqrt((found.influence[:, seen] ** 2).sum(axis=0)) * found.signal / background[seen]
    se = np.hypot(se, _OTHER_SPECTRUM)
    agree = np.abs(share[:, None] - share) <= _AGREE * np.hypot(se[:, None], se)
    # of several groups of one size the lowest: spillover only adds
    sizes = agree.sum(axis=0)
    best = int(np.lexsort((share, -sizes))[0])
    group = agree[best]
    if group.sum() < max(_LEAST, _SHARE * seen.size):
        return UNSEEN
    weight = 1 / se[group] ** 2
    centre, variance = float((weight * share[group]).sum() / weight.sum()), float(1 / weight.sum())
    if np.mean(share < centre - 3 * np.hypot(se, np.sqrt(variance))) > 0.1:
        return UNSEEN
    kept = _USUAL**2 / (_USUAL**2 + variance)
    return Excess(centre * kept, float(np.hypot(np.sqrt(variance * kept), _OTHER_SPECTRUM)))
