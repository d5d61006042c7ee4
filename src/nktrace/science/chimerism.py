"""Donor fraction of a population from an HLA marker that tells donor cells from recipient cells.

f = (p - a) / (b - a) (Rogan & Gladen 1978): the share p that looks like donor, corrected for recipient cells that do
(a, from the blank) and for donor cells that do not (b, from the donor reference). Every count carries its own
uncertainty into the interval; the numbers of events may be as small as one.

By two antibodies, one against each person, only events that are positive for exactly one of them are in a class. The
formula holds among these; the shares of donor and of recipient cells that are in a class, from the same controls, turn
its result into one of all cells. What is positive for both or for neither is counted for nobody.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TypeVar

import numpy as np

from nktrace.model.chimerism import Category, ChimerismStatus, Controls, Estimate, Limits, MarkerCounts
from nktrace.model.errors import MarkerDoesNotSeparate
from nktrace.model.intervals import UNKNOWN, Interval
from nktrace.science import posteriors as at
from nktrace.science.background import Background, background, between_blank_cv
from nktrace.science.intervals import clopper_pearson, normal_quantile
from nktrace.science.limits import DETECTION_EVENTS, QUANTITATION_EVENTS, detected_mean, limit_of_blank
from nktrace.science.posteriors import Points

Share = TypeVar("Share", float, Points)

_NO_LIMIT = "limit above 1 (too few events, or a background that is not known well enough)"
_NOT_KNOWN = "background_not_known (it may be as high as this sample: no detection, although the interval excludes 0)"


def donor_fraction(
    sample: MarkerCounts, controls: Controls, *, level: float = 0.95, min_separation: float = 0.8
) -> Interval:
    """Donor fraction with its interval.

    The interval holds the central `level` of (P - A) / (B - A), where P follows the mid-p confidence distribution of
    the sample's count, A the posterior of the false-positive rate of a further tube and B Jeffreys' of the donor
    reference. It is cut to 0..1 and never narrower towards its middle than the exact bound for no events at all would
    allow. The point is not clipped.

    Raises:
        MarkerDoesNotSeparate: b - a is less than `min_separation`, or a control or the sample has no events.
    """
    _check(sample, controls, min_separation)
    low, high = at.central(fraction_points(sample, controls), level)
    room = _room(sample, controls, level)
    return Interval(
        _point(sample, controls),
        float(np.clip(low, 0.0, max(0.0, 1.0 - room))),
        float(np.clip(high, min(1.0, room), 1.0)),
    )


def fraction_points(sample: MarkerCounts, controls: Controls, *, as_baseline: bool = False) -> Points:
    """The donor fraction on the lattice, not clipped. A baseline shares blank and donor, but has counts of its own."""
    baseline = at.BASELINE, at.BETWEEN_BASELINE, at.DONOR_BETWEEN_BASELINE, at.BASELINE_GATES, at.BASELINE_HIDDEN
    usual = at.SAMPLE, at.BETWEEN, at.DONOR_BETWEEN, at.GATES, at.HIDDEN
    own, between, donor_between, gates, hidden = baseline if as_baseline else usual
    blank, donor = controls.blank, controls.donor
    p = at.moved(at.mid_p_rate(sample.positive, sample.events, own), sample.gate_sd, gates)
    a = _background(controls).rate(between)
    b = 1 - _missed(controls).rate(donor_between, mean=at.DONOR)
    found: Points = (p - a) / np.maximum(b - a, 1e-3)
    if blank.unclear or donor.unclear:
        of_donor = at.jeffreys_rate(donor.events, donor.total, at.DONOR_CLEAR)
        of_blank = at.jeffreys_rate(blank.events, blank.total, at.BLANK_CLEAR)
        found = _of_all(found, of_donor, of_blank)
    if sample.hidden:  # all of them the donor's, or none
        found = (1 - sample.hidden) * found + sample.hidden * (at.axis(hidden) < 0.5)
    return found


def limits_of(sample: MarkerCounts, controls: Controls, *, level: float = 0.95) -> Limits:
    """LoB, LoD and LoQ of a sample's population; nan where one lies above 1.

    See science/limits.py. The blank's rate is taken at its one-sided bounds of confidence `level`. Where five blanks or
    more tell how much tubes scatter, LoB is the upper end of the central `level` of what they predict of a further
    tube, which a blank exceeds half as often as 1 - `level`: it agrees with the interval of the fraction. The counts
    are of events in a class; the twenty and fifty net donor events that a limit of detection or quantitation needs are
    of all events.
    """
    blank, events = controls.blank, sample.events
    rates = _background(controls)
    a_low, lob_events = _blank_limit(rates, blank, events, level)
    lob_events = min(lob_events, events)
    net = events * controls.separation
    lob = max(0.0, (lob_events - events * blank.rate) / net)
    detected = (detected_mean(lob_events) - events * a_low) / net
    clear = controls.donor.clear, blank.clear
    lod = max(_of_all(detected, *clear), DETECTION_EVENTS / sample.total)
    loq = max(lod, QUANTITATION_EVENTS / sample.total)
    lob, lod, loq = (limit if limit <= 1 else math.nan for limit in (_of_all(lob, *clear), lod, loq))
    return Limits(lob_events=lob_events, lob=lob, lod=lod, loq=loq)


def estimate(
    sample: MarkerCounts,
    controls: Controls,
    *,
    level: float,
    min_separation: float,
    min_events: int,
    complete: float,
    mixed: float,
) -> Estimate:
    """Donor fraction, limits, status and category. Detection is decided on the count, never on the fraction."""
    if sample.total < min_events:
        return Estimate(
            status=ChimerismStatus.INDETERMINATE, reasons=(f"too_few_events ({sample.total} < {min_events})",)
        )
    try:
        fraction = donor_fraction(sample, controls, level=level, min_separation=min_separation)
    except MarkerDoesNotSeparate as error:
        return Estimate(status=ChimerismStatus.INDETERMINATE, reasons=(f"no_separation ({error.what})",))
    bounds = limits_of(sample, controls, level=level)
    if sample.positive <= bounds.lob_events:
        if sample.hidden > 0 and not sample.hidden <= bounds.lod:
            return Estimate(
                status=ChimerismStatus.INDETERMINATE,
                reasons=(f"{sample.hidden:.2%} of the cells may be anybody's, more than the limit of detection",),
            )
        return Estimate(
            status=ChimerismStatus.NOT_DETECTED,
            fraction=Interval(fraction.value, 0.0, fraction.high),
            limits=bounds,
            reasons=(
                f"{sample.positive} marker events, limit of blank {bounds.lob_events}",
                *([_NO_LIMIT] if math.isnan(bounds.loq) else []),
                *([_NOT_KNOWN] if fraction.low > 0 else []),
            ),
        )
    quantified = fraction.value >= bounds.loq  # never where there is no such limit
    return Estimate(
        status=ChimerismStatus.QUANTIFIED if quantified else ChimerismStatus.DETECTED,
        fraction=fraction,
        limits=bounds,
        category=_category(fraction.value, complete=complete, mixed=mixed),
        reasons=() if quantified else ("below the limit of quantitation",) if bounds.loq <= 1 else (_NO_LIMIT,),
    )


def change(
    sample: MarkerCounts,
    sample_controls: Controls,
    baseline: MarkerCounts,
    baseline_controls: Controls,
    *,
    level: float,
) -> Interval:
    """Donor fraction minus that of the baseline. Where both have the same controls, their error is shared."""
    now = fraction_points(sample, sample_controls)
    then = fraction_points(baseline, baseline_controls, as_baseline=True)
    if baseline_controls != sample_controls:
        then = then[at.shuffled()]
    # cut to what is possible only at the end: fractions cut before would have no error to one side
    low, high = (min(max(end, -1.0), 1.0) for end in at.central(now - then, level))
    return Interval(_point(sample, sample_controls) - _point(baseline, baseline_controls), low, high)


def donor_cells(sample: MarkerCounts, controls: Controls, cells_per_ul: Interval, *, level: float) -> Interval:
    """Donor cells per µL: count times fraction, each with its own error; unknown without a count.

    The count is taken as log-normal on either side of its point, independent of the fraction. Donor cells are neither
    less than none nor more than all cells, also where the corrected fraction is not within 0 to 1.
    """
    if not cells_per_ul.known:
        return UNKNOWN
    value = cells_per_ul.value * min(max(_point(sample, controls), 0.0), 1.0)
    if cells_per_ul.value <= 0 or math.isnan(cells_per_ul.low) or math.isnan(cells_per_ul.high):
        return Interval(value, min(cells_per_ul.low, 0.0), cells_per_ul.high)
    count = at.two_piece_lognormal(
        cells_per_ul.value, cells_per_ul.low, cells_per_ul.high, normal_quantile(level), at.COUNT
    )
    points = count * np.clip(fraction_points(sample, controls), 0, 1)
    low, high = at.central(points, level)
    high = max(high, cells_per_ul.value * min(1.0, _room(sample, controls, level)))
    return Interval(value, low, high)


def infused_bound(dose_per_kg: float) -> float:
    """Infused cells per µL if every one stayed in blood, at 70 mL of blood per kg: 14.3 for 1e6 per kg."""
    return dose_per_kg / 70_000.0


def _background(controls: Controls) -> Background:
    return background(controls.tubes or (controls.blank,), cv=controls.blank_cv, scatter_of=controls.scatter_of)


def _missed(controls: Controls) -> Background:
    """Donor cells that look like the recipient's, whose rate scatters as that of blanks does in the middle."""
    donor, cv = controls.donor, 0.0
    if controls.against_recipient:
        told = between_blank_cv(controls.scatter_of)
        cv = controls.blank_cv if math.isnan(told) else told
    return background((MarkerCounts(events=donor.events, positive=donor.events - donor.positive),), cv=cv)


@lru_cache(maxsize=128)
def _blank_limit(rates: Background, blank: MarkerCounts, events: int, level: float) -> tuple[float, int]:
    """The lower bound of the false-positive rate, and the most events of `events` that a blank gives."""
    if rates.poisson:
        bounds = clopper_pearson(blank.positive, blank.events, 2 * level - 1)
        return bounds.low, limit_of_blank(np.array([events * bounds.high]), rates.cvs, rates.weights)
    a_low = at.central(rates.rate(at.BETWEEN), 2 * level - 1)[0]
    if rates.estimated:
        predicted, weights = rates.predicted()
        poisson = np.zeros(predicted.size)
        return a_low, limit_of_blank(events * predicted, poisson, weights, level=(1 + level) / 2)
    return a_low, limit_of_blank(events * rates.upper_means(level), rates.cvs, rates.weights)


def _point(sample: MarkerCounts, controls: Controls) -> float:
    among_clear = (sample.rate - controls.blank.rate) / controls.separation
    return _of_all(among_clear, controls.donor.clear, controls.blank.clear)


def _of_all(share: Share, donor_clear: Share, blank_clear: Share) -> Share:
    """A donor share of the events in a class as one of all events, of which the classes hold unlike parts."""
    of_donor = share * blank_clear
    found: Share = of_donor / (of_donor + (1 - share) * donor_clear)
    return found


def _room(sample: MarkerCounts, controls: Controls, level: float) -> float:
    """The donor fraction that could hide behind no event at all: exact upper bound for 0 of n."""
    hidden = (1.0 - ((1.0 - level) / 2) ** (1.0 / sample.events)) / controls.separation
    return float(_of_all(hidden, controls.donor.clear, controls.blank.clear))


def _category(fraction: float, *, complete: float, mixed: float) -> Category:
    if fraction >= complete:
        return Category.COMPLETE
    return Category.MIXED if fraction >= mixed else Category.MICRO


def _check(sample: MarkerCounts, controls: Controls, min_separation: float) -> None:
    for name, counts in (("sample", sample), ("blank", controls.blank), ("donor reference", controls.donor)):
        if counts.events == 0:
            what = "no event of this population in a class" if counts.unclear else "no events in this population"
            raise MarkerDoesNotSeparate(f"the {name} has {what}")
    if not controls.told_apart >= min_separation:
        donor, blank = controls.donor, controls.blank
        in_class = f", in a class {donor.clear:.3g} and {blank.clear:.3g}" if donor.unclear or blank.unclear else ""
        raise MarkerDoesNotSeparate(
            f"sensitivity {donor.rate_of_total:.3g}, false-positive rate {blank.rate_of_total:.3g}{in_class}: "
            f"the difference is below {min_separation:g}"
        )
