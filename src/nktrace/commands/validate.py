"""`nktrace validate`: the results of a simulated study against what was simulated."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from dataclasses import asdict, fields
from pathlib import Path

from nktrace.files import truth as beside
from nktrace.files.tables import cell, write_rows
from nktrace.model.chimerism import of_all_donors
from nktrace.science import validation
from nktrace.science.validation import Finding


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--truth", type=Path, required=True, help="directory of the truth, as `simulate` wrote it")
    parser.add_argument("--results", type=Path, required=True, help="results/ of the study")
    parser.add_argument("--output", type=Path, required=True, help="table to write")
    parser.add_argument("--level", type=float, default=0.95, help="level of the intervals (default: 0.95)")


def run(args: argparse.Namespace) -> int:
    """Write the findings and print all but the single samples. A result that is missing is counted, never an error."""
    findings = list(_findings(args.truth, args.results, args.level))
    write_rows(args.output, [field.name for field in fields(Finding)], (asdict(finding) for finding in findings))
    for finding in findings:
        if finding.measure != "nk_f1" or finding.status == "missed":
            target = "" if math.isnan(finding.target) else f"(target {finding.target:g})"
            number = "NA" if math.isnan(finding.value) else f"{finding.value:.4g}"
            print(
                f"{finding.status:7}{finding.measure:32}{finding.band:24}n={cell(finding.n):7}{number:10}{target}".rstrip()
            )
    return 0


def _findings(truth: Path, results: Path, level: float) -> Iterator[Finding]:
    expected = beside.read_expectations(truth)
    scores = []
    for (sample, population), expectation in expected.items():
        if population == "nk":
            is_nk, judged = beside.read_nk_truth(truth, sample)
            found = beside.read_nk_found(results, sample)
            score = math.nan if found is None else validation.f1(found, truth=is_nk, judged=judged)
            scores.append((sample, expectation.panel, expectation.events, score))
    missing = sum(math.isnan(score) for *_, score in scores)
    yield Finding(measure="samples_without_result", band="all", n=len(scores), value=missing)
    yield from validation.f1_findings(scores)

    chimerism = of_all_donors(beside.read_cohort(results, "chimerism"))
    fractions = beside.donor_fractions(chimerism, expected)
    yield from validation.donor_fraction_findings(fractions)
    yield from validation.detection_findings(fractions, level=level)

    by_platform = list(beside.counts(beside.read_cohort(results, "counts"), expected))
    yield validation.relative_error("count_relative_error", "all", [estimate for _, estimate in by_platform])
    for platform in sorted({platform for platform, _ in by_platform} - {"none", "None"}):
        chosen = [estimate for name, estimate in by_platform if name == platform]
        yield validation.relative_error("count_relative_error", platform, chosen)

    shares = beside.population_shares(beside.read_cohort(results, "populations"), expected)
    subsets = beside.subset_shares(beside.read_cohort(results, "subsets"), expected)
    cells, donor, fitted_shares = beside.fitted(beside.read_cohort(results, "trajectories"), expected)
    for measure, estimates, bands in (
        ("population_share", shares, validation.FRACTION_BANDS),
        ("subset_share", subsets, validation.FRACTION_BANDS),
        ("donor_fraction", fractions, validation.DONOR_BANDS),
        ("count", [estimate for _, estimate in by_platform], validation.COUNT_BANDS),
        ("donor_cells", beside.donor_cells(chimerism, expected), validation.DONOR_CELL_BANDS),
        ("fitted_count", cells, validation.COUNT_BANDS),
        ("fitted_donor_cells", donor, validation.DONOR_CELL_BANDS),
        ("fitted_subset_share", fitted_shares, validation.FRACTION_BANDS),
    ):
        yield from validation.coverage(measure, estimates, bands, level=level)
