"""Smoothing, peaks and polygons as one would write them on paper, against the fast ones."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nktrace.science.density import _real_peaks, smooth
from nktrace.science.gating.masks import inside_polygon


def slow_smooth(counts: np.ndarray, bandwidth: float) -> np.ndarray:
    """Each bin spreads its counts by a Gaussian; what would fall beyond an end is mirrored back."""
    bins = counts.shape[0]
    result = np.zeros(bins)
    for source, count in enumerate(counts):
        for target in range(-3 * bins, 4 * bins):
            weight = math.exp(-0.5 * ((target - source) / bandwidth) ** 2) / (bandwidth * math.sqrt(2 * math.pi))
            period = target % (2 * bins)
            result[period if period < bins else 2 * bins - 1 - period] += count * weight
    return result


def slow_peaks(smoothed: np.ndarray, *, window: float, min_depth: float) -> list[int]:
    """Fill the weakest dip until every dip left is real."""
    padded = np.concatenate([[-1.0], smoothed, [-1.0]])
    peaks = [
        i
        for i in range(smoothed.shape[0])
        if padded[i + 1] > padded[i] and padded[i + 1] >= padded[i + 2] and smoothed[i] * window >= 1
    ]
    while len(peaks) > 1:
        strengths = []
        for left, right in pairwise(peaks):
            floor, lower = smoothed[left : right + 1].min(), min(smoothed[left], smoothed[right])
            z = (math.sqrt(lower * window) - math.sqrt(floor * window)) * math.sqrt(2)
            strengths.append(min(z / 3.5, (1 - floor / lower) / min_depth))
        dip = int(np.argmin(strengths))
        if strengths[dip] >= 1:
            break
        peaks.pop(dip if smoothed[peaks[dip]] < smoothed[peaks[dip + 1]] else dip + 1)
    return peaks


def slow_inside(x: float, y: float, vertices: np.ndarray) -> bool:
    """Cast a ray to the right and count the sides that it crosses."""
    crossings = 0
    for i in range(len(vertices)):
        (x0, y0), (x1, y1) = vertices[i], vertices[(i + 1) % len(vertices)]
        if (y0 > y) != (y1 > y) and x < (x1 - x0) * (y - y0) / (y1 - y0) + x0:
            crossings += 1
    return crossings % 2 == 1


@pytest.mark.parametrize("bandwidth", [1.5, 4.0])
def test_smoothing(bandwidth: float) -> None:
    counts = np.random.default_rng(1).poisson(3, size=40).astype(float)
    assert smooth(counts, bandwidth) == pytest.approx(slow_smooth(counts, bandwidth), abs=1e-5)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10_000), st.floats(1.0, 10.0), st.floats(0.05, 0.5))
def test_peaks(seed: int, bandwidth: float, min_depth: float) -> None:
    rng = np.random.default_rng(seed)
    counts = rng.poisson(rng.gamma(0.5, 20, size=200)).astype(float)
    smoothed = smooth(counts, bandwidth)
    window = 2 * math.sqrt(math.pi) * bandwidth
    assert _real_peaks(smoothed, window=window, min_depth=min_depth) == slow_peaks(
        smoothed, window=window, min_depth=min_depth
    )


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10_000), st.integers(3, 9))
def test_polygons(seed: int, corners: int) -> None:
    rng = np.random.default_rng(seed)
    vertices = rng.integers(0, 8, size=(corners, 2)).astype(float)  # whole numbers: events on corners and sides too
    x, y = rng.integers(-1, 9, size=(2, 200)).astype(np.float32)
    expected = [slow_inside(float(a), float(b), vertices) for a, b in zip(x, y, strict=True)]
    assert inside_polygon(x, y, vertices).tolist() == expected
