"""How right the gates are: F1 per population beside a plain valley gate and beside a classifier that knows the truth.

    python -m benchmarks.accuracy                                    everything, some minutes
    python -m benchmarks.accuracy --setting cd16_shed --seed 1       one setting of the simulated cohort
    python -m benchmarks.accuracy --setting few_nk --seed 1 --population nk_bright --tubes --no-classifier
    python -m benchmarks.accuracy --data mouse                       one real data set

Simulated cohorts (benchmarks/labelled.py): eight settings, three seeds; a member of a population is a live single cell
of it. Events of a clog and at the limit of a scatter detector are not judged. Where real files
(benchmarks/labelled_real.py) are missing, that is said. F1 is 2 TP / (2 TP + FP + FN).

- `floor`: the deepest valley of a kernel density, one marker after another; no priors, no fallbacks.
- `trees`: gradient-boosted trees, cross-validated within the file on the truth: what the markers can separate at all.

Both see the same events on the same scale (benchmarks/yardsticks.py).
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np

from benchmarks.labelled import SETTINGS, Labelled, cohort
from benchmarks.labelled_real import REAL, missing
from benchmarks.yardsticks import cross_validated, floor_gates
from nktrace.model.events import Mask

SEEDS = (1, 2, 3)
FEW = 5  # true members; with fewer an F1 says nothing
EMPTY = 10  # true members; a gate without events is empty where there are as many
JUDGED = 40_000  # events of a large file that the classifier learns from and judges

# what the classifier learns, each within the population beside it
NK = {"nk": "root", "nk_bright": "nk"}
OTHERS = {
    "cd3": "root",
    "nkt_like": "cd3",
    "t_cells": "cd3",
    "cd4_t": "cd3",
    "cd8_t": "cd3",
    "b_cells": "root",
    "monocytes": "root",
}
ALL_POPULATIONS_IN = ("ordinary",)  # and the first seed only: trees for every population take long
LEVEL_MEDIAN, LEVEL_DECILE = 0.02, 0.05
LEVEL_BRIGHT, LEVEL_MOUSE, LEVEL_HIPC = 0.85, 0.93, 0.97


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """F1 of a population of one tube; nan where there is no such gate or classifier.

    Attributes:
        group: setting or data set; tube, panel, population: whose.
        events: true members; found: members as gated (of the whole tube).
        ours, floor, trees: F1.
    """

    group: str
    tube: str
    panel: str
    population: str
    events: int
    found: int
    ours: float
    floor: float
    trees: float


def f1(found: Mask, truth: Mask) -> float:
    """2 TP / (2 TP + FP + FN); nan without true members."""
    if not truth.any():
        return math.nan
    return 2.0 * np.count_nonzero(found & truth) / (np.count_nonzero(found) + np.count_nonzero(truth))


def scores(tube: Labelled, group: str, *, learn: dict[str, str]) -> Iterator[Score]:
    """Every population that has a gate and a truth, over the events that are judged.

    Args:
        tube: gated.
        group: setting or data set.
        learn: populations that the classifier learns, by the population they lie in.
    """
    judged = np.flatnonzero(tube.judged)
    floor = floor_gates(tube.events, tube.panel)
    drawn = np.sort(np.random.default_rng(0).permutation(judged)[:JUDGED])
    wanted = {p: parent for p, parent in learn.items() if p in tube.truth and p in tube.gated.masks}
    trees = cross_validated(tube.events, tube.panel, tube.truth, wanted, rows=drawn)
    for population, members in tube.gated.masks.items():
        truth = tube.truth.get(population)
        if truth is None or np.count_nonzero(truth[judged]) < FEW:
            continue
        yield Score(
            group=group,
            tube=tube.name,
            panel=tube.panel.name,
            population=population,
            events=int(np.count_nonzero(truth[judged])),
            found=int(np.count_nonzero(members)),
            ours=f1(members[judged], truth[judged]),
            floor=f1(floor[population][judged], truth[judged]) if population in floor else math.nan,
            trees=f1(trees[population], truth[drawn]) if population in trees else math.nan,
        )


def score_cohort(setting: str, seed: int, classifier: bool) -> list[Score]:
    """One simulated cohort."""
    learn = (NK | OTHERS if setting in ALL_POPULATIONS_IN and seed == SEEDS[0] else NK) if classifier else {}
    return [score for tube in cohort(setting, seed=seed) for score in scores(tube, setting, learn=learn)]


def score_real(name: str, classifier: bool) -> list[Score]:
    """One labelled data set."""
    tubes = REAL[name][0]()
    learn = dict.fromkeys(tubes[0].truth, "root") if classifier else {}
    return [score for tube in tubes for score in scores(tube, name, learn=learn)]


# --- what is printed --------------------------------------------------------------------------------------------------


def quantile(values: Iterable[float], share: float) -> float:
    """A quantile of the values that are known; nan without any."""
    known = [value for value in values if not math.isnan(value)]
    return float(np.quantile(known, share)) if known else math.nan


def _number(value: float) -> str:
    return f"{value:>8.3f}" if not math.isnan(value) else f"{'–':>8}"


def print_table(title: str, groups: dict[tuple[str, ...], list[Score]]) -> None:
    """Median and 10th percentile over tubes, ours and both yardsticks; then how far ours lies under the trees."""
    if not groups:
        return
    widths = [max(len(key[column]) for key in groups) + 2 for column in range(len(next(iter(groups))))]
    lead = sum(widths)
    print(f"\n{title}\n")
    print(f"{'':<{lead}}{'':>6}{'median F1':^25}{'10th percentile':^25}{'short of trees':^18}")
    print(
        f"{'':<{lead}}{'tubes':>6}" + f"{'ours':>9}{'floor':>8}{'trees':>8}" * 2 + f"{'median':>10}{'worst 10 %':>11}"
    )
    for key, group in groups.items():
        columns = [[getattr(score, name) for score in group] for name in ("ours", "floor", "trees")]
        line = "".join(f"{part:<{width}}" for part, width in zip(key, widths, strict=True)) + f"{len(group):>6}"
        for share in (0.5, 0.1):
            line += " " + "".join(_number(quantile(column, share)) for column in columns)
        short = [score.trees - score.ours for score in group]
        print(line + "  " + _number(quantile(short, 0.5)) + "   " + _number(quantile(short, 0.9)))


def grouped(found: Sequence[Score], *names: str) -> dict[tuple[str, ...], list[Score]]:
    groups: dict[tuple[str, ...], list[Score]] = defaultdict(list)
    for score in found:
        groups[tuple(str(getattr(score, name)) for name in names)].append(score)
    return dict(groups)


def print_simulated(found: list[Score]) -> None:
    """NK cells by setting and panel, bright cells by setting, the rest by population."""
    for population in NK:
        chosen = [score for score in found if score.population == population]
        print_table(f"simulated, {population}", grouped(chosen, "group", "panel"))
    rest = [score for score in found if score.population not in NK]
    with_trees = [score for score in rest if not math.isnan(score.trees)]
    print_table(
        "simulated, other populations, where the trees learned them", grouped(with_trees, "population", "panel")
    )
    print_table("simulated, other populations, all tubes", grouped(rest, "population", "panel"))


def print_tubes(found: list[Score]) -> None:
    """One line per tube."""
    print(f"\n{'tube':<34}{'population':<14}{'true':>6}{'found':>7}{'ours':>8}{'floor':>8}{'trees':>8}")
    for score in found:
        numbers = "".join(_number(value) for value in (score.ours, score.floor, score.trees))
        print(f"{score.tube:<34}{score.population:<14}{score.events:>6}{score.found:>7}{numbers}")


def print_levels(found: list[Score]) -> None:
    """What is asked for, and by how much it is met or missed."""
    if not found:
        return

    def of(population: str, *groups: str) -> list[Score]:
        return [score for score in found if score.population == population and score.group in groups]

    def level(what: str, value: float, least: float) -> None:
        if not math.isnan(value):
            verdict = "met" if value >= least else f"short by {least - value:.3f}"
            print(f"{what:<72}{value:>8.3f}{least:>10.3f}  {verdict}")

    print(f"\n{'levels':<72}{'value':>8}{'at least':>10}\n")
    nk = [score for score in of("nk", *SETTINGS) if not math.isnan(score.trees)]
    for share, slack, name in ((0.5, LEVEL_MEDIAN, "median"), (0.1, LEVEL_DECILE, "10th percentile")):
        ours, trees = quantile((s.ours for s in nk), share), quantile((s.trees for s in nk), share)
        level(f"simulated nk, {name}: within {slack} of the trees' {trees:.3f}", ours, trees - slack)
    short = quantile((s.trees - s.ours for s in nk), 0.5)
    level(f"simulated nk, median over tubes of how far from the trees: at most {LEVEL_MEDIAN}", -short, -LEVEL_MEDIAN)
    level("simulated nk_bright, median", quantile((s.ours for s in of("nk_bright", *SETTINGS)), 0.5), LEVEL_BRIGHT)
    level("mouse nk", quantile((s.ours for s in of("nk", "mouse")), 0.5), LEVEL_MOUSE)
    level("hipc nk", quantile((s.ours for s in of("nk", "hipc")), 0.5), LEVEL_HIPC)
    simulated = [score for score in found if score.group in SETTINGS]
    if simulated:
        empty = [score for score in simulated if score.found == 0 and score.events >= EMPTY]
        print(f"{f'simulated: empty gates where there are {EMPTY} cells or more':<72}{len(empty):>8}{0:>10}")
        for score in empty:
            print(f"    {score.tube}: {score.population}, {score.events} true cells")
        median, decile = (
            quantile((s.ours for s in nk), share) - quantile((s.floor for s in nk), share) for share in (0.5, 0.1)
        )
        print(f"\nThe floor of nk lies {median:.3f} below in the median, {decile:.3f} at the 10th percentile.")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--setting", action="append", choices=list(SETTINGS), help="only this one (may be repeated)")
    parser.add_argument("--seed", action="append", type=int, help="only this one (may be repeated)")
    parser.add_argument("--data", action="append", choices=list(REAL), help="only this labelled data set")
    parser.add_argument("--population", action="append", help="print only this population")
    parser.add_argument("--tubes", action="store_true", help="print every tube")
    parser.add_argument("--no-classifier", action="store_true", help="without trees: much faster")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes (default: one per processor)")
    asked = parser.parse_args()
    began = time.monotonic()
    everything = not (asked.setting or asked.seed or asked.data)
    settings = asked.setting or (list(SETTINGS) if everything or asked.seed else [])
    names = asked.data or (list(REAL) if everything else [])
    absent = {name: why for name in names if (why := missing(name))}
    classifier = not asked.no_classifier
    with ProcessPoolExecutor(asked.jobs) as pool:
        cohorts = [(setting, seed) for setting in settings for seed in asked.seed or SEEDS]
        real_jobs = {name: pool.submit(score_real, name, classifier) for name in names if name not in absent}
        jobs = [pool.submit(score_cohort, *key, classifier) for key in cohorts]
        simulated = _chosen((score for job in jobs for score in job.result()), asked.population)
        real = _chosen((score for job in real_jobs.values() for score in job.result()), asked.population)
    if simulated:
        print(f"Simulated: {len(cohorts)} cohorts, {len({score.tube for score in simulated})} tubes")
        print_simulated(simulated)
    print_table("labelled by others", grouped(real, "tube", "population"))
    for name, why in absent.items():
        print(f"\n{name}: skipped, {why}")
    if asked.tubes:
        print_tubes([*simulated, *real])
    print_levels([*simulated, *real])
    print(f"\n{time.monotonic() - began:.0f} s")
    return 0


def _chosen(found: Iterable[Score], populations: list[str] | None) -> list[Score]:
    return [score for score in found if not populations or score.population in populations]


if __name__ == "__main__":
    sys.exit(main())
