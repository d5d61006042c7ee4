"""Do the intervals of trajectories and kinetics cover? Simulated patients with known curves; under a minute.

    python benchmarks/trajectories.py [PATIENTS]

Donor NK cells rise and decay, some do not persist, some expand, while NK cells fall and recover. Visits are few and
some are missed; events are drawn as a cytometer counts them, on three platforms with their own errors; what stays at or
under the limit of blank is "not detected". Printed: coverage of the 95 % interval at the visits and of each quantity
where its status is `ok`, beside the shortcut that puts half the limit of detection in place of what was not detected.
Once the blood follows the smooth curve exactly, once it varies by 20 % from draw to draw.
"""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.stats import poisson

from nktrace.model.intervals import Interval
from nktrace.model.study import Patient
from nktrace.model.trajectories import CELLS, Series, Visit
from nktrace.science.following import Followed, follow
from nktrace.science.intervals import jeffreys
from nktrace.science.kinetics import area

Array = NDArray[np.float64]

PLANNED = np.array([0.1, 1.0, 3.0, 7.0, 10.0, 14.0, 21.0, 28.0, 42.0])
PLATFORM_CV = {"beads": 0.04, "dual": 0.10, "volumetric": 0.06}
BACKGROUND = 0.0007
THRESHOLD = 100.0


@dataclass(frozen=True)
class Truth:
    """A patient's true cells per microlitre: donor NK rise and decay exponentially, all NK recover exponentially."""

    height: float
    rise: float
    peak: float
    half_life: float
    nadir: float
    recovery: float

    def donor(self, day: Array) -> Array:
        growth = np.exp(np.minimum(day - self.peak, 0) * self.rise)
        return self.height * growth * 0.5 ** (np.maximum(day - self.peak, 0) / self.half_life)

    def recipient(self, day: Array) -> Array:
        return self.nadir + (300 - self.nadir) / (1 + np.exp(-(day - self.recovery) / 3))

    def nk(self, day: Array) -> Array:
        return self.donor(day) + self.recipient(day)


def draw_truth(rng: np.random.Generator) -> Truth:
    kind = rng.choice(["decay", "brief", "expander"], p=[0.55, 0.2, 0.25])
    peak = {"decay": 0.5, "brief": 0.1, "expander": rng.uniform(7, 14)}[kind]
    half_life = {"decay": rng.uniform(2, 7), "brief": rng.uniform(0.5, 2), "expander": rng.uniform(3, 8)}[kind]
    height = rng.lognormal(np.log(60 if kind == "expander" else 7), 0.7)
    return Truth(height, rng.uniform(0.2, 0.7), float(peak), float(half_life), rng.uniform(10, 60), rng.uniform(8, 25))


def visits_of(truth: Truth, noise: float, cv: float, rng: np.random.Generator) -> tuple[list[Visit], list[Visit]]:
    """What the laboratory reports of donor NK cells and of NK cells: six to nine visits, 10-30 % of them missed."""
    days = np.sort(rng.choice(PLANNED, int(rng.integers(6, 10)), replace=False))
    days = days[rng.uniform(size=days.size) > rng.uniform(0.1, 0.3)]
    donor, nk = [], []
    for day in days:
        d, r = float(truth.donor(day)), float(truth.recipient(day))
        d, r = d * rng.lognormal(0, noise), r * rng.lognormal(0, noise)
        events = int(rng.integers(800, 8_000))
        counted = (d + r) * rng.lognormal(0, cv)
        nk.append(Visit(day=day, observed=Interval(counted, counted / np.exp(1.96 * cv), counted * np.exp(1.96 * cv))))
        donor.append(donor_visit(day, d / (d + r), events, counted, cv, rng))
    return donor, nk


def donor_visit(day: float, fraction: float, events: int, nk: float, cv: float, rng: np.random.Generator) -> Visit:
    """Donor events among NK events, with the limits for counts at a known background and full sensitivity."""
    positive = int(rng.binomial(events, fraction + (1 - fraction) * BACKGROUND))
    blank = int(poisson.ppf(0.95, events * BACKGROUND))
    means = np.arange(blank, blank + 60, 0.1)
    mean = float(means[np.argmax(poisson.sf(blank, means) >= 0.95)])
    lod = max((mean - events * BACKGROUND) / events, 20 / events)
    if positive <= blank:
        return Visit(day=day, observed=Interval(lod * nk, 0.0, lod * nk), censored=True, quantified=False)
    share = jeffreys(positive, events, 0.95)
    value, low, high = ((p - BACKGROUND) / (1 - BACKGROUND) for p in (share.value, share.low, share.high))
    below = np.exp(-np.hypot(1.96 * cv, np.log(value / low))) if low > 0 else 0.0
    above = np.exp(np.hypot(1.96 * cv, np.log(high / value)))
    observed = Interval(value * nk, value * nk * below, value * nk * above)
    return Visit(day=day, observed=observed, quantified=value >= max(lod, 50 / events))


def halved(visit: Visit) -> Visit:
    """The shortcut: half the limit as if it had been measured, with an error of 10 %."""
    half = visit.observed.value / 2
    return replace(visit, observed=Interval(half, half / 1.2, half * 1.2), censored=False) if visit.censored else visit


def read(measure: str, visits: list[Visit], platform: str) -> Followed:
    series = Series(patient="P", measure=measure, unit=CELLS, platform=platform, visits=tuple(visits))
    options = {"seed": 1, "level": 0.95, "min_points": 4, "draws": 1000, "grid_points": 0, "days": (), "window": 2.0}
    thresholds = {"nk": [THRESHOLD]}
    return follow([series], Patient(patient="P"), thresholds=thresholds, confirm=False, **options)[0]


def covered(interval: Interval, truth: float) -> bool:
    return interval.low <= truth <= interval.high


def run(patients: int, noise: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    found: dict[str, list[bool]] = defaultdict(list)
    estimable: dict[str, list[bool]] = defaultdict(list)
    late, hidden = [], []
    refused_rightly = True
    for _ in range(patients):
        truth, platform = draw_truth(rng), str(rng.choice(list(PLATFORM_CV)))
        donor, nk = visits_of(truth, noise, PLATFORM_CV[platform], rng)
        hidden += [visit.censored for visit in donor]
        if not donor:
            continue
        for name, visits in (("", donor), ("LoD/2: ", [halved(visit) for visit in donor])):
            one = read("donor_nk", visits, platform)
            for visit, fitted in zip(donor, one.fitted, strict=True):
                if one.curve.identified:
                    hit = covered(fitted, float(truth.donor(np.array(visit.day))))
                    found[name + "visit"].append(hit)
                    found[name + ("visit under LoD" if visit.censored else "visit measured")].append(hit)
            quantities = {quantity.name: quantity for quantity in one.quantities}
            days = np.unique([visit.day for visit in visits])
            at = truth.donor(days)
            last = quantities["tlast"].value.value
            upto = days <= last
            true = {
                "cmax": float(at.max()),
                "auc": float(area(days[upto], at[None, upto])[0]) if upto.sum() > 1 else np.nan,
                "half_life_days": truth.half_life,
            }
            for quantity, value in true.items():
                estimable[name + quantity].append(quantities[quantity].status == "ok")
                if estimable[name + quantity][-1]:
                    found[name + quantity].append(covered(quantities[quantity].value, value))
            if not name and quantities["half_life_days"].status == "ok":
                after = [visit for visit in donor if visit.quantified and visit.day > quantities["tmax"].value.value]
                refused_rightly &= len(after) >= 3
        whole = read("nk", nk, platform)
        found["NK visit"] += [
            covered(fitted, float(truth.nk(np.array(visit.day))))
            for visit, fitted in zip(nk, whole.fitted, strict=True)
            if whole.curve.identified
        ]
        reached = next(quantity for quantity in whole.quantities if quantity.name.startswith("time_to"))
        grid = np.arange(0, 42, 0.05)
        above = truth.nk(grid) >= THRESHOLD
        if reached.status == "ok" and not above[0] and above.any():
            spacing = reached.value.high - reached.value.low
            late.append(abs(reached.value.value - grid[above.argmax()]) / spacing)
    print(f"\n{patients} patients, {np.mean(hidden):.0%} of donor values under LoD, {noise:.0%} from draw to draw")
    print(f"{'':<24}{'covers':>8}{'n':>7}{'ok':>7}{'   LoD/2 covers':>12}")
    for name in ("visit", "visit measured", "visit under LoD", "cmax", "auc", "half_life_days", "NK visit"):
        ok = f"{np.mean(estimable[name]):.0%}" if name in estimable else ""
        shortcut = f"{np.mean(found['LoD/2: ' + name]):.3f}" if "LoD/2: " + name in found else ""
        print(f"{name:<24}{np.mean(found[name]):>8.3f}{len(found[name]):>7}{ok:>7}{shortcut:>15}")
    print(f"time to {THRESHOLD:g} NK/µL: median error {np.median(late):.2f} of the visit spacing (n = {len(late)})")
    print(f"half-life only with three quantifiable points after the peak: {refused_rightly}")


def main() -> None:
    patients = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    start = time.perf_counter()
    run(patients, noise=0.0, seed=1)
    run(patients, noise=0.2, seed=2)
    print(f"\n{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
