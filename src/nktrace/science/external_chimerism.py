"""Flow beside STR, qPCR or ddPCR, on equal denominators.

STR of whole blood examines all leucocytes, flow the lineages that are gated. So flow's value for a material is the sum
over disjoint lineages of their share of its cells times their donor fraction. What flow did not measure, such as
granulocytes, may be all donor or all recipient: it widens the value to a bound, unless it is declared.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from nktrace.model.external import UNGATED, Comparability, Comparison, External, FlowLineage, Measured, Rest
from nktrace.model.intervals import UNKNOWN, Interval

NEGLIGIBLE = 0.02  # share of cells without a donor fraction that is passed over: gates never hold every cell
# disjoint lineages of each denominator; where one is not there, those in brackets stand for it
PARTS: Mapping[str, tuple[tuple[tuple[str, ...], ...], ...]] = {
    UNGATED: ((("cd3",), ("t_cells", "nkt_like")), (("nk",),), (("b_cells",),), (("monocytes",),)),
    "lymphocytes": ((("cd3",), ("t_cells", "nkt_like")), (("nk",),), (("b_cells",),)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowSample:
    """What flow found in one sample.

    Attributes:
        chimerism: donor fraction by population, of those that have one.
        shares: share of `leukocytes` and `lymphocytes` by (denominator, lineage), in the sample as it was stained.
        blood_shares: the same in blood, from counts.
    """

    sample: str
    day: float
    material: str
    chimerism: Mapping[str, Measured]
    shares: Mapping[tuple[str, str], Interval]
    blood_shares: Mapping[tuple[str, str], Interval]

    def shares_in(self, material: str) -> Mapping[tuple[str, str], Interval]:
        """The shares of the lineages in another portion of the same blood; empty where they are not known."""
        if material in ("", self.material):
            return self.shares
        return self.blood_shares if material == "whole_blood" else {}


def compare(external: External, samples: Sequence[FlowSample], *, window: float, rest: Rest) -> Comparison:
    """Lay a value of another method beside the nearest sample that can be compared.

    Args:
        samples: of the patient.
        window: days that the two may lie apart.
        rest: what to think of cells in which flow measured nothing.
    """
    nothing = Comparison(external=external)
    near = sorted(
        (sample for sample in samples if abs(sample.day - external.day) <= window),
        key=lambda s: (abs(s.day - external.day), s.material != external.material, s.day, s.sample),
    )
    if math.isnan(external.measured.fraction.value):
        return replace(nothing, reason=f"no value of {external.method}")
    if not near:
        return replace(nothing, reason=f"no flow sample within {window:g} days")
    found = [_beside(external, sample, rest) for sample in near]
    return min(found, key=lambda comparison: list(Comparability).index(comparison.status))


def _beside(external: External, sample: FlowSample, rest: Rest) -> Comparison:
    found = Comparison(external=external, sample=sample.sample, day=sample.day)
    notes = []
    if sample.day != external.day:
        notes.append(f"flow is of day {sample.day:g}")
    if external.population in sample.chimerism:
        flow, covered = sample.chimerism[external.population], 1.0
        names: tuple[str, ...] = (external.population,)
        if external.material not in ("", sample.material):
            notes.append(f"flow is of {sample.material}")
    elif external.population not in PARTS:
        return replace(found, reason="; ".join([*notes, f"flow has no donor fraction of {external.population}"]))
    else:
        parts, reason = _parts(external, sample)
        if not parts:
            return replace(found, reason="; ".join([*notes, reason]))
        flow, covered, names = weighted(parts), sum(p.share.value for p in parts), _names(parts)
        if external.material not in ("", sample.material):
            notes.append(f"flow is of {sample.material}, weighed by counts in blood")
    found = replace(found, lineages=names, covered=min(covered, 1.0))
    uncovered = max(0.0, 1.0 - covered)
    if uncovered > NEGLIGIBLE and rest is Rest.UNKNOWN:
        low, high = flow.range
        bound = Measured(
            fraction=Interval(math.nan, low, min(1.0, high + uncovered)), detected=flow.detected, lod=flow.lod
        )
        why = f"flow tells nothing of {uncovered:.1%} of the cells: a bound"
        return replace(
            found,
            flow=bound,
            difference=_apart((bound.fraction.low, bound.fraction.high), external.measured.range),
            status=Comparability.BOUND,
            reason="; ".join([*notes, why]),
        )
    if uncovered > NEGLIGIBLE:
        notes.append(f"{uncovered:.1%} of the cells taken as the recipient's (external.rest)")
    both = flow.detected and external.measured.detected
    if both:
        gap, status = _difference(flow.fraction, external.measured.fraction), Comparability.OK
        if math.isnan(gap.low):
            notes.append(f"{external.method} gives no interval")
    else:
        gap, status = _apart(flow.range, external.measured.range), Comparability.CENSORED
        below = [name for name, m in (("flow", flow), (external.method, external.measured)) if not m.detected]
        notes.append(f"{' and '.join(below)} below the limit of detection")
        if any(math.isnan(end) for end in external.measured.range):
            notes.append(f"{external.method} gives no limit of detection")
    return replace(found, flow=flow, difference=gap, status=status, reason="; ".join(notes))


def weighted(parts: Sequence[FlowLineage]) -> Measured:
    """The donor fraction of lineages together: the sum of share times fraction.

    Each lineage's interval and that of its share are combined by MOVER (Zou & Donner 2008, 10.1002/sim.3095), the lower
    and the upper side apart. A lineage in which nothing was detected enters with its estimate and its interval from
    zero: neither as zero nor left out. Where none was detected the sum is not detected. Its limit of detection is the
    sum of theirs: a higher donor fraction, however it is spread, is above the limit of one lineage at least.
    """
    point = sum(part.share.value * part.measured.fraction.value for part in parts)
    below = above = 0.0
    for part in parts:
        share, fraction = part.share, part.measured.fraction
        clipped = min(max(fraction.value, 0.0), 1.0)
        down, up = max(0.0, fraction.value - fraction.low), max(0.0, fraction.high - fraction.value)
        below += (share.value * down) ** 2 + (clipped * (share.value - share.low)) ** 2
        above += (share.value * up) ** 2 + (clipped * (share.high - share.value)) ** 2
    detected = any(part.measured.detected for part in parts)
    low = max(0.0, point - math.sqrt(below)) if detected else 0.0
    interval = Interval(point, low, min(1.0, max(point, 0.0) + math.sqrt(above)))
    lod = sum(part.share.value * part.measured.lod for part in parts)
    return Measured(fraction=interval, detected=detected, lod=lod)


def _parts(external: External, sample: FlowSample) -> tuple[list[FlowLineage], str]:
    """The disjoint lineages with a donor fraction and a share of the examined cells; or why there are none."""
    shares = sample.shares_in(external.material)
    if not any(denominator == external.population for denominator, _ in shares):
        if external.material not in ("", sample.material):
            why = f"flow is of {sample.material}: no counts to weigh its lineages by in {external.material}"
        else:
            why = f"the panel gates no {external.population} to take shares of"
        return [], why
    parts = []
    for choices in PARTS[external.population]:
        for names in choices:
            chosen = [
                FlowLineage(population=name, measured=sample.chimerism[name], share=shares[external.population, name])
                for name in names
                if name in sample.chimerism and (external.population, name) in shares
            ]
            if len(chosen) == len(names):
                parts += chosen
                break
    return parts, "" if parts else "flow has no donor fraction of any lineage"


def _names(parts: Sequence[FlowLineage]) -> tuple[str, ...]:
    return tuple(part.population for part in parts)


def _difference(flow: Interval, other: Interval) -> Interval:
    """Flow minus the other method, by MOVER; the ends are unknown where the other method has no interval."""
    gap = flow.value - other.value
    low = gap - math.hypot(max(0.0, flow.value - flow.low), other.high - other.value)
    high = gap + math.hypot(max(0.0, flow.high - flow.value), other.value - other.low)
    return Interval(gap, low, high)


def _apart(flow: tuple[float, float], other: tuple[float, float]) -> Interval:
    """Between which values the difference lies where a value is known by its bounds only."""
    return replace(UNKNOWN, low=flow[0] - other[1], high=flow[1] - other[0])
