"""Compensation and logicle of 12 channels against FlowKit's, on the same events in the same run.

    python -m benchmarks.scaling [--events N] [--repeats N]

One thread each: set OPENBLAS_NUM_THREADS=1 to compare kernels and not cores. The best of some repeats is printed.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
from flowutils.compensate import compensate as flowkit_compensate
from flowutils.transforms import logicle as flowkit_logicle

from nktrace.model.compensation import Spillover
from nktrace.model.events import Events
from nktrace.model.transforms import Logicle, Scale
from nktrace.science.compensation import compensate
from nktrace.science.transforms import to_scale

CHANNELS = 12
LOGICLE = Logicle(262144.0, 0.7, 4.5, 0.0)


def seconds(work: Callable[[], object], *, repeats: int) -> float:
    """The shortest time that one call took."""
    best = np.inf
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return float(best)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()

    rng = np.random.default_rng(0)
    matrix = np.eye(CHANNELS) + rng.uniform(0, 0.1, (CHANNELS, CHANNELS)) * (1 - np.eye(CHANNELS))
    names = tuple(f"FL{i}-A" for i in range(CHANNELS))
    true = np.where(rng.random((args.events, CHANNELS)) < 0.5, rng.normal(0, 200, (args.events, CHANNELS)), 0)
    true += np.where(true == 0, rng.lognormal(9, 1.2, (args.events, CHANNELS)), 0)
    measured = np.asfortranarray((true @ matrix).astype(np.float32))
    ours, theirs = Events(measured, names), np.ascontiguousarray(measured, dtype=np.float64)
    spillover, scale = Spillover(names, matrix), Scale(dict.fromkeys(names, LOGICLE))
    columns = list(range(CHANNELS))

    our_events = compensate(ours, spillover, max_condition=1000)
    their_events = flowkit_compensate(theirs, matrix, columns)
    rows = [
        (
            "compensate",
            seconds(lambda: compensate(ours, spillover, max_condition=1000), repeats=args.repeats),
            seconds(lambda: flowkit_compensate(theirs, matrix, columns), repeats=2),
            float(np.abs(our_events.values - their_events).max() / np.abs(their_events).max()),
        ),
        (
            "logicle",
            seconds(lambda: to_scale(our_events, scale), repeats=args.repeats),
            seconds(
                lambda: flowkit_logicle(their_events, columns, t=LOGICLE.t, m=LOGICLE.m, w=LOGICLE.w, a=LOGICLE.a),
                repeats=2,
            ),
            float(
                np.abs(
                    to_scale(our_events, scale).values
                    - flowkit_logicle(their_events, columns, t=LOGICLE.t, m=LOGICLE.m, w=LOGICLE.w, a=LOGICLE.a)
                ).max()
            ),
        ),
    ]
    print(f"{args.events} events x {CHANNELS} channels")
    print(f"{'step':<12}{'nktrace ms':>12}{'FlowKit ms':>12}{'ratio':>8}{'largest difference':>20}")
    for step, our_time, their_time, difference in rows:
        ratio = their_time / our_time
        print(f"{step:<12}{our_time * 1e3:>12.0f}{their_time * 1e3:>12.0f}{ratio:>8.1f}{difference:>20.1e}")


if __name__ == "__main__":
    main()
