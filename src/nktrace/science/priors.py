"""Priors of gates: what each cut looks like over the samples of a batch, and how a sample borrows from it.

A sample's own cut and the cohort's are two measurements of one place: normal-normal shrinkage by precision (Gelman et
al., Bayesian Data Analysis, 5.4), with median and MAD over the samples, so that one odd sample moves nothing.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from nktrace.model.gates import Edge, EdgePrior, Gate, GatedSample, GatePriors, Source, Status

_MIN_SAMPLES = 3
_MIN_SHARE = 1 / 3  # share of the samples that must show a cut for it to be the cohort's
_WIDER = 1.5  # a batch of one or two samples takes the panel's prior, its sd times this
SURVEY_LEVEL = 0.95  # of the intervals that priors are fitted to, whatever the level of the study's
_Z = 1.96
_FLOOR = 0.02  # least sd of a prior, as a share of the cut itself: a shift below it moves hardly an event

Key = tuple[str, str, str]


def fit_priors(
    samples: Sequence[GatedSample],
    *,
    source: Source = Source.COHORT,
    wider: GatePriors | None = None,
    pooled: GatedSample | None = None,
    controls: Mapping[Key, EdgePrior] | None = None,
    min_samples: int = _MIN_SAMPLES,
) -> GatePriors:
    """Priors from the samples of one batch (`source=cohort`), or of all batches of a panel (`reference`).

    Only cuts that a sample's own events show count. A cut that fewer than `min_samples` samples show, or less than a
    third of them (it is a matter of those few), comes from
    `wider` (the panel's priors, on the batch's scale) with a wider sd, else from the samples' events thrown together,
    which show a valley where each alone has too few, else it has no prior: one or two odd samples are no cohort. FMO
    controls stand in for a cohort that does not show the cut; those of the batch go before those of others.

    Args:
        samples: gated without priors, with intervals of `SURVEY_LEVEL`.
        source: what a gate that follows these priors says.
        wider: priors of the whole panel.
        pooled: the events of all samples gated as if they were one.
        controls: what the FMO controls of the batch (or of the panel) say, by `control_priors`.
        min_samples: how many samples make a prior of their own.
    """
    cuts: dict[Key, list[Edge]] = defaultdict(list)
    for sample in samples:
        for gate in sample.gates:
            for edge in gate.edges:
                key = (gate.population, edge.channel, edge.edge)
                if edge.clear and edge.source in (Source.DATA, Source.CONTROL) and math.isfinite(edge.value):
                    cuts[key].append(edge)
    enough = max(min_samples, math.ceil(_MIN_SHARE * len(samples)))
    fitted = {key: _pooled(edges, source) for key, edges in cuts.items() if len(edges) >= enough}
    borrowed = {
        key: _widened(prior) for key, prior in (wider.edges if wider is not None else {}).items() if key not in fitted
    }
    together = {
        (gate.population, edge.channel, edge.edge): _widened(_pooled([edge], source, n=len(samples)))
        for gate in (pooled.gates if pooled is not None else ())
        for edge in gate.edges
        if edge.clear and math.isfinite(edge.value) and (edge.source is Source.DATA or math.isfinite(edge.base))
    }
    fmo = {key: prior for key, prior in (controls or {}).items() if key not in borrowed or borrowed[key].fmo}
    return GatePriors(together | borrowed | fmo | fitted)


def control_priors(tubes: Sequence[GatedSample], source: Source) -> dict[Key, EdgePrior]:
    """Priors from FMO controls: where the negatives end on the channel that each lacks.

    Args:
        tubes: FMO controls, gated with the priors of their batches, so that their parents are those of the samples.
        source: `control` for the tubes of one batch, `cohort` or `reference` where others borrow from them.
    """
    cuts: dict[Key, list[Edge]] = defaultdict(list)
    for tube in tubes:
        for gate in tube.gates:
            for edge in gate.edges:
                if edge.left_out:
                    cuts[gate.population, edge.channel, edge.edge].append(edge)
    return {key: _of_controls(edges, source) for key, edges in cuts.items()}


def _of_controls(edges: Sequence[Edge], source: Source) -> EdgePrior:
    """A cut that is measured, not one sample of many: its own error, or how far the tubes differ where that is more."""
    values = np.array([edge.value for edge in edges])
    centre = float(np.median(values))
    own_sd = float(np.median([edge.high - edge.low for edge in edges])) / (2 * _Z)
    between = float(np.std(values, ddof=1)) if len(edges) > 1 else 0.0
    spread = max(own_sd, between, _FLOOR * max(abs(centre), 1e-9))
    return EdgePrior(mean=centre, sd=spread, n=len(edges), source=source, fmo=True)


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
    bases = np.array([edge.base for edge in edges])
    base = float(np.median(bases)) if np.isfinite(bases).all() else math.nan
    values = np.array([edge.value for edge in edges]) + (0.0 if math.isnan(base) else base - bases)
    own = np.array([edge.high - edge.low for edge in edges]) / (2 * _Z)
    centre = float(np.median(values))
    mad = 1.4826 * float(np.median(np.abs(values - centre)))
    own_sd = float(np.nanmedian(own)) if np.isfinite(own).any() else 0.0
    spread = max(mad, own_sd, _FLOOR * max(abs(centre), 1e-9))
    return EdgePrior(mean=centre, sd=spread * (1 + 5 / n) * math.sqrt(1 + 1.57 / n), n=n, source=source, base=base)


def combine(own: Edge, prior: EdgePrior | None, *, max_distance: float, z: float) -> Edge:
    """A sample's cut and the cohort's, by their precision.

    A prior that is measured from a base is moved by how far the sample's own base lies from it. Where both agree: the
    precision-weighted mean; `source` says which weighs more. A clear cut that differs by more than `max_distance` sd of
    both errors together stands as it is where the sample is surer than the cohort (a truly different sample), else the
    prior does (a weak one); both are warnings with their distance. Where the sample shows none, the prior is the
    cut. Without a prior the sample's own cut stands, and beside an FMO control's, which says where the negatives
    end and not where two populations part.

    Args:
        own: of the sample.
        prior: of the batch or panel.
        max_distance: in sd of the difference.
        z: half-width of an interval in standard errors.
    """
    if prior is None or own.left_out or (prior.fmo and own.clear and math.isfinite(own.value)):
        return own
    if math.isfinite(own.base) and math.isfinite(prior.base):
        prior = replace(prior, mean=prior.mean + own.base - prior.base)
    if not own.clear or not math.isfinite(own.value):
        reason = f"{own.reason}: taken from {_lender(prior)}" if own.reason else ""
        return replace(_borrowed(own, prior, z=z, reason=reason), status=Status.OK)
    distance = (own.value - prior.mean) / prior.sd
    se = max((own.high - own.low) / (2 * z), 1e-3 * prior.sd) if math.isfinite(own.high - own.low) else prior.sd
    if abs(own.value - prior.mean) > max_distance * math.hypot(prior.sd, se):
        far = f"the cut on {own.channel} lies {abs(distance):.1f} sd from that of {_lender(prior)}"
        if se > prior.sd:
            return _borrowed(own, prior, z=z, distance=distance, reason=f"{far}, which are surer: taken from them")
        return replace(own, prior=prior.mean, distance=distance, status=Status.WARN, reason=far)
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


def _borrowed(own: Edge, prior: EdgePrior, *, z: float, reason: str, distance: float = math.nan) -> Edge:
    """The prior as the cut of a sample that shows none, or (a warning) another one that it is less sure of."""
    return replace(
        own,
        value=prior.mean,
        low=prior.mean - z * prior.sd,
        high=prior.mean + z * prior.sd,
        prior=prior.mean,
        source=prior.source,
        distance=distance,
        clear=False,
        status=Status.WARN,
        reason=reason,
    )


def _lender(prior: EdgePrior) -> str:
    if prior.baseline:
        return f"the patient's {prior.baseline}" + (f" and {prior.n} samples" if prior.n > 1 else "")
    if not prior.fmo:
        return f"{prior.n} samples"
    controls = f"{prior.n} FMO controls" if prior.n > 1 else "the FMO control"
    if prior.source is Source.CONTROL:
        return controls
    return f"{controls} of {'other batches' if prior.n > 1 else 'another batch'}"


def combine_whole(
    own: Gate, priors: dict[tuple[str, str], EdgePrior], *, max_distance: float, z: float
) -> tuple[Edge, ...]:
    """The numbers of one two-dimensional shape: the sample's own, or all from the prior where it shows none.

    A number of its own that differs by more than `max_distance` sd of both errors together is a warning.
    """
    complete = all((edge.channel, edge.edge) in priors for edge in own.edges)
    if complete and not all(edge.clear for edge in own.edges):
        return tuple(
            combine(replace(edge, clear=False), priors[edge.channel, edge.edge], max_distance=math.inf, z=z)
            for edge in own.edges
        )
    return tuple(
        _beside(edge, priors.get((edge.channel, edge.edge)), max_distance=max_distance, z=z) for edge in own.edges
    )


def _beside(edge: Edge, prior: EdgePrior | None, *, max_distance: float, z: float) -> Edge:
    """A number as it is, with its distance from the prior."""
    if prior is None:
        return edge
    distance = (edge.value - prior.mean) / prior.sd
    known = replace(edge, prior=prior.mean, distance=distance)
    se = (edge.high - edge.low) / (2 * z)
    if not edge.clear or not abs(edge.value - prior.mean) > max_distance * math.hypot(prior.sd, se):
        return known
    far = f"{edge.edge} on {edge.channel} lies {abs(distance):.1f} sd from that of {_lender(prior)}"
    return replace(known, status=Status.WARN, reason=far)
