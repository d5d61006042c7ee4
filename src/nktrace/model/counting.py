"""Words of absolute counting."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from nktrace.model.intervals import Interval

if TYPE_CHECKING:
    from nktrace.model.gates import Status  # with numpy, which reading a study does not need


TAKEN_OVER = "counted in tube "
UNDECLARED = "by the file's $VOL"


def taken_over(reason: str | None) -> bool:
    """Whether a row of counts.tsv, by its `reason`, repeats the count of another tube, which has a row of its own.

    It says at what concentration the population of this sample is, and is no measurement beside the other.
    """
    return any(part.startswith(TAKEN_OVER) for part in (reason or "").split("; "))


def undeclared(reason: str | None) -> bool:
    """Whether a count, by its `reason`, rests on a volume that the sheet does not give: of a washed tube, maybe."""
    return UNDECLARED in (reason or "")


class Platform(StrEnum):
    """How cells per microlitre came about (`platform` of counts.tsv)."""

    BEADS = "beads"
    DUAL = "dual"
    VOLUMETRIC = "volumetric"
    NONE = "none"


class CountStatus(StrEnum):
    """`status` of counts.tsv."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    NOT_AVAILABLE = "not_available"


class CheckName(StrEnum):
    """`check` of count_checks.tsv."""

    LYMPHOSUM = "lymphosum"
    DUPLICATE_CD3 = "duplicate_cd3"
    PLATFORMS = "platforms"


@dataclass(frozen=True, slots=True)
class Volume:
    """An acquired volume in µL, nan if not known, and how it was read."""

    value: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceRange:
    """A reference interval in cells/µL for a sex (`F`, `M`, `any`) and age_min <= age < age_max in years."""

    population: str
    sex: str
    age_min: float
    age_max: float
    low: float
    high: float
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GradeBand:
    """A grade for low <= x < below cells/µL; `below` is None for the lower limit of the reference range."""

    population: str
    grade: str
    low: float
    below: float | None
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Gated:
    """A population of a sample as it was counted.

    Attributes:
        status, reason: of its own gate.
        channels: the markers of its gate, sorted; empty where they are not known.
        over_time: it is what a gate on time kept: less of the tube was looked at.
    """

    population: str
    parent: str
    events: int
    parent_events: int
    status: Status
    reason: str
    channels: tuple[str, ...] = ()
    over_time: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CountRow:
    """A row of counts.tsv."""

    sample: str
    patient: str
    day: float
    population: str
    cells_per_ul: Interval
    platform: Platform
    reference: ReferenceRange | None
    grade: str
    status: CountStatus
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CountCheck:
    """A row of count_checks.tsv: one tube against itself, or against another tube or platform of the same draw.

    Attributes:
        day: nan for what is said of all days together.
        sample, platform: empty where it concerns no single one.
        other_sample, other_platform: what it is held against.
        value: a share (`lymphosum`), a difference of shares (`duplicate_cd3`), a ratio of counts (`platforms`).
        limit: how far the value may lie from 0.95, from 0, and (as a ratio, either way) from 1.
    """

    patient: str
    day: float
    check: CheckName
    population: str
    sample: str = ""
    platform: str = ""
    other_sample: str = ""
    other_platform: str = ""
    value: Interval
    limit: float
    status: CountStatus
    reason: str = ""
