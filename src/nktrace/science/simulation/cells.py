"""Cells and what they emit: skewed, heavy-tailed marker signals that share the cell's size, before any detector."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nktrace.model.events import Mask
from nktrace.model.panel import Kind
from nktrace.model.simulation import CellTable, SimulatedDetector, Trait

Float32 = NDArray[np.float32]

ACTIVATED_CD56 = 1.5  # activation raises CD56, which blurs dim and bright
SHED_CD16 = 0.04  # what is left of CD16 after shedding
DEAD_FSC, DEAD_SSC, DEAD_STAIN, DEAD_AUTOFLUORESCENCE = 0.68, 1.25, 0.6, 2.5  # shrunken, granular, leaky

# kind -> (population of the contract, exclusive NK subset); kinds that are not named here are their own population
POPULATIONS: dict[str, tuple[str, str]] = {
    "nk_bright": ("nk_bright", "bright"),
    "nk_adaptive": ("nk_dim", "adaptive"),
    "nk_terminal": ("nk_dim", "terminal"),
    "nk_early_dim": ("nk_dim", "early_dim"),
    "nk_double_positive": ("nk_dim", "other_dim"),
    "nk_double_negative": ("nk_dim", "other_dim"),
    "nkt_like_cd8": ("nkt_like", ""),
    "nkt_like_dn": ("nkt_like", ""),
}
NK_KINDS = tuple(kind for kind in POPULATIONS if kind.startswith("nk_"))
CONVENTIONAL_T = ("cd4_t", "cd8_t", "gd_t")
NKT_LIKE = ("nkt_like_cd8", "nkt_like_dn")
LYMPHOCYTES = (*NK_KINDS, *CONVENTIONAL_T, *NKT_LIKE, "b_cells")

# population of the contract -> the kinds that belong to it
MEMBERS: dict[str, tuple[str, ...]] = {
    "leukocytes": (*LYMPHOCYTES, "monocytes", "basophils", "dendritic", "granulocytes"),
    "lymphocytes": LYMPHOCYTES,
    "cd3": (*CONVENTIONAL_T, *NKT_LIKE),
    "t_cells": CONVENTIONAL_T,
    "nkt_like": NKT_LIKE,
    "cd4_t": ("cd4_t",),
    "cd8_t": ("cd8_t", "nkt_like_cd8"),
    "b_cells": ("b_cells",),
    "nk": NK_KINDS,
    "nk_bright": ("nk_bright",),
    "nk_dim": tuple(kind for kind in NK_KINDS if kind != "nk_bright"),
    "bright": ("nk_bright",),
    "adaptive": ("nk_adaptive",),
    "terminal": ("nk_terminal",),
    "early_dim": ("nk_early_dim",),
    "other_dim": ("nk_double_positive", "nk_double_negative"),
}


@dataclass(frozen=True, slots=True)
class Cells:
    """Light of single cells, before noise.

    fsc, ssc: shape (cells,); emission: what each fluorochrome emits, shape (cells, detectors);
    autofluorescence: what each detector sees of the unstained cell, same shape.
    """

    fsc: Float32
    ssc: Float32
    emission: Float32
    autofluorescence: Float32


@dataclass(frozen=True, slots=True, kw_only=True)
class Makeup:
    """What each cell is; all of shape (cells,).

    kind: index into `kinds`; donor: of the donor; dead; activated (NK only);
    shed: an NK cell that has lost its CD16.
    """

    kinds: tuple[str, ...]
    kind: NDArray[np.int64]
    donor: Mask
    dead: Mask
    activated: Mask
    shed: Mask

    def among(self, kinds: Sequence[str], *, invert: bool = False) -> Mask:
        """Which cells are of these kinds, or of none of them."""
        wanted: Mask = np.array([(kind in kinds) is not invert for kind in self.kinds])
        return wanted[self.kind]


def skewed(rng: np.random.Generator, n: int) -> Float32:
    """Standardised deviates with a tail to the left and heavy tails on both sides: mean 0, sd 1, skewness about -0.4.

    A normal of random variance plus a reversed exponential: antigen density is not log-normal in real cells.
    """
    normal = rng.standard_normal(n, dtype=np.float32)
    variance = 0.5 + 0.5 * rng.standard_exponential(n, dtype=np.float32)
    reversed_exponential = np.float32(1.0) - rng.standard_exponential(n, dtype=np.float32)
    deviates: Float32 = np.float32(0.8) * normal * np.sqrt(variance) + np.float32(0.6) * reversed_exponential
    return deviates


def antigens_of(marker: str) -> list[str]:
    """`CD14+CD19` and `CD16_CD56` are two antibodies in one detector: their signals add."""
    return re.split(r"[+_]", marker)


def light(
    makeup: Makeup,
    *,
    detectors: Sequence[SimulatedDetector],
    table: CellTable,
    gains: Mapping[str, tuple[float, float]],
    stains: Callable[[SimulatedDetector, bool], bool],
    false_positives: float,
    rng: np.random.Generator,
) -> Cells:
    """What cells emit.

    Args:
        makeup: what each cell is.
        detectors: the fluorescence detectors of the panel.
        table: traits of the cell kinds.
        gains: staining gain by marker, of own and of donor cells: antigen density comes along with the cells.
        stains: whether an HLA detector's antibody stains the recipient (False) or the donor (True).
        false_positives: factor on the rate at which HLA antibodies stain cells without the antigen.
        rng: generator.
    """
    n = makeup.kind.size
    painter = _Painter(makeup, table, rng)
    size = painter.everywhere("size")
    surface = size * size
    fsc = painter.everywhere("FSC") * size
    ssc = painter.everywhere("SSC") * surface
    fsc[makeup.dead] *= DEAD_FSC
    ssc[makeup.dead] *= DEAD_SSC
    unstained = painter.everywhere("autofluorescence") * surface
    unstained[makeup.dead] *= DEAD_AUTOFLUORESCENCE
    emission = np.empty((n, len(detectors)), dtype=np.float32, order="F")
    autofluorescence = np.empty_like(emission)
    for column, detector in enumerate(detectors):
        wobble = np.exp(np.float32(0.15) * rng.standard_normal(n, dtype=np.float32))
        autofluorescence[:, column] = unstained * np.float32(detector.autofluorescence) * wobble
        if detector.kind is Kind.HLA:
            signal = painter.hla(
                recipient=stains(detector, False), donor=stains(detector, True), false_positives=false_positives
            )
        else:
            signal = np.zeros(n, dtype=np.float32)
            for antigen in antigens_of(detector.marker):
                signal += painter.antigen(antigen)
        if detector.kind is not Kind.VIABILITY:
            signal[makeup.dead] *= DEAD_STAIN
            signal += painter.nonspecific()
        own, donor = gains.get(detector.marker, (1.0, 1.0))
        emission[:, column] = signal * surface * np.where(makeup.donor, np.float32(donor), np.float32(own))
    return Cells(fsc, ssc, emission, autofluorescence)


class _Painter:
    """Draws traits for the cells of one tube."""

    def __init__(self, makeup: Makeup, table: CellTable, rng: np.random.Generator) -> None:
        self._makeup = makeup
        self._table = table
        self._rng = rng

    def everywhere(self, trait: str) -> Float32:
        """A trait that every cell has (scatter, autofluorescence)."""
        _, level, spread = self._columns(trait)
        kind = self._makeup.kind
        return self._draw(level[kind], spread[kind])

    def antigen(self, marker: str) -> Float32:
        """The signal of an antibody on the cells that carry its antigen, 0 on others."""
        makeup = self._makeup
        signal = self._some(marker)
        if marker == "CD16":
            signal[makeup.shed] *= SHED_CD16
        if marker == "CD56":
            signal[makeup.activated] *= ACTIVATED_CD56
        for state, members in (("activated", makeup.activated), ("dead", makeup.dead)):
            trait = self._table.traits.get(state, {}).get(marker)
            if trait is not None:
                self._add(signal, np.flatnonzero(members), trait)
        return signal

    def nonspecific(self) -> Float32:
        """Antibody that sticks without its antigen: by cell kind, and much more on dead cells."""
        signal = self.everywhere("nonspecific")
        dead = self._table.traits.get("dead", {}).get("nonspecific")
        if dead is not None:
            self._add(signal, np.flatnonzero(self._makeup.dead), dead)
        return signal

    def hla(self, *, recipient: bool, donor: bool, false_positives: float) -> Float32:
        """An HLA antibody: on cells that carry the antigen, and rarely on some that do not."""
        carries = np.where(self._makeup.donor, donor, recipient)
        signal = self._some("HLA")
        signal[~carries] = self._some("HLA false", factor=false_positives)[~carries]
        return signal

    def _some(self, marker: str, *, factor: float = 1.0) -> Float32:
        positive, level, spread = self._columns(marker)
        kind = self._makeup.kind
        signal = np.zeros(kind.size, dtype=np.float32)
        chosen = np.flatnonzero(self._rng.random(kind.size, dtype=np.float32) < positive[kind] * np.float32(factor))
        signal[chosen] = self._draw(level[kind[chosen]], spread[kind[chosen]])
        return signal

    def _add(self, signal: Float32, rows: NDArray[np.int64], trait: Trait) -> None:
        rows = rows[self._rng.random(rows.size) < trait.positive]
        level = np.full(rows.size, trait.level, dtype=np.float32)
        signal[rows] += self._draw(level, np.full(rows.size, trait.spread, dtype=np.float32))

    def _draw(self, level: Float32, spread: Float32) -> Float32:
        drawn: Float32 = level * np.exp(spread * skewed(self._rng, level.size))
        return drawn

    def _columns(self, marker: str) -> tuple[Float32, Float32, Float32]:
        absent = Trait(0.0, 0.0, 0.0)
        traits = [self._table.traits[kind].get(marker, absent) for kind in self._makeup.kinds]
        columns = np.array([[t.positive, t.level, t.spread] for t in traits], dtype=np.float32)
        return columns[:, 0], columns[:, 1], columns[:, 2]
