"""Changes of NK subsets: what their intervals hold, and how often the tests over patients are wrong or find nothing.

    python -m benchmarks.subset_change [REPEATS]

Two parts. Within a patient: two samples with known shares, cells drawn from them, gates that lie beside where they
should by a known sd; the interval must hold the true log ratio. Samples without any cell of the subset are among them.
Over the patients: six subsets whose shares are drawn per patient as a whole and change together as parts of it do,
counted in 2000 cells; the tests must not reject more often than they say where nothing changed (any of the family,
too), and a change of the size that a row calls detectable should be found in about 80 %.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator

import numpy as np

from nktrace.science.signed_ranks import detectable_shift, exact_p, hodges_lehmann, holm
from nktrace.science.subset_change import Counted, log_ratio

REPEATS = 800
LEVEL = 0.95
CELLS = 2000
SHARES = (0.08, 0.1, 0.27, 0.23, 0.25, 0.07)
BETWEEN = 0.2
"""sd of each subset's log share about the patient's own, in each sample, before shares are made to sum to 1."""


def log_odds(share: float) -> float:
    return math.log(share / (1 - share))


def within(times: int) -> Iterator[tuple[str, float, float, float]]:
    """What, coverage, share of bounds, share without any answer."""
    rng = np.random.default_rng(1)
    for first, second, sizes, gate in (
        (1, 1, (1000, 1000), 0.0),
        (3, 3, (1000, 1000), 0.0),
        (10, 10, (1000, 1000), 0.0),
        (20, 20, (1000, 1000), 0.0),
        (1, 20, (1000, 1000), 0.0),
        (20, 1, (1000, 1000), 0.0),
        (3, 10, (200, 5000), 0.0),
        (10, 3, (5000, 200), 0.0),
        (100, 300, (5000, 5000), 0.1),
        (100, 300, (5000, 5000), 0.3),
        (5, 20, (1000, 1000), 0.3),
    ):
        means = (first, second)
        shares = [mean / n for mean, n in zip(means, sizes, strict=True)]
        truth = log_odds(shares[0]) - log_odds(shares[1])
        held = bounds = unknown = 0
        for _ in range(times):
            counted = []
            for share, n in zip(shares, sizes, strict=True):
                moved = share * max(1 + gate * rng.standard_normal(), 1e-3)
                events = int(rng.binomial(n, min(moved, 1.0)))
                # the gate's error is known as events that a move of one sd lets in or out
                counted.append(Counted(events, n, (gate * events / n) ** 2))
            found = log_ratio(*counted, level=LEVEL)
            unknown += math.isnan(found.low)
            bounds += not found.known and not math.isnan(found.low)
            held += found.low <= truth <= found.high
        name = f"{first} and {second} of {sizes[0]} and {sizes[1]}, gates {gate:.0%}"
        yield name, held / max(times - unknown, 1), bounds / times, unknown / times


def patients(rng: np.random.Generator, n: int) -> np.ndarray:
    """Changes of the log ratio of each subset where nothing changed but by chance, shape (n, subsets)."""
    own = rng.dirichlet(np.array(SHARES) * 40, n)
    odds = []
    for _ in range(2):
        shares = own * np.exp(BETWEEN * rng.standard_normal(own.shape))
        counts = rng.multinomial(CELLS, shares / shares.sum(axis=1, keepdims=True))
        odds.append(np.log((counts + 0.5) / (CELLS - counts + 0.5)))
    return np.asarray(odds[1] - odds[0])


def across(times: int) -> Iterator[tuple[int, float, float, float, float]]:
    """n, rejections of one subset and of any by Holm where nothing changed, coverage, power at a detectable change."""
    for n in (6, 8, 12, 19):
        rng = np.random.default_rng(n)
        alone = family = held = found = 0
        sizes = []
        for _ in range(times):
            changes = patients(rng, n)
            p = [exact_p(column) for column in changes.T]
            alone += p[0] <= 1 - LEVEL
            family += min(holm(p)) <= 1 - LEVEL
            interval, _ = hodges_lehmann(changes[:, 0], changes[:, 0], level=LEVEL)
            held += interval.low <= 0 <= interval.high
            sizes.append(changes[:, 0].var(ddof=1))
        shift = detectable_shift(n, 1 - LEVEL) * math.sqrt(float(np.mean(sizes)))
        for _ in range(times):
            values = patients(rng, n)[:, 0] + shift
            found += exact_p(values) <= 1 - LEVEL
        yield n, alone / times, family / times, held / times, found / times


def main(times: int) -> None:
    print(f"within a patient ({times} pairs of samples each)")
    print(f"{'cells of the subset':<44}{'coverage':>9}{'bounds':>8}{'unknown':>9}")
    for name, held, bounds, unknown in within(times):
        print(f"{name:<44}{held:>9.3f}{bounds:>8.3f}{unknown:>9.3f}", flush=True)
    print(f"\nover the patients ({times} cohorts each, six subsets, nothing changed but in the last column)")
    print(f"{'n':>3}{'p <= 0.05':>11}{'any, Holm':>11}{'coverage':>10}{'power at the detectable change':>33}")
    for n, alone, family, held, found in across(times):
        print(f"{n:>3}{alone:>11.3f}{family:>11.3f}{held:>10.3f}{found:>33.3f}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else REPEATS)
