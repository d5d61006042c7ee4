"""The truth of a simulated study, and the results that stand beside it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nktrace.files.tables import NA, read_rows, read_table
from nktrace.model.counting import taken_over
from nktrace.model.errors import NktraceError
from nktrace.model.events import Mask
from nktrace.science.simulation.cohort import Expectation
from nktrace.science.validation import Estimate

Expected = Mapping[tuple[str, str], Expectation]
"""What is to be expected, by sample and population."""


def read_expectations(directory: Path) -> dict[tuple[str, str], Expectation]:
    """All of {patient}.tsv in a directory of truth.

    Raises:
        NktraceError: there is none, or one is not such a table.
    """
    expected = {}
    for path in sorted(directory.glob("*.tsv")):
        for row in read_rows(path):
            try:
                values = {field.name: _typed(row[field.name], str(field.type)) for field in fields(Expectation)}
            except (KeyError, ValueError) as error:
                raise NktraceError(f"this is no table of the truth ({error})", where=str(path)) from None
            expected[row["sample"], row["population"]] = Expectation(**values)
    if not expected:
        raise NktraceError("there is no truth", where=str(directory), mend="`nktrace simulate` writes it")
    return expected


def read_nk_truth(directory: Path, sample: str) -> tuple[Mask, Mask]:
    """Which events of a sample's file are live single NK cells, and which can be judged (outside clogs and margins)."""
    import pyarrow.parquet as pq

    table = pq.read_table(directory / f"{sample}.parquet", columns=["nk", "disturbed"], use_threads=False)
    return table.column("nk").to_numpy(), ~table.column("disturbed").to_numpy()


def read_nk_found(results: Path, sample: str) -> NDArray[np.int64] | None:
    """The row numbers of a sample's NK events as found; None where there is no result."""
    import pyarrow.parquet as pq

    path = results / "samples" / sample / "nk.parquet"
    if not path.is_file():
        return None
    return np.asarray(pq.read_table(path, columns=["event"], use_threads=False).column("event").to_numpy(), np.int64)


def read_cohort(results: Path, name: str) -> list[dict[str, Any]]:
    """A table of results/cohort; no rows where there is no such table."""
    path = results / "cohort" / f"{name}.tsv"
    return read_table(path, name) if path.is_file() else []


# --- results beside the truth -----------------------------------------------------------------------------------------


def population_shares(rows: list[dict[str, Any]], expected: Expected) -> list[Estimate]:
    """Shares of populations of their parents, where both are populations of the truth."""
    found = []
    for row in rows:
        own, parent = expected.get((row["sample"], row["population"])), expected.get((row["sample"], row["parent"]))
        if own is not None and parent is not None and parent.abundance > 0:
            found.append(_estimate(row, "fraction", own.abundance / parent.abundance))
    return found


def subset_shares(rows: list[dict[str, Any]], expected: Expected) -> list[Estimate]:
    """Shares of the exclusive subsets of NK cells."""
    return [
        _estimate(row, "fraction_of_nk", own.abundance / nk.abundance)
        for row in rows
        if (own := expected.get((row["sample"], row["subset"]))) is not None
        and (nk := expected[row["sample"], "nk"]).abundance > 0
    ]


def counts(rows: list[dict[str, Any]], expected: Expected) -> Iterator[tuple[str, Estimate]]:
    """Cells per microlitre, with the platform of each; what repeats the count of another tube is none of its own."""
    for row in rows:
        own = expected.get((row["sample"], row["population"]))
        if own is not None and not taken_over(row["reason"]):
            yield str(row["platform"]), _estimate(row, "cells_per_ul", own.cells_per_ul)


def donor_fractions(rows: list[dict[str, Any]], expected: Expected) -> list[Estimate]:
    """Donor fractions, with the counting error of a proportion and whether donor cells were called present."""
    found = []
    for row in rows:
        own = expected.get((row["sample"], row["population"]))
        if own is None or math.isnan(own.donor_fraction) or row["status"] in ("indeterminate", "uninformative"):
            continue
        events = row["events"] or 0
        f = own.donor_fraction
        itself = "this sample is the blank" in (row["reason"] or "")  # never detected against itself
        found.append(
            _estimate(
                row,
                "donor_fraction",
                f,
                events=events,
                standard_error=math.sqrt(f * (1 - f) / events) if events else math.nan,
                detected=None if itself else row["status"] in ("detected", "quantified"),
            )
        )
    return found


def donor_cells(rows: list[dict[str, Any]], expected: Expected) -> list[Estimate]:
    """Donor cells per microlitre."""
    return [
        Estimate(
            value=row["donor_cells_per_ul"],
            low=row["donor_cells_ci_low"],
            high=row["donor_cells_ci_high"],
            truth=own.donor_cells_per_ul,
        )
        for row in rows
        if (own := expected.get((row["sample"], row["population"]))) is not None
    ]


def fitted(rows: list[dict[str, Any]], expected: Expected) -> tuple[list[Estimate], list[Estimate], list[Estimate]]:
    """Fitted curves at the visits: counts, donor cells, shares of subsets."""
    by_visit = {(e.patient, e.day, e.population): e for e in expected.values() if not math.isnan(e.day)}
    cells: list[Estimate] = []
    donor: list[Estimate] = []
    shares: list[Estimate] = []

    def add(group: list[Estimate], row: dict[str, Any], population: str, value: Callable[[Expectation], float]) -> None:
        own = by_visit.get((row["patient"], row["day"], population))
        if own is not None:
            group.append(
                Estimate(value=row["fitted"], low=row["fitted_low"], high=row["fitted_high"], truth=value(own))
            )

    for row in rows:
        measure = str(row["measure"])
        nk = by_visit.get((row["patient"], row["day"], "nk"))
        if measure == "donor_nk":
            add(donor, row, "nk", lambda e: e.donor_cells_per_ul)
        elif measure.startswith("fraction:") and nk is not None:
            whole = nk.cells_per_ul
            add(shares, row, measure.removeprefix("fraction:"), lambda e, whole=whole: e.cells_per_ul / whole)  # type: ignore[misc]
        else:
            add(cells, row, measure, lambda e: e.cells_per_ul)
    return cells, donor, shares


def _estimate(row: dict[str, Any], value: str, truth: float, **more: Any) -> Estimate:
    return Estimate(value=row[value], low=row["ci_low"], high=row["ci_high"], truth=truth, **more)


def _typed(text: str, kind: str) -> Any:
    if kind == "float":
        return math.nan if text == NA else float(text)
    return int(text) if kind == "int" else text
