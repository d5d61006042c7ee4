"""What a cohort's numbers can be read as, and what not: said before any number is shown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from nktrace.pages.words import day, number, share
from nktrace.science.intervals import clopper_pearson

Row = Mapping[str, Any]

LEVEL = 0.95
PROPORTION = "proportion"  # how the method of an exact share of patients begins
LEAST_FOR_MEDIAN, LEAST_FOR_QUARTILES = 3, 4  # patients; of fewer the range in the note says all there is


def detection(seen: int, asked: int) -> str:
    """In how many patients donor NK cells were found, with the exact interval of that share."""
    if not asked:
        return "0 of 0"
    share_of = clopper_pearson(seen, asked, LEVEL)
    return f"{seen} of {asked} ({share(share_of.low)} to {share(share_of.high)}\u202f%)"


def carried(row: Row, *, reached: int | None = None) -> dict[str, Any]:
    """A row of cohort.tsv without the median of two patients and the quartiles of three, nor the words about these.

    Of fewer than three patients a share is the count of them, `count`: exact where the row is a proportion.

    Args:
        reached: in how many a threshold was reached, where the row is of that.
    """
    hidden = [] if row["n"] >= LEAST_FOR_QUARTILES else ["q1", "q3"]
    hidden += [] if row["n"] >= LEAST_FOR_MEDIAN else ["median"]
    if (row["method"] or "").startswith(PROPORTION) and not math.isnan(row["median"]):
        reached = round(row["n"] * row["median"])
    said = [part for part in (row["note"] or "").split("; ") if part.partition(" ")[0] not in hidden]
    count = f"{reached} of {row['n']}" if "median" in hidden and reached is not None else ""
    if count and not math.isnan(row["ci_low"]):
        count += f" ({number(row['ci_low'])} to {number(row['ci_high'])})"
    return {**row, **dict.fromkeys(hidden, math.nan), "note": "; ".join(said), "count": count}


def statements(patients: Sequence[Row]) -> list[str]:
    """What so many patients without a comparison cannot show, and whose donor cells may be of a graft.

    Args:
        patients: with `first_donor_exposure_day` where it is known.
    """
    n = len(patients)
    if not n:
        return []
    these = "these patients" if n > 1 else "this patient"
    said = [
        f"n = {n}. What stands here describes {these}: nobody without the infusion is held against them and no group is"
        " tested against another, so neither an effect nor a cause can be read from it."
    ]
    before = [row["first_donor_exposure_day"] for row in patients if (row.get("first_donor_exposure_day") or 0) < 0]
    if before:
        said.append(
            f"In {len(before)} of {n} donor cells were there before the infusion (a graft, from day"
            f" {day(min(before))} on). HLA tells donor from recipient, not the graft's cells from infused ones: their"
            " origin is not attributable. Shares, peak, last detection and half-life are of all donor cells together;"
            " patients' pages have the change from the baseline."
        )
    return said
