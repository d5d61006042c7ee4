"""A patient's own baseline as a prior: what the cohort expects of a cut, sharpened by the same cut of the same person.

Only cuts that are measured from a base are carried, as their distance from it (CD56-bright cells from the patient's own
dim ones): the place itself moves with the staining of each batch.
"""

from __future__ import annotations

import math
from dataclasses import replace

from nktrace.model.gates import EdgePrior, GatedSample, GatePriors, Source

_OF_PERSONS = 0.5  # share of the variance between samples that is taken to be between persons
_ALONE = 3.0  # without a cohort: the sd of another visit, in standard errors of the baseline's cut
_FLOOR = 0.02  # least sd, as a share of the cut


def without_based(priors: GatePriors) -> GatePriors:
    """The priors without those that a baseline may sharpen: it is asked for its own cuts."""
    return GatePriors({key: prior for key, prior in priors.edges.items() if math.isnan(prior.base)})


def cuts_of_baseline(gated: GatedSample, *, z: float) -> GatePriors:
    """The clear cuts of a baseline that are measured from a base, each with its own standard error as sd.

    Args:
        gated: the baseline, gated by `without_based` priors.
        z: half-width of its intervals in standard errors.
    """
    return GatePriors(
        {
            (gate.population, edge.channel, edge.edge): EdgePrior(
                mean=edge.value, sd=(edge.high - edge.low) / (2 * z), n=1, source=edge.source, base=edge.base
            )
            for gate in gated.gates
            for edge in gate.edges
            if edge.clear and math.isfinite(edge.base) and math.isfinite(edge.high - edge.low)
        }
    )


def of_patient(cohort: GatePriors, baseline: GatePriors, *, name: str) -> GatePriors:
    """The priors of a patient's samples.

    With m and s of the cohort, x the baseline's distance from its base with standard error e, and r the share of s²
    that is between persons, another sample of this person is expected at m + w (x - m) with variance s² (1 - r w),
    w = r s² / (s² + e²): the regression of one measurement of a person on another (Robinson, Stat Sci 1991).

    Args:
        cohort: priors of the batch or panel of the sample.
        baseline: cuts of the baseline, on the same scale.
        name: of the baseline's sample.
    """
    return GatePriors(
        cohort.edges | {key: _of_edge(cohort.edges.get(key), own, name) for key, own in baseline.edges.items()}
    )


def _of_edge(cohort: EdgePrior | None, own: EdgePrior, name: str) -> EdgePrior:
    if cohort is None or math.isnan(cohort.base):
        sd = _ALONE * max(own.sd, _FLOOR * abs(own.mean))
        return replace(own, sd=sd, source=Source.CONTROL, baseline=name)
    weight = _OF_PERSONS * cohort.sd**2 / (cohort.sd**2 + own.sd**2)
    difference = (own.mean - own.base) - (cohort.mean - cohort.base)
    return replace(
        cohort,
        mean=cohort.mean + weight * difference,
        sd=cohort.sd * math.sqrt(1 - _OF_PERSONS * weight),
        baseline=name,
    )
