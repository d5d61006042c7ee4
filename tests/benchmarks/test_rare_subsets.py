"""A rare subset of a simulated cohort, through gates and clusters."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.accuracy import f1
from benchmarks.labelled import cohort
from nktrace.files.installation import resource
from nktrace.files.settings import Clustering
from nktrace.files.subset_rules import read_subset_rules
from nktrace.science.clustering import NkDraw, clustering_detectors, fit_reference
from nktrace.science.mapping import map_events
from nktrace.science.subsets import call_subsets

ONE_IN_FIFTY = {
    "nk_bright": 0.09,
    "nk_early_dim": 0.36,
    "nk_double_positive": 0.13,
    "nk_double_negative": 0.15,
    "nk_terminal": 0.25,
    "nk_adaptive": 0.02,
}


@pytest.mark.slow
def test_adaptive_cells_at_two_percent_of_nk_are_recovered() -> None:
    rules = read_subset_rules(resource("nk_subsets.tsv"))
    tubes = [tube for tube in cohort("ordinary", seed=11, nk=ONE_IN_FIFTY) if tube.panel.name == "phenotyping"]
    detectors = clustering_detectors(tubes[0].panel)
    markers = tuple(detector.marker for detector in detectors)
    settings = Clustering()
    called, draws = [], []
    for tube in tubes:
        rows = np.flatnonzero(tube.gated.masks["nk"])
        member = {population: mask[rows] for population, mask in tube.gated.masks.items()}
        labels = call_subsets(rules, member, markers=tube.panel.markers, level=0.95).labels
        called.append((rows, labels))
        draws.append(NkDraw(tube.name, tube.events.select(rows).take(markers).values, labels))
    reference = fit_reference(
        draws,
        panel="phenotyping",
        detectors=detectors,
        rules=rules,
        prototypes=settings.prototypes,
        metaclusters=settings.metaclusters,
        refits=settings.bootstrap,
        min_share=settings.min_share,
        seed=1,
    )
    adaptive = [cluster.number for cluster in reference.clusters if cluster.subset == "adaptive"]
    found = {"subset": [], "cluster": []}
    for tube, (rows, labels) in zip(tubes, called, strict=True):
        truth = tube.truth["adaptive"] & tube.judged
        cluster, _ = map_events(tube.events.select(rows), reference)
        for how, members in (("subset", labels == "adaptive"), ("cluster", np.isin(cluster, adaptive))):
            mask = np.zeros(truth.size, dtype=np.bool_)
            mask[rows[members]] = True
            found[how].append((mask & tube.judged, truth))
    for how, pairs in found.items():
        pooled = f1(*(np.concatenate(part) for part in zip(*pairs, strict=True)))
        assert pooled >= 0.85, how
