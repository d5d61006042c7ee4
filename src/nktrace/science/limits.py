"""Limits of blank, detection and quantitation for counts (CLSI EP17-A2, with Poisson or negative binomial counts)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc, gammaincc, gammaincinv

from nktrace.model.chimerism import Limits

DETECTION_EVENTS = 20  # net donor events below which no limit of detection is claimed
QUANTITATION_EVENTS = 50
ERROR = 0.05  # of a false detection in the blank, and of a miss at the limit of detection


def limits(events: float, *, a: float, a_low: float, a_high: float, b: float, blank_cv: float = 0.0) -> Limits:
    """LoB, LoD and LoQ of a population.

    LoB is the 95th percentile of the marker events that the blank would give among as many events, at the upper
    bound of its rate. With m the mean count that exceeds LoB with probability 0.95,
    LoD = max((m - n a_low) / (n (b - a)), 20 / n) and LoQ = max(LoD, 50 / n).

    Args:
        events: events of the lineage, n; at least 1.
        a, a_low, a_high: false-positive rate and its bounds.
        b: sensitivity.
        blank_cv: coefficient of variation of the false-positive rate between tubes; 0 for Poisson counts.
    """
    lob_events = limit_of_blank(np.array([events * a_high]), np.array([blank_cv]), np.ones(1))
    net = events * (b - a)
    lod = max((detected_mean(lob_events) - events * a_low) / net, DETECTION_EVENTS / events)
    return Limits(
        lob_events=lob_events,
        lob=max(0.0, (lob_events - events * a) / net),
        lod=lod,
        loq=max(lod, QUANTITATION_EVENTS / events),
    )


def limit_of_blank(
    means: NDArray[np.float64], cvs: NDArray[np.float64], weights: NDArray[np.float64], *, level: float = 1 - ERROR
) -> int:
    """The smallest count that a blank reaches or undercuts with a probability of `level`.

    Args:
        means: events expected of the blank, for each scatter that is possible, shape (k,).
        cvs: coefficients of variation between tubes, shape (k,); 0 for Poisson counts.
        weights: their probabilities, shape (k,).
    """
    sizes = np.where(cvs > 0, 1 / np.where(cvs > 0, cvs, 1.0) ** 2, 1.0)

    def at_most(count: int) -> float:
        dispersed = betainc(sizes, count + 1.0, sizes / (sizes + means))
        return float(weights @ np.where(cvs > 0, dispersed, gammaincc(count + 1.0, means)))

    low, high = -1, 1
    while at_most(high) < level:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if at_most(middle) >= level else (middle, high)
    return high


def detected_mean(lob_events: int) -> float:
    """The mean count that exceeds the limit of blank with probability 0.95."""
    return float(gammaincinv(lob_events + 1, 1 - ERROR))
