"""The frozen reference of NK clusters of a panel, onto which single samples are mapped."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

UNASSIGNED = 0
AMBIGUOUS = "ambiguous"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A metacluster: its number (from 1, the largest first), its name from its members, and how stable it is.

    Attributes:
        subset: the subset of the majority of its members; `ambiguous` where no subset has the share that a name needs.
        shares: share of the members in each subset, the largest first.
        cl_id: Cell Ontology id of the subset, empty without one.
        medians: per clustering marker, on the transformed scale.
        fraction: of the reference draw.
        stability: mean Jaccard index with the best match over refits on resampled events; nan without refits.
    """

    number: int
    subset: str
    shares: Mapping[str, float]
    cl_id: str
    medians: Mapping[str, float]
    fraction: float
    stability: float = math.nan


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
