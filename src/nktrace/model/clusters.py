"""The frozen reference of NK clusters of a panel, onto which single samples are mapped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

UNASSIGNED = 0
AMBIGUOUS = "ambiguous"
NOT_ALIGNED = "none"
MIN_STABILITY = 0.6
"""Jaccard index under which a cluster is not to be trusted (Hennig 2007, 10.1016/j.csda.2006.11.025)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A metacluster: its number (from 1, the largest first), its name from its members, and how stable it is.

    Attributes:
        subset: the subset of the majority of its members; `ambiguous` where no subset has the share that a name needs.
        shares: share of the members in each subset, the largest first.
        cl_id: Cell Ontology id of the subset, empty without one.
        medians: per clustering marker, on the transformed scale.
        fraction: of the reference draw.
        stability: mean Jaccard index with the best match over refits on halves of the events.
        seed_agreement: the same over fits of other seeds.
    """

    number: int
    subset: str
    shares: Mapping[str, float]
    cl_id: str
    medians: Mapping[str, float]
    fraction: float
    stability: float
    seed_agreement: float

    @property
    def unstable(self) -> bool:
        """Whether it did not come back: in half of the events, or from another seed."""
        return min(self.stability, self.seed_agreement) < MIN_STABILITY

    @property
    def largest_subsets(self) -> str:
        """The one or two subsets that most members belong to, with their shares, for people."""
        largest = [(subset, share) for subset, share in self.shares.items() if share > 0][:2]
        return ", ".join(f"{subset} {share:.2f}" for subset, share in largest)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterReference:
    """Prototypes of NK cells, joined to clusters (directory results/reference/{panel}/v{N}/clusters).

    Attributes:
        markers: in the order of the columns of `prototypes`.
        center, width: per marker; a value x on the transformed scale is clustered as (x - center) / width.
        prototypes: float32, shape (prototypes, markers), on the clustered scale.
        metaclusters: cluster number of each prototype, from 1, shape (prototypes,).
        radius: per prototype the distance that holds 99 % of its reference events: novelty 1.
        clusters: one per number, ascending.
        samples: events that each reference sample gave.
        reason: why there are no clusters; empty where there are.
        places, spreads: median and sd of the populations that most samples have, on the clustered scale, shape
            (populations, markers): what the markers of a sample are held against (science/nk_drift.py).
        between: sd of the reference samples' own shifts, on the clustered scale, shape (markers,); 0 where it is not
            known, empty without places.
        align: how samples were aligned before the fit, and are to be before they are mapped: none, or batch_control.
        quantiles: of each marker in the controls that samples are aligned to, on the transformed scale, shape
            (markers, quantiles); without quantiles where no batch of the reference has a control.
    """

    panel: str
    markers: tuple[str, ...]
    center: NDArray[np.float32]
    width: NDArray[np.float32]
    prototypes: NDArray[np.float32]
    metaclusters: NDArray[np.int32]
    radius: NDArray[np.float32]
    clusters: tuple[Cluster, ...] = ()
    samples: Mapping[str, int] = field(default_factory=dict)
    reason: str = ""
    places: NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 0), np.float32))
    spreads: NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 0), np.float32))
    between: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    align: str = NOT_ALIGNED
    quantiles: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 0)))


def empty_reference(panel: str, *, samples: Mapping[str, int], reason: str) -> ClusterReference:
    """A reference without clusters, which maps every cell to none and says why."""
    return ClusterReference(
        panel=panel,
        markers=(),
        center=np.empty(0, np.float32),
        width=np.empty(0, np.float32),
        prototypes=np.empty((0, 0), np.float32),
        metaclusters=np.empty(0, np.int32),
        radius=np.empty(0, np.float32),
        samples=samples,
        reason=reason,
    )
