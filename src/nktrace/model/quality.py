"""Quality checks: rows of qc.tsv."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """What a check says (`status` of qc.tsv)."""

    PASS = "pass"  # noqa: S105 - the contract's word
    WARN = "warn"
    FAIL = "fail"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One quality check of one sample; value and limit are nan where the check has none."""

    check: str
    value: float = math.nan
    limit: float = math.nan
    status: Verdict
    reason: str = ""
