"""Events with a label each, for who judges clusters: simulated NK cells, and files that others have labelled.

    for cells in simulated_nk(events=200_000, seed=1):
        ...

Simulated NK cells are fourteen populations over twelve markers: antigens are log-normal and go up and down with the
size of a cell, dyes spread into their neighbours, detectors count photons and add noise, and each of eight samples has
its own proportions and a small shift of its own. What is clustered is what a file gives: logicle of the signal.
"""

from __future__ import annotations

import csv
import gzip
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.labelled_real import STUDIES, shared_data
from nktrace.files.fcs import read_fcs
from nktrace.files.panels import read_panel
from nktrace.model.panel import Kind
from nktrace.science.transforms import apply, estimate_logicle

MARKERS = ("CD56", "CD16", "CD57", "NKG2A", "NKG2C", "KIR", "CD62L", "CD69", "HLA-DR", "NKp46", "CD7", "CD38")
_LEVELS = {"-": 0.0, "l": 900.0, "+": 4_500.0, "h": 22_000.0}  # of the antigen, above what an unstained cell gives
POPULATIONS = {
    "early": (26.0, "++-+--l--+++"),
    "terminal": (21.0, "+++--+---l+l"),
    "early_kir": (11.0, "++-+-+---+++"),
    "intermediate": (9.0, "++--------++"),
    "kir_only": (8.0, "++---+---+++"),
    "bright": (6.0, "h--+--+--+++"),
    "terminal_nkg2a": (6.0, "++++-+---l+l"),
    "adaptive": (5.0, "+h+-h+---ll-"),
    "activated": (3.0, "++-+---+h+++"),
    "bright_cd16": (1.8, "hl-+--+--h++"),
    "cd56_negative": (1.5, "-++--+---l+l"),
    "bright_activated": (0.9, "h--+--++lh++"),
    "adaptive_cd7_negative": (0.35, "+h+-h+---l--"),
    "resident_like": (0.3, "h--+---h++h+"),
}
"""Share in percent, and the level of each marker."""
SAMPLES = 8
HIPC_NODES = {
    "CD14+ CD16+": "CD14+Lineage-/CD14+CD16+",
    "CD14+": "CD14+",
    "CD16+ CD56+": "CD14-Lineage-/CD16+CD56+",
    "CD16- CD56+": "CD14-Lineage-/CD16-CD56+",
    "CD16+ CD56-": "CD14-Lineage-/CD16+CD56-",
    "plasmacytoid DC": "CD14-Lineage-/CD16-CD56-/HLADR+/CD11c-CD123+",
    "myeloid DC": "CD14-Lineage-/CD16-CD56-/HLADR+/CD11c+CD123-",
    "HLA-DR-": "CD14-Lineage-/CD16-CD56-",
    "lineage+": "CD14-",
}
"""Population of live cells: its node; an event is of the first that holds it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledEvents:
    """Events on the transformed scale.

    Attributes:
        name: of the data set.
        values: float32, shape (events, markers).
        markers: of the columns.
        samples: per event the number of its sample, shape (events,).
        labels: per event the number of its population, shape (events,); negative where it has none and is not judged.
        names: of the populations.
    """

    name: str
    values: NDArray[np.float32]
    markers: tuple[str, ...]
    samples: NDArray[np.intp]
    labels: NDArray[np.intp]
    names: tuple[str, ...]


def simulated_nk(*, events: int, seed: int, samples: int = SAMPLES) -> LabelledEvents:
    """NK cells of a cohort, in random order within a sample.

    Args:
        events: of all samples together, as many of each.
        seed: of everything.
        samples: how many.
    """
    rng = np.random.default_rng(seed)
    share = np.array([percent for percent, _ in POPULATIONS.values()])
    signs = np.array([[_LEVELS[sign] for sign in row] for _, row in POPULATIONS.values()])
    own_level = np.exp(rng.normal(0, 0.25, signs.shape))  # no two populations have a marker at exactly one level
    spread = np.exp(rng.normal(np.log(0.38), 0.2, signs.shape))
    leak = 0.004 * rng.random((len(MARKERS), len(MARKERS)))
    np.fill_diagonal(leak, 0)
    parts, labels, owner = [], [], []
    for sample in range(samples):
        mix = share * np.exp(rng.normal(0, 0.3, share.size))
        mix[share < 0.5] = share[share < 0.5]  # the rare ones stay below half a percent
        which = rng.choice(share.size, events // samples, p=mix / mix.sum())
        gain = np.exp(rng.normal(0, 0.05, len(MARKERS)))
        size = np.exp(rng.normal(0, 0.15, which.size))[:, None]
        antigen = (signs * own_level)[which] * np.exp(spread[which] * rng.standard_normal((which.size, len(MARKERS))))
        signal = gain * size * (antigen + 60 * np.exp(0.3 * rng.standard_normal(antigen.shape)))
        noise = np.sqrt(3.0 * signal + 40.0 * (antigen @ leak) + 55.0**2)
        parts.append(signal + noise * rng.standard_normal(signal.shape))
        labels.append(which)
        owner.append(np.full(which.size, sample, dtype=np.intp))
    values = np.concatenate(parts).astype(np.float32)
    for column in values.T:
        column[:] = apply(column, estimate_logicle(column[:: max(1, events // 50_000)]))
    return LabelledEvents(
        name="simulated NK",
        values=values,
        markers=MARKERS,
        samples=np.concatenate(owner),
        labels=np.concatenate(labels),
        names=tuple(POPULATIONS),
    )


def hipc() -> LabelledEvents:
    """Live PBMC with the automatic gates of openCyto, which part them."""
    folder = shared_data() / "human_pbmc_hipc"
    with gzip.open(folder / "gates.csv.gz", "rt", encoding="utf-8") as text:
        header, *lines = csv.reader(text)
    gates = np.array(lines) == "1"
    live = "root/boundary/Monocytes/Live"
    labels = np.full(len(lines), -1, dtype=np.intp)
    for number, node in reversed(list(enumerate(HIPC_NODES.values()))):
        labels[gates[:, header.index(f"{live}/{node}")]] = number
    panel = read_panel(STUDIES / "hipc" / "config" / "panels" / "dc_mono_nk.tsv")
    events = read_fcs(folder / "DC_MONO_NK_12828001_001.fcs").scale_values()
    used = [d for d in panel.detectors if d.kind in (Kind.LINEAGE, Kind.SUBSET)]
    rows = np.flatnonzero(gates[:, header.index(live)])
    return LabelledEvents(
        name="hipc",
        values=np.column_stack([events.column(d.channel)[rows] for d in used]).astype(np.float32),
        markers=tuple(d.marker for d in used),
        samples=np.zeros(rows.size, dtype=np.intp),
        labels=labels[rows],
        names=tuple(HIPC_NODES),
    )


def blood() -> list[LabelledEvents]:
    """Each file of blood_simulated_labels: leukocytes, debris and doublets, on the scale of the file."""
    found = []
    for path in sorted((shared_data() / "blood_simulated_labels").glob("*.csv.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as text:
            header, *lines = csv.reader(text)
        names, labels = np.unique([line[-1] for line in lines], return_inverse=True)
        found.append(
            LabelledEvents(
                name=f"blood {path.name.split('.')[0].removeprefix('Cytometry')}",
                values=np.array([line[:-1] for line in lines], dtype=np.float32),
                markers=tuple(header[:-1]),
                samples=np.zeros(len(lines), dtype=np.intp),
                labels=labels,
                names=tuple(names),
            )
        )
    return found


def without(cells: LabelledEvents, population: str, *, name: str) -> LabelledEvents:
    """The same without the events of one population and those that have none."""
    rows = np.flatnonzero((cells.labels >= 0) & (cells.labels != cells.names.index(population)))
    return replace(cells, name=name, values=cells.values[rows], samples=cells.samples[rows], labels=cells.labels[rows])
