"""nk.h5ad: NK events of many samples as AnnData, which scanpy opens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nktrace.files.atomic import replacing
from nktrace.files.nk import NkTable
from nktrace.model.clusters import UNASSIGNED

_UNKNOWN = "NA"


@dataclass(frozen=True, slots=True)
class NkSample:
    """NK events of one sample, and whose they are; None where there is no patient or no day."""

    nk: NkTable
    patient: str | None
    day: float | None


def write_nk_anndata(path: Path | str, samples: Sequence[NkSample]) -> None:
    """Write nk.h5ad: X = transformed marker values, var = markers, obs = whose event it is and what it was called.

    Several panels are stacked over the union of their markers, nan where a panel lacks one; `obs.panel` tells them
    apart. `obs.cluster` is a category like `panel:3`, since each panel has clusters of its own; with one panel `3`.
    """
    import anndata
    import pandas as pd

    markers = list(dict.fromkeys(marker for sample in samples for marker in sample.nk.markers.channels))
    several = len({sample.nk.panel for sample in samples}) > 1
    blocks, parts = [], []
    for sample in samples:
        nk = sample.nk
        block = np.full((len(nk.event), len(markers)), np.nan, dtype=np.float32)
        block[:, [markers.index(marker) for marker in nk.markers.channels]] = nk.markers.values
        blocks.append(block)
        prefix = f"{nk.panel}:" if several else ""
        parts.append(
            pd.DataFrame(
                {
                    "sample": nk.sample,
                    "patient": _UNKNOWN if sample.patient is None else sample.patient,
                    "day": np.nan if sample.day is None else float(sample.day),
                    "panel": nk.panel,
                    "event": nk.event,
                    "cluster": [_UNKNOWN if c == UNASSIGNED else f"{prefix}{c}" for c in nk.cluster.tolist()],
                    "subset": [subset or _UNKNOWN for subset in nk.subset.tolist()],
                    "novelty": nk.novelty,
                },
                index=[f"{nk.sample}:{event}" for event in nk.event.tolist()],
            )
        )
    obs = pd.concat(parts)
    obs.index = obs.index.astype(object)
    for column in ("sample", "patient", "panel", "cluster", "subset"):
        obs[column] = pd.Categorical(obs[column].astype(object))
    data = anndata.AnnData(X=np.concatenate(blocks), obs=obs, var=pd.DataFrame(index=pd.Index(markers, dtype=object)))
    with replacing(path) as draft:
        data.write_h5ad(draft, compression="gzip")
