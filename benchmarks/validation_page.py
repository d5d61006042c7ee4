"""Write docs/validation.md from what the demo and the benchmarks measured: no number is copied by hand.

    python -m benchmarks.validation_page

Needs results/validation/demo.tsv and data/truth (`make demo`), benchmarks/measured (`make bench`) and
results/validation/dilution_summary.tsv (`nktrace dilute .`); of the last two what is not there is said.
"""

from __future__ import annotations

import math
import statistics
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from benchmarks.__main__ import BENCHMARKS, OUTPUT, ROOT, command
from nktrace.files import truth
from nktrace.files.tables import NA, read_rows
from nktrace.science.validation import Estimate

PAGE = ROOT / "docs" / "validation.md"
DEMO = ROOT / "results" / "validation" / "demo.tsv"
DILUTION = ROOT / "results" / "validation" / "dilution_summary.tsv"
TRUTH = ROOT / "data" / "truth"
RESULTS = ROOT / "results"
Row = dict[str, str]

INTRODUCTION = """# Validation

What was measured, on what, and with which command. This page is written by `python -m benchmarks.validation_page`; no
number in it is copied by hand. Two kinds of evidence stand here: the demo cohort against its simulated truth, and
benchmarks of single stations. Both show that the analysis does what it should on data whose truth is known. Neither
shows that a laboratory's own staining behaves like these data: for that, mix your own donor reference into your own
blank.

A number is one run on one machine. Times depend on the machine, ratios hold.
"""

DEMO_TEXT = """## The demo cohort against its truth

    make demo        # writes results/validation/demo.tsv

Six patients, {samples} tubes ({missing} without a result), simulated with skewed and heavy-tailed markers, spillover
with photon noise, debris, dead cells, doublets, clogs, drift, margin events and staining shifts between batches,
persons and samples. `status` is `ok` or `missed` against the target. A coverage misses only where even the upper
bound of what was found (Wilson) lies below the level.

### Is an NK cell found?

F1 of the NK gate against the simulated identity of every event; events within a clog or at a margin are not judged.
"""

FRACTION_TEXT = """
### Is the donor fraction right?

Relative error where the truth is above 1 %. Where a population has fewer than 10,000 NK events the error is given in
counting errors √(f(1 − f)/n) instead: about 0.67 would be counting alone.
"""

DETECTION_TEXT = """
### Are donor cells called where there are none, and found where there are some?

By band of the true donor fraction, one call per sample and population. What can be detected depends on the number of
events: each negative has its own limit of detection, and small subsets have a high one. Blanks are judged too,
against themselves, and can hardly be called: without them, {false_calls} of {judged} calls were false.
"""

COUNT_TEXT = """
### Are the counts right?

Relative error of cells/µL, by platform, against the cells per microlitre that were simulated.
"""

COVERAGE_TEXT = """
### Do the 95 % intervals hold the truth?

By band of the truth. `population_share`, `subset_share`: fractions of the parent. `fitted_…`: the curve at the
visits.
"""

WHY_TEXT = """
### Where they do not, and why

The truth here is a **label**: what each event was simulated to be. An interval of a share or a count carries counting
error and how sure the place of the gates is (and pipetting, analyser, blank, donor reference). A cell whose signal lies
on the other side of a well-placed cut counts for its label and not for the gate, so a share has a small bias that no
number of events removes. The more events, the narrower the interval and the smaller the bias that suffices to leave it.
The interval answers "what would the gates of unlimited events find", not "what is the label"; how often it holds that
is a benchmark below. The tables here show the median error of each population, with its sign, beside the coverage.

- **Doublets.** Counts are of live single cells; beads are counted all. Cells that pass in doublets are missing from
  every bead count, by about twice the share of doublets. The dual platform takes a ratio, where this cancels.
- **Bright against dim.** Activation raises CD56, and the distributions overlap: no cut gives every cell its label.
- **One tube, many rows.** Populations of a tube share its events and its draw, so the rows of a band are fewer
  independent intervals than their number; a tube that is off by chance is off in all of them.
- **Curves beyond the last measured value** are bounded from above by limits of detection only. What lies below a limit
  the data do not say; there the curve is the decline before it carried on, and its band is narrower than this
  ignorance. The first table tells these visits apart.

Intervals that cover more than 95 % where there is nothing to find are wide on purpose: they hold 0 and what could
hide behind no event at all.
"""

DILUTION_TEXT = """## The demo's controls, diluted

`nktrace dilute .` mixes each patient's donor reference into the patient's blank and sends the mixtures the whole way
([how](methods.md#in-silico-dilution)); NK cells here, the other populations in `results/validation/dilution.html`.
Asked: a mean recovery of 0.9 to 1.1 from 1 % up, a slope of 0.95 to 1.05, and a limit of detection found within a
factor of two of the one stated.
"""
BENCH_TEXT = """## Benchmarks of single stations

    make bench       # runs all of these, an hour on two cores; keeps what they print in benchmarks/measured/
"""

ABOUT = {
    "reading": """
Reading FCS files, beside FlowIO and beside numpy alone. The values are equal to FlowIO's, or the benchmark fails.
""",
    "scaling": """
Compensation and logicle of 12 channels, beside the functions that FlowKit uses, on the same events.
""",
    "end_to_end": """
One tube from the FCS file to its populations. FlowKit reads the exported Gating-ML, so the gates are the same; it finds
the same number of events in every population, or the benchmark fails. `gates found` also estimates every cut with its
bootstrap interval, which FlowKit does not do.
""",
    "compensation": """
Spillover from simulated single stains on cells and on beads, clean, dirty (doublets, dead cells, debris) and dim,
beside the difference of medians and least squares on the same controls. The step that takes off a shared
autofluorescence was made for, and measured on, this simulator.
""",
    "gate_coverage": """
How often the interval of an NK fraction holds the fraction under the gates that unlimited events would give, without
and with the uncertainty of the gates, on draws from tubes of a million events. `label` is how often it holds the share
of simulated live single NK cells of the draw instead, `bias` how far the fractions lie from the estimand in the mean.
""",
    "quality": """
Faults put into simulated runs and matrices, and how often the time gate and the checks find them.
""",
    "accuracy": """
F1 of each population on simulated cohorts, ordinary and hard ones, and on files that others have labelled. `floor` is
the deepest valley of a kernel density per marker, without priors; `trees` is a gradient-boosted classifier,
cross-validated within each file on its truth: what the markers can separate at all. `short of trees` is taken tube by
tube. The simulation is ours; the files labelled by others are few. The levels at the end were set before the gates were
tuned.
""",
    "clustering": """
Agreement of clusters with labels beside FlowSOM's on the same values. `number given`: as many clusters as there are
labelled populations; `number found`: as many as ours finds. What separates two methods is often the labels' own
resolution: the gates of `hipc` have one population for everything with a lineage marker, in which B cells, T cells and
T cells with CD56 are clusters of their own, so that parting them costs ARI; without these cells stands the line below.
The debris and doublets of `blood` are labelled populations too.
""",
    "subset_change": """
Changes of subsets: coverage of a patient's interval, error of the exact tests where nothing changed, and their power.
""",
    "chimerism": """
Coverage of donor fractions over fractions, numbers of events, backgrounds and sensitivities, by one antibody and two,
with one blank or five, beside the plain Wald interval. Coverage above 95 % at small fractions is the price of
discreteness and of the bound for zero events. Below the grid stand harder designs: an antibody against the recipient
alone, and small blanks.
""",
    "chimerism_through_gates": """
Donor fractions of a simulated cohort that is unlike the demo's, from FCS files on, each estimated three times:
`counting` (true members by their true origin), `cuts` (true members by the HLA cuts of the product), `gates` (the
product). `held` is the coverage of the 95 % interval, `bias` the median relative error. What is lost from one column to
the next is what HLA cuts or gates take: where the two persons carry unlike amounts of CD56, `nk_bright` loses more
cells of the one.
""",
    "trajectories": """
Coverage of curves, kinetics and times to thresholds for simulated patients with six to nine visits, of which 10 to 30 %
are missed, beside the shortcut that puts half the limit in the place of a value under it. The truth asked for is the
smooth curve, from which blood differs from draw to draw by as much as the columns say; how much cannot be told from so
few visits, so intervals are too wide where blood follows the curve and a little too narrow where it varies much.
""",
}


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A Markdown table; columns whose header begins with `#` are aligned to the right."""
    yield "| " + " | ".join(name.removeprefix("#") for name in header) + " |"
    yield "|" + "|".join("--:" if name.startswith("#") else "---" for name in header) + "|"
    for row in rows:
        yield "| " + " | ".join(row) + " |"


def number(text: str) -> str:
    """Three significant digits."""
    return "–" if text == NA else f"{float(text):.3g}"


def findings(rows: Sequence[Row], *, measure: Callable[[str], bool]) -> Iterator[str]:
    """Rows of demo.tsv as a table."""
    chosen = [row for row in rows if measure(row["measure"]) and row["n"] != "0"]
    header = ("measure", "band", "#n", "#value", "#target", "status")
    yield from table(
        header,
        (
            (f"`{r['measure']}`", r["band"], r["n"], number(r["value"]), number(r["target"]), r["status"])
            for r in chosen
        ),
    )


def worst_f1(rows: Sequence[Row]) -> str:
    each = sorted((float(row["value"]), row) for row in rows if row["measure"] == "nk_f1" and row["value"] != NA)
    missed = [row for _, row in each if row["status"] == "missed"]
    low, row = each[0]
    lowest = f"The lowest of all tubes is {low:.3f} ({row['band']}, {row['n']} NK cells)"
    return f"\n{lowest}; {len(missed)} of {len(each)} are below the target.\n"


def by_population(estimates: Iterable[tuple[tuple[str, ...], Estimate]]) -> Iterator[tuple[str, ...]]:
    """Signed median relative error and coverage of each group of at least ten estimates."""
    groups: dict[tuple[str, ...], list[Estimate]] = defaultdict(list)
    for key, estimate in estimates:
        if estimate.truth > 0 and not math.isnan(estimate.value):
            groups[key].append(estimate)
    for key, members in sorted(groups.items()):
        if len(members) >= 10:
            bias = statistics.median(e.value / e.truth - 1 for e in members)
            held = sum(e.low <= e.truth <= e.high for e in members) / len(members)
            yield *key, str(len(members)), f"{100 * bias:+.1f} %", f"{100 * held:.0f} %"


def biases(expected: truth.Expected) -> Iterator[str]:
    """Bias and coverage by population, of shares and of counts."""
    populations = truth.read_cohort(RESULTS, "populations")
    counts = [row for row in truth.read_cohort(RESULTS, "counts") if row["platform"] not in (None, "none")]

    def panel(row: dict[str, Any]) -> str:
        return expected[row["sample"], "nk"].panel

    shares = (
        ((panel(row), row["population"], row["parent"]), found)
        for row in populations
        for found in truth.population_shares([row], expected)
    )
    yield "Shares of the parent:\n"
    yield from table(
        ("panel", "population", "of", "#n", "#median error", "#interval holds the label"), by_population(shares)
    )
    counted = (
        ((str(row["platform"]), row["population"]), found)
        for row in counts
        for _, found in truth.counts([row], expected)
    )
    yield "\nCells per microlitre:\n"
    yield from table(
        ("platform", "population", "#n", "#median error", "#interval holds the truth"), by_population(counted)
    )


def at_visits(expected: truth.Expected) -> Iterator[str]:
    """Coverage of fitted donor cells where they were measured, and where they were under their limit of detection."""
    rows = [row for row in truth.read_cohort(RESULTS, "trajectories") if row["measure"] == "donor_nk"]
    yield "Fitted donor NK cells at the visits:\n"
    lines = []
    for name, censored in (("measured", False), ("under the limit of detection", True)):
        _, donor, _ = truth.fitted([row for row in rows if row["censored"] is censored], expected)
        known = [one for one in donor if not math.isnan(one.low)]
        held = sum(one.low <= one.truth <= one.high for one in known)
        lines.append((name, str(len(known)), f"{100 * held / len(known):.0f} %" if known else "–"))
    yield from table(("visit", "#n", "#band holds the truth"), lines)
    yield ""


def false_calls(expected: truth.Expected) -> tuple[int, int]:
    """False calls and calls where there are no donor cells, blanks judged against themselves left out."""
    rows = [
        row
        for row in truth.read_cohort(RESULTS, "chimerism")
        if "this sample is the blank" not in (row["reason"] or "")
    ]
    none = [found for found in truth.donor_fractions(rows, expected) if found.truth == 0]
    return sum(bool(found.detected) for found in none), len(none)


def with_interval(row: Row, name: str) -> str:
    value, low, high = (f"{float(row[key]):.3f}" for key in (name, f"{name}_low", f"{name}_high"))
    return f"{value} ({low}–{high})"


def diluted() -> Iterator[str]:
    """What the dilution series of NK cells found, a line per pair and antibody."""
    if not DILUTION.is_file():
        yield "Not run yet.\n"
        return
    header = (
        "patient",
        "antibody",
        "direction",
        "#draws",
        "#recovery",
        "#slope",
        "#LoD stated",
        "#LoD found",
        "#found/stated",
    )
    rows = [row for row in read_rows(DILUTION) if row["population"] == "nk"]
    yield from table(
        header,
        (
            (
                row["patient"].replace("*", "all"),
                row["antibody"],
                row["direction"],
                row["draws"],
                *(with_interval(row, name) for name in ("recovery", "slope")),
                number(row["lod"]),
                number(row["lod_found"]),
                NA if NA in (row["lod_found"], row["lod"]) else f"{float(row['lod_found']) / float(row['lod']):.2f}",
            )
            for row in rows
        ),
    )
    yield ""


def benchmarks() -> Iterator[str]:
    """What each benchmark printed."""
    for name, about in ABOUT.items():
        kept = OUTPUT / f"{name}.txt"
        title = BENCHMARKS[name][1]
        yield f"### {title[0].upper()}{title[1:]}\n"
        yield about.lstrip("\n")
        yield f"    python {' '.join(command(name))}\n"
        if kept.is_file():
            yield "```text\n" + kept.read_text(encoding="utf-8").strip("\n") + "\n```\n"
        else:
            yield "Not run yet.\n"


def page() -> Iterator[str]:
    """The page, piece by piece."""
    rows = read_rows(DEMO)
    expected = truth.read_expectations(TRUTH)
    calls, judged = false_calls(expected)
    missing = next(row for row in rows if row["measure"] == "samples_without_result")
    yield INTRODUCTION
    yield DEMO_TEXT.format(samples=missing["n"], missing=number(missing["value"]))
    yield from findings(rows, measure=lambda name: name == "nk_f1_median")
    yield worst_f1(rows).rstrip("\n")
    yield FRACTION_TEXT
    yield from findings(rows, measure=lambda name: name.startswith("donor_fraction"))
    yield DETECTION_TEXT.format(false_calls=calls, judged=judged)
    yield from findings(rows, measure=lambda name: name in ("false_detection", "detection"))
    yield COUNT_TEXT
    yield from findings(rows, measure=lambda name: name == "count_relative_error")
    yield COVERAGE_TEXT
    yield from findings(rows, measure=lambda name: name.startswith("coverage"))
    yield WHY_TEXT
    yield from at_visits(expected)
    yield from biases(expected)
    yield ""
    yield DILUTION_TEXT
    yield from diluted()
    yield BENCH_TEXT
    yield from benchmarks()


def main() -> int:
    for needed, make in ((DEMO, "make demo"), (TRUTH, "make demo")):
        if not needed.exists():
            print(f"ERROR: there is no {needed.relative_to(ROOT)}: run `{make}` first", file=sys.stderr)
            return 2
    PAGE.write_text("\n".join(page()).strip("\n") + "\n", encoding="utf-8")
    print(f"Wrote {PAGE.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
