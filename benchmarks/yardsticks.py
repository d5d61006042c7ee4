"""What the product's gates are measured against: plain valleys without priors, and a classifier that knows the truth.

`floor_gates` is what a textbook script does: a kernel density per marker, the cut at its deepest point between the two
highest peaks, one marker after another. `cross_validated` is the opposite end: gradient-boosted trees that are shown
the truth of two thirds of a file's events and judge the last third, in all markers at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import StratifiedKFold
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from nktrace.files.gating_table import read_gating_table
from nktrace.model.events import Events, Mask
from nktrace.model.gates import ROOT, ValleySettings
from nktrace.model.panel import Kind, Panel
from nktrace.science.gating.tree import resolve

FLOOR = Path(__file__).parent / "tables" / "floor.tsv"
GRID = 2048
FOLDS = 3
FEWEST = 6  # members of a population; with fewer there is nothing to learn from

# of several tried on ordinary and on few NK cells those that separate best; small leaves matter for rare cells
TREES = {
    "max_iter": 60, "learning_rate": 0.15, "max_leaf_nodes": 8, "min_samples_leaf": 5, "l2_regularization": 1.0,
    "max_bins": 127,
}  # fmt: skip


# --- the floor --------------------------------------------------------------------------------------------------------


def floor_gates(events: Events, panel: Panel) -> dict[str, Mask]:
    """Members of each population by plain valleys, sequentially (tables/floor.tsv).

    Args:
        events: on the transformed scale.
        panel: which markers there are.
    """
    rows, _ = resolve(read_gating_table(FLOOR), panel)
    masks: dict[str, Mask] = {ROOT: np.ones(len(events), dtype=np.bool_)}
    for row in rows:
        parent = masks[row.parent]
        columns = [events.column(marker) for marker in row.markers]
        if isinstance(row.settings, ValleySettings):
            cut = deepest_valley(columns[0][parent])
            kept = columns[0] >= cut if row.settings.sign == "+" else columns[0] < cut
            masks[row.population] = parent & (kept | np.isnan(cut))
        else:
            masks[row.population] = parent & _on_the_line(*columns, among=parent)
    del masks[ROOT]
    return masks


def deepest_valley(values: NDArray[np.floating]) -> float:
    """The lowest density between the two highest peaks; nan where there are not two, and then nothing is cut.

    Gaussian kernel with the bandwidth 0.9 min(sd, IQR / 1.34) n^(-1/5) (Silverman 1986, eq. 3.31), as `mindensity` of
    openCyto (Finak et al., PLoS Comput Biol 2014;10:e1003806) takes it.
    """
    if values.size < 3:
        return float("nan")
    quartiles = np.percentile(values, [25, 75])
    spread = min(float(values.std()), float(quartiles[1] - quartiles[0]) / 1.34)
    low, high = float(values.min()), float(values.max())
    if not spread > 0:
        return float("nan")
    bandwidth = 0.9 * spread * values.size**-0.2
    counts, edges = np.histogram(values, GRID, (low - 3 * bandwidth, high + 3 * bandwidth))
    density = gaussian_filter1d(counts.astype(float), bandwidth / (edges[1] - edges[0]), mode="constant")
    rises = np.diff(density) > 0
    peaks = np.flatnonzero(rises[:-1] & ~rises[1:]) + 1
    if peaks.size < 2:
        return float("nan")
    left, right = np.sort(peaks[np.argsort(density[peaks])[-2:]])
    lowest = left + int(np.argmin(density[left : right + 1]))
    return float((edges[lowest] + edges[lowest + 1]) / 2)


def _on_the_line(area: NDArray[np.floating], height: NDArray[np.floating], *, among: Mask) -> Mask:
    """Singlets: height over area within four robust sd of its median."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = height / area
    centre = np.median(ratio[among])
    spread = 1.4826 * np.median(np.abs(ratio[among] - centre))
    kept: Mask = np.abs(ratio - centre) <= 4 * spread
    return kept


# --- the classifier ---------------------------------------------------------------------------------------------------


def cross_validated(
    events: Events, panel: Panel, truth: Mapping[str, Mask], populations: Mapping[str, str], *, rows: NDArray[np.intp]
) -> dict[str, Mask]:
    """What a gradient-boosted classifier calls each population, every event judged by trees that did not see it.

    It sees every marker but time and HLA (which tells donor from recipient, and infused cells are NK cells). A
    population below another is learned among the members of that one, and called among those called so.

    Args:
        events, panel: of the tube.
        truth: members by population, shape (events of the tube,).
        populations: which to learn, with the population that each lies in (`root`: all events).
        rows: events to learn from and to judge.

    Returns:
        Called members among `rows`, shape (rows,); a population with fewer than FEWEST members is left out.
    """
    seen = [d.marker for d in panel.used if d.kind not in (Kind.TIME, Kind.HLA)]
    values = np.column_stack([events.column(marker)[rows] for marker in seen])
    called: dict[str, Mask] = {ROOT: np.ones(rows.size, dtype=np.bool_)}
    true = {population: members[rows] for population, members in truth.items()} | called
    for population, parent in populations.items():
        if parent not in called or np.count_nonzero(true[population]) < FEWEST:
            continue
        called[population] = called[parent] & _out_of_fold(values, true[population], among=true[parent])
    del called[ROOT]
    return called


def _out_of_fold(values: NDArray[np.floating], member: Mask, *, among: Mask) -> Mask:
    """Membership by trees of the other folds, learned from the events `among` only, said of all."""
    found = np.zeros(member.size, dtype=np.bool_)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    strata = member.astype(int) + among
    for learn, judge in folds.split(values, strata):
        learn = learn[among[learn]]
        if member[learn].all():
            found[judge] = True
            continue
        trees = HistGradientBoostingClassifier(random_state=0, early_stopping=False, **TREES)
        with threadpool_limits(1):  # its threads wait for each other longer than they work
            found[judge] = trees.fit(values[learn], member[learn]).predict(values[judge])
    return found
