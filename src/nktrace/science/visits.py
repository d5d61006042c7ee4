"""The visits of one patient, measure by measure, out of the rows of the tables of counts, chimerism and subsets."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from nktrace.model.intervals import UNKNOWN, Interval
from nktrace.model.study import EX_VIVO, ON_THE_TIMELINE, Role, Sample
from nktrace.model.trajectories import CELLS, FRACTION, Series, Visit

Row = Mapping[str, Any]

COUNTED = ("nk", "cd3", "cd4_t", "cd8_t", "b_cells", "lymphocytes")
DONOR = "donor_nk"  # of all donors together; of one of several, its id stands behind a colon
NO_PLATFORM = "none"
BLOOD = ("whole_blood", "pbmc_fresh", "pbmc_cryo")


class Timeline:
    """Which samples show a patient's blood as it was, which of them is the baseline, and which could not be read.

    `unreadable` has the reason for each such sample.
    """

    def __init__(self, samples: Iterable[Sample], *, unreadable: Mapping[str, str] | None = None) -> None:
        on_it = [s for s in samples if s.role in ON_THE_TIMELINE and s.condition == EX_VIVO and s.material in BLOOD]
        self.samples = {s.sample: s for s in sorted(on_it, key=lambda s: (s.day, s.sample))}
        roles = {s.role for s in on_it}
        self._baseline_role = Role.BASELINE if Role.BASELINE in roles else Role.BLANK
        self._unreadable = unreadable or {}

    def visit(self, sample: str, observed: Interval, **properties: Any) -> Visit:
        """A visit with what the sheet says about its sample."""
        row = self.samples[sample]
        return Visit(
            sample=sample,
            day=row.day,
            observed=observed,
            after=row.day > 0 or (row.day == 0 and row.role is Role.TIMEPOINT),
            baseline=row.role is self._baseline_role,
            **properties,
        )

    def gaps(self, seen: Iterable[Visit]) -> list[Visit]:
        """A visit without a value for each draw of blood of which no tube is among the visits `seen`."""
        draws: dict[str, list[str]] = {}
        for sample in self.samples.values():
            draws.setdefault(sample.specimen or sample.sample, []).append(sample.sample)
        there = {visit.sample for visit in seen}
        return [
            self.visit(tubes[0], UNKNOWN, reason=self._why_nothing(tubes))
            for tubes in draws.values()
            if there.isdisjoint(tubes)
        ]

    def _why_nothing(self, tubes: Sequence[str]) -> str:
        failed = [f"{tube} could not be read: {self._unreadable[tube]}" for tube in tubes if tube in self._unreadable]
        return "; ".join(failed) or f"not found in {' and '.join(tubes)}"

    def of(self, rows: Iterable[Row]) -> list[Row]:
        """The rows of these samples, in their order."""
        place = {sample: number for number, sample in enumerate(self.samples)}
        return sorted((row for row in rows if row["sample"] in place), key=lambda row: place[row["sample"]])


def counted(patient: str, timeline: Timeline, counts: Sequence[Row]) -> list[Series]:
    """Cells per microlitre of each counted population, platforms apart."""
    series = []
    for measure in COUNTED:
        found = []
        for row in timeline.of(row for row in counts if row["population"] == measure):
            interval = Interval(row["cells_per_ul"], row["ci_low"], row["ci_high"])
            visit = _value(timeline, row["sample"], interval, reason=row["reason"] or "")
            found.append((_platform(row), visit))
        series += _by_platform(timeline, patient, measure, CELLS, found)
    return series


def of_donor(measure: str) -> bool:
    """Whether a measure is donor NK cells, of all donors or of one."""
    return measure == DONOR or measure.startswith(f"{DONOR}:")


def donor(
    patient: str, timeline: Timeline, chimerism: Sequence[Row], counts: Sequence[Row], *, measure: str = DONOR
) -> list[Series]:
    """Donor NK cells: per microlitre where NK cells were counted on any day, else as the fraction of NK cells.

    A value that was not detected stands at its limit of detection.
    """
    rows = timeline.of(row for row in chimerism if row["population"] == "nk")
    nk = {row["sample"]: _counted_nk(row, timeline, counts) for row in rows}
    if all(found is None for found in nk.values()):
        visits = [(NO_PLATFORM, _donor_visit(timeline, row, per=1.0, columns=_FRACTION)) for row in rows]
        why = "no NK count: donor fraction instead of cells"
        return _by_platform(timeline, patient, measure, FRACTION, visits, reason=why)
    found: list[tuple[str | None, Visit]] = []
    for row in rows:
        count = nk[row["sample"]]
        if count is None:
            why = row["reason"] or "no NK count"
            found.append((None, timeline.visit(row["sample"], UNKNOWN, reason=why)))
        else:
            platform, per = count
            found.append((platform, _donor_visit(timeline, row, per=per, columns=_DONOR_CELLS)))
    return _by_platform(timeline, patient, measure, CELLS, found)


def fractions(patient: str, timeline: Timeline, subsets: Sequence[Row]) -> list[Series]:
    """Share of NK cells of each subset and state; one that no sample resolves is left out.

    A tube whose panel tells no two subsets apart calls all cells by the one name that is left: that is no share.
    """
    told = Counter(row["sample"] for row in subsets if row["status"] == "ok" and not row["subset"].startswith("state:"))
    series = []
    for subset in dict.fromkeys(row["subset"] for row in subsets):
        found = []
        for row in timeline.of(row for row in subsets if row["subset"] == subset):
            interval = Interval(row["fraction_of_nk"], row["ci_low"], row["ci_high"])
            reason = row["reason"] or ("" if row["status"] == "ok" else row["status"] or "")
            if told[row["sample"]] == 1 and interval.value == 1 and not subset.startswith("state:"):
                interval, reason = UNKNOWN, "this panel tells no two subsets apart"
            found.append((NO_PLATFORM, _value(timeline, row["sample"], interval, reason=reason)))
        if any(visit.observed.known for _, visit in found):
            series += _by_platform(timeline, patient, f"fraction:{subset}", FRACTION, found)
    return series


_FRACTION = ("donor_fraction", "ci_low", "ci_high")
_DONOR_CELLS = ("donor_cells_per_ul", "donor_cells_ci_low", "donor_cells_ci_high")


def _donor_visit(timeline: Timeline, row: Row, *, per: float, columns: tuple[str, str, str]) -> Visit:
    reason, status = row["reason"] or "", row["status"]
    if status == "not_detected":
        limit = row["lod"] * per
        if math.isnan(limit) or (per == 1.0 and limit >= 1):
            why = reason or "not detected, and without a limit of detection that says anything"
            return timeline.visit(row["sample"], UNKNOWN, reason=why)
        return _under(timeline, row["sample"], limit, reason=reason)
    if status not in ("detected", "quantified"):
        return timeline.visit(row["sample"], UNKNOWN, reason=reason or str(status))
    interval = Interval(*(row[column] for column in columns))
    return _value(timeline, row["sample"], interval, reason=reason, quantified=status == "quantified")


def _counted_nk(row: Row, timeline: Timeline, counts: Sequence[Row]) -> tuple[str, float] | None:
    """Platform and NK cells per microlitre for a row of chimerism: by sample, else by specimen (joined tubes)."""
    counted = [
        c for c in counts if c["population"] == "nk" and c["sample"] in timeline.samples and c["cells_per_ul"] > 0
    ]
    mine = timeline.samples[row["sample"]]
    for shared in ("sample", "specimen"):
        key = getattr(mine, shared)
        for count in counted:
            if key != "" and getattr(timeline.samples[count["sample"]], shared) == key:
                return str(count["platform"]), float(count["cells_per_ul"])
    return None


def _value(timeline: Timeline, sample: str, interval: Interval, *, reason: str, quantified: bool = True) -> Visit:
    """A value with its interval; zero events are a value under the upper bound of their interval."""
    if any(math.isnan(bound) for bound in (interval.value, interval.low, interval.high)):
        return timeline.visit(sample, UNKNOWN, reason=reason or "no value with an interval")
    if interval.value <= 0:
        return _under(timeline, sample, interval.high, reason=reason or "no event: the upper bound is shown")
    if interval.low <= 0 and interval.high <= interval.value:
        return timeline.visit(sample, UNKNOWN, reason=reason or "its interval does not bound it")
    return timeline.visit(sample, interval, reason=reason, quantified=quantified)


def _under(timeline: Timeline, sample: str, limit: float, *, reason: str) -> Visit:
    return timeline.visit(sample, Interval(limit, 0.0, limit), censored=True, quantified=False, reason=reason)


def _platform(row: Row) -> str | None:
    return None if row["platform"] in (None, NO_PLATFORM) else str(row["platform"])


def _by_platform(
    timeline: Timeline,
    patient: str,
    measure: str,
    unit: str,
    found: Sequence[tuple[str | None, Visit]],
    *,
    reason: str = "",
) -> list[Series]:
    """One series per platform, the most used first; visits without one, and draws without any row, are gaps in that."""
    used = [platform for platform, _ in Counter(p for p, _ in found if p is not None).most_common()]
    if not used:
        used = [NO_PLATFORM] if found else []
    gaps: list[tuple[str | None, Visit]] = [(None, visit) for visit in timeline.gaps(visit for _, visit in found)]
    found = sorted([*found, *gaps], key=lambda one: one[1].day)
    return [
        Series(
            patient=patient,
            measure=measure,
            unit=unit,
            platform=platform,
            visits=tuple(visit for p, visit in found if (p or used[0]) == platform),
            reason=reason,
        )
        for platform in used
    ]
