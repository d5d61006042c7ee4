"""Priors of cuts moved from one scale to another: each batch has its own, and the panel one for new batches."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from nktrace.model.gates import EdgePrior, GatePriors
from nktrace.model.transforms import Scale, Transform
from nktrace.science.transforms import exact, inverse


def rescaled(priors: GatePriors, *, old: Scale, new: Scale) -> GatePriors:
    """The same cuts, in data values, on another scale; a prior's sd is carried over by where mean ± sd come to lie."""
    return GatePriors(
        {key: _moved(prior, old.transforms[key[1]], new.transforms[key[1]]) for key, prior in priors.edges.items()}
    )


def _moved(prior: EdgePrior, old: Transform, new: Transform) -> EdgePrior:
    if old == new:
        return prior
    places = np.array([prior.mean - prior.sd, prior.mean, prior.mean + prior.sd])
    low, mean, high = (float(place) for place in exact(inverse(places, old), new))
    base = float(exact(inverse(np.array([prior.base]), old), new)[0]) if math.isfinite(prior.base) else math.nan
    return replace(prior, mean=mean, sd=(high - low) / 2, base=base)
