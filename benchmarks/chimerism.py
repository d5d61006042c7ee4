"""Does the interval of a donor fraction cover, and does the limit of detection detect? A grid with known truth.

    python -m benchmarks.chimerism [REPEATS]

Each cell of the grid draws blanks, donor reference and sample anew for every repeat, as a cytometer counts them. The
false-positive rate scatters by half of itself between tubes. Either one blank stands for all of them and `blank_cv`
says how much they scatter, or five blanks are all that is known of it. By one antibody, or by one against each person:
then cells of either that stain for both or for neither are in no class.

Behind the grid stand designs that are harder than it: an antibody against the recipient alone, whose false positives
are donor cells that pass for the recipient's, and blanks of few events; with fractions up to 1, and a tenth of the
repeats.

Printed per fraction and number of events: coverage of the 95 % interval, beside the plain (p - a)/(b - a) with its
Wald interval (`nktrace / plain`); then what is asked of ours. A cell is out of bounds only where that is more than
chance: beyond a simultaneous 99 % binomial bound over all cells. Two processes; 500 repeats take ten minutes.
"""

from __future__ import annotations

import itertools
import math
import os
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np

from nktrace.model.chimerism import ChimerismStatus, Controls, Estimate, MarkerCounts
from nktrace.science.chimerism import estimate, limits_of

FRACTIONS = (0.0, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.5, 0.95)
HARDER_FRACTIONS = (0.0, 0.001, 0.01, 0.1, 0.5, 0.95, 0.99, 1.0)
EVENTS = (300, 3_000, 20_000, 100_000)
BACKGROUNDS = (0.0, 0.0005, 0.005)
SENSITIVITIES = (0.85, 0.95, 1.0)
CV = 0.5
BLANK_EVENTS, DONOR_EVENTS, BLANKS = 20_000, 5_000, 5
FEW = 5  # expected donor events, fewer than which cover more than they should, and may
RNG = np.random.Generator


@dataclass(frozen=True)
class Design:
    """How the controls were measured."""

    antibodies: int
    blanks: int
    against_recipient: bool = False
    blank_events: int = BLANK_EVENTS

    @property
    def fractions(self) -> tuple[float, ...]:
        """The true ones that are tried."""
        return FRACTIONS if self in GRID else HARDER_FRACTIONS

    def __str__(self) -> str:
        name = "one antibody" if self.antibodies == 1 else "two antibodies"
        name += " against the recipient" if self.against_recipient else ""
        known = "five blanks" if self.blanks > 1 else f"one blank, blank_cv {CV:g}"
        return f"{name}, {known}" + (f" of {self.blank_events} events" if self.blank_events != BLANK_EVENTS else "")


GRID = tuple(Design(antibodies, blanks) for antibodies in (1, 2) for blanks in (1, BLANKS))
HARDER = (
    Design(1, 1, against_recipient=True),
    Design(1, BLANKS, against_recipient=True),
    Design(1, 1, blank_events=200),
    Design(1, 1, blank_events=1_000),
)


@dataclass(frozen=True)
class Cell:
    """A truth and a number of events, and what was found in `repeats` draws of them."""

    design: Design
    events: int
    background: float
    sensitivity: float
    fraction: float
    repeats: int
    covered: int
    plainly_covered: int
    detected: int
    undecided: int
    limited: int  # repeats that have a limit of detection
    at_limit: int
    bias: float  # of the median of all repeats; nan unless most have a limit of quantitation below the fraction


def main(repeats: int) -> None:
    began = time.perf_counter()
    truths = EVENTS, BACKGROUNDS, SENSITIVITIES
    work = [*itertools.product(GRID, *truths, [repeats]), *itertools.product(HARDER, *truths, [max(1, repeats // 10)])]
    with ProcessPoolExecutor(max_workers=min(2, os.cpu_count() or 1)) as pool:
        cells = [cell for some in pool.map(measure, work, chunksize=2) for cell in some]
    for designs in (GRID, HARDER):
        for design in designs:
            _print_coverage(design, [cell for cell in cells if cell.design == design])
        _print_asked([cell for cell in cells if cell.design in designs])
        print()
    print(f"{len(cells)} cells in {time.perf_counter() - began:.0f} s")


def measure(work: tuple[Design, int, float, float, int]) -> list[Cell]:
    """All fractions at one number of events, background and sensitivity; they share the draws of the controls."""
    design, events, background, sensitivity, repeats = work
    how = [design.antibodies, design.blanks, int(design.against_recipient), design.blank_events]
    rng = np.random.default_rng([*how, events, round(background * 1e6), round(sensitivity * 1e6)])
    tally: dict[float, dict[str, int]] = {fraction: defaultdict(int) for fraction in design.fractions}
    points: dict[float, list[float]] = {fraction: [] for fraction in design.fractions}
    for _ in range(repeats):
        controls = draw_controls(design, background, sensitivity, rng)
        for fraction in design.fractions:
            counts = draw_sample(design, events, background, sensitivity, fraction, rng)
            found = judged(counts, controls)
            own = tally[fraction]
            if found.status is ChimerismStatus.INDETERMINATE:
                own["undecided"] += 1
                continue
            own["covered"] += found.fraction.low <= fraction <= found.fraction.high
            own["plainly"] += plain_covers(counts, controls, fraction)
            own["detected"] += found.status is not ChimerismStatus.NOT_DETECTED
            own["above_loq"] += fraction > found.limits.loq
            points[fraction].append(found.fraction.value)
            if fraction == 0 and not math.isnan(found.limits.lod):
                own["limited"] += 1
                again = draw_sample(design, events, background, sensitivity, found.limits.lod, rng)
                own["at_limit"] += again.positive > limits_of(again, controls).lob_events
    return [
        Cell(
            design=design,
            events=events,
            background=background,
            sensitivity=sensitivity,
            fraction=fraction,
            repeats=repeats,
            covered=tally[fraction]["covered"],
            plainly_covered=tally[fraction]["plainly"],
            detected=tally[fraction]["detected"],
            undecided=tally[fraction]["undecided"],
            limited=tally[fraction]["limited"],
            at_limit=tally[fraction]["at_limit"],
            bias=float(np.median(points[fraction])) / fraction - 1
            if 2 * tally[fraction]["above_loq"] > repeats
            else math.nan,
        )
        for fraction in design.fractions
    ]


def draw_controls(design: Design, background: float, sensitivity: float, rng: RNG) -> Controls:
    """Blanks whose rate scatters, and a donor reference."""
    tubes = tuple(_counted(design, design.blank_events, 0, background, sensitivity, rng) for _ in range(design.blanks))
    several = design.blanks > 1
    return Controls(
        blank=sum(tubes[1:], tubes[0]),
        donor=_counted(design, 0, DONOR_EVENTS, background, sensitivity, rng),
        blank_cv=0.0 if several else CV,
        against_recipient=design.against_recipient or design.antibodies == 2,
        tubes=tubes if several else (),
        scatter_of=tubes if several else (),
    )


def draw_sample(
    design: Design, events: int, background: float, sensitivity: float, fraction: float, rng: RNG
) -> MarkerCounts:
    """A tube of which each cell is a donor's with the probability `fraction`."""
    donor = int(rng.binomial(events, fraction))
    return _counted(design, events - donor, donor, background, sensitivity, rng)


def _counted(design: Design, own: int, donor: int, background: float, sensitivity: float, rng: RNG) -> MarkerCounts:
    """How many cells of each person look like what; both antibodies have the same background and sensitivity."""
    background = _scattered(background, rng)
    if design.against_recipient:
        missed = _scattered(1 - sensitivity, rng)
        positive = rng.binomial(own, missed) + rng.binomial(donor, 1 - background)
        return MarkerCounts(events=own + donor, positive=int(positive))
    if design.antibodies == 1:
        positive = rng.binomial(own, background) + rng.binomial(donor, sensitivity)
        return MarkerCounts(events=own + donor, positive=int(positive))
    like = [sensitivity * (1 - background), background * (1 - sensitivity)]  # as itself, as the other person
    both_or_none = 1 - sum(like)
    of_own = rng.multinomial(own, [*like, both_or_none])
    of_donor = rng.multinomial(donor, [*like, both_or_none])
    positive, negative = int(of_own[1] + of_donor[0]), int(of_own[0] + of_donor[1])
    return MarkerCounts(events=positive + negative, positive=positive, unclear=int(of_own[2] + of_donor[2]))


def _scattered(rate: float, rng: RNG) -> float:
    return min(1.0, rate * float(rng.gamma(1 / CV**2, CV**2)))


def judged(counts: MarkerCounts, controls: Controls) -> Estimate:
    return estimate(counts, controls, level=0.95, min_separation=0.8, min_events=50, complete=0.95, mixed=0.01)


def plain_covers(counts: MarkerCounts, controls: Controls, fraction: float) -> bool:
    """Whether Wald's interval of (p - a)/(b - a) holds the truth; what is in no class looks like nobody's."""
    sample, blank, donor = ((c.rate_of_total, c.total) for c in (counts, controls.blank, controls.donor))
    (p, n), (a, blanks), (b, donors) = sample, blank, donor
    f = (p - a) / (b - a)
    variance = p * (1 - p) / n + (1 - f) ** 2 * a * (1 - a) / blanks + f**2 * b * (1 - b) / donors
    return abs(f - fraction) <= 1.96 * math.sqrt(variance) / (b - a)


def _print_coverage(design: Design, cells: Sequence[Cell]) -> None:
    print(f"{design}: coverage, nktrace / plain; means over background and sensitivity")
    print("events   " + "".join(f"{fraction:>15g}" for fraction in design.fractions))
    for events in EVENTS:
        texts = []
        for fraction in design.fractions:
            some = [cell for cell in cells if (cell.events, cell.fraction) == (events, fraction)]
            decided = max(sum(cell.repeats - cell.undecided for cell in some), 1)
            ours, plain = (sum(getattr(c, name) for c in some) / decided for name in ("covered", "plainly_covered"))
            texts.append(f"{ours:.3f} / {plain:.3f}")
        print(f"{events:>7}  " + "".join(f"{text:>15}" for text in texts))
    print()


def _print_asked(cells: Sequence[Cell]) -> None:
    """What is asked, what was found, and the worst cell."""
    from scipy.stats import binom

    def rates(some: Sequence[Cell], name: str) -> list[float]:
        return [getattr(cell, name) / (cell.repeats - cell.undecided) for cell in some]

    def worst(cell: Cell, value: float) -> str:
        where = f"f {cell.fraction:g}, n {cell.events}, a {cell.background:g}, b {cell.sensitivity:g}; {cell.design}"
        return f"{value:.3f} ({where})"

    decided = [cell for cell in cells if cell.undecided <= 0.9 * cell.repeats]
    above = [cell for cell in decided if cell.fraction > 0]
    many = [cell for cell in above if cell.fraction * cell.events >= FEW]
    blank = [cell for cell in decided if cell.fraction == 0]
    repeats = cells[0].repeats

    def bound(rate: float, tail: float, number: int) -> float:
        return float(binom.ppf(tail / number, repeats, rate)) / repeats

    for title, some in (("above zero", above), (f"at least {FEW} expected donor events", many)):
        ours, plain = rates(some, "covered"), rates(some, "plainly_covered")
        low = int(np.argmin(ours))
        print(f"coverage, cells {title}: mean {np.mean(ours):.4f} (plain {np.mean(plain):.3f}) of {len(some)}")
        print(f"    lowest {worst(some[low], ours[low])}; plain {min(plain):.3f}")
        print(f"    asked .93; less than chance allows below {bound(0.93, 0.01, len(some)):.3f}")
    few = [cell for cell in above if cell.fraction * cell.events < FEW]
    print(
        f"coverage at fewer: mean {np.mean(rates(few, 'covered')):.4f}; at zero {np.mean(rates(blank, 'covered')):.4f}"
    )
    false = rates(blank, "detected")
    high = int(np.argmax(false))
    beyond = 2 * 0.05 - bound(0.05, 0.01, len(blank))
    print(f"false positives: mean {np.mean(false):.4f}, highest {worst(blank[high], false[high])}", end="; ")
    print(f"asked .05, more than chance allows above {beyond:.3f}")
    limited = [cell for cell in blank if cell.limited > 0.9 * repeats]
    found = [cell.at_limit / cell.limited for cell in limited]
    low = int(np.argmin(found))
    print(f"detected at the stated LoD: mean {np.mean(found):.4f}, lowest {worst(limited[low], found[low])}", end="; ")
    print(f"asked .95, less than chance allows below {bound(0.95, 0.01, len(blank)):.3f}")
    undecided = [cell for cell in cells if cell.undecided > 0.5 * cell.repeats]
    share = sum(cell.undecided for cell in cells) / (repeats * len(cells))
    print(f"indeterminate: {len(undecided)} of {len(cells)} cells, {share:.4f} of all repeats; asked at most 10 %")
    known = [cell for cell in above if not math.isnan(cell.bias)]
    off = [abs(cell.bias) for cell in known]
    high = int(np.argmax(off))
    print(f"median bias above LoQ: mean {np.mean(off):.4f}, highest {worst(known[high], off[high])}; asked under .05")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
