"""Donor fraction of a population from an HLA marker that tells donor cells from recipient cells.

f = (p - a) / (b - a) (Rogan & Gladen 1978): the share p that looks like donor, corrected for recipient cells that do
(a, from the blank) and for donor cells that do not (b, from the donor reference). Every count carries its own
uncertainty into the interval; the numbers of events may be as small as one.
"""

from __future__ import annotations

import math

import numpy as np

from nktrace.model.chimerism import Category, ChimerismStatus, Controls, Estimate, Limits, MarkerCounts
from nktrace.model.errors import MarkerDoesNotSeparate
from nktrace.model.intervals import UNKNOWN, Interval
from nktrace.science import posteriors as at
from nktrace.science.intervals import clopper_pearson, normal_quantile, tails
from nktrace.science.limits import limits
from nktrace.science.posteriors import Points


def donor_fraction(
    sample: MarkerCounts, controls: Controls, *, level: float = 0.95, min_separation: float = 0.8
) -> Interval:
    """Donor fraction with its interval.

    The interval holds the central `level` of (P - A) / (B - A), where P follows the mid-p confidence distribution of
    the sample's count and A and B the Jeffreys posteriors of blank and donor reference (A scattered by `blank_cv`).
    It is cut to 0..1 and never narrower towards its middle than the exact bound for no events at all would allow.
    The point is not clipped.

    Raises:
        MarkerDoesNotSeparate: b - a is less than `min_separation`, or a control or the sample has no events.
    """
    _check(sample, controls, min_separation)
    a, b = controls.blank.rate, controls.donor.rate
    low, high = np.quantile(fraction_points(sample, controls), tails(level))
    room = _room(sample.events, b - a, level)
    return Interval(
        (sample.rate - a) / (b - a),
        float(np.clip(low, 0.0, max(0.0, 1.0 - room))),
        float(np.clip(high, min(1.0, room), 1.0)),
    )


def fraction_points(sample: MarkerCounts, controls: Controls, *, as_baseline: bool = False) -> Points:
    """The donor fraction on the lattice, not clipped. A baseline shares blank and donor, but has counts of its own."""
    own, between = (at.BASELINE, at.BETWEEN_BASELINE) if as_baseline else (at.SAMPLE, at.BETWEEN)
    p = at.mid_p_rate(sample.positive, sample.events, own)
    b = at.jeffreys_rate(controls.donor.positive, controls.donor.events, at.DONOR)
    a = _background(controls, between)
    return (p - a) / np.maximum(b - a, 1e-3)


def limits_of(sample: MarkerCounts, controls: Controls, *, level: float = 0.95) -> Limits:
    """LoB, LoD and LoQ of a sample's population; the blank's rate at its one-sided bounds of confidence `level`."""
    blank, cv = controls.blank, controls.blank_cv
    if cv == 0:
        bounds = clopper_pearson(blank.positive, blank.events, 2 * level - 1)
        a_low, a_high = bounds.low, bounds.high
    else:
        mean = at.dispersed_mean(blank.positive, blank.events, cv, at.BLANK)
        a_high = float(np.quantile(mean, level))
        a_low = float(np.quantile(_background(controls, at.BETWEEN), 1 - level))
    return limits(sample.events, a=blank.rate, a_low=a_low, a_high=a_high, b=controls.donor.rate, blank_cv=cv)


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
    if sample.events < min_events:
        return Estimate(
            status=ChimerismStatus.INDETERMINATE, reasons=(f"too_few_events ({sample.events} < {min_events})",)
        )
    try:
        fraction = donor_fraction(sample, controls, level=level, min_separation=min_separation)
    except MarkerDoesNotSeparate as error:
        return Estimate(status=ChimerismStatus.INDETERMINATE, reasons=(f"no_separation ({error.what})",))
    bounds = limits_of(sample, controls, level=level)
    if sample.positive <= bounds.lob_events:
        return Estimate(
            status=ChimerismStatus.NOT_DETECTED,
            fraction=Interval(fraction.value, 0.0, fraction.high),
            limits=bounds,
            reasons=(f"{sample.positive} marker events, limit of blank {bounds.lob_events}",),
        )
    quantified = fraction.value >= bounds.loq
    return Estimate(
        status=ChimerismStatus.QUANTIFIED if quantified else ChimerismStatus.DETECTED,
        fraction=fraction,
        limits=bounds,
        category=_category(fraction.value, complete=complete, mixed=mixed),
        reasons=() if quantified else ("below the limit of quantitation",),
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
    low, high = np.quantile(np.clip(now, 0, 1) - np.clip(then, 0, 1), tails(level))
    return Interval(_point(sample, sample_controls) - _point(baseline, baseline_controls), float(low), float(high))


def donor_cells(sample: MarkerCounts, controls: Controls, cells_per_ul: Interval, *, level: float) -> Interval:
    """Donor cells per µL: count times fraction, each with its own error; unknown without a count.

    The count is taken as log-normal on either side of its point, independent of the fraction. A concentration is not
    negative, also where the corrected fraction is.
    """
    if not cells_per_ul.known:
        return UNKNOWN
    if cells_per_ul.value <= 0:
        return Interval(0.0, 0.0, cells_per_ul.high)
    count = at.two_piece_lognormal(
        cells_per_ul.value, cells_per_ul.low, cells_per_ul.high, normal_quantile(level), at.COUNT
    )
    points = count * np.clip(fraction_points(sample, controls), 0, 1)
    low, high = np.quantile(points, tails(level))
    high = max(float(high), cells_per_ul.value * min(1.0, _room(sample.events, controls.separation, level)))
    return Interval(max(0.0, cells_per_ul.value * _point(sample, controls)), float(low), high)


def infused_bound(dose_per_kg: float) -> float:
    """Infused cells per µL if every one stayed in blood, at 70 mL of blood per kg: 14.3 for 1e6 per kg."""
    return dose_per_kg / 70_000.0


def between_blank_cv(blanks: list[MarkerCounts]) -> float:
    """Scatter of the false-positive rate between at least five blanks beyond counting, by moments; else nan."""
    if len(blanks) < 5:
        return math.nan
    events = np.array([blank.events for blank in blanks], dtype=float)
    positive = np.array([blank.positive for blank in blanks], dtype=float)
    mean = positive.sum() / events.sum()
    if mean == 0:
        return 0.0
    expected = mean * events
    excess = ((positive - expected) ** 2 - expected).sum() / (expected**2).sum()
    return math.sqrt(max(0.0, float(excess)))


def _background(controls: Controls, between: int) -> Points:
    blank = controls.blank
    if controls.blank_cv == 0:
        return at.jeffreys_rate(blank.positive, blank.events, at.BLANK)
    mean = at.dispersed_mean(blank.positive, blank.events, controls.blank_cv, at.BLANK)
    return np.minimum(mean * at.scatter(controls.blank_cv, between), 1.0)


def _point(sample: MarkerCounts, controls: Controls) -> float:
    return (sample.rate - controls.blank.rate) / controls.separation


def _room(events: int, separation: float, level: float) -> float:
    """The donor fraction that could hide behind no event at all: exact upper bound for 0 of n."""
    return float(1.0 - ((1.0 - level) / 2) ** (1.0 / events)) / separation


def _category(fraction: float, *, complete: float, mixed: float) -> Category:
    if fraction >= complete:
        return Category.COMPLETE
    return Category.MIXED if fraction >= mixed else Category.MICRO


def _check(sample: MarkerCounts, controls: Controls, min_separation: float) -> None:
    for name, counts in (("sample", sample), ("blank", controls.blank), ("donor reference", controls.donor)):
        if counts.events == 0:
            raise MarkerDoesNotSeparate(f"the {name} has no events in this population")
    if not controls.separation >= min_separation:
        raise MarkerDoesNotSeparate(
            f"sensitivity {controls.donor.rate:.3g}, false-positive rate {controls.blank.rate:.3g}: "
            f"the difference is below {min_separation:g}"
        )
