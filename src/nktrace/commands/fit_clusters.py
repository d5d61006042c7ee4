"""`nktrace fit-clusters`: NK clusters of a panel over the reference samples, frozen as its reference."""

from __future__ import annotations

import argparse

from nktrace.files.choices import from_json
from nktrace.files.clusters import write_reference
from nktrace.files.lineages import read_lineages
from nktrace.files.panels import read_panel
from nktrace.files.subset_rules import read_subset_rules
from nktrace.model.errors import ReferenceUnusable
from nktrace.science.clustering import NkDraw, clustering_detectors, draw_nk, fit_reference


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("lineages", nargs="+", help="lineages.parquet of each reference sample, in any order")
    parser.add_argument("--panel", required=True, help="panel sheet")
    parser.add_argument("--subsets", required=True, help="nk_subsets.tsv")
    parser.add_argument("--settings", required=True, type=from_json, metavar="JSON")
    parser.add_argument("--output", required=True, metavar="DIR", help="directory of the reference, published whole")


def run(args: argparse.Namespace) -> int:
    """Draw from each sample, fit, publish. Samples that could not be read give nothing."""
    panel = read_panel(args.panel)
    rules = read_subset_rules(args.subsets)
    detectors = clustering_detectors(panel)
    markers = [detector.marker for detector in detectors]
    clustering, seed = args.settings.clustering, args.settings.seed
    draws: dict[str, NkDraw] = {}
    for path in args.lineages:
        lineages = read_lineages(path)
        if lineages.panel != panel.name:
            raise ReferenceUnusable(f"is of panel {lineages.panel}, not of {panel.name}", where=path)
        if lineages.sample in draws:
            raise ReferenceUnusable(f"sample {lineages.sample} is given twice", where=path)
        draws[lineages.sample] = draw_nk(
            lineages, markers=markers, rules=rules, events=clustering.events_per_sample, seed=seed
        )
    reference = fit_reference(
        list(draws.values()),
        panel=panel.name,
        detectors=detectors,
        rules=rules,
        prototypes=clustering.prototypes,
        metaclusters=clustering.metaclusters,
        bootstrap=clustering.bootstrap,
        min_share=clustering.min_share,
        seed=seed,
    )
    write_reference(args.output, reference)
    return 0
