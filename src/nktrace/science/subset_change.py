"""How a patient's NK subsets changed since the baseline, on the log-ratio scale.

A subset is a part of a whole, so its change is that of log(subset / rest of the NK cells): a difference of log odds,
the same with the opposite sign for the rest, and not bound by 0 and 1 (a balance; Aitchison 1982, J R Stat Soc B).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nktrace.model.intervals import UNKNOWN, Interval
from nktrace.model.shifts import NetShift
from nktrace.model.study import Role, Sample
from nktrace.model.subsets import NK, SubsetStatus
from nktrace.science.doubt import flags_in
from nktrace.science.gate_error import ratio_variance
from nktrace.science.intervals import effective_trials, tails
from nktrace.science.posteriors import BASELINE, SAMPLE, Points, mid_p_rate
from nktrace.science.visits import Timeline

Row = Mapping[str, Any]

STATE = "state:"
OK, CENSORED, NOT_ESTIMABLE = "ok", "censored", "not_estimable"


@dataclass(frozen=True, slots=True)
class Counted:
    """A subset's cells among the NK cells of one sample; `variance` of their share is that of the gates' place."""

    events: int
    nk_events: int
    variance: float = 0.0

    @property
    def log_odds(self) -> float:
        """Half a cell is added to the subset and to the rest (Haldane 1956; Anscombe 1956): hardly biased."""
        return math.log((self.events + 0.5) / (self.nk_events - self.events + 0.5))

    @property
    def nothing(self) -> bool:
        return self.events == 0

    @property
    def everything(self) -> bool:
        return self.events == self.nk_events


def pooled(replicates: Sequence[Counted]) -> Counted:
    """Replicates as one count; their gates are taken to err the same way, which is never too sure."""
    cells = sum(one.nk_events for one in replicates)
    sd = math.fsum(one.nk_events / cells * math.sqrt(one.variance) for one in replicates)
    return Counted(sum(one.events for one in replicates), cells, sd**2)


def log_ratio(after: Counted, before: Counted, *, level: float) -> Interval:
    """log odds of the subset in one sample less those in another, with the counting and gate error of both.

    Each share follows the mid-p confidence distribution of its count, of as many cells fewer as the gate error asks
    for (`effective_trials`); both are independent. Gates that two samples share move both shares alike, so that their
    difference is surer than this says. Without cells of the subset, or of the rest, in one of the samples the value is
    nan and one bound infinite; in both samples nothing is known.

    Args:
        after, before: the later sample and the baseline, with at least one NK cell each.
        level: of the interval, two-sided.
    """
    if (after.nothing and before.nothing) or (after.everything and before.everything):
        return UNKNOWN
    difference = _log_odds(after, SAMPLE, level) - _log_odds(before, BASELINE, level)
    low, high = np.quantile(difference, tails(level), method="inverted_cdf")
    bounded = math.isinf(low) or math.isinf(high)
    value = math.nan if bounded else after.log_odds - before.log_odds
    return Interval(value, float(low), float(high))


def _log_odds(counted: Counted, along: int, level: float) -> Points:
    share = counted.events / counted.nk_events
    trials = effective_trials(share, counted.nk_events, level, variance=counted.variance)
    rate = mid_p_rate(share * trials, trials, along)
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(rate) - np.log1p(-rate))


@dataclass(frozen=True, slots=True)
class Tube:
    """What is known of the subsets of one sample.

    Attributes:
        sample: its row of the sheet.
        subsets: its rows of subsets.tsv: exclusive subsets by priority, then states; none where it was not read.
        shifts: what one standard error of each gate does to them (subset_error.tsv).
        failures: its quality checks that failed, for people.
    """

    sample: Sample
    subsets: Sequence[Row]
    shifts: Sequence[NetShift] = ()
    failures: Sequence[str] = ()

    @property
    def resolved(self) -> dict[str, Row]:
        """The rows with a count, by subset, in their order."""
        return {row["subset"]: row for row in self.subsets if row["status"] == SubsetStatus.OK and row["nk_events"]}

    def counted(self, subset: str) -> Counted:
        row = self.resolved[subset]
        events = {subset: int(row["events"]), NK: int(row["nk_events"])}
        return Counted(events[subset], events[NK], ratio_variance(subset, NK, events, self.shifts))

    def meaning(self, subset: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """What a subset's cells depend on beside its rule: subsets that go first, and signs that stand for others."""
        resolved = [name for name in self.resolved if not name.startswith(STATE)]
        first = () if subset.startswith(STATE) else tuple(resolved[: resolved.index(subset)])
        notes = (self.resolved[subset]["reason"] or "").split("; ")
        return first, tuple(note for note in notes if note.startswith("by "))

    def meaning_in_words(self, subset: str) -> str | None:
        """The same for people and tables; none where the subset is not resolved."""
        if subset not in self.resolved:
            return None
        first, signs = self.meaning(subset)
        return ", ".join((*(("after " + ", ".join(first),) if first else ()), *signs)) or None

    def remarks(self, subset: str) -> list[str]:
        """What makes its count doubtful."""
        row = self.resolved.get(subset)
        flags = flags_in(row["reason"]) if row else ()
        return [*flags, *(f"qc_failed: {failure}" for failure in self.failures)]


def subset_changes(patient: str, tubes: Sequence[Tube], *, level: float) -> Iterator[dict[str, Any]]:
    """The rows of subset_change.tsv: every subset of every sample after the baseline of its panel.

    The baseline is the latest sample of role `baseline`, else of role `blank`, else the last one before the infusion;
    of these the first in which NK cells were counted. Its replicates (same day, role and material) that give a subset
    the same meaning are pooled. Subsets are compared within one panel only: another panel resolves other subsets, and
    shares out their cells otherwise.
    """
    on_it = Timeline([tube.sample for tube in tubes]).samples
    by_name = {tube.sample.sample: tube for tube in tubes}
    timeline = [by_name[name] for name in on_it]
    for panel in dict.fromkeys(tube.sample.panel for tube in timeline):
        mine = [tube for tube in timeline if tube.sample.panel == panel]
        before, remark = _baseline(mine)
        names = dict.fromkeys((row["subset"], row["cl_id"]) for tube in mine for row in tube.subsets)
        for after in mine:
            if before and not _later(after.sample, before[0].sample):
                continue
            if not before and after.sample.day < 0:
                continue
            for subset, cl_id in names:
                yield _row(patient, after, before, subset, cl_id, remark=remark, level=level)


def _baseline(tubes: Sequence[Tube]) -> tuple[list[Tube], str]:
    """The tube that change is measured from with its replicates, and what is to be said of the choice."""
    early = [tube for tube in tubes if tube.sample.role is Role.TIMEPOINT and tube.sample.day < 0]
    choices = [([t for t in tubes if t.sample.role is role], "") for role in (Role.BASELINE, Role.BLANK)]
    for found, remark in (*choices, (early, "no baseline or blank: measured from the last sample before the infusion")):
        counted = [tube for tube in found if tube.resolved]
        if counted:
            one = min(counted, key=lambda tube: (-tube.sample.day, tube.sample.sample)).sample
            alike = [t for t in counted if (t.sample.day, t.sample.material) == (one.day, one.material)]
            return sorted(alike, key=lambda tube: tube.sample.sample), remark
    return [], ""


def _later(sample: Sample, baseline: Sample) -> bool:
    """Whether a sample shows a change since the baseline; on the same day it may be a replicate of it."""
    if sample.day == baseline.day:
        return sample.role is Role.TIMEPOINT and baseline.role is not Role.TIMEPOINT
    return sample.day > baseline.day


def _row(
    patient: str, after: Tube, baseline: Sequence[Tube], subset: str, cl_id: str | None, *, remark: str, level: float
) -> dict[str, Any]:
    before = [tube for tube in baseline if not _refusal(after, tube, subset)]
    why = "" if before else _refusal(after, baseline[0] if baseline else None, subset)
    before = before or list(baseline[:1])
    here = after.resolved.get(subset)
    there = pooled([tube.counted(subset) for tube in before]) if before and subset in before[0].resolved else None
    row = {
        "patient": patient,
        "sample": after.sample.sample,
        "subset": subset,
        "cl_id": cl_id,
        "day": after.sample.day,
        "baseline_sample": "+".join(tube.sample.sample for tube in before) or None,
        "baseline_day": before[0].sample.day if before else math.nan,
        "fraction": here["fraction_of_nk"] if here else math.nan,
        "baseline_fraction": there.events / there.nk_events if there else math.nan,
        "log_ratio": math.nan,
        "ci_low": math.nan,
        "ci_high": math.nan,
        "status": NOT_ESTIMABLE,
        "panel": after.sample.panel,
        "meaning": after.meaning_in_words(subset),
    }
    if why or there is None:
        return row | {"reason": why}
    change = log_ratio(after.counted(subset), there, level=level)
    if math.isnan(change.low):
        return row | {"reason": "none, or all, of the NK cells in both samples: no ratio"}
    doubts = dict.fromkeys(f"baseline {words}" for tube in before for words in tube.remarks(subset))
    remarks = [remark, *after.remarks(subset), *doubts]
    if after.sample.material != before[0].sample.material:
        remarks.append(f"material_differs: {after.sample.material}, baseline {before[0].sample.material}")
    if not change.known:
        remarks.insert(0, "none, or all, of the NK cells in one of the samples: a bound only")
    numbers = {"log_ratio": change.value, "ci_low": change.low, "ci_high": change.high}
    status = OK if change.known else CENSORED
    return row | numbers | {"status": status, "reason": "; ".join(filter(None, remarks)) or None}


def _refusal(after: Tube, before: Tube | None, subset: str) -> str:
    """Why there is no change of this subset; empty if there is one."""
    if not after.subsets:
        return "; ".join(("no NK cells were counted", *after.remarks(subset)))
    if subset not in after.resolved:
        return _unresolved(after, subset)
    if before is None:
        return f"no sample of panel {after.sample.panel} before the infusion"
    if subset not in before.resolved:
        return f"baseline: {_unresolved(before, subset)}"
    if not subset.startswith(STATE) and any(_undivided(tube) for tube in (after, before)):
        return "this panel tells no two subsets apart"
    if after.meaning(subset) != before.meaning(subset):
        return "other signs or subsets are resolved in the baseline: not the same cells"
    return ""


def _unresolved(tube: Tube, subset: str) -> str:
    row = next((row for row in tube.subsets if row["subset"] == subset), None)
    return (row and (row["reason"] or row["status"])) or "not resolved"


def _undivided(tube: Tube) -> bool:
    return sum(not name.startswith(STATE) for name in tube.resolved) == 1
