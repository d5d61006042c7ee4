"""Cells per microlitre: by counting beads, by the haematology analyser's lymphocytes, by acquired volume.

Each count carries the Poisson error of its cells (which may be few, or none) and the relative errors of the rest.
On the log scale the squared distances from point to bound add up (MOVER, Zou & Donner 2008), which for many cells is
CV² = 1/N_cells + 1/N_beads + CV_pipette² + CV_gates².
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from nktrace.model.counting import CountStatus, GradeBand, ReferenceRange, Volume
from nktrace.model.intervals import UNKNOWN, Interval
from nktrace.science.intervals import jeffreys, normal_quantile, poisson_mid_p, wilson_of

MICROLITRE_INSTRUMENTS = ("cytek", "aurora", "northern lights")
CELLS_PER_DOUBLET, CELLS_PER_DOUBLET_SD = 1.5, 0.26  # 1 to 2: an event left out is a cell off the line, or two together
MOST_COINCIDENCE = 0.1  # more events off the line than a run can have by coincidence: aggregates, or a gate that errs
LYMPHOSUM, LYMPHOSUM_WARN, LYMPHOSUM_FAIL = 0.95, 0.05, 0.10
ROUNDING = 1e-9


def beads_count(
    cells: int,
    beads: int,
    *,
    beads_per_tube: float,
    blood_ul: float,
    dilution: float = 1.0,
    pipette_cv: float,
    gate_cv: float = 0.0,
    level: float,
) -> Interval:
    """Single platform: cells/beads x beads_per_tube/blood_ul x dilution. Unknown without bead events.

    `gate_cv` is the relative error of cells/beads from the gates: their place (science/gate_error.py), and what
    `left_out` adds.
    """
    if beads == 0:
        return UNKNOWN
    per_cell = beads_per_tube / beads / blood_ul * dilution
    return _scaled(cells, per_cell, cv=math.hypot(beads**-0.5, pipette_cv, gate_cv), level=level)


def volumetric_count(
    cells: int, *, acquired_ul: float, dilution: float = 1.0, pipette_cv: float, gate_cv: float = 0.0, level: float
) -> Interval:
    """Cells in the acquired volume: cells/acquired_ul x dilution; `gate_cv` is the relative error of cells by gates."""
    return _scaled(cells, dilution / acquired_ul, cv=math.hypot(pipette_cv, gate_cv), level=level)


def dual_count(
    cells: int,
    lymphocytes: int,
    *,
    wbc_per_ul: float,
    lymphocyte_fraction: float,
    analyser_cv: float,
    gate_cv: float = 0.0,
    level: float,
) -> Interval:
    """Dual platform: wbc x lymphocyte_fraction x cells/lymphocytes, `cells` being among `lymphocytes`."""
    analyser = _with_error(wbc_per_ul * lymphocyte_fraction, cv=analyser_cv, level=level)
    return share_of(analyser, cells, lymphocytes, gate_cv=gate_cv, level=level)


def share_of(whole: Interval, cells: int, denominator: int, *, gate_cv: float = 0.0, level: float) -> Interval:
    """A count times the share cells/denominator (binomial), the way two tubes of one specimen are joined.

    `gate_cv` is the relative error of the share from the place of the gates.
    """
    if denominator == 0 or not whole.known:
        return UNKNOWN
    if cells == denominator:
        return whole
    return product(product(whole, jeffreys(cells, denominator, level)), _with_error(1.0, cv=gate_cv, level=level))


def ratio(first: Interval, second: Interval) -> Interval:
    """Quotient of two independent positive quantities, their errors added on the log scale; unknown without both."""
    if not (first.known and second.known and second.low > 0):
        return UNKNOWN
    return product(first, Interval(1 / second.value, 1 / second.high, 1 / second.low))


def left_out(removed: int, singlets: int) -> tuple[float, float]:
    """Cells in all over cells in singlets, and its relative error: beads and volumes miss none, the gates do.

    Which cells meet in an event is chance, so every population loses the same share. An event off the line holds one to
    two cells. 1 without error where more than a tenth lies off the line: then that is no coincidence.
    """
    if singlets == 0 or removed > MOST_COINCIDENCE * singlets:
        return 1.0, 0.0
    share = removed / singlets
    factor = 1 + CELLS_PER_DOUBLET * share
    return factor, CELLS_PER_DOUBLET_SD * share / factor


def product(first: Interval, second: Interval) -> Interval:
    """Product of two independent non-negative quantities, their errors added on the log scale."""
    value = first.value * second.value
    if value == 0:
        return Interval(0.0, 0.0, first.high * second.high)
    down = math.hypot(*(math.log(i.value / i.low) if i.low > 0 else math.inf for i in (first, second)))
    up = math.hypot(*(math.log(i.high / i.value) for i in (first, second)))
    return Interval(value, value * math.exp(-down), value * math.exp(up))


def vol_to_ul(text: str, instrument: str, unit: str) -> Volume:
    """$VOL in µL: nanolitres by the FCS standard, microlitres as Cytek writes it. The reason says which was taken.

    Args:
        text: the keyword's value; one that is no positive number gives nan.
        instrument: $CYT; decides where `unit` is `auto`.
        unit: the setting: `nl`, `ul` or `auto`.
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        return Volume(math.nan, f"$VOL is '{text}', not a volume")
    why = "by the setting"
    if unit == "auto":
        known = any(name in instrument.casefold() for name in MICROLITRE_INSTRUMENTS)
        unit, why = ("ul", f"as {instrument} writes it") if known else ("nl", "by the FCS standard")
    return Volume(value if unit == "ul" else value / 1000.0, f"$VOL {text} in {'uL' if unit == 'ul' else 'nL'} {why}")


def lymphosum(
    named: int, lymphocytes: int, *, gate_variance: float = 0.0, level: float
) -> tuple[Interval, CountStatus]:
    """Share of lymphocytes that are T (all CD3+), B or NK, and whether it is surely not the 95 ± 5 % that it should be.

    The interval is Wilson's. What is above 95 % may be cells that stand in two lineages, while the usual 5 % stand in
    none; then it is that of the mean number of lineages per cell, which is 0, 1 or 2.

    Args:
        named: T, B and NK cells together.
        lymphocytes: at least one.
        gate_variance: of the share, from the place of the gates.
        level: of the interval.
    """
    share = named / lymphocytes
    if share <= LYMPHOSUM:
        found = wilson_of(share, lymphocytes, level, variance=gate_variance)
    else:
        per_cell = LYMPHOSUM + 3 * (share - LYMPHOSUM) - share**2
        half = normal_quantile(level) * math.sqrt(max(per_cell, 0.0) / lymphocytes + gate_variance)
        found = Interval(share, share - half, share + half)
    for away, status in ((LYMPHOSUM_FAIL, CountStatus.FAIL), (LYMPHOSUM_WARN, CountStatus.WARN)):
        if exceeds(LYMPHOSUM - found.high, away) or exceeds(found.low - LYMPHOSUM, away):
            return found, status
    return found, CountStatus.OK


def exceeds(value: float, limit: float) -> bool:
    """Whether a value is above a limit by more than the rounding of shares: 1 - 0.95 is no more than 0.05."""
    return value - limit > ROUNDING


def no_limit(*, sex: str, age_years: float) -> str:
    """Why a population that is graded has no lower limit of normal."""
    if not sex:
        return "the lower limit of normal needs sex and age"
    return f"no reference range for {sex}" + ("" if math.isnan(age_years) else f", {age_years:g} years")


def reference_range(
    population: str, ranges: Sequence[ReferenceRange], *, sex: str, age_years: float
) -> ReferenceRange | None:
    """The range for a sex and age; None where there is none, or the sex that it depends on is not known.

    A person of unknown age is taken for an adult: of the ranges that fit, the one for the highest ages.
    """
    fitting = [
        r
        for r in ranges
        if r.population == population
        and r.sex in (sex, "any")
        and (math.isnan(age_years) or r.age_min <= age_years < r.age_max)
    ]
    return max(fitting, key=lambda r: (r.age_min, r.sex == sex), default=None)


def grade_of(cells_per_ul: float, population: str, bands: Sequence[GradeBand], *, lower_limit: float) -> str:
    """The grade of a count; `0` from the lower limit of normal up; empty where there are no bands or no limit."""
    mine = [band for band in bands if band.population == population]
    for band in sorted(mine, key=lambda band: band.low):
        below = lower_limit if band.below is None else band.below
        if band.low <= cells_per_ul < below:
            return band.grade
    return "0" if mine and cells_per_ul >= lower_limit else ""


def _scaled(cells: int, factor: float, *, cv: float, level: float) -> Interval:
    """A Poisson count, by its mid-p interval, times a factor with a relative error."""
    return product(poisson_mid_p(cells, level), _with_error(factor, cv=cv, level=level))


def _with_error(value: float, *, cv: float, level: float) -> Interval:
    """A value with a relative error, log-normal."""
    error = math.exp(normal_quantile(level) * cv)
    return Interval(value, value / error, value * error)
