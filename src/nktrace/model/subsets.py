"""NK subsets as marker signs: the rules of resources/nk_subsets.tsv, and what they make of one sample."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from nktrace.model.intervals import UNKNOWN, Interval

NK = "nk"
STATE_PREFIX = "state:"


class SubsetKind(StrEnum):
    """Exclusive subsets share out the NK cells by priority; states overlap with them and with each other."""

    EXCLUSIVE = "exclusive"
    STATE = "state"


class SubsetStatus(StrEnum):
    OK = "ok"
    NOT_RESOLVABLE = "not_resolvable"


@dataclass(frozen=True, slots=True)
class Sign:
    """Whether an NK cell is in a gated population: `CD57+` is `nk_cd57`, `bright` is `nk_bright`.

    Attributes:
        text: as written in the rule.
        populations: names of the population, of which the first that was gated counts (alternatives `A|B`).
        positive: in the population, or outside it.
    """

    text: str
    populations: tuple[str, ...]
    positive: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class SubsetRule:
    """A row of resources/nk_subsets.tsv.

    Attributes:
        priority: order among exclusive subsets, the least first; None for states.
        required: clauses that must all hold; a clause holds where any of its signs does (`CD103+/CD49a+`).
        supporting: signs that are reported with a subset and decide nothing.
        cl_id: Cell Ontology id, empty without one; `cl_match` is `exact`, `broad` or `none`.
    """

    subset: str
    priority: float | None
    kind: SubsetKind
    required: tuple[tuple[Sign, ...], ...]
    supporting: tuple[Sign, ...] = ()
    cl_id: str = ""
    cl_match: str = "none"
    definition: str = ""
    source: str = ""

    @property
    def title(self) -> str:
        """How the subset stands in subsets.tsv."""
        return self.subset if self.kind is SubsetKind.EXCLUSIVE else STATE_PREFIX + self.subset

    @property
    def catches_all(self) -> bool:
        """Whether every NK cell meets it."""
        return all(any(sign.populations == (NK,) and sign.positive for sign in clause) for clause in self.required)


@dataclass(frozen=True, slots=True, kw_only=True)
class SubsetCount:
    """A row of subsets.tsv. `events` and `nk_events` are None where they are not available.

    Attributes:
        fraction: of the NK cells, with its interval.
        reason: why it is not resolvable; or by which markers it was decided, and how far supporting signs agree.
        probability: mean probability of its events that they truly are of this subset; nan without events.
        expected_events: sum of that probability over all NK events: the count with the overlap of markers in it.
        support: mean share of the supporting signs, of those that are gated, that its events show; nan without any.
    """

    subset: str
    cl_id: str
    events: int | None
    nk_events: int | None
    fraction: Interval = UNKNOWN
    status: SubsetStatus
    reason: str = ""
    probability: float = math.nan
    expected_events: float = math.nan
    support: float = math.nan
