"""Results against a known truth: errors of estimates, and how often their intervals hold it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nktrace.model.events import Mask
from nktrace.science.intervals import wilson

F1_TARGET = 0.95
ERROR_TARGET = 0.10
FALSE_DETECTION_TARGET = 0.05
ENOUGH_NK_EVENTS = 10_000
MIXED = 0.01

# upper edges of the bands of the truth, with their names; the last is open
FRACTION_BANDS = ((0.01, "<1 %"), (0.1, "1-10 %"), (math.inf, ">10 %"))
DONOR_BANDS = ((0.0, "0"), (0.001, "<0.1 %"), (0.01, "0.1-1 %"), (0.1, "1-10 %"), (math.inf, ">10 %"))
COUNT_BANDS = ((100.0, "<100 /µL"), (500.0, "100-500 /µL"), (math.inf, ">500 /µL"))
DONOR_CELL_BANDS = ((0.0, "0"), (0.1, "<0.1 /µL"), (1.0, "0.1-1 /µL"), (10.0, "1-10 /µL"), (math.inf, ">10 /µL"))
Bands = Sequence[tuple[float, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A row of the validation table: `status` is `ok`, `missed` (a target), `none` (nothing to judge) or `info`."""

    measure: str
    band: str
    n: int
    value: float
    target: float = math.nan
    status: str = "info"


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """An estimate beside its truth; nan where there is none.

    Attributes:
        value, low, high: the estimate and its interval; truth: what was simulated.
        events: events behind it; standard_error: its counting error; detected: whether it was called present.
    """

    value: float
    low: float
    high: float
    truth: float
    events: int = 0
    standard_error: float = math.nan
    detected: bool | None = None


def f1(found: NDArray[np.integer], *, truth: Mask, judged: Mask) -> float:
    """F1 of found events (row numbers) against the truth, over the judged events only; nan without true events."""
    is_found = np.zeros(truth.size, dtype=np.bool_)
    is_found[found] = True
    both = int(np.count_nonzero(is_found & truth & judged))
    sizes = int(np.count_nonzero(is_found & judged)) + int(np.count_nonzero(truth & judged))
    return 2.0 * both / sizes if np.any(truth & judged) else math.nan


def f1_findings(scores: Iterable[tuple[str, str, int, float]]) -> list[Finding]:
    """F1 of each sample and its median, by panel and over all.

    Args:
        scores: sample, panel, true NK events, F1 (nan where it has no result: it does not enter the median).
    """
    rows = list(scores)
    findings = [
        Finding(measure="nk_f1", band=sample, n=events, value=value, target=F1_TARGET, status=_at_least(value))
        for sample, _, events, value in rows
    ]
    for band, panels in [
        ("all", {panel for _, panel, _, _ in rows}),
        *((p, {p}) for p in sorted({r[1] for r in rows})),
    ]:
        values = [value for _, panel, _, value in rows if panel in panels and not math.isnan(value)]
        median = _median(values)
        findings.append(
            Finding(
                measure="nk_f1_median",
                band=band,
                n=len(values),
                value=median,
                target=F1_TARGET,
                status=_at_least(median),
            )
        )
    return findings


def donor_fraction_findings(estimates: Sequence[Estimate]) -> list[Finding]:
    """Errors of donor fractions above 1 %: relative where there are many events, else in counting errors."""
    known = [e for e in estimates if not math.isnan(e.value) and e.truth > MIXED]
    many = [e for e in known if e.events >= ENOUGH_NK_EVENTS]
    few = [e for e in known if e.events < ENOUGH_NK_EVENTS]
    findings = [relative_error("donor_fraction_relative_error", ">1 %, >=10000 events", many)]
    for band, chosen in ((">1 %, >=10000 events", many), (">1 %, <10000 events", few)):
        errors = [abs(e.value - e.truth) / e.standard_error for e in chosen if e.standard_error > 0]
        findings.append(Finding(measure="donor_fraction_error_in_se", band=band, n=len(errors), value=_median(errors)))
    return findings


def detection_findings(estimates: Sequence[Estimate], *, level: float) -> list[Finding]:
    """How often donor cells are called present: where there are none (a false alarm), and by band where there are."""
    called = [e for e in estimates if e.detected is not None]
    findings = []
    for band, members in _by_band(called, DONOR_BANDS):
        x, n = sum(bool(e.detected) for e in members), len(members)
        share = wilson(x, n, level)
        if band == "0":
            status = _none_if(n == 0, "ok" if share.low <= FALSE_DETECTION_TARGET else "missed")
            findings.append(
                Finding(
                    measure="false_detection",
                    band=band,
                    n=n,
                    value=share.value,
                    target=FALSE_DETECTION_TARGET,
                    status=status,
                )
            )
        else:
            findings.append(Finding(measure="detection", band=band, n=n, value=share.value))
    return findings


def relative_error(measure: str, band: str, estimates: Sequence[Estimate], *, target: float = ERROR_TARGET) -> Finding:
    """Median of |estimate / truth - 1| over the estimates whose truth is not zero."""
    errors = [abs(e.value / e.truth - 1.0) for e in estimates if e.truth > 0 and not math.isnan(e.value)]
    median = _median(errors)
    status = _none_if(math.isnan(median), "ok" if median <= target else "missed")
    return Finding(measure=measure, band=band, n=len(errors), value=median, target=target, status=status)


def coverage(measure: str, estimates: Sequence[Estimate], bands: Bands, *, level: float) -> list[Finding]:
    """Share of intervals that hold the truth, by band of the truth and over all.

    A band misses its target where even the upper bound of its coverage (Wilson) lies below the level.
    """
    known = [e for e in estimates if not (math.isnan(e.low) or math.isnan(e.high) or math.isnan(e.truth))]
    findings = []
    for band, members in [*_by_band(known, bands), ("all", known)]:
        held = sum(e.low <= e.truth <= e.high for e in members)
        share = wilson(held, len(members), level)
        status = _none_if(not members, "ok" if share.high >= level else "missed")
        findings.append(
            Finding(
                measure=f"coverage_{measure}",
                band=band,
                n=len(members),
                value=share.value,
                target=level,
                status=status,
            )
        )
    return findings


def _by_band(estimates: Sequence[Estimate], bands: Bands) -> list[tuple[str, list[Estimate]]]:
    def band_of(truth: float) -> str:
        return next(name for edge, name in bands if truth <= edge)

    return [(name, [e for e in estimates if band_of(e.truth) == name]) for _, name in bands]


def _median(values: Sequence[float]) -> float:
    return float(np.median(values)) if len(values) else math.nan


def _at_least(value: float) -> str:
    return _none_if(math.isnan(value), "ok" if value >= F1_TARGET else "missed")


def _none_if(nothing: bool, status: str) -> str:
    return "none" if nothing else status
