"""Limits of blank, detection and quantitation for counts (CLSI EP17-A2, with Poisson or negative binomial counts)."""

from __future__ import annotations

from scipy.special import betainc, gammaincc, gammaincinv

from nktrace.model.chimerism import Limits

DETECTION_EVENTS = 20  # net donor events below which no limit of detection is claimed
QUANTITATION_EVENTS = 50
ERROR = 0.05  # of a false detection in the blank, and of a miss at the limit of detection


def limits(events: int, *, a: float, a_low: float, a_high: float, b: float, blank_cv: float = 0.0) -> Limits:
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
    lob_events = _quantile(events * a_high, blank_cv)
    mean_detected = float(gammaincinv(lob_events + 1, 1 - ERROR))
    net = events * (b - a)
    lod = max((mean_detected - events * a_low) / net, DETECTION_EVENTS / events)
    return Limits(
        lob_events=lob_events,
        lob=max(0.0, (lob_events - events * a) / net),
        lod=lod,
        loq=max(lod, QUANTITATION_EVENTS / events),
    )


def _quantile(mean: float, cv: float) -> int:
    """The smallest count that is reached or undercut with probability 0.95."""

    def at_most(count: int) -> float:
        if cv == 0 or mean == 0:
            return float(gammaincc(count + 1, mean))
        size = 1 / cv**2
        return float(betainc(size, count + 1, size / (size + mean)))

    low, high = -1, 1
    while at_most(high) < 1 - ERROR:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if at_most(middle) >= 1 - ERROR else (middle, high)
    return high
