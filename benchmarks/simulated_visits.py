"""Simulated patients with known curves, and what a laboratory reports of them at a few visits.

The curves are of other families than the fit's prior (exponentials, plateaus, jumps, sigmoids), so that coverage says
something. Counts are drawn as a cytometer counts them; blank, donor reference, limits and intervals go through
`science/chimerism.py` and `science/counting.py` as in a study, and visits through `science/visits.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nktrace.files.chimerism_rows import fraction_cells
from nktrace.model.chimerism import Controls, MarkerCounts
from nktrace.model.intervals import Interval
from nktrace.model.study import Role, Sample
from nktrace.model.trajectories import Series
from nktrace.science.chimerism import donor_cells, estimate
from nktrace.science.counting import beads_count, dual_count, volumetric_count
from nktrace.science.visits import Timeline, counted, donor

Array = NDArray[np.float64]
Rng = np.random.Generator
Row = dict[str, Any]

LEVEL = 0.95
SCHEDULE = np.array([0.1, 1.0, 2.0, 3.0, 5.0, 7.0, 10.0, 14.0, 21.0, 28.0, 42.0, 56.0])
PLATFORMS = ("beads", "dual", "volumetric")
PIPETTE_CV, ANALYSER_CV, BLANK_CV = 0.02, 0.05, 0.3  # of counting, and of the background between tubes
SHAPES = ("decay", "brief", "expansion", "plateau", "second infusion", "rejection", "flat", "flat, then lost")


@dataclass(frozen=True)
class Truth:
    """Cells per microlitre on any day: the donor's NK cells, the recipient's, and the recipient's CD4 T cells."""

    shape: str
    donor: Callable[[Array], Array]
    recipient: Callable[[Array], Array]
    cd4: Callable[[Array], Array]

    def of(self, measure: str, day: Array) -> Array:
        """The true curve of a measure as trajectories.tsv names it."""
        if measure == "cd4_t":
            return self.cd4(day)
        infused = np.where(day < 0, 0.0, self.donor(day))
        return infused if measure == "donor_nk" else infused + self.recipient(day)


def draw_truth(shape: str, rng: Rng) -> Truth:
    """A patient whose donor cells follow a shape; lymphodepleted (two of three) or not."""
    depleted = rng.uniform() < 2 / 3
    return Truth(
        shape, _donor(shape, rng), _recovery(250, 0.12, depleted, rng), _recovery(600, 0.1, depleted, rng, late=1.6)
    )


def _donor(shape: str, rng: Rng) -> Callable[[Array], Array]:
    height = rng.lognormal(math.log(7), 0.7)  # 1e6 cells per kg give 14 per microlitre at most, if all stay in blood
    if shape == "decay":  # two phases: most leave within days, the rest within weeks
        share, fast, slow = rng.uniform(0.05, 0.3), rng.uniform(1, 3), rng.uniform(6, 15)
        return lambda day: height * ((1 - share) * _left(day, fast) + share * _left(day, slow))
    if shape == "brief":
        gone = rng.uniform(0.3, 1.5)
        return lambda day: height * _left(day, gone)
    if shape == "expansion":  # after lymphodepletion with cytokines: first a fall, then growth to day 7 to 14
        peak, top, decay = rng.uniform(7, 14), rng.lognormal(math.log(80), 0.8), rng.uniform(2.5, 7)
        rise = math.log(top / (0.3 * height)) / peak
        return lambda day: (
            height * _left(day, 0.5) + top * np.exp(rise * np.minimum(day - peak, 0)) * _left(day - peak, decay)
        )
    if shape == "plateau":
        stays = height * rng.uniform(0.3, 1)
        return lambda day: stays * (1 + _left(day, 1.0)) * _left(day, 120)
    if shape == "second infusion":
        again, factor, decay = rng.uniform(7, 21), rng.uniform(0.5, 2), rng.uniform(1.5, 5)
        return lambda day: (
            height * (_left(day, decay) + factor * np.where(day >= again, _left(day - again, decay), 0.0))
        )
    if shape == "flat":  # no day is the highest
        return lambda day: height + 0 * day
    if shape == "flat, then lost":
        ends, half_life = rng.uniform(8, 20), rng.uniform(1, 3)
        return lambda day: height * _left(day - ends, half_life)
    lost, stays = rng.uniform(6, 25), 2 * height  # rejection: within a day
    return lambda day: stays * _left(day, 40) * _left(day - lost, 0.3)


def _left(day: Array, half_life: float) -> Array:
    return np.asarray(0.5 ** (np.maximum(day, 0) / half_life))


def _recovery(level: float, nadir: float, depleted: bool, rng: Rng, *, late: float = 1.0) -> Callable[[Array], Array]:
    """A count that falls with lymphodepletion within days and comes back as a sigmoid, or stays and drifts."""
    level *= rng.lognormal(0, 0.4)
    if not depleted:
        drift = rng.normal(0, 0.3)
        return lambda day: level * np.exp(drift * day / 28)
    nadir *= rng.lognormal(0, 0.5)
    begins, middle, slope = rng.uniform(-5, -2), late * rng.uniform(8, 22), late * rng.uniform(1.5, 5)

    def cells(day: Array) -> Array:
        back = nadir + (1 - nadir) / (1 + np.exp(-(day - middle) / slope))
        fall = np.exp(-np.maximum(day - begins, 0) / 0.8)
        return np.asarray(level * (fall + (1 - fall) * back))

    return cells


def measured(truth: Truth, *, noise: float, rng: Rng) -> list[Series]:
    """Donor NK, NK and CD4 T cells as the tables of a study give them, on one of three platforms.

    A blank before lymphodepletion and six to nine visits, of which 10 to 30 % are missed. In each draw of blood donor
    NK, recipient NK and CD4 T cells differ from their curves, each by `noise` (sd of the logarithm).
    """
    days = np.sort(rng.choice(SCHEDULE, int(rng.integers(6, 10)), replace=False))
    days = np.concatenate([[-1.0], days[rng.uniform(size=days.size) > rng.uniform(0.1, 0.3)]])
    platform, rate = str(rng.choice(PLATFORMS)), rng.lognormal(math.log(7e-4), 0.5)
    controls = _controls(rate, rng)
    samples, counts, chimerism = [], [], []
    for number, day in enumerate(days):
        role = Role.TIMEPOINT if number else Role.BLANK
        samples.append(Sample(sample=f"S{number}", day=float(day), role=role, panel="p", batch="b", fcs="x.fcs"))
        at = np.array(day)
        of_donor = float(truth.donor(at)) * rng.lognormal(0, noise) if number else 0.0
        of_recipient = float(truth.recipient(at)) * rng.lognormal(0, noise)
        nk = _count("nk", platform, of_donor + of_recipient, rng)
        cd4 = _count("cd4_t", platform, float(truth.cd4(at)) * rng.lognormal(0, noise), rng)
        counts += [row | {"sample": f"S{number}"} for row in (nk, cd4)]
        share = of_donor / (of_donor + of_recipient)
        events = int(rng.poisson((of_donor + of_recipient) * rng.uniform(10, 40)))
        cells = Interval(nk["cells_per_ul"], nk["ci_low"], nk["ci_high"])
        chimerism.append(_donor_share(share, events, rate, controls, cells, rng) | {"sample": f"S{number}"})
    timeline = Timeline(samples)
    return [*donor("P", timeline, chimerism, counts), *counted("P", timeline, counts)]


def _count(population: str, platform: str, cells_per_ul: float, rng: Rng) -> Row:
    """Events, beads and volumes of a counting tube, drawn with their errors, through the formulas of a study."""
    pipetted = rng.lognormal(0, PIPETTE_CV)
    blood = rng.uniform(15, 40)  # microlitres acquired
    if platform == "beads":
        beads = int(rng.poisson(1000 * blood * pipetted))
        cells = int(rng.poisson(cells_per_ul * blood))
        found = beads_count(cells, beads, beads_per_tube=50_000, blood_ul=50, pipette_cv=PIPETTE_CV, level=LEVEL)
    elif platform == "volumetric":
        cells = int(rng.poisson(cells_per_ul * blood * pipetted))
        found = volumetric_count(cells, acquired_ul=blood, pipette_cv=PIPETTE_CV, level=LEVEL)
    else:
        all_lymphocytes = cells_per_ul + 1200.0
        lymphocytes = int(rng.poisson(all_lymphocytes * blood))
        cells = int(rng.binomial(lymphocytes, cells_per_ul / all_lymphocytes))
        analyser = all_lymphocytes * rng.lognormal(0, ANALYSER_CV)
        found = dual_count(
            cells, lymphocytes, wbc_per_ul=analyser, lymphocyte_fraction=1.0, analyser_cv=ANALYSER_CV, level=LEVEL
        )
    values = {"cells_per_ul": found.value, "ci_low": found.low, "ci_high": found.high}
    return {"population": population, "platform": platform, "status": "ok", "reason": ""} | values


def _controls(rate: float, rng: Rng) -> Controls:
    """A blank and a donor reference: the rates of positives in them are drawn as those of any other tube."""
    blank, reference = int(rng.integers(1_500, 10_000)), int(rng.integers(2_000, 20_000))
    return Controls(
        blank=MarkerCounts(events=blank, positive=int(rng.binomial(blank, rate * _between_tubes(rng)))),
        donor=MarkerCounts(events=reference, positive=int(rng.binomial(reference, 0.97))),
        blank_cv=BLANK_CV,
    )


def _between_tubes(rng: Rng) -> float:
    return float(rng.gamma(1 / BLANK_CV**2, BLANK_CV**2))


def _donor_share(share: float, events: int, rate: float, controls: Controls, nk: Interval, rng: Rng) -> Row:
    positive = share * 0.97 + (1 - share) * min(rate * _between_tubes(rng), 1.0)
    counts = MarkerCounts(events=events, positive=int(rng.binomial(events, positive)))
    found = estimate(counts, controls, level=LEVEL, min_separation=0.8, min_events=50, complete=0.95, mixed=0.01)
    cells = donor_cells(counts, controls, nk, level=LEVEL) if found.fraction.known else found.fraction
    return fraction_cells(found) | {
        "population": "nk",
        "events": events,
        "marker_events": counts.positive,
        "donor_cells_per_ul": cells.value,
        "donor_cells_ci_low": cells.low,
        "donor_cells_ci_high": cells.high,
        "reason": "; ".join(found.reasons),
    }
