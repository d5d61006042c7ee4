"""Priors of gates: what each cut looks like over the samples of a batch, and how a sample borrows from it.

A sample's own cut and the cohort's are two measurements of one place: normal-normal shrinkage by precision (Gelman et
al., Bayesian Data Analysis, 5.4), with median and MAD over the samples, so that one odd sample moves nothing.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from nktrace.model.gates import Edge, EdgePrior, Gate, GatedSample, GatePriors, Source, Status

_MIN_SAMPLES = 3
_WIDER = 1.5  # a batch of one or two samples takes the panel's prior, its sd times this
_FLOOR = 0.02  # least sd of a prior, as a share of the cut itself: a shift below it moves hardly an event

Key = tuple[str, str, str]


def fit_priors(
    samples: Sequence[GatedSample],
    *,
    source: Source = Source.COHORT,
    wider: GatePriors | None = None,
    pooled: GatedSample | None = None,
    min_samples: int = _MIN_SAMPLES,
) -> GatePriors:
    """Priors from the samples of one batch (`source=cohort`), or of all batches of a panel (`reference`).

    Only cuts that a sample's own events show count. A cut that fewer than `min_samples` samples show comes from
    `wider` (the panel's priors, on the batch's scale) with a wider sd, else from the samples' events thrown together,
    which show a valley where each alone has too few, else it has no prior: one or two odd samples are no cohort. FMO
    controls make priors of source `control`, which win over the others.

    Args:
        samples: gated without priors.
        source: what a gate that follows these priors says.
        wider: priors of the whole panel.
        pooled: the events of all samples gated as if they were one.
        min_samples: how many samples make a prior of their own.
    """
    cuts: dict[Key, list[Edge]] = defaultdict(list)
    controls: dict[Key, list[Edge]] = defaultdict(list)
    for sample in samples:
        for gate in sample.gates:
            for edge in gate.edges:
                key = (gate.population, edge.channel, edge.edge)
                if edge.source is Source.CONTROL and gate.method == "control" and sample.without == edge.channel:
                    controls[key].append(edge)
                elif edge.clear and edge.source in (Source.DATA, Source.CONTROL) and math.isfinite(edge.value):
                    cuts[key].append(edge)
    fitted = {key: _pooled(edges, source) for key, edges in cuts.items() if len(edges) >= min_samples}
    borrowed = {
        key: _widened(prior) for key, prior in (wider.edges if wider is not None else {}).items() if key not in fitted
    }
    together = {
        (gate.population, edge.channel, edge.edge): _widened(_pooled([edge], source, n=len(samples)))
        for gate in (pooled.gates if pooled is not None else ())
        for edge in gate.edges
        if edge.clear and edge.source is Source.DATA and math.isfinite(edge.value)
    }
    fmo = {key: _pooled(edges, Source.CONTROL) for key, edges in controls.items()}
    return GatePriors(together | borrowed | fitted | fmo)


def _widened(prior: EdgePrior) -> EdgePrior:
    return replace(prior, sd=prior.sd * _WIDER)


def _pooled(edges: Sequence[Edge], source: Source, *, n: int | None = None) -> EdgePrior:
    """Median and spread of a cut over samples; the sd is such that a new sample's cut lies within 1.96 of it.

    For few samples the MAD is erratic: 1 + 5/n brings the coverage of normal samples back to 95 % (found by simulation
    for n from 5 up; below, the floors carry it), and a median's own variance is 1.57/n of theirs.

    Args:
        edges: of `n` samples, or one of their pooled events.
        source: of the gates that follow.
        n: number of samples, by default one per edge.
    """
    n = n or len(edges)
    values = np.array([edge.value for edge in edges])
    own = np.array([edge.high - edge.low for edge in edges]) / (2 * 1.96)
    centre = float(np.median(values))
    mad = 1.4826 * float(np.median(np.abs(values - centre)))
    own_sd = float(np.nanmedian(own)) if np.isfinite(own).any() else 0.0
    spread = max(mad, own_sd, _FLOOR * max(abs(centre), 1e-9))
    return EdgePrior(mean=centre, sd=spread * (1 + 5 / n) * math.sqrt(1 + 1.57 / n), n=n, source=source)


def combine(own: Edge, prior: EdgePrior | None, *, max_distance: float, z: float) -> Edge:
    """A sample's cut and the cohort's, by their precision.

    Where both agree: the precision-weighted mean; `source` says which weighs more. A clear cut farther than
    `max_distance` prior sd stands as it is, as a warning with its distance. Where the sample shows none, the prior is
    the cut. Without a prior the sample's own cut stands.

    Args:
        own: of the sample.
        prior: of the batch or panel.
        max_distance: in the prior's sd.
        z: half-width of an interval in standard errors.
    """
    if prior is None or (own.source is Source.CONTROL and prior.source is Source.CONTROL):
        return own
    if not own.clear or not math.isfinite(own.value):
        return replace(
            own,
            value=prior.mean,
            low=prior.mean - z * prior.sd,
            high=prior.mean + z * prior.sd,
            prior=prior.mean,
            source=prior.source,
            clear=False,
            status=Status.OK,
            reason=f"{own.reason}: taken from {prior.n} samples" if own.reason else "",
        )
    distance = (own.value - prior.mean) / prior.sd
    if abs(distance) > max_distance:
        return replace(
            own,
            prior=prior.mean,
            distance=distance,
            status=Status.WARN,
            reason=f"the cut on {own.channel} lies {abs(distance):.1f} sd from that of {prior.n} samples",
        )
    se = max((own.high - own.low) / (2 * z), 1e-3 * prior.sd) if math.isfinite(own.high - own.low) else prior.sd
    weight = prior.sd**2 / (prior.sd**2 + se**2)
    value = weight * own.value + (1 - weight) * prior.mean
    half = z * math.sqrt(1 / (1 / se**2 + 1 / prior.sd**2))
    return replace(
        own,
        value=value,
        low=value - half,
        high=value + half,
        prior=prior.mean,
        distance=distance,
        source=own.source if weight >= 0.5 else prior.source,
    )


def combine_whole(own: Gate, priors: dict[tuple[str, str], EdgePrior], *, z: float) -> tuple[Edge, ...]:
    """The numbers of one two-dimensional shape: the sample's own, or all from the prior where it shows none."""
    complete = all((edge.channel, edge.edge) in priors for edge in own.edges)
    if complete and not all(edge.clear for edge in own.edges):
        return tuple(
            combine(replace(edge, clear=False), priors[edge.channel, edge.edge], max_distance=math.inf, z=z)
            for edge in own.edges
        )
    return tuple(
        replace(edge, prior=prior.mean, distance=(edge.value - prior.mean) / prior.sd)
        if (prior := priors.get((edge.channel, edge.edge))) is not None
        else edge
        for edge in own.edges
    )
