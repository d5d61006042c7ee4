"""Priors of cuts moved from one scale to another: each batch has its own, and the panel one for new batches."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from nktrace.model.gates import EdgePrior, GatePriors
from nktrace.model.transforms import Scale, Transform
from nktrace.science.transforms import exact, inverse

_COVARIANCE = {"xx": ("mean_x", "mean_x"), "xy": ("mean_x", "mean_y"), "yy": ("mean_y", "mean_y")}
_RATIOS = ("exponent", "slope", "lower", "upper")  # of scatter lines and bands: the same on any scale


def rescaled(priors: GatePriors, *, old: Scale, new: Scale) -> GatePriors:
    """The same cuts, in data values, on another scale; a prior's sd is carried over by where mean ± sd come to lie.

    The numbers of a covariance are no places: they are stretched as the two channels are around the ellipse's mean.
    """
    moved, stretch = {}, {}
    for key, prior in priors.edges.items():
        population, channel, edge = key
        if edge in _COVARIANCE:
            continue
        moved[key] = prior if edge in _RATIOS else _moved(prior, old.transforms[channel], new.transforms[channel])
        stretch[population, edge] = moved[key].sd / prior.sd
    for key, prior in priors.edges.items():
        population, _, edge = key
        if edge in _COVARIANCE:
            by = math.prod(stretch[population, mean] for mean in _COVARIANCE[edge])
            moved[key] = replace(prior, mean=prior.mean * by, sd=prior.sd * by)
    return GatePriors(moved)


def _moved(prior: EdgePrior, old: Transform, new: Transform) -> EdgePrior:
    if old == new:
        return prior
    places = np.array([prior.mean - prior.sd, prior.mean, prior.mean + prior.sd])
    low, mean, high = (float(place) for place in exact(inverse(places, old), new))
    base = float(exact(inverse(np.array([prior.base]), old), new)[0]) if math.isfinite(prior.base) else math.nan
    return replace(prior, mean=mean, sd=(high - low) / 2, base=base)
