"""The visits of one patient, measure by measure, out of the rows of the tables of counts, chimerism and subsets."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from nktrace.model.counting import CountStatus, taken_over
from nktrace.model.intervals import UNKNOWN, Interval
from nktrace.model.study import EX_VIVO, ON_THE_TIMELINE, Role, Sample, roles_of_draws
from nktrace.model.trajectories import CELLS, FRACTION, Series, Visit

Row = Mapping[str, Any]

COUNTED = ("nk", "cd3", "cd4_t", "cd8_t", "b_cells", "lymphocytes")
DONOR = "donor_nk"  # of all donors together; of one of several, its id stands behind a colon
NO_PLATFORM = "none"
# said in the `reason` of a visit, and read from there over the cohort
COUNT_FAILED = "the count failed its check: shown, not used"
FOUND, NOT_FOUND = "donor cells detected", "no donor cells detected"  # where the value itself does not tell
BLOOD = ("whole_blood", "pbmc_fresh", "pbmc_cryo")


class Timeline:
    """Which samples show a patient's blood as it was, which of them is the baseline, and which could not be read.

    `unreadable` has the reason for each such sample.
    """

    def __init__(self, samples: Iterable[Sample], *, unreadable: Mapping[str, str] | None = None) -> None:
        on_it = [s for s in samples if s.role in ON_THE_TIMELINE and s.condition == EX_VIVO and s.material in BLOOD]
        self.samples = {s.sample: s for s in sorted(on_it, key=lambda s: (s.day, s.sample))}
        self._roles = roles_of_draws(on_it)
        known = {s.role for s in on_it}
        self._baseline_role = Role.BASELINE if Role.BASELINE in known else Role.BLANK
        self._unreadable = unreadable or {}

    def visit(self, sample: str, observed: Interval, **properties: Any) -> Visit:
        """A visit with what the sheet says about its sample, and about the other tubes of its draw."""
        row, roles = self.samples[sample], self._roles[sample]
        return Visit(
            sample=sample,
            day=row.day,
            observed=observed,
            after=row.day > 0 or (row.day == 0 and roles == {Role.TIMEPOINT}),
            baseline=self._baseline_role in roles,
            **properties,
        )

    def gaps(self, seen: Iterable[Visit], *, first_day: float = -math.inf) -> list[Visit]:
        """A visit without a value for each draw of blood of which no tube is among the visits `seen`.

        Before `first_day` there was nothing to be seen.
        """
        draws: dict[str, list[str]] = {}
        for sample in self.samples.values():
            draws.setdefault(sample.specimen or sample.sample, []).append(sample.sample)
        there = {visit.sample for visit in seen}
        return [
            self.visit(tubes[0], UNKNOWN, reason=self._why_nothing(tubes, first_day))
            for tubes in draws.values()
            if there.isdisjoint(tubes)
        ]

    def _why_nothing(self, tubes: Sequence[str], first_day: float) -> str:
        if self.samples[tubes[0]].day < first_day:
            return "before the first cells of this donor"
        failed = [f"{tube} could not be read: {self._unreadable[tube]}" for tube in tubes if tube in self._unreadable]
        return "; ".join(failed) or f"not found in {' and '.join(tubes)}"

    def of(self, rows: Iterable[Row]) -> list[Row]:
        """The rows of these samples, in their order."""
        place = {sample: number for number, sample in enumerate(self.samples)}
        return sorted((row for row in rows if row["sample"] in place), key=lambda row: place[row["sample"]])


def counted(patient: str, timeline: Timeline, counts: Sequence[Row]) -> list[Series]:
    """Cells per microlitre of each counted population, platforms apart; a number taken over is no visit of its own."""
    series = []
    for measure in COUNTED:
        found = []
        for row in timeline.of(r for r in counts if r["population"] == measure and not taken_over(r["reason"])):
            interval = Interval(row["cells_per_ul"], row["ci_low"], row["ci_high"])
            visit = _value(timeline, row["sample"], interval, reason=row["reason"] or "", failed=_failed(row))
            found.append((_platform(row), visit))
        series += _by_platform(timeline, patient, measure, CELLS, found)
    return series


def of_donor(measure: str) -> bool:
    """Whether a measure is donor NK cells, of all donors or of one."""
    return measure == DONOR or measure.startswith(f"{DONOR}:")


def donor(
    patient: str,
    timeline: Timeline,
    chimerism: Sequence[Row],
    counts: Sequence[Row],
    *,
    measure: str = DONOR,
    first_day: float = -math.inf,
) -> list[Series]:
    """Donor NK cells: per microlitre where NK cells were soundly counted on any day, else as the fraction of NK cells.

    A value that was not detected stands at its limit of detection. Whether cells were found is told of every visit,
    counted or not.

    Args:
        first_day: of the cells of this donor.
    """
    rows = timeline.of(row for row in chimerism if row["population"] == "nk")
    nk = {row["sample"]: _counted_nk(row, timeline, counts) for row in rows}
    if all(count is None or _failed(count) for count in nk.values()):
        visits = [(NO_PLATFORM, _donor_visit(timeline, row, per=1.0, columns=_FRACTION)) for row in rows]
        why = "every NK count failed its check" if any(nk.values()) else "no NK count"
        why += ": donor fraction instead of cells"
        return _by_platform(timeline, patient, measure, FRACTION, visits, reason=why, first_day=first_day)
    found: list[tuple[str | None, Visit]] = []
    for row in rows:
        count = nk[row["sample"]]
        if count is None:
            known = _found(row)
            said = {True: FOUND, False: NOT_FOUND, None: ""}[known]
            why = _joined(row["reason"] or "no NK count", said)
            found.append((None, timeline.visit(row["sample"], UNKNOWN, reason=why, found=known)))
        else:
            per, failed = float(count["cells_per_ul"]), _failed(count)
            visit = _donor_visit(timeline, row, per=per, columns=_DONOR_CELLS, failed=failed)
            found.append((_platform(count), visit))
    return _by_platform(timeline, patient, measure, CELLS, found, first_day=first_day)


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


def _donor_visit(
    timeline: Timeline, row: Row, *, per: float, columns: tuple[str, str, str], failed: bool = False
) -> Visit:
    reason, status, found = row["reason"] or "", row["status"], _found(row)
    if found is None:
        nothing = "not detected, and without a limit of detection that says anything"
        why = reason or (nothing if status == "not_detected" else str(status))
        return timeline.visit(row["sample"], UNKNOWN, reason=why)
    if not found:
        limit = row["lod"] * per
        return _under(timeline, row["sample"], limit, reason=reason, failed=failed, found=False)
    interval, sure = Interval(*(row[column] for column in columns)), status == "quantified"
    visit = _value(timeline, row["sample"], interval, reason=reason, quantified=sure, failed=failed, found=True)
    return visit if visit.measured else replace(visit, reason=_joined(visit.reason, FOUND))


def _found(row: Row) -> bool | None:
    """Whether donor cells were detected by a row of chimerism; None where it does not tell."""
    if row["status"] == "not_detected":
        return False if row["lod"] < 1 else None
    return True if row["status"] in ("detected", "quantified") else None


def _failed(count: Row) -> bool:
    """A count that failed its check is shown; no curve, quantity or model rests on it."""
    return bool(count["status"] == CountStatus.FAIL)


def _counted_nk(row: Row, timeline: Timeline, counts: Sequence[Row]) -> Row | None:
    """The NK count for a row of chimerism: by sample, else by specimen (joined tubes)."""
    counted = [
        c for c in counts if c["population"] == "nk" and c["sample"] in timeline.samples and c["cells_per_ul"] > 0
    ]
    mine = timeline.samples[row["sample"]]
    for shared in ("sample", "specimen"):
        key = getattr(mine, shared)
        for count in counted:
            if key != "" and getattr(timeline.samples[count["sample"]], shared) == key:
                return count
    return None


def _value(
    timeline: Timeline,
    sample: str,
    interval: Interval,
    *,
    reason: str,
    failed: bool = False,
    quantified: bool = True,
    found: bool | None = None,
) -> Visit:
    """A value with its interval; zero events are a value under the upper bound of their interval."""
    if any(math.isnan(bound) for bound in (interval.value, interval.low, interval.high)):
        return timeline.visit(sample, UNKNOWN, reason=reason or "no value with an interval", found=found)
    if interval.value <= 0:
        why = reason or "no event: the upper bound is shown"
        return _under(timeline, sample, interval.high, reason=why, failed=failed, found=found)
    if interval.low <= 0 and interval.high <= interval.value:
        return timeline.visit(sample, UNKNOWN, reason=reason or "its interval does not bound it", found=found)
    why = _joined(reason, COUNT_FAILED if failed else "")
    return timeline.visit(sample, interval, reason=why, quantified=quantified, failed=failed, found=found)


def _under(
    timeline: Timeline, sample: str, limit: float, *, reason: str, failed: bool = False, found: bool | None = None
) -> Visit:
    why, at = _joined(reason, COUNT_FAILED if failed else ""), Interval(limit, 0.0, limit)
    return timeline.visit(sample, at, censored=True, quantified=False, reason=why, failed=failed, found=found)


def _joined(*parts: str) -> str:
    return "; ".join(part for part in parts if part)


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
    first_day: float = -math.inf,
) -> list[Series]:
    """One series per platform, the most used first; visits without one, and draws without any row, are gaps in that."""
    often = Counter(platform for platform, visit in found if platform is not None and not visit.failed)
    used = sorted(dict.fromkeys(p for p, _ in found if p is not None), key=lambda platform: -often[platform])
    if not used:
        used = [NO_PLATFORM] if found else []
    gaps = [(used[0], visit) for visit in timeline.gaps((v for _, v in found), first_day=first_day)] if used else []
    found = sorted([*((p or used[0], visit) for p, visit in found), *gaps], key=lambda one: one[1].day)
    return [
        Series(
            patient=patient,
            measure=measure,
            unit=unit,
            platform=platform,
            visits=tuple(visit for p, visit in found if p == platform),
            reason=reason,
            elsewhere=tuple(visit for p, visit in found if p != platform),
        )
        for platform in used
    ]
