"""How steeply every detector follows the stained one in a control, by robust regression with an instrument."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_CLIP = 2.5  # residuals beyond so many sd pull no harder
_STEPS = 50
_STILL = 1e-7  # a step below it changes nothing that matters


@dataclass(frozen=True, slots=True)
class Slopes:
    """Slope of every detector on the stained one.

    Attributes:
        value: shape (detectors,), 0 in the stained one itself.
        spread: sd per root of signal, shape (detectors,).
        influence: of each event on each slope, shape (events, detectors); their sum of squares is the slope's variance.
        signal: of the positive events, in the stained detector.
        background: centre and robust sd of the negative events, shape (2, detectors).
    """

    value: Array
    spread: Array
    influence: Array
    signal: float
    background: Array


def slopes(positive: Array, negative: Array, place: int) -> Slopes:
    """Slope of every detector on the stained one, by which the positive events lie above the negative ones.

    Both detectors have noise, so that ordinary regression, which takes the stained one as exact, finds slopes too flat.
    Which events are positive is hardly touched by noise, and serves as an instrument (Wald, Ann Math Stat 1940;11:284):
    the slope b solves Σ σ·ψ((y - a - b·x)/σ) = 0 over the positive events, with a the negative ones' own centre of
    y - b·x and ψ Huber's (Ann Math Stat 1964;35:73). Light is counted, so σ² = v0 + v1·x grows with the signal, and
    the ratio of means, which this is without outliers, is then the linear estimate of least variance.

    Args:
        positive, negative: shape (events, detectors).
        place: column of the stained detector.
    """
    positive, negative = np.asfortranarray(positive), np.asfortranarray(negative)
    x_high, x_low = positive[:, place], negative[:, place]
    dark = float(np.median(x_low))
    gain = float(np.median(x_high)) - dark
    value = (np.median(positive, axis=0) - np.median(negative, axis=0)) / gain
    value[place] = 0.0
    sd_low = _robust_sd(negative - x_low[:, None] * value) + 1e-12
    sd_high = _robust_sd(positive - x_high[:, None] * value)
    growth = np.maximum(sd_high**2 - sd_low**2, 0.0) / gain
    sd = np.sqrt(sd_low**2 + np.maximum(x_high - dark, 0.0)[:, None] * growth)
    centre = np.median(negative, axis=0) - dark * value
    for _ in range(_STEPS):
        high, low = positive - x_high[:, None] * value, negative - x_low[:, None] * value
        weight_low = _weights((low - centre) / sd_low)
        total = weight_low.sum(axis=0)
        centre = (weight_low * low).sum(axis=0) / total
        x_centre = (weight_low * x_low[:, None]).sum(axis=0) / total
        weight = _weights((high - centre) / sd)
        lever = (weight * (x_high[:, None] - x_centre)).sum(axis=0)
        step = (weight * (high - centre)).sum(axis=0) / lever
        step[place] = 0.0
        value = value + step
        centre = centre - step * x_centre
        if np.max(np.abs(step)) < _STILL:
            break
    return Slopes(
        value=value,
        spread=spreads(positive, negative, gain),
        influence=_influence(high - centre, low - centre, x_high, x_centre, weight, weight_low, place),
        signal=gain,
        background=np.stack([np.median(negative, axis=0), _upper_sd(negative)]),
    )


def spreads(positive: Array, negative: Array, signal: float) -> Array:
    """Spillover spreading, sqrt((σ₊² - σ₋²)/signal), σ the 84th percentile less the median (Nguyen et al. 2013).

    Args:
        positive, negative: compensated, shape (events, detectors).
        signal: of the positive events.
    """
    spread: Array = np.sqrt(np.maximum(_upper_sd(positive) ** 2 - _upper_sd(negative) ** 2, 0.0) / signal)
    return spread


def _influence(
    high: Array, low: Array, x_high: Array, x_centre: Array, weight: Array, weight_low: Array, place: int
) -> Array:
    """By how much each event moves each slope: the terms of the sandwich variance (Huber 1967)."""
    inner = weight == 1.0
    pull = (inner * (x_high[:, None] - x_centre)).sum(axis=0)
    pull[place] = 1.0
    of_high = weight * high / pull
    of_low = -weight_low * low / (weight_low == 1.0).sum(axis=0) * inner.sum(axis=0) / pull
    influence = np.concatenate([of_high, of_low])
    influence[:, place] = 0.0
    return influence


def _weights(standardised: Array) -> Array:
    """Huber's: 1 within the clip, then falling as the distance grows."""
    weights: Array = _CLIP / np.maximum(np.abs(standardised), _CLIP)
    return weights


def _robust_sd(values: Array) -> Array:
    low, high = np.quantile(values, (0.1587, 0.8413), axis=0)
    sd: Array = (high - low) / 2
    return sd


def _upper_sd(values: Array) -> Array:
    middle, high = np.quantile(values, (0.5, 0.8413), axis=0)
    sd: Array = high - middle
    return sd
