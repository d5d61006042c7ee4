"""The cluster reference of a panel: a directory of plain arrays and JSON, which seals itself with a hash."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nktrace.files.atomic import publishing
from nktrace.files.code import code_digest
from nktrace.files.table_columns import CLUSTERS_BEFORE, CLUSTERS_BEHIND
from nktrace.files.tables import write_rows
from nktrace.model.clusters import NOT_ALIGNED, Cluster, ClusterReference
from nktrace.model.errors import ReferenceUnusable
from nktrace.science.cluster_versions import Became

_JSON, _PROTOTYPES, _METACLUSTERS = "reference.json", "prototypes.npy", "metaclusters.npy"
_BECAME = (
    *("panel", "old_version", "new_version", "old_cluster", "old_subset", "new_cluster", "new_subset", "events"),
    *("share_of_old", "share_of_new", "reason"),
)
_MEND = "Delete the directory and run `nktrace fit-clusters` again"


@dataclass(frozen=True, slots=True)
class ClusterVersions:
    """Two versions of a reference and which cluster became which; without rows `reason` says why that is not known."""

    old: ClusterReference
    new: ClusterReference
    names: tuple[str, str]
    rows: tuple[Became, ...]
    reason: str


def write_reference(
    directory: Path | str,
    reference: ClusterReference,
    *,
    named_by: str = "",
    became: ClusterVersions | None = None,
) -> None:
    """Publish `prototypes.npy`, `metaclusters.npy`, `reference.json` and, for people, `clusters.tsv` by one rename.

    Args:
        directory: results/reference/PANEL/vN/clusters.
        reference: what is published.
        named_by: digest of the subset rules that gave the clusters their names.
        became: of the version before, for `became.tsv`.
    """
    facts = {
        "panel": reference.panel,
        "code": code_digest("fit_clusters"),
        "named_by": named_by,
        "markers": [
            {"marker": marker, "center": float(center), "width": float(width)}
            for marker, center, width in zip(reference.markers, reference.center, reference.width, strict=True)
        ],
        "radius": reference.radius.tolist(),
        "clusters": [_cluster_facts(cluster) for cluster in reference.clusters],
        "samples": dict(sorted(reference.samples.items())),
        "reason": reference.reason,
        "places": reference.places.tolist(),
        "spreads": reference.spreads.tolist(),
        "between": reference.between.tolist(),
        "align": reference.align,
        "quantiles": reference.quantiles.tolist(),
    }
    with publishing(directory) as draft:
        np.save(draft / _PROTOTYPES, reference.prototypes, allow_pickle=False)
        np.save(draft / _METACLUSTERS, reference.metaclusters, allow_pickle=False)
        sealed = facts | {"sha256": _digest(draft, facts)}
        (draft / _JSON).write_text(json.dumps(sealed, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        fractions = {cluster.number: cluster.fraction for cluster in reference.clusters}
        write_clusters_table(draft / "clusters.tsv", [(reference, fractions)])
        if became is not None:
            write_rows(draft / "became.tsv", list(_BECAME), _became_rows(became))


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
        return ClusterReference(
            panel=facts["panel"],
            markers=tuple(row["marker"] for row in facts["markers"]),
            center=np.array([row["center"] for row in facts["markers"]], dtype=np.float32),
            width=np.array([row["width"] for row in facts["markers"]], dtype=np.float32),
            prototypes=prototypes,
            metaclusters=metaclusters,
            radius=np.array(facts["radius"], dtype=np.float32),
            clusters=tuple(Cluster(**row) for row in facts["clusters"]),
            samples=facts["samples"],
            reason=facts["reason"],
            places=_table(facts, "places").astype(np.float32),
            spreads=_table(facts, "spreads").astype(np.float32),
            between=np.array(facts.get("between", []), dtype=np.float64),
            align=facts.get("align", NOT_ALIGNED),
            quantiles=_table(facts, "quantiles"),
        )
    except FileNotFoundError as error:
        name = Path(error.filename).name
        raise ReferenceUnusable(f"there is no {name}", where=str(directory), mend=_MEND) from None
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ReferenceUnusable(f"cannot be read ({error})", where=str(directory), mend=_MEND) from None


def reference_hash(directory: Path | str) -> str:
    """The hash by which a reference seals itself, of one that `read_reference` took."""
    return str(json.loads((Path(directory) / _JSON).read_text(encoding="utf-8"))["sha256"])


def write_clusters_table(path: Path | str, references: Iterable[tuple[ClusterReference, Mapping[int, float]]]) -> None:
    """Write clusters.tsv: panel, cluster, subset, cl_id, the median of each marker, fraction, stability, members.

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
            "subset_share": cluster.shares.get(cluster.subset, math.nan),
            "members": cluster.largest_subsets,
            "seed_agreement": cluster.seed_agreement,
            "unstable": cluster.unstable,
        }
        for reference, fractions in references
        for cluster in reference.clusters
    ]
    write_rows(path, [*CLUSTERS_BEFORE, *markers, *CLUSTERS_BEHIND], rows)


def _became_rows(versions: ClusterVersions) -> list[dict[str, object]]:
    """A row per pair of clusters that share events; one that says why where nothing is known."""
    old_version, new_version = versions.names
    known: dict[str, object] = dict.fromkeys(_BECAME) | {
        "panel": versions.new.panel,
        "old_version": old_version,
        "new_version": new_version,
    }
    if versions.reason:
        return [known | {"reason": versions.reason}]
    subset = [{cluster.number: cluster.subset for cluster in of.clusters} for of in (versions.old, versions.new)]
    return [
        known
        | {
            "old_cluster": row.old or None,
            "old_subset": subset[0].get(row.old),
            "new_cluster": row.new or None,
            "new_subset": subset[1].get(row.new),
            "events": row.events,
            "share_of_old": row.share_of_old,
            "share_of_new": row.share_of_new,
        }
        for row in versions.rows
    ]


def _digest(directory: Path, facts: dict[str, Any]) -> str:
    """SHA-256 over the arrays and the facts."""
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for name in (_PROTOTYPES, _METACLUSTERS):
        digest.update((directory / name).read_bytes())
    return digest.hexdigest()


def _table(facts: dict[str, Any], name: str) -> NDArray[np.float64]:
    """Numbers in rows; none where a reference has none, or was fitted before they were kept."""
    rows = facts.get(name) or np.empty((0, 0))
    return np.array(rows, dtype=np.float64)


def _cluster_facts(cluster: Cluster) -> dict[str, Any]:
    return {
        "number": cluster.number,
        "subset": cluster.subset,
        "shares": dict(cluster.shares),
        "cl_id": cluster.cl_id,
        "medians": dict(cluster.medians),
        "fraction": cluster.fraction,
        "stability": cluster.stability,
        "seed_agreement": cluster.seed_agreement,
    }
