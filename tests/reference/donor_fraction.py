"""The interval of a donor fraction by plain Monte Carlo: what science/chimerism.py computes on a lattice."""

from __future__ import annotations

import numpy as np


def donor_fraction_by_sampling(
    sample: tuple[int, int], blank: tuple[int, int], donor: tuple[int, int], *, draws: int, rng: np.random.Generator
) -> tuple[float, float]:
    """The central 95 % of (P - A) / (B - A), not clipped; each pair is (positive, events), each positive count > 0."""

    def mid_p(positive: int, events: int) -> np.ndarray:
        lower = rng.beta(positive, events - positive + 1, draws)
        upper = rng.beta(positive + 1, events - positive, draws)
        return np.where(rng.random(draws) < 0.5, lower, upper)

    p, a, b = mid_p(*sample), mid_p(*blank), mid_p(*donor)
    low, high = np.quantile((p - a) / (b - a), [0.025, 0.975])
    return float(low), float(high)
