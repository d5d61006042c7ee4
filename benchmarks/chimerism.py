"""Does the interval of a donor fraction cover, and does the limit of detection detect? A grid with known truth.

    python benchmarks/chimerism.py [REPEATS]

Each cell of the grid draws sample, blank and donor reference as a cytometer counts them. Printed per fraction and
number of events: coverage of the 95 % interval, beside the plain (p - a)/(b - a) with its Wald interval; then the rate
of false detections, of detections at the stated limit, of `indeterminate`, and the bias. Once the blanks are Poisson,
once their rate scatters by 50 % between tubes and `blank_cv` says so. Under two minutes at 80 repeats.
"""

from __future__ import annotations

import itertools
import math
import sys
import time
from collections import defaultdict

import numpy as np

from nktrace.model.chimerism import ChimerismStatus, Controls, Estimate, MarkerCounts
from nktrace.science.chimerism import estimate, limits_of

FRACTIONS = (0.0, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.5, 0.95)
EVENTS = (300, 3_000, 100_000)
BACKGROUNDS = (0.0, 0.0005, 0.005)
SENSITIVITIES = (0.9, 1.0)
BLANK_EVENTS, DONOR_EVENTS = 20_000, 5_000


def main() -> None:
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 80
    for cv in (0.0, 0.5):
        started = time.perf_counter()
        _report(cv, repeats)
        print(f"{time.perf_counter() - started:.0f} s\n")


def _report(cv: float, repeats: int) -> None:
    rng = np.random.default_rng(2)
    ours: dict[tuple[int, float], list[float]] = defaultdict(list)
    wald: dict[tuple[int, float], list[float]] = defaultdict(list)
    false, at_limit, undecided, bias = [], [], 0, []
    for events, a, b, fraction in itertools.product(EVENTS, BACKGROUNDS, SENSITIVITIES, FRACTIONS):
        found, plain, detected, points = [], [], [], []
        for _ in range(repeats):
            controls = _controls(a, b, cv, rng)
            counts = _sample(events, a, b, fraction, cv, rng)
            result = _estimate(counts, controls)
            if result.status is ChimerismStatus.INDETERMINATE:
                undecided += 1
                continue
            found.append(result.fraction.low <= fraction <= result.fraction.high)
            plain.append(_wald_covers(counts, controls, fraction))
            detected.append(result.status is not ChimerismStatus.NOT_DETECTED)
            if fraction > result.limits.loq:
                points.append(result.fraction.value / fraction - 1)
            if fraction == 0:
                at = _sample(events, a, b, min(result.limits.lod, 1.0), cv, rng)
                at_limit.append(at.positive > limits_of(at, controls).lob_events)
        ours[events, fraction].append(float(np.mean(found)))
        wald[events, fraction].append(float(np.mean(plain)))
        if fraction == 0:
            false.append(float(np.mean(detected)))
        if len(points) > repeats / 2:
            bias.append(float(np.median(points)))
    cells = [value for (_, fraction), values in ours.items() if fraction > 0 for value in values]
    plainly = [value for (_, fraction), values in wald.items() if fraction > 0 for value in values]
    # a simultaneous 99 % bound over all cells: how low a cell of true coverage .95 may come out
    slack = 4.0 * math.sqrt(0.95 * 0.05 / repeats)
    print(f"blank_cv {cv:g}: coverage of ours / Wald (mean of the cells, {repeats} repeats each)")
    print("events   " + "".join(f"{fraction:>14g}" for fraction in FRACTIONS))
    for events in EVENTS:
        row = (f"{np.mean(ours[events, f]):.3f} / {np.mean(wald[events, f]):.3f}" for f in FRACTIONS)
        print(f"{events:>7}  " + "".join(f"{text:>14}" for text in row))
    print(f"above zero: mean {np.mean(cells):.3f} / {np.mean(plainly):.3f}, lowest cell {min(cells):.3f}", end=" ")
    print(f"/ {min(plainly):.3f} (beyond chance below {0.95 - slack:.3f})")
    print(f"false detections: mean {np.mean(false):.3f}, highest cell {max(false):.3f}")
    print(f"detected at the limit of detection: {np.mean(at_limit):.3f}")
    share = undecided / (repeats * len(ours) * len(BACKGROUNDS) * len(SENSITIVITIES))
    print(f"indeterminate: {share:.3f}; median bias above LoQ, worst cell, chance included: {max(map(abs, bias)):.3f}")


def _controls(a: float, b: float, cv: float, rng: np.random.Generator) -> Controls:
    blank, donor = rng.binomial(BLANK_EVENTS, _scattered(a, cv, rng)), rng.binomial(DONOR_EVENTS, b)
    return Controls(
        blank=MarkerCounts(events=BLANK_EVENTS, positive=int(blank)),
        donor=MarkerCounts(events=DONOR_EVENTS, positive=int(donor)),
        blank_cv=cv,
    )


def _sample(events: int, a: float, b: float, fraction: float, cv: float, rng: np.random.Generator) -> MarkerCounts:
    rate = _scattered(a, cv, rng) * (1 - fraction) + b * fraction
    return MarkerCounts(events=events, positive=int(rng.binomial(events, rate)))


def _scattered(rate: float, cv: float, rng: np.random.Generator) -> float:
    return min(1.0, rate * float(rng.gamma(1 / cv**2, cv**2))) if cv else rate


def _estimate(counts: MarkerCounts, controls: Controls) -> Estimate:
    return estimate(counts, controls, level=0.95, min_separation=0.8, min_events=50, complete=0.95, mixed=0.01)


def _wald_covers(counts: MarkerCounts, controls: Controls, fraction: float) -> bool:
    p, a, b = counts.rate, controls.blank.rate, controls.donor.rate
    f = (p - a) / (b - a)
    variance = (
        p * (1 - p) / counts.events + (1 - f) ** 2 * a * (1 - a) / BLANK_EVENTS + f**2 * b * (1 - b) / DONOR_EVENTS
    )
    return abs(f - fraction) <= 1.96 * math.sqrt(variance) / (b - a)


if __name__ == "__main__":
    main()
