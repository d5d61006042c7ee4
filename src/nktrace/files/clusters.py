"""The cluster reference of a panel: a directory of plain arrays and JSON, which seals itself with a hash."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nktrace.files.atomic import publishing
from nktrace.files.code import code_digest
from nktrace.files.tables import write_rows
from nktrace.model.clusters import Cluster, ClusterReference
from nktrace.model.errors import ReferenceUnusable

_JSON, _PROTOTYPES, _METACLUSTERS = "reference.json", "prototypes.npy", "metaclusters.npy"
_MEND = "Delete the directory and run `nktrace fit-clusters` again"


def write_reference(directory: Path | str, reference: ClusterReference) -> None:
    """Publish `prototypes.npy`, `metaclusters.npy`, `reference.json` and, for people, `clusters.tsv` by one rename."""
    facts = {
        "panel": reference.panel,
        "code": code_digest("fit_clusters"),
        "markers": [
            {"marker": marker, "center": float(center), "width": float(width)}
            for marker, center, width in zip(reference.markers, reference.center, reference.width, strict=True)
        ],
        "radius": reference.radius.tolist(),
        "clusters": [_cluster_facts(cluster) for cluster in reference.clusters],
        "samples": dict(sorted(reference.samples.items())),
        "reason": reference.reason,
    }
    with publishing(directory) as draft:
        np.save(draft / _PROTOTYPES, reference.prototypes, allow_pickle=False)
        np.save(draft / _METACLUSTERS, reference.metaclusters, allow_pickle=False)
        sealed = facts | {"sha256": _digest(draft, facts)}
        (draft / _JSON).write_text(json.dumps(sealed, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        fractions = {cluster.number: cluster.fraction for cluster in reference.clusters}
        write_clusters_table(draft / "clusters.tsv", [(reference, fractions)])


def read_reference(directory: Path | str) -> ClusterReference:
    """Read a reference.

    Raises:
        ReferenceUnusable: it is missing, incomplete, or not as it was written.
    """
    directory = Path(directory)
    try:
        facts = json.loads((directory / _JSON).read_text(encoding="utf-8"))
        seal = facts.pop("sha256")
        if seal != _digest(directory, facts):
            raise ReferenceUnusable("was changed after it was fitted", where=str(directory), mend=_MEND)
        prototypes = np.load(directory / _PROTOTYPES, allow_pickle=False)
        metaclusters = np.load(directory / _METACLUSTERS, allow_pickle=False)
    except FileNotFoundError as error:
        name = Path(error.filename).name
        raise ReferenceUnusable(f"there is no {name}", where=str(directory), mend=_MEND) from None
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ReferenceUnusable(f"cannot be read ({error})", where=str(directory), mend=_MEND) from None
    return ClusterReference(
        panel=facts["panel"],
        markers=tuple(row["marker"] for row in facts["markers"]),
        center=np.array([row["center"] for row in facts["markers"]], dtype=np.float32),
        width=np.array([row["width"] for row in facts["markers"]], dtype=np.float32),
        prototypes=prototypes,
        metaclusters=metaclusters,
        radius=np.array(facts["radius"], dtype=np.float32),
        clusters=tuple(_cluster(row) for row in facts["clusters"]),
        samples=facts["samples"],
        reason=facts["reason"],
    )


def write_clusters_table(path: Path | str, references: Iterable[tuple[ClusterReference, Mapping[int, float]]]) -> None:
    """Write clusters.tsv: panel, cluster, subset, cl_id, the median of each marker, fraction, stability.

    Args:
        path: the table.
        references: one per panel, with the fraction of the NK cells in each of its clusters.
    """
    references = list(references)
    markers = list(dict.fromkeys(marker for reference, _ in references for marker in reference.markers))
    rows = [
        {
            "panel": reference.panel,
            "cluster": cluster.number,
            "subset": cluster.subset,
            "cl_id": cluster.cl_id or None,
            **{marker: cluster.medians.get(marker, math.nan) for marker in markers},
            "fraction": fractions[cluster.number],
            "stability": cluster.stability,
        }
        for reference, fractions in references
        for cluster in reference.clusters
    ]
    write_rows(path, ["panel", "cluster", "subset", "cl_id", *markers, "fraction", "stability"], rows)


def _digest(directory: Path, facts: dict[str, Any]) -> str:
    """SHA-256 over the arrays and the facts."""
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for name in (_PROTOTYPES, _METACLUSTERS):
        digest.update((directory / name).read_bytes())
    return digest.hexdigest()


def _cluster_facts(cluster: Cluster) -> dict[str, Any]:
    return {
        "number": cluster.number,
        "subset": cluster.subset,
        "shares": dict(cluster.shares),
        "cl_id": cluster.cl_id,
        "medians": dict(cluster.medians),
        "fraction": cluster.fraction,
        "stability": None if math.isnan(cluster.stability) else cluster.stability,
    }


def _cluster(facts: dict[str, Any]) -> Cluster:
    stability = facts["stability"]
    return Cluster(**(facts | {"stability": math.nan if stability is None else stability}))
