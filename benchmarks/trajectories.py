"""Do the intervals of trajectories and kinetics cover? Simulated patients with known curves; about two minutes.

    python -m benchmarks.trajectories [PATIENTS]

As many patients at each of four sizes of what blood differs from draw to draw, eight shapes of the donor's curve, three
counting platforms (benchmarks/simulated_visits.py). The truth asked for is the smooth curve at the visit days. Printed:
coverage of the 95 % interval at the visits and of each quantity where its status is `ok`, and how often it is; beside
it the shortcut that puts half the limit of detection in place of what was not detected.
"""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from benchmarks.simulated_visits import LEVEL, PLATFORMS, SHAPES, Truth, draw_truth, measured
from nktrace.model.intervals import Interval
from nktrace.model.study import Patient
from nktrace.model.trajectories import Quantity, Series, Visit
from nktrace.science.following import Followed, follow
from nktrace.science.kinetics import area
from nktrace.science.rates import decline, rise
from nktrace.science.visits import DONOR

NOISES = (0.0, 0.1, 0.2, 0.3)
MEASURES = (DONOR, "nk", "cd4_t")
QUANTITIES = ("cmax", "auc", "half_life_days", "doubling_time_days")
THRESHOLDS = {"nk": [100.0], "cd4_t": [200.0]}
TIME = "time to threshold"
GRID = np.arange(0, 60, 0.02)
SHORTCUT = "LoD/2"
OPTIONS = {"min_points": 4, "draws": 1000, "grid_points": 0, "days": (), "window": 2.0, "confirm": True}


class Tally:
    """Numbers by what they are of, under one noise and shape after the other."""

    def __init__(self) -> None:
        self._found: dict[str, list[tuple[float, str, float]]] = defaultdict(list)
        self.noise, self.shape = 0.0, ""

    def add(self, what: str, value: float) -> None:
        self._found[what].append((self.noise, self.shape, float(value)))

    def of(self, what: str, *, noise: float | None = None, shape: str | None = None) -> list[float]:
        return [
            value
            for its_noise, its_shape, value in self._found[what]
            if noise in (None, its_noise) and shape in (None, its_shape)
        ]


def halved(series: Series) -> Series:
    """The shortcut: half the limit as if it had been measured, with an error of 10 %."""

    def visit(one: Visit) -> Visit:
        half = one.observed.value / 2
        return replace(one, observed=Interval(half, half / 1.2, half * 1.2), censored=False) if one.censored else one

    return replace(series, visits=tuple(map(visit, series.visits)))


def covered(interval: Interval, truth: float) -> bool:
    return interval.low <= truth <= interval.high


def read_visits(one: Followed, truth: Truth, tally: Tally, *, name: str) -> None:
    """Coverage at the visits of an identified curve."""
    for visit, fitted in zip(one.series.visits, one.fitted, strict=True):
        if fitted.known:
            hit = covered(fitted, float(truth.of(one.series.measure, np.array(visit.day))))
            for part in ("", ", under LoD" if visit.censored else ", measured", f", {one.series.platform}"):
                tally.add(name + part, hit)


def read_quantities(one: Followed, truth: Truth, tally: Tally, *, prefix: str = "") -> None:
    """Coverage of the quantities that are `ok`: of their values of the true curve at the visit days."""
    found = {quantity.name: quantity for quantity in one.quantities}
    after = [visit for visit in one.series.after if visit.measured]
    expected = {}
    if after:
        days = np.unique([visit.day for visit in one.series.after])
        upto = days[days <= found["tlast"].value.value]
        expected = {
            "cmax": float(truth.donor(days).max()),
            "auc": float(area(upto, truth.donor(upto)[None])[0]) if upto.size > 1 else np.nan,
            "half_life_days": true_doubling(truth, decline(one.series, one.curve), sign=-1),
            "doubling_time_days": true_doubling(truth, rise(one.series, one.curve), sign=1),
        }
    for name in QUANTITIES:
        ok = found[name].status == "ok"
        tally.add(f"{prefix}{name} ok", ok)
        if ok:
            tally.add(prefix + name, covered(found[name].value, expected[name]))
    if found["half_life_days"].status == "ok":
        peak = max(after, key=lambda visit: visit.observed.value).day
        later = {visit.day for visit in after if visit.day > peak and (visit.quantified or prefix)}
        assert len(later) >= 3, "a half-life from fewer than three quantifiable points after the peak"


def true_doubling(truth: Truth, days: NDArray[np.float64], *, sign: int) -> float:
    """ln 2 over the slope of the true curve's logarithm at these days; infinite where it does not go that way."""
    if days.size < 2:
        return np.nan
    rate = sign * np.polyfit(days, np.log(truth.donor(days)), 1)[0]
    return float(np.log(2) / rate) if rate > 0 else np.inf


def read_threshold(quantity: Quantity, one: Followed, truth: Truth, tally: Tally) -> None:
    """Error of the time to a threshold in units of the visit spacing, and whether its interval holds the true time."""
    above = truth.of(one.series.measure, GRID) >= float(quantity.name.split(":")[1])
    if above[0] or not above.any():
        return
    reached = float(GRID[above.argmax()])
    tally.add(f"{TIME} ok", quantity.status == "ok")
    if quantity.status == "not_estimable":
        return
    tally.add(f"{TIME} covers", quantity.value.low <= reached <= quantity.value.high)
    if quantity.status == "ok":
        days = [0.0, *sorted({visit.day for visit in one.series.after})]
        spacing = next(b - a for a, b in pairwise(days) if a <= quantity.value.value <= b)
        tally.add(TIME, abs(quantity.value.value - reached) / spacing)


def follow_all(series: Sequence[Series], patient: int) -> list[Followed]:
    return follow(series, Patient(patient="P"), seed=patient, level=LEVEL, thresholds=THRESHOLDS, **OPTIONS)


def run(patients: int) -> Tally:
    """All patients under every noise; the same again gives the same numbers."""
    tally = Tally()
    for patient in range(patients):
        tally.shape = SHAPES[patient % len(SHAPES)]
        truth = draw_truth(tally.shape, np.random.default_rng([1, patient]))
        for number, tally.noise in enumerate(NOISES):
            series = measured(truth, noise=tally.noise, rng=np.random.default_rng([2, patient, number]))
            for one in follow_all(series, patient):
                read_visits(one, truth, tally, name=one.series.measure)
                for quantity in one.quantities:
                    if quantity.name.startswith("time_to_threshold"):
                        read_threshold(quantity, one, truth, tally)
                if one.series.measure == DONOR:
                    for visit in one.series.after:
                        tally.add("under LoD", visit.censored)
                    tally.add("curve", one.curve.identified)
                    read_quantities(one, truth, tally)
                    (shortcut,) = follow_all([halved(one.series)], patient)
                    read_visits(replace(shortcut, series=one.series), truth, tally, name=f"{SHORTCUT} {DONOR}")
                    read_quantities(shortcut, truth, tally, prefix=f"{SHORTCUT} ")
    return tally


def mean(values: Iterable[float]) -> str:
    found = list(values)
    return f"{np.mean(found):.3f}" if found else "-"


def line(name: str, cells: Iterable[str], width: int = 8) -> None:
    print(f"{name:<24}" + "".join(f"{cell:>{width}}" for cell in cells))


def report(tally: Tally, patients: int) -> None:
    hidden = np.mean(tally.of("under LoD"))
    print(f"{patients} patients at each noise, {hidden:.0%} of donor values under LoD; coverage by noise")
    print("from draw to draw; ok: the share with that status; LoD/2: what the shortcut covers\n")
    line("", [*(f"{noise:.0%}" for noise in NOISES), "all", "n", "ok", SHORTCUT])
    names = [f"{DONOR}{part}" for part in ("", ", measured", ", under LoD")]
    names += [f"{measure}{part}" for measure in MEASURES[1:] for part in ("", *(f", {p}" for p in PLATFORMS))]
    for name in (*names, *QUANTITIES):
        values, ok = tally.of(name), tally.of(f"{name} ok")
        cells = [mean(tally.of(name, noise=noise)) for noise in NOISES]
        share = f"{np.mean(ok):.0%}" if ok else ""
        line(name, [*cells, mean(values), str(len(values)), share, mean(tally.of(f"{SHORTCUT} {name}"))])
    cells = [mean(tally.of(f"{TIME} covers", noise=noise)) for noise in NOISES]
    values = tally.of(f"{TIME} covers")
    line(TIME, [*cells, mean(values), str(len(values)), f"{np.mean(tally.of(f'{TIME} ok')):.0%}", "-"])

    print("\nby shape of the donor's curve: share under LoD, with a curve; coverage (share that is ok)\n")
    short = {"half_life_days": "half-life", "doubling_time_days": "doubling"}
    line("", ["under LoD", "curve", *MEASURES, *(short.get(name, name) for name in QUANTITIES)], 14)
    for shape in (*SHAPES, None):
        cells = [mean(tally.of(name, shape=shape)) for name in ("under LoD", "curve", *MEASURES)]
        for name in QUANTITIES:
            ok = np.mean(tally.of(f"{name} ok", shape=shape))
            cells.append(f"{mean(tally.of(name, shape=shape))} ({ok:.0%})")
        line(shape or "all", cells, 14)
    errors = tally.of(TIME)
    print(f"\n{TIME}: median error {np.median(errors):.2f} of the visit spacing (n = {len(errors)})")
    print("half-life only with three quantifiable points after the peak: asserted of every patient")


def main() -> None:
    patients = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    start = time.perf_counter()
    report(run(patients), patients)
    print(f"\n{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
