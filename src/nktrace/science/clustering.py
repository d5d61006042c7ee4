"""NK clusters: prototypes joined to metaclusters, fitted once over the reference samples; their names and stability.

Samples are mapped onto them by science/mapping.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nktrace.model.clusters import AMBIGUOUS, Cluster, ClusterReference, empty_reference
from nktrace.model.lineages import Lineages
from nktrace.model.panel import Detector, Kind, Panel
from nktrace.model.subsets import SubsetRule
from nktrace.science.drawing import draw_rows, generator
from nktrace.science.mapping import nearest_prototype, scaled_values
from nktrace.science.metaclusters import Labels, consensus, joined
from nktrace.science.prototypes import fit_prototypes, thinned
from nktrace.science.subsets import by_priority, nk_members, normalised, subset_index

# Lineage markers whose level tells NK cells apart, of man and mouse; the others are the same on all of them.
NK_LINEAGE_MARKERS = frozenset({"cd56", "cd16", "nk1_1", "nkp46", "cd335", "cd49b"})
EVENTS_PER_PROTOTYPE = 10  # fewer NK events than this per prototype: fewer prototypes
EVENTS_PER_RADIUS = 100  # a 99th percentile of fewer distances is taken from the metacluster, or from all
SMALLEST_RADIUS = 1e-6
SMALLEST_SHARE = 0.02  # of the mean prototype's events; one with fewer makes no cluster of its own
OUTLIERS = 5  # fewer events are no population
SEEDS = 2  # further fits whose agreement tells what hangs on the seed
REFITS_OF_A_SEED = 3  # behind the consensus of each
MOST_WEIGHT = 10.0  # of a sample's events, over that of the sample with most: few events cannot stand for many


def clustering_detectors(panel: Panel) -> tuple[Detector, ...]:
    """What clusters are made of: detectors of kind `subset`, and of the lineage markers that differ among NK cells."""

    def informative(marker: str) -> bool:
        names = {normalised(name) for name in (marker, *re.split(r"[+_/|]", marker))}
        return not names.isdisjoint(NK_LINEAGE_MARKERS)

    return tuple(
        detector
        for detector in panel.used
        if detector.kind is Kind.SUBSET or (detector.kind is Kind.LINEAGE and informative(detector.marker))
    )


@dataclass(frozen=True, slots=True)
class NkDraw:
    """What one sample gives to the reference: values, shape (events, markers), and the subset of each event."""

    sample: str
    values: NDArray[np.float32]
    subsets: NDArray[np.str_]


def draw_nk(
    lineages: Lineages, *, markers: Sequence[str], rules: Sequence[SubsetRule], events: int, seed: int
) -> NkDraw:
    """At most `events` NK events of a sample, by its name and the seed alone, those with a missing value left out."""
    if not lineages.nk_rows.size:
        return NkDraw(lineages.sample, np.empty((0, len(markers)), np.float32), np.empty(0, dtype=np.str_))
    exclusive = by_priority(rules)
    index = subset_index(exclusive, nk_members(lineages))
    labels = np.array([*(rule.subset for rule in exclusive), ""])[index]
    values = lineages.nk_markers.take(tuple(markers)).values
    usable = np.flatnonzero(np.isfinite(values).all(axis=1))
    rows = draw_rows(usable, events, generator(seed, lineages.sample, "clusters"))
    return NkDraw(lineages.sample, values[rows].astype(np.float32), labels[rows])


def fit_reference(
    draws: Sequence[NkDraw],
    *,
    panel: str,
    detectors: Sequence[Detector],
    rules: Sequence[SubsetRule],
    prototypes: int,
    metaclusters: int,
    refits: int,
    min_share: float,
    seed: int,
) -> ClusterReference:
    """Fit the clusters of a panel; the order of the draws does not matter, and the same input gives the same bytes.

    Markers of one transform share one scale, the widest range (0.1 to 99.9 %) among them: scaled each by its own, a
    marker that is the same on all cells would bring its noise to the height of a real difference. In the draw for the
    prototypes (science/prototypes.py) each sample weighs the same, as far as `MOST_WEIGHT` allows. They are joined to
    metaclusters by consensus over refits on halves of the events (science/metaclusters.py).

    Args:
        draws: one per reference sample.
        detectors: of the columns of the draws.
        rules: the subsets that clusters are named by.
        prototypes: at most so many; fewer where there are few events.
        metaclusters: so many, or fewer where there are few prototypes; 0: as many as the events show. With one marker
            only there is one: slices of one peak are no kinds of cells.
        refits: behind the consensus and the stability, at least one.
        min_share: share of a cluster's members that a subset needs to give it its name.
    """
    draws = sorted(draws, key=lambda draw: draw.sample)
    samples = {draw.sample: len(draw.values) for draw in draws}
    markers = tuple(detector.marker for detector in detectors)
    if not markers:
        reason = "the panel has no marker of kind subset, and none of the lineage markers that tell NK cells apart"
        return empty_reference(panel, samples=samples, reason=reason)
    values = np.concatenate([np.empty((0, len(markers)), np.float32), *(draw.values for draw in draws)])
    if not len(values):
        return empty_reference(panel, samples=samples, reason="no reference sample has NK events")
    low, high = np.quantile(values, (0.001, 0.999), axis=0).astype(np.float32)
    width = _shared_widths(high - low, [detector.transform for detector in detectors])
    scaled = scaled_values(values, low, width)
    number = min(prototypes, max(1, len(scaled) // EVENTS_PER_PROTOTYPE))
    wanted = (metaclusters or None) if len(markers) > 1 else 1
    weights = thinned(scaled, number, weights=_even_weights(list(samples.values())), seed=seed)
    fit = _fit(scaled, weights, number, wanted, refits, seed)
    nearest, distance = nearest_prototype(scaled, fit.prototypes)
    by_size = np.argsort(-np.bincount(fit.joined[nearest], minlength=int(fit.joined.max()) + 1), kind="stable")
    numbers = (np.argsort(by_size)[fit.joined] + 1).astype(np.int32)
    labels = numbers[nearest]
    stability, agreement = (_mean_jaccard(labels, others) for others in (fit.partitions, fit.by_seed))
    subsets = np.concatenate([draw.subsets for draw in draws])
    return ClusterReference(
        panel=panel,
        markers=markers,
        center=low,
        width=width,
        prototypes=fit.prototypes,
        metaclusters=numbers,
        radius=_radii(distance, nearest, numbers),
        clusters=tuple(
            _describe(
                cluster,
                values[labels == cluster],
                subsets[labels == cluster],
                len(values),
                markers,
                rules,
                stability=float(stability[cluster - 1]),
                seed_agreement=float(agreement[cluster - 1]),
                min_share=min_share,
            )
            for cluster in range(1, int(numbers.max()) + 1)
        ),
        samples=samples,
    )


def _shared_widths(ranges: NDArray[np.float32], transforms: Sequence[str]) -> NDArray[np.float32]:
    """The widest range among the markers of each transform; 1 where all of them are constant."""
    widest = {t: max(r for r, of in zip(ranges, transforms, strict=True) if of == t) for t in transforms}
    return np.array([widest[transform] or 1 for transform in transforms], dtype=np.float32)


def _even_weights(sizes: Sequence[int]) -> NDArray[np.float64]:
    """A weight per event, such that samples weigh the same, as far as `MOST_WEIGHT` allows."""
    most = max(sizes)
    return np.concatenate([np.full(size, min(most / size, MOST_WEIGHT)) for size in sizes if size])


@dataclass(frozen=True, slots=True)
class _Fit:
    """Prototypes; the metacluster of each, from 0; and the clusters of every event by each refit and by other seeds."""

    prototypes: NDArray[np.float32]
    joined: Labels
    partitions: list[Labels]
    by_seed: list[Labels]


def _fit(
    scaled: NDArray[np.float32], weights: NDArray[np.float64], number: int, wanted: int | None, refits: int, seed: int
) -> _Fit:
    """The consensus of all refits; beside it what other seeds make of the events."""
    partitions = [_refit(scaled, weights, number, wanted, seed, refit) for refit in range(refits)]
    prototypes = fit_prototypes(scaled, number, weights=weights, seed=seed)
    by_seed = []
    for other in range(seed + 1, seed + 1 + SEEDS):
        again = fit_prototypes(scaled, number, weights=weights, seed=other)
        refitted = [_refit(scaled, weights, number, wanted, other, refit) for refit in range(REFITS_OF_A_SEED)]
        by_seed.append(_agreed(scaled, again, refitted, wanted)[nearest_prototype(scaled, again)[0]])
    return _Fit(prototypes, _agreed(scaled, prototypes, partitions, wanted), partitions, by_seed)


def _refit(
    scaled: NDArray[np.float32],
    weights: NDArray[np.float64],
    number: int,
    wanted: int | None,
    seed: int,
    refit: int,
) -> Labels:
    """Groups of all events by prototypes that were fitted to, and joined on, half of them."""
    rng = generator(seed, "refit", str(refit))
    half = np.sort(rng.permutation(len(scaled))[: max(2, len(scaled) // 2)])
    some = scaled[half]
    prototypes = fit_prototypes(some, number, weights=weights[half], seed=int(rng.integers(2**31)))
    full = _full(some, prototypes)
    return joined(some, full, number=wanted)[nearest_prototype(scaled, full)[0]]


def _full(scaled: NDArray[np.float32], prototypes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Those that stand for more than a few outliers."""
    sizes = np.bincount(nearest_prototype(scaled, prototypes)[0], minlength=len(prototypes))
    enough = max(SMALLEST_SHARE * sizes.mean(), min(OUTLIERS, int(sizes.max())))
    return np.ascontiguousarray(prototypes[sizes >= enough])


def _agreed(
    scaled: NDArray[np.float32], prototypes: NDArray[np.float32], partitions: list[Labels], wanted: int | None
) -> Labels:
    """Metacluster of each prototype; one of hardly any events goes with the nearest of more."""
    full = _full(scaled, prototypes)
    agreed = consensus(partitions, nearest_prototype(scaled, full)[0], number=wanted)
    return agreed[nearest_prototype(prototypes, full)[0]]


def _mean_jaccard(labels: NDArray[np.int32], others: list[Labels]) -> NDArray[np.float64]:
    """Mean Jaccard index of each cluster with its best match in other partitions of the events (Hennig 2007).

    Hennig, Cluster-wise assessment of cluster stability, 10.1016/j.csda.2006.11.025.

    Args:
        labels: cluster of each event, from 1.
        others: groups of each event, from 0.
    """
    clusters = int(labels.max())
    found: NDArray[np.float64] = np.empty((len(others), clusters))
    for row, other in zip(found, others, strict=True):
        both = np.zeros((clusters, int(other.max()) + 1))
        np.add.at(both, (labels - 1, other), 1)
        row[:] = (both / (both.sum(axis=1)[:, None] + both.sum(axis=0) - both)).max(axis=1)
    mean: NDArray[np.float64] = found.mean(axis=0)
    return mean


def _radii(distance: NDArray[np.float64], nearest: NDArray[np.intp], numbers: NDArray[np.int32]) -> NDArray[np.float32]:
    """The distance that holds 99 % of a prototype's events, or of its metacluster's where it has too few."""
    everywhere = np.quantile(distance, 0.99)
    radius = np.empty(len(numbers), dtype=np.float32)
    for prototype, cluster in enumerate(numbers):
        own, family = distance[nearest == prototype], distance[numbers[nearest] == cluster]
        sample = next((some for some in (own, family) if some.size >= EVENTS_PER_RADIUS), None)
        radius[prototype] = everywhere if sample is None else np.quantile(sample, 0.99)
    return np.maximum(radius, np.float32(SMALLEST_RADIUS))


def _describe(
    number: int,
    values: NDArray[np.float32],
    subsets: NDArray[np.str_],
    total: int,
    markers: Sequence[str],
    rules: Sequence[SubsetRule],
    *,
    stability: float,
    seed_agreement: float,
    min_share: float,
) -> Cluster:
    order = [rule.subset for rule in rules]
    names, counts = np.unique(subsets, return_counts=True)
    ranked = sorted(
        zip(names.tolist(), counts.tolist(), strict=True), key=lambda item: (-item[1], order.index(item[0]))
    )
    shares = {name: count / len(subsets) for name, count in ranked}
    majority, share = next(iter(shares.items()))
    clear = share >= min_share
    return Cluster(
        number=number,
        subset=majority if clear else AMBIGUOUS,
        shares=shares,
        cl_id=next(rule.cl_id for rule in rules if rule.subset == majority) if clear else "",
        medians=dict(zip(markers, np.median(values, axis=0).tolist(), strict=True)),
        fraction=len(values) / total,
        stability=stability,
        seed_agreement=seed_agreement,
    )


def mean_fractions(reference: ClusterReference, clusters: Mapping[str, NDArray[np.int32]]) -> dict[int, float]:
    """Fraction of the NK cells in each cluster: the mean over samples, each of which counts the same.

    Args:
        clusters: per sample the cluster of each NK event, `UNASSIGNED` where it has none. A sample without NK events
            has no fractions and is left out; nan if that leaves none.
    """
    numbers = [cluster.number for cluster in reference.clusters]
    shares = [
        np.bincount(of_sample, minlength=len(numbers) + 1)[1:] / of_sample.size
        for of_sample in clusters.values()
        if of_sample.size
    ]
    means = np.mean(shares, axis=0) if shares else np.full(len(numbers), np.nan)
    return dict(zip(numbers, means.tolist(), strict=True))
