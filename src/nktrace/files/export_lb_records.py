"""What a study measured, one record per sample, population and quantity, before it takes the shape of SDTM's LB domain.

Names, codes and qualifiers stand in resources/export/lb_*.tsv.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from nktrace.files.export_text import plain
from nktrace.files.installation import resource
from nktrace.files.tables import NA, read_rows
from nktrace.model.chimerism import ChimerismStatus, of_all_donors
from nktrace.model.counting import Platform, taken_over
from nktrace.model.study import Sample

Row = Mapping[str, Any]
Cells = dict[str, str]

CELLS, SHARE = "cells/uL", "fraction of 1"
LONGEST_NAME = 40
FLOW = "FLOW CYTOMETRY"
_METHODS = {Platform.BEADS: "BEADS", Platform.DUAL: "DUAL PLATFORM", Platform.VOLUMETRIC: "VOLUMETRIC"}
_TOXICITIES = {"lymphocytes": "Lymphocyte count decreased", "cd4_t": "CD4 lymphocytes decreased"}
LOW, NORMAL, HIGH = "LOW", "NORMAL", "HIGH"
NO_GRADE = "0"
READABLE = "readable"  # check of qc.tsv
_SEEN = (ChimerismStatus.DETECTED, ChimerismStatus.QUANTIFIED)
_OF_THE_SHARE = ("LOB", "LOD", "LOQ", "CHANGE", "CHGLOW", "CHGHIGH")


@dataclass(frozen=True, slots=True)
class Quantity:
    """What is measured of a population: letter of its codes, what follows its name, category, unit, where it stands."""

    letter: str
    words: str
    category: str
    unit: str
    table: str
    column: str


COUNT = Quantity("C", ", count", "CELL COUNTS", CELLS, "counts", "cells_per_ul")
DONOR_SHARE = Quantity("D", ", donor share", "DONOR CHIMERISM", SHARE, "chimerism", "donor_fraction")
DONOR_COUNT = Quantity("E", ", donor cells", "DONOR CELL COUNTS", CELLS, "chimerism", "donor_cells_per_ul")
NK_SHARE = Quantity("F", ", share of NK", "NK SUBSETS", SHARE, "subsets", "fraction_of_nk")
QUANTITIES = (COUNT, DONOR_SHARE, DONOR_COUNT, NK_SHARE)
EVERYTHING = Quantity("", "", "", "", "", "")  # of a tube of which nothing is known: SDTM's LBALL
ALL_TESTS = "*"  # stands for its population


@dataclass(frozen=True, slots=True)
class Record:
    """A row of LB before it is numbered and flagged, with its qualifiers; `value` is nan where there is no result."""

    sample: Sample
    population: str
    quantity: Quantity
    value: float
    below: float = math.nan  # the limit of detection where the value lies under it
    method: str = FLOW
    cells: Cells = field(default_factory=dict)
    qualifiers: Cells = field(default_factory=dict)
    reason: str = ""
    donor: str = ""  # whose cells, where a patient has several donors

    @property
    def done(self) -> bool:
        """Whether there is a result."""
        return not (math.isnan(self.value) and math.isnan(self.below))

    @property
    def code(self) -> str:
        """LBTESTCD: at most 8 capitals and digits; a population of an own gating table gets a code by its hash."""
        return self.quantity.letter + _named(self.population)[0]

    @property
    def name(self) -> str:
        """LBTEST: at most 40 characters."""
        return _named(self.population)[1] + self.quantity.words


def records(samples: Mapping[str, Sample], tables: Mapping[str, Sequence[Row]]) -> Iterator[Record]:
    """The records of counts, donor chimerism, donor cells and NK subsets; of a tube without any row one that says so.

    Args:
        samples: whose records are wanted, by id.
        tables: rows of counts, chimerism, subsets and qc, typed.
    """
    counted = {(row["sample"], row["population"]): row for row in tables["counts"]}
    for row in tables["counts"]:
        if row["sample"] in samples and not taken_over(row["reason"]):
            yield _count(samples[row["sample"]], row)
    for row in of_all_donors(tables["chimerism"]):
        if row["sample"] in samples:
            yield _donor_share(samples[row["sample"]], row)
            count = counted.get((row["sample"], row["population"]))
            if count is not None and not math.isnan(count["cells_per_ul"]):
                yield _donor_count(samples[row["sample"]], row, count)
    told = Counter(row["sample"] for row in tables["subsets"] if row["status"] == "ok" and not _is_state(row["subset"]))
    for row in tables["subsets"]:
        if row["sample"] in samples:
            alone = told[row["sample"]] == 1 and row["fraction_of_nk"] == 1 and not _is_state(row["subset"])
            yield _nk_share(samples[row["sample"]], row, alone=alone)
    there = {row["sample"] for name in ("counts", "chimerism", "subsets") for row in tables[name]}
    why = {row["sample"]: row["reason"] or "" for row in tables["qc"] if row["check"] == READABLE}
    for name, sample in samples.items():
        if name not in there:
            reason = f"could not be read: {why[name]}" if why.get(name) else "there is no result of this tube"
            yield Record(sample, ALL_TESTS, EVERYTHING, math.nan, reason=reason)


def _count(sample: Sample, row: Row) -> Record:
    """A grade is a toxicity only where the count lies under its range: absolute thresholds can lie within that."""
    low, high = row["reference_low"], row["reference_high"]
    indicator = _against_range(row["cells_per_ul"], low, high)
    grade = plain(row["grade"]) if row["population"] in _TOXICITIES else ""
    by_threshold = grade not in ("", NO_GRADE) and indicator in (NORMAL, HIGH)
    graded = grade and not by_threshold
    cells = {
        **{variable: plain(low) for variable in ("LBORNRLO", "LBSTNRLO")},
        **{variable: plain(high) for variable in ("LBORNRHI", "LBSTNRHI")},
        "LBNRIND": indicator,
        "LBTOX": _TOXICITIES[row["population"]] if graded else "",
        "LBTOXGR": grade if graded else "",
    }
    return Record(
        sample,
        row["population"],
        COUNT,
        row["cells_per_ul"],
        method=_method(row["platform"]),
        cells=cells,
        qualifiers=_qualifiers(row, "ci_low", "ci_high") | ({"GRADEABS": grade} if by_threshold else {}),
        reason=row["reason"] or "",
    )


def _donor_share(sample: Sample, row: Row) -> Record:
    return _chimerism(sample, row, DONOR_SHARE, _qualifiers(row, "ci_low", "ci_high"))


def _donor_count(sample: Sample, row: Row, count: Row) -> Record:
    found = _qualifiers(row, "donor_cells_ci_low", "donor_cells_ci_high") | {"PLATFORM": plain(count["platform"])}
    found = {key: value for key, value in found.items() if key not in _OF_THE_SHARE}
    return _chimerism(sample, row, DONOR_COUNT, found, per=count["cells_per_ul"], method=_method(count["platform"]))


def _chimerism(
    sample: Sample, row: Row, quantity: Quantity, qualifiers: Cells, *, per: float = 1.0, method: str = FLOW
) -> Record:
    """A limit of 1 or more says nothing, so nothing is known below it."""
    estimate, under = row[quantity.column], row["status"] == ChimerismStatus.NOT_DETECTED
    return Record(
        sample,
        row["population"],
        quantity,
        estimate if row["status"] in _SEEN else math.nan,
        below=row["lod"] * per if under and row["lod"] < 1 else math.nan,
        method=method,
        qualifiers=qualifiers | ({"ESTIMATE": plain(estimate)} if under else {}),
        reason=row["reason"] or row["status"] or "",
        donor=plain(row["donor"]),
    )


def _is_state(subset: str) -> bool:
    return subset.startswith("state:")


def _nk_share(sample: Sample, row: Row, *, alone: bool) -> Record:
    """Of a tube whose panel tells no two subsets apart all cells have the one name that is left: no share (`alone`)."""
    if alone:
        return Record(sample, row["subset"], NK_SHARE, math.nan, reason="this panel tells no two subsets apart")
    found = _qualifiers(row, "ci_low", "ci_high")
    reason = row["reason"] or ("" if row["status"] == "ok" else row["status"] or "")
    return Record(sample, row["subset"], NK_SHARE, row["fraction_of_nk"], qualifiers=found, reason=reason)


def _qualifiers(row: Row, low: str, high: str) -> Cells:
    own = {name: qualifier["column"] for name, qualifier in qualifiers().items() if qualifier["column"] in row}
    return {"CILOW": plain(row[low]), "CIHIGH": plain(row[high])} | {key: plain(row[c]) for key, c in own.items()}


def _method(platform: str | None) -> str:
    return f"{FLOW}, {_METHODS[Platform(platform)]}" if platform in set(_METHODS) else FLOW


def _against_range(value: float, low: float, high: float) -> str:
    if math.isnan(value) or math.isnan(low) or math.isnan(high):
        return ""
    return LOW if value < low else HIGH if value > high else NORMAL


def qualifiers() -> Mapping[str, Mapping[str, str]]:
    """QNAM -> label, column of the table, meaning."""
    return {row["qualifier"]: row for row in _resource("lb_qualifiers.tsv")}


def _named(population: str) -> tuple[str, str]:
    known = {row["population"]: (row["code"], row["name"]) for row in _resource("lb_tests.tsv")}
    if population in known:
        return known[population]
    own = f"X{hashlib.sha256(population.encode()).hexdigest()[:6].upper()}"
    longest = LONGEST_NAME - max(len(quantity.words) for quantity in QUANTITIES)
    return own, population if len(population) <= longest else f"Population {own}"


@cache
def _resource(name: str) -> list[dict[str, str]]:
    return [
        {key: "" if value == NA else value for key, value in row.items()}
        for row in read_rows(resource(f"export/{name}"))
    ]
