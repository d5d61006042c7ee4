"""Clusters beside FlowSOM's: how well they match the labels, how fast and in how much memory.

    python -m benchmarks.clustering [SEEDS]

Data sets: simulated NK cells of eight samples (fourteen populations, two of them under half a percent); live cells of
human_pbmc_hipc with the automatic gates that come with them, all of them and those without lineage markers, which the
panel is about; the three files of blood_simulated_labels. Both methods get the same values. FlowSOM (PyPI `flowsom`,
a 10 × 10 map) is told the number of labelled populations; ours is told the same, and beside it finds its own. It
learns from a draw and maps every event, as the product does.

ARI is the adjusted Rand index over all labelled events. F1 and recall are those of the cluster that a population is
matched with, one to one, such that the sum of F1 is greatest; F1 is the mean over all populations, `rare` those under
half a percent. Speed and memory: a million events of twelve markers, each method in a process of its own that does
nothing else; memory is its peak beyond what it had before it began (imports and the events).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.labelled_events import MARKERS, POPULATIONS, LabelledEvents, blood, hipc, simulated_nk, without
from nktrace.files.installation import resource
from nktrace.files.settings import Clustering
from nktrace.files.subset_rules import read_subset_rules
from nktrace.model.events import Events
from nktrace.model.panel import Detector, Kind
from nktrace.science.clustering import NkDraw, fit_reference
from nktrace.science.drawing import even_shares
from nktrace.science.mapping import map_events

Labels = NDArray[np.intp]

RARE = 0.005  # share of the events under which a population is rare
MILLION = 1_000_000


def ours(cells: LabelledEvents, seed: int, *, number: int) -> Labels:
    """Cluster of each event: a reference is fitted on a draw of each sample, then every event is mapped."""
    settings = Clustering()
    detectors = [Detector(channel=marker, marker=marker, kind=Kind.SUBSET) for marker in cells.markers]
    rng = np.random.default_rng(seed)
    samples = np.unique(cells.samples)
    # One file with hundreds of thousands of events stands for a cohort: it gives what a cohort would.
    shares = even_shares(np.bincount(cells.samples)[samples].tolist(), settings.max_events)
    draws = []
    for sample, share in zip(samples, shares, strict=True):
        rows = np.flatnonzero(cells.samples == sample)
        drawn = np.sort(rng.permutation(rows)[:share])
        draws.append(NkDraw(str(sample), cells.values[drawn], np.full(drawn.size, "other_nk")))
    reference = fit_reference(
        draws,
        panel="benchmark",
        detectors=detectors,
        rules=read_subset_rules(resource("nk_subsets.tsv")),
        prototypes=settings.prototypes,
        metaclusters=number,
        refits=settings.bootstrap,
        min_share=settings.min_share,
        seed=seed,
    )
    return map_events(Events(cells.values, cells.markers), reference)[0].astype(np.intp)


def flowsom(cells: LabelledEvents, seed: int, *, number: int) -> Labels:
    """Metacluster of each event by the peer."""
    from flowsom.models import FlowSOMEstimator

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = FlowSOMEstimator(n_clusters=number, seed=seed).fit_predict(cells.values)
    return np.asarray(found, dtype=np.intp)


def matched(labels: Labels, found: Labels) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """F1, recall and share of each labelled population, by the cluster that it is matched with."""
    from scipy.optimize import linear_sum_assignment

    populations, truth = np.unique(labels, return_inverse=True)
    clusters, group = np.unique(found, return_inverse=True)
    both = np.zeros((populations.size, clusters.size))
    np.add.at(both, (truth, group), 1)
    size = both.sum(axis=1)
    f1 = 2 * both / (size[:, None] + both.sum(axis=0))
    row, column = linear_sum_assignment(-f1)
    scores, recall = np.zeros(populations.size), np.zeros(populations.size)
    scores[row], recall[row] = f1[row, column], both[row, column] / size[row]
    return scores, recall, size / size.sum()


def judged(cells: LabelledEvents, found: Labels) -> dict[str, float]:
    """What is printed of one fit."""
    from sklearn.metrics import adjusted_rand_score

    known = cells.labels >= 0
    scores, recall, share = matched(cells.labels[known], found[known])
    rare = share < RARE
    return {
        "ARI": float(adjusted_rand_score(cells.labels[known], found[known])),
        "F1": float(scores.mean()),
        "rare F1": float(scores[rare].mean()) if rare.any() else np.nan,
        "rare recall": float(recall[rare].mean()) if rare.any() else np.nan,
        "clusters": float(np.unique(found).size),
    }


METHODS: dict[str, Callable[[LabelledEvents, int, int], Labels]] = {
    "FlowSOM, number given": lambda cells, seed, number: flowsom(cells, seed, number=number),
    "nktrace, number given": lambda cells, seed, number: ours(cells, seed, number=number),
    "nktrace, number found": lambda cells, seed, _: ours(cells, seed, number=0),
}


def data_sets(seed: int) -> list[LabelledEvents]:
    """What both are judged on; real files are left out where they are missing."""
    found = [simulated_nk(events=200_000, seed=seed)]
    try:
        live = hipc()
        found += [live, without(live, "lineage+", name="hipc, lineage-"), *blood()]
    except FileNotFoundError as error:
        print(f"LEFT OUT, so that this run is not complete: {error.filename} is missing")
    return found


def print_quality(seeds: int) -> None:
    """One line per data set and method, means over the seeds; then what is asked of ours."""
    results: dict[tuple[str, str], list[dict[str, float]]] = defaultdict(list)
    for seed in range(1, seeds + 1):
        for cells in data_sets(seed):
            number = int(np.unique(cells.labels[cells.labels >= 0]).size)
            for method, run in METHODS.items():
                results[cells.name, method].append(judged(cells, run(cells, seed, number)))
    for name, method in [key for key in results if key[0].startswith("blood")]:
        results["blood, all three", method] += results[name, method]
    columns = ("ARI", "F1", "rare F1", "rare recall", "clusters")
    print(f"{f'means over {seeds} seeds':<18}{'':<24}" + "".join(f"{column:>13}" for column in columns))
    for name, method in results:
        means = [np.mean([one[column] for one in results[name, method]]) for column in columns]
        label = name if method == next(iter(METHODS)) else ""
        print(f"{label:<18}{method:<24}" + "".join(f"{mean:>13.3f}" for mean in means[:-1]) + f"{means[-1]:>13.1f}")
    print(f"\n{'nktrace less FlowSOM':<42}" + "".join(f"{column:>13}" for column in columns[:-1]))
    peer, *methods = METHODS
    for name in dict.fromkeys(name for name, _ in results):
        for method in methods:
            pairs = [(results[name, method], results[name, peer], column) for column in columns[:-1]]
            more = [float(np.mean([a[c] - b[c] for a, b in zip(us, them, strict=True)])) for us, them, c in pairs]
            verdict = "met" if min(more[0], more[1], more[3]) >= 0 else "short"
            print(f"{name:<18}{method:<24}" + "".join(f"{by:>+13.3f}" for by in more) + f"  {verdict}")


def measure(method: str, million: Path) -> None:
    """Run one method on a million events and print seconds and megabytes as JSON."""
    METHODS[method](simulated_nk(events=2_000, seed=2), 1, 5)  # imports and what is compiled at the first call
    cells = LabelledEvents(name="million", markers=MARKERS, names=(), labels=np.empty(0, np.intp), **np.load(million))
    before, began = _peak(), time.perf_counter()
    METHODS[method](cells, 1, len(POPULATIONS))
    print(json.dumps({"seconds": time.perf_counter() - began, "megabytes": _peak() - before}))


def _peak() -> float:
    """Largest memory of this process so far in MB; rusage would count what its parent had when it was started."""
    status = Path("/proc/self/status").read_text("utf-8")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024


def print_cost() -> None:
    """Seconds and memory of a million events, and the ratios."""
    found = {}
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
    with tempfile.TemporaryDirectory() as directory:
        million = Path(directory) / "million.npz"
        cells = simulated_nk(events=MILLION, seed=1)
        np.savez(million, values=cells.values, samples=cells.samples)
        for method in METHODS:
            done = subprocess.run(
                [sys.executable, "-m", "benchmarks.clustering", "--measure", method, str(million)],
                env=os.environ | threads,
                capture_output=True,
                text=True,
                check=True,
            )
            found[method] = json.loads(done.stdout.splitlines()[-1])
    print(f"\n{'a million events of 12 markers':<32}{'seconds':>9}{'MB':>8}{'faster':>9}{'less memory':>13}")
    peer = found[next(iter(METHODS))]
    for method, cost in found.items():
        faster, less = peer["seconds"] / cost["seconds"], peer["megabytes"] / max(cost["megabytes"], 1)
        print(f"{method:<32}{cost['seconds']:>9.1f}{cost['megabytes']:>8.0f}{faster:>8.1f}x{less:>12.1f}x")


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["--measure"]:
        measure(arguments[1], Path(arguments[2]))
        return 0
    print_quality(int(arguments[0]) if arguments else 3)
    print_cost()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
