"""The tables of the contract: which columns each has, and how cells are written and read.

UTF-8 TSV with a header, one fact per row, `NA` for "not available". The columns below are the public interface:
a change is a breaking change and goes into docs/CHANGELOG.md.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from nktrace.files.atomic import replacing
from nktrace.model.errors import NktraceError

NA = "NA"

# name -> (column, type) in order; `float` cells have seven significant digits, `bool` is true/false
COLUMNS: dict[str, dict[str, type]] = {
    "populations": {
        "sample": str,
        "population": str,
        "parent": str,
        "events": int,
        "parent_events": int,
        "fraction": float,
        "ci_low": float,
        "ci_high": float,
        "gate_source": str,
        "status": str,
        "reason": str,
    },
    "gates": {
        "sample": str,
        "population": str,
        "channel": str,
        "edge": str,
        "value": float,
        "ci_low": float,
        "ci_high": float,
        "prior": float,
        "gate_source": str,
        "distance": float,
    },
    "overrides": {
        "sample": str,
        "population": str,
        "scope": str,
        "method": str,
        "settings": str,
        "gate": str,
        "automatic_gate": str,
        "automatic_source": str,
        "events": int,
        "automatic_events": int,
        "parent_events": int,
        "who": str,
        "when": str,
        "why": str,
    },
    "gate_error": {
        "sample": str,
        "gate": str,
        "channel": str,
        "edge": str,
        "population": str,
        "events_low": int,
        "events_high": int,
    },
    "qc": {"sample": str, "check": str, "value": float, "limit": float, "status": str, "reason": str},
    # shift: share of the reference's range, NA where it was not estimated; aligned_shift: NA without alignment
    "nk_drift": {
        "sample": str,
        "marker": str,
        "shift": float,
        "ci_low": float,
        "ci_high": float,
        "aligned_shift": float,
    },
    "subsets": {
        "sample": str,
        "subset": str,
        "cl_id": str,
        "events": int,
        "nk_events": int,
        "fraction_of_nk": float,
        "ci_low": float,
        "ci_high": float,
        "status": str,
        "reason": str,
        "probability": float,
        "expected_events": float,
        "support": float,
    },
    "counts": {
        "sample": str,
        "patient": str,
        "day": float,
        "population": str,
        "cells_per_ul": float,
        "ci_low": float,
        "ci_high": float,
        "platform": str,
        "reference_low": float,
        "reference_high": float,
        "grade": str,
        "status": str,
        "reason": str,
    },
    # day, sample: NA for what is said of all days together
    "count_checks": {
        "patient": str,
        "day": float,
        "check": str,
        "population": str,
        "sample": str,
        "platform": str,
        "other_sample": str,
        "other_platform": str,
        "value": float,
        "ci_low": float,
        "ci_high": float,
        "limit": float,
        "status": str,
        "reason": str,
    },
    "chimerism": {
        "sample": str,
        "patient": str,
        "day": float,
        "population": str,
        "events": int,
        "marker_events": int,
        "direction": str,
        "antibody": str,
        "false_positive_rate": float,
        "sensitivity": float,
        "donor_fraction": float,
        "ci_low": float,
        "ci_high": float,
        "lob": float,
        "lod": float,
        "loq": float,
        "status": str,
        "category": str,
        "donor_cells_per_ul": float,
        "donor_cells_ci_low": float,
        "donor_cells_ci_high": float,
        "change_from_baseline": float,
        "change_low": float,
        "change_high": float,
        "reason": str,
        "donor": str,
    },
    # results/validation/: a row per mixture, population and antibody; per pair of files; per level; per series, where
    # patient is `*` for all pairs together
    "dilution": {
        "patient": str,
        "panel": str,
        "level": float,
        "draw": int,
        "population": str,
        "antibody": str,
        "direction": str,
        "events": int,
        "donor_events": int,
        "true_fraction": float,
        "expected_fraction": float,
        "marker_events": int,
        "false_positive_rate": float,
        "sensitivity": float,
        "cut": float,
        "donor_fraction": float,
        "ci_low": float,
        "ci_high": float,
        "lob": float,
        "lod": float,
        "loq": float,
        "lod_by_counts": float,
        "status": str,
        "reason": str,
    },
    "dilution_pairs": {
        "patient": str,
        "panel": str,
        "blank_sample": str,
        "blank_fcs": str,
        "blank_batch": str,
        "blank_events": int,
        "blank_nk": int,
        "donor_sample": str,
        "donor_fcs": str,
        "donor_batch": str,
        "donor_events": int,
        "donor_nk": int,
        "respilled": bool,
        "draws": int,
        "status": str,
        "reason": str,
    },
    "dilution_levels": {
        "patient": str,
        "panel": str,
        "population": str,
        "antibody": str,
        "direction": str,
        "level": float,
        "draws": int,
        "events": float,
        "expected_fraction": float,
        "true_fraction": float,
        "donor_fraction": float,
        "donor_fraction_low": float,
        "donor_fraction_high": float,
        "recovery": float,
        "recovery_low": float,
        "recovery_high": float,
        "gate_recovery": float,
        "gate_recovery_low": float,
        "gate_recovery_high": float,
        "deviation": float,
        "deviation_low": float,
        "deviation_high": float,
        "sd": float,
        "cv": float,
        "hit_rate": float,
        "hit_rate_low": float,
        "hit_rate_high": float,
        "coverage": float,
        "coverage_low": float,
        "coverage_high": float,
        "coverage_gated": float,
        "coverage_gated_low": float,
        "coverage_gated_high": float,
    },
    "dilution_summary": {
        "patient": str,
        "panel": str,
        "population": str,
        "antibody": str,
        "direction": str,
        "pairs": int,
        "draws": int,
        "events": float,
        "recovery": float,
        "recovery_low": float,
        "recovery_high": float,
        "gate_recovery": float,
        "gate_recovery_low": float,
        "gate_recovery_high": float,
        "slope": float,
        "slope_low": float,
        "slope_high": float,
        "intercept": float,
        "intercept_low": float,
        "intercept_high": float,
        "max_deviation": float,
        "false_positives": float,
        "false_positives_low": float,
        "false_positives_high": float,
        "coverage": float,
        "coverage_low": float,
        "coverage_high": float,
        "lob": float,
        "lob_found": float,
        "lod": float,
        "lod_by_counts": float,
        "lod_found": float,
        "lod_found_low": float,
        "lod_found_high": float,
        "hit_rate_at_lod": float,
        "hit_rate_at_lod_low": float,
        "hit_rate_at_lod_high": float,
        "goal": str,
    },
    "trajectories": {
        "patient": str,
        "measure": str,
        "day": float,
        "unit": str,
        "platform": str,
        "observed": float,
        "observed_low": float,
        "observed_high": float,
        "fitted": float,
        "fitted_low": float,
        "fitted_high": float,
        "censored": bool,
        "reason": str,
    },
    "kinetics": {
        "patient": str,
        "measure": str,
        "quantity": str,
        "value": float,
        "ci_low": float,
        "ci_high": float,
        "unit": str,
        "n_points": int,
        "status": str,
        "reason": str,
    },
    "subset_change": {
        "patient": str,
        "sample": str,
        "subset": str,
        "cl_id": str,
        "day": float,
        "baseline_sample": str,
        "baseline_day": float,
        "fraction": float,
        "baseline_fraction": float,
        "log_ratio": float,
        "ci_low": float,
        "ci_high": float,
        "status": str,
        "reason": str,
        "panel": str,
        "meaning": str,
    },
    "subset_change_tests": {
        "subset": str,
        "group": str,
        "day": float,
        "n": int,
        "estimate": float,
        "ci_low": float,
        "ci_high": float,
        "level_reached": float,
        "p": float,
        "p_adjusted": float,
        "method": str,
        "smallest_p": float,
        "detectable": float,
        "detectable_adjusted": float,
        "note": str,
        "alpha": float,
    },
    "cohort": {
        "measure": str,
        "quantity": str,
        "group": str,
        "day": float,
        "n": int,
        "median": float,
        "q1": float,
        "q3": float,
        "ci_low": float,
        "ci_high": float,
        "method": str,
        "note": str,
    },
    # of patients with rows in config/external_chimerism.tsv
    "external_chimerism": {
        "patient": str,
        "day": float,
        "material": str,
        "population": str,
        "method": str,
        "external_fraction": float,
        "external_low": float,
        "external_high": float,
        "external_lod": float,
        "external_censored": bool,
        "sample": str,
        "flow_day": float,
        "lineages": str,
        "covered": float,
        "flow_fraction": float,
        "flow_low": float,
        "flow_high": float,
        "flow_lod": float,
        "flow_censored": bool,
        "difference": float,
        "difference_low": float,
        "difference_high": float,
        "status": str,
        "reason": str,
    },
    "external_agreement": {
        "method": str,
        "population": str,
        "quantity": str,
        "value": float,
        "ci_low": float,
        "ci_high": float,
        "n_pairs": int,
        "n_patients": int,
        "n_censored": int,
        "n_left_out": int,
        "note": str,
    },
    # results/compensation/: one row per control (marker: whose detector it is for), one per pair of detectors
    "compensation": {
        "batch": str,
        "panel": str,
        "marker": str,
        "sample": str,
        "negative": str,
        "events": int,
        "positive_events": int,
        "negative_events": int,
        "signal": float,
        "stain_index": float,
        "saturated": float,
        "brightest": str,
        "rounds": int,
        "residual": float,
        "status": str,
        "reason": str,
    },
    "compensation_pairs": {
        "batch": str,
        "panel": str,
        "source": str,
        "receiver": str,
        "sample": str,
        "spillover": float,
        "se": float,
        "ci_low": float,
        "ci_high": float,
        "residual": float,
        "spread": float,
    },
}
COLUMNS["chimerism_by_antibody"] = COLUMNS["chimerism"]
COLUMNS["curves"] = {
    "patient": str,
    "measure": str,
    "platform": str,
    "day": float,
    "fitted": float,
    "fitted_low": float,
    "fitted_high": float,
}
# linear units; blank_sample and donor_sample: several joined by commas
COLUMNS["hla_cuts"] = {
    "patient": str,
    "panel": str,
    "marker": str,
    "antibody": str,
    "population": str,
    "batch": str,
    "donor": str,
    "direction": str,
    "blank_sample": str,
    "donor_sample": str,
    "cut": float,
    "cut_low": float,
    "cut_high": float,
    "blank_events": int,
    "blank_positive": int,
    "donor_events": int,
    "donor_positive": int,
    "status": str,
    "reason": str,
    "blank_tubes": str,
}

# clusters.tsv has a column per marker, its median: what stands before and behind these; no marker can have such a name
CLUSTERS_BEFORE = ("panel", "cluster", "subset", "cl_id")
CLUSTERS_BEHIND = ("fraction", "stability", "subset_share", "members", "seed_agreement", "unstable")


def cell(value: Any) -> str:
    """How a value is written: NA for None and nan, seven significant digits, no tab or line break."""
    if value is None:
        return NA
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return " ".join(value.split()) or NA
    if isinstance(value, int):
        return str(value)
    number = float(value)
    if math.isnan(number):
        return NA
    if math.isinf(number):
        return "inf" if number > 0 else "-inf"
    return f"{number:.7g}" if number else "0"


def write_rows(path: Path | str, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write a TSV whole or not at all; a row with an unknown or a missing column is a programming error."""
    with replacing(path) as draft, draft.open("w", encoding="utf-8", newline="") as handle:
        handle.write("\t".join(columns) + "\n")
        for row in rows:
            if row.keys() != set(columns):
                raise ValueError(f"{path}: columns differ by {set(row) ^ set(columns)}")
            handle.write("\t".join(cell(row[column]) for column in columns) + "\n")


def write_table(path: Path | str, name: str, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write a table of the contract. No rows give a header-only table."""
    write_rows(path, list(COLUMNS[name]), rows)


def read_rows(path: Path | str) -> list[dict[str, str]]:
    """The cells of any TSV as text.

    Raises:
        NktraceError: the file is missing, or a row has more or fewer cells than the header.
    """
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as handle:
            lines = list(csv.reader(handle, delimiter="\t", quoting=csv.QUOTE_NONE))
    except FileNotFoundError:
        raise NktraceError("there is no such table", where=str(path)) from None
    if not lines:
        raise NktraceError("the table is empty, not even a header", where=str(path))
    header = lines[0]
    for number, line in enumerate(lines[1:], 2):
        if len(line) != len(header):
            raise NktraceError(f"{len(line)} cells where the header has {len(header)}", where=f"{path}, row {number}")
    return [dict(zip(header, line, strict=True)) for line in lines[1:]]


def read_table(path: Path | str, name: str) -> list[dict[str, Any]]:
    """The rows of a table of the contract, typed: NA is None in text columns, nan in float ones, None in the others.

    Raises:
        NktraceError: a column is missing or a cell is not of its type.
    """
    types = COLUMNS[name]
    rows = read_rows(path)
    if rows and not types.keys() <= rows[0].keys():
        raise NktraceError(f"columns are missing: {', '.join(types.keys() - rows[0].keys())}", where=str(path))
    return [{column: typed(row[column], kind, path) for column, kind in types.items()} for row in rows]


def typed(text: str, kind: type, path: Path | str) -> Any:
    """A cell as its type: NA is None in text columns, nan in float ones, None in the others."""
    if text == NA:
        return math.nan if kind is float else None
    if kind is bool:
        return text == "true"
    try:
        return kind(text)
    except ValueError:
        raise NktraceError(f"'{text}' is not of type {kind.__name__}", where=str(path)) from None
