"""`nktrace fit-clusters`: NK clusters of a panel over the reference samples, frozen as its reference."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from nktrace.files.choices import from_json
from nktrace.files.clusters import ClusterVersions, read_reference, write_reference
from nktrace.files.gate_reference import read_gate_reference
from nktrace.files.lineages import read_lineages
from nktrace.files.panels import read_panel
from nktrace.files.subset_rules import read_subset_rules, rules_digest
from nktrace.model.clusters import NOT_ALIGNED, ClusterReference, empty_reference
from nktrace.model.errors import ReferenceUnusable
from nktrace.model.events import Events, FloatArray
from nktrace.model.lineages import Lineages
from nktrace.science.cluster_versions import crosswalk, on_scale
from nktrace.science.clustering import NkDraw, clustering_detectors, draw_nk, fit_reference
from nktrace.science.mapping import map_events
from nktrace.science.nk_alignment import aligned, control_quantiles, target_quantiles
from nktrace.science.nk_drift import sample_places, with_places


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("lineages", nargs="+", help="lineages.parquet of each reference sample, in any order")
    parser.add_argument("--panel", required=True, help="panel sheet")
    parser.add_argument("--subsets", required=True, help="nk_subsets.tsv")
    parser.add_argument("--settings", required=True, type=from_json, metavar="JSON")
    parser.add_argument("--controls", nargs="*", default=[], help="lineages.parquet of the batch controls, to align by")
    parser.add_argument("--version", metavar="DIR", help="results/reference/PANEL/vN, with the gates of this version")
    parser.add_argument("--previous", metavar="DIR", help="that of the version before: which cluster became which")
    parser.add_argument("--output", required=True, metavar="DIR", help="directory of the reference, published whole")


def run(args: argparse.Namespace) -> int:
    """Draw from each sample, fit, publish. Samples that could not be read give nothing."""
    panel = read_panel(args.panel)
    rules = read_subset_rules(args.subsets)
    detectors = clustering_detectors(panel)
    markers = [detector.marker for detector in detectors]
    clustering, seed = args.settings.clustering, args.settings.seed
    controls = args.controls if clustering.align != NOT_ALIGNED else []
    by_control = control_quantiles(map(read_lineages, controls), panel=panel.name, markers=markers)
    target = target_quantiles(by_control)
    events = min(clustering.events_per_sample, max(1, clustering.max_events // len(args.lineages)))
    draws: dict[str, NkDraw] = {}
    batches: dict[str, str] = {}
    for path in args.lineages:
        lineages = read_lineages(path)
        if lineages.panel != panel.name:
            raise ReferenceUnusable(f"is of panel {lineages.panel}, not of {panel.name}", where=path)
        if lineages.sample in draws:
            raise ReferenceUnusable(f"sample {lineages.sample} is given twice", where=path)
        draws[lineages.sample] = draw_nk(lineages, markers=markers, rules=rules, events=events, seed=seed)
        batches[lineages.sample] = lineages.batch
    fitted = {
        sample: replace(draw, values=aligned(draw.values, by_control.get(batches[sample]), target))
        for sample, draw in draws.items()
    }
    reference = fit_reference(
        list(fitted.values()),
        panel=panel.name,
        detectors=detectors,
        rules=rules,
        prototypes=clustering.prototypes,
        metaclusters=clustering.metaclusters,
        refits=clustering.bootstrap,
        min_share=clustering.min_share,
        seed=seed,
    )
    if reference.clusters:

        def more(lineages: Lineages) -> FloatArray:
            events = clustering.events_per_sample
            draw = draw_nk(lineages, markers=markers, rules=rules, events=events, seed=seed)
            return aligned(draw.values, by_control.get(lineages.batch), target)

        places = (sample_places(more(read_lineages(path)), reference) for path in args.lineages)
        reference = replace(with_places(reference, places), quantiles=target)
    reference = replace(reference, align=clustering.align)
    became = _became(args, reference, draws, fitted, batches) if args.previous else None
    write_reference(args.output, reference, named_by=rules_digest(rules), became=became)
    return 0


def _became(
    args: argparse.Namespace,
    reference: ClusterReference,
    draws: Mapping[str, NkDraw],
    fitted: Mapping[str, NkDraw],
    batches: Mapping[str, str],
) -> ClusterVersions:
    """Which cluster of the version before became which: the events of the fit, mapped onto both, each on its scale."""
    names = Path(args.previous).name, Path(args.version).name
    try:
        previous = read_reference(Path(args.previous) / "clusters")
    except ReferenceUnusable as error:  # the new reference does not rest on it
        nothing = empty_reference(reference.panel, samples={}, reason=str(error))
        return ClusterVersions(nothing, reference, names, (), nothing.reason)
    lost = [marker for marker in previous.markers if marker not in reference.markers]
    why = f"the panel has no {', '.join(lost)} any more" if lost else previous.reason or reference.reason
    if previous.align != NOT_ALIGNED or reference.align != NOT_ALIGNED:
        why = why or "one of the versions is aligned by batch controls"
    if why:
        return ClusterVersions(previous, reference, names, (), why)
    now, then = (read_gate_reference(Path(place) / "gates") for place in (args.version, args.previous))
    old, new = [], []
    for sample, draw in sorted(draws.items()):
        scales = now.scale(batches[sample]).transforms, then.scale(batches[sample]).transforms
        columns = [
            on_scale(draw.values[:, reference.markers.index(marker)], now=scales[0][marker], then=scales[1][marker])
            for marker in previous.markers
        ]
        limit = args.settings.clustering.max_novelty
        at_that_time = Events(np.asfortranarray(np.column_stack(columns)), previous.markers)
        old.append(map_events(at_that_time, previous, max_novelty=limit)[0])
        as_fitted = Events(np.asfortranarray(fitted[sample].values), reference.markers)
        new.append(map_events(as_fitted, reference, max_novelty=limit)[0])
    return ClusterVersions(previous, reference, names, crosswalk(np.concatenate(old), np.concatenate(new)), "")
