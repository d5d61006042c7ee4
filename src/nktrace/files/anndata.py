"""nk.h5ad: NK events of many samples as AnnData, which scanpy opens and draws without further work."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nktrace.files.atomic import replacing
from nktrace.files.nk import HLA_PREFIX, NkTable
from nktrace.model.clusters import UNASSIGNED
from nktrace.model.embedding import Embedding
from nktrace.model.palette import category_colors
from nktrace.model.panel import Detector, Panel
from nktrace.science.embedding import beside_each_other

_OF_SAMPLE = ("patient", "batch", "role", "material")  # what a sample's row says of its events, as categories
_OF_DETECTOR: Mapping[str, Callable[[Detector], str]] = {
    "channel": lambda detector: detector.channel,
    "fluorochrome": lambda detector: detector.fluorochrome,
    "kind": lambda detector: detector.kind.value,
    "transform": lambda detector: detector.transform,
    "clone": lambda detector: detector.clone,
    "antibody": lambda detector: detector.antibody,
}


@dataclass(frozen=True, slots=True)
class NkSample:
    """NK events of one sample, and whose they are: patient, day, batch, role, material, as far as these are known."""

    nk: NkTable
    row: Mapping[str, Any]


def write_nk_anndata(
    path: Path | str,
    samples: Sequence[NkSample],
    *,
    panels: Mapping[str, Panel],
    subsets: Sequence[str],
    embeddings: Sequence[Embedding],
    facts: Mapping[str, Any],
) -> None:
    """Write nk.h5ad.

    X are transformed marker values; several panels are stacked over the union of their markers, nan where a panel lacks
    one. `var` says what each marker is (per panel where these differ) and which panels have it, `obs` whose event it is
    and what it was called: categories, null where there is no patient, cluster, subset or cut. `obs.cluster` is a
    category like `panel:3`, since each panel has clusters of its own; with one panel `3`. `obsm` holds the embedding,
    nan for the events that are not in it; `uns` the colours of the pages, and under `nktrace` the facts.

    Args:
        samples: in the order in which they are to stand.
        panels: of all samples, by name.
        subsets: names of the exclusive subsets, in their order.
        embeddings: one per panel.
        facts: what else is to be said: numbers, texts, arrays, and mappings of these.
    """
    import anndata

    names = list(dict.fromkeys(sample.nk.panel for sample in samples))
    markers = list(dict.fromkeys(marker for sample in samples for marker in sample.nk.markers.channels))
    obs = _observations(samples, subsets, several=len(names) > 1)
    method = next((embedding.method for embedding in embeddings if embedding.method), "")
    places = _places(obs["panel"].to_numpy(), embeddings)
    obs["embedded"] = np.isfinite(places).all(axis=1)
    data = anndata.AnnData(
        X=np.concatenate(
            [np.empty((0, len(markers)), np.float32), *(_values(sample.nk, markers) for sample in samples)]
        ),
        obs=obs,
        var=_variables(markers, [panels[name] for name in names], embeddings),
        obsm={f"X_{method}": places} if method else {},
        uns={
            **_colors(obs, subsets),
            "nktrace": {
                "X": "transformed values, each on the scale of its batch; nan where the panel lacks the marker",
                **facts,
                "embedding": {embedding.panel: _embedding_facts(embedding) for embedding in embeddings},
            },
        },
    )
    with replacing(path) as draft:
        data.write_h5ad(draft, compression="gzip")


def _values(nk: NkTable, markers: Sequence[str]) -> NDArray[np.float32]:
    block = np.full((len(nk.event), len(markers)), np.nan, dtype=np.float32)
    block[:, [markers.index(marker) for marker in nk.markers.channels]] = nk.markers.values
    return block


def _places(panel: NDArray[Any], embeddings: Sequence[Embedding]) -> NDArray[np.float32]:
    """Where each event stands, nan where it is in no embedding; panels side by side, since each has axes of its own."""
    places = np.full((len(panel), 2), np.nan, dtype=np.float32)
    drawn = [embedding for embedding in embeddings if len(embedding.rows)]
    for embedding, moved in zip(drawn, beside_each_other([embedding.places for embedding in drawn]), strict=True):
        places[np.flatnonzero(panel == embedding.panel)[embedding.rows]] = moved
    return places


def _observations(samples: Sequence[NkSample], subsets: Sequence[str], *, several: bool) -> Any:
    """The table of events: categories in the order that a reader expects, numbers, truth values."""
    import pandas as pd

    def repeated(what: Callable[[NkSample], Any]) -> list[Any]:
        return [value for sample in samples for value in [what(sample)] * len(sample.nk.event)]

    def of_row(name: str) -> Callable[[NkSample], Any]:
        return lambda sample: sample.row.get(name)

    def joined(what: Callable[[NkTable], NDArray[Any]]) -> NDArray[Any]:
        return np.concatenate([what(sample.nk) for sample in samples])

    columns: dict[str, Any] = {
        "sample": _categories(repeated(lambda sample: sample.nk.sample)),
        **{name: _categories(repeated(of_row(name))) for name in _OF_SAMPLE},
        "day": np.array(repeated(of_row("day")), dtype=np.float64),  # None is nan
        "panel": _categories(repeated(lambda sample: sample.nk.panel)),
        "event": joined(lambda nk: nk.event),
        "cluster": _clusters(samples, several=several),
        "subset": _categories([name or None for name in joined(lambda nk: nk.subset).tolist()], order=subsets),
        "subset_probability": joined(lambda nk: nk.subset_probability),
        "novelty": joined(lambda nk: nk.novelty),
    }
    for marker in dict.fromkeys(marker for sample in samples for marker in sample.nk.hla):
        calls = [call for sample in samples for call in _hla_calls(sample.nk, marker)]
        columns[_key(HLA_PREFIX + marker, columns)] = _categories(calls, order=("negative", "positive"))
    names = [f"{sample.nk.sample}:{event}" for sample in samples for event in sample.nk.event.tolist()]
    return pd.DataFrame(columns, index=pd.Index(names, dtype=object))


def _clusters(samples: Sequence[NkSample], *, several: bool) -> Any:
    found = [
        None if cluster == UNASSIGNED else (sample.nk.panel if several else "", cluster)
        for sample in samples
        for cluster in sample.nk.cluster.tolist()
    ]
    in_order = sorted({cluster for cluster in found if cluster})  # 10 behind 9, not behind 1
    words = {cluster: f"{cluster[0]}:{cluster[1]}" if several else str(cluster[1]) for cluster in in_order}
    return _categories([words.get(cluster) if cluster else None for cluster in found], order=list(words.values()))


def _categories(values: Sequence[str | None], *, order: Sequence[str] = ()) -> Any:
    """A categorical of those that occur: in the order that is given, what is not in it behind by name."""
    import pandas as pd

    found = {value for value in values if value is not None}
    categories = [name for name in order if name in found] + sorted(found - set(order))
    return pd.Categorical(values, categories=pd.Index(categories, dtype=object))


def _hla_calls(nk: NkTable, marker: str) -> list[str | None]:
    calls = nk.hla.get(marker)
    if calls is None:
        return [None] * len(nk.event)
    return ["positive" if call else "negative" for call in calls.tolist()]


def _variables(markers: Sequence[str], panels: Sequence[Panel], embeddings: Sequence[Embedding]) -> Any:
    """The table of markers: what the panels' sheets say of each, and in which panels and embeddings it is."""
    import pandas as pd

    columns: dict[str, Any] = {
        name: [_said(marker, panels, word) for marker in markers] for name, word in _OF_DETECTOR.items()
    }
    columns |= {f"in_{panel.name}": [marker in panel for marker in markers] for panel in panels}
    clustered = {embedding.panel: embedding.markers for embedding in embeddings}
    columns |= {
        f"clustered_{panel.name}": [marker in clustered.get(panel.name, ()) for marker in markers] for panel in panels
    }
    return pd.DataFrame(columns, index=pd.Index(markers, dtype=object))


def _said(marker: str, panels: Sequence[Panel], word: Callable[[Detector], str]) -> str:
    """`BV421-A`; where panels differ `counting: FITC-A; phenotyping: BV421-A`."""
    words = {panel.name: word(panel.detector(marker)) for panel in panels if marker in panel}
    distinct = set(words.values())
    return distinct.pop() if len(distinct) == 1 else "; ".join(f"{name}: {text}" for name, text in words.items())


def _colors(obs: Any, subsets: Sequence[str]) -> dict[str, Any]:
    """The colours of the pages, where scanpy looks for them: a subset keeps its own where another does not occur."""
    of_subset = category_colors(list(dict.fromkeys([*subsets, *obs["subset"].cat.categories])))
    names = list(obs["cluster"].cat.categories)
    of_cluster: dict[str, str] = {}
    for panel in dict.fromkeys(name.rpartition(":")[0] for name in names):
        of_panel = [name for name in names if name.rpartition(":")[0] == panel]
        highest = max(int(name.rpartition(":")[2]) for name in of_panel)
        colors = category_colors([str(number) for number in range(1, highest + 1)])
        of_cluster |= {name: colors[name.rpartition(":")[2]] for name in of_panel}
    palettes = {
        "subset_colors": [of_subset[name] for name in obs["subset"].cat.categories],
        "cluster_colors": [of_cluster[name] for name in names],
    }
    return {name: np.array(colors, dtype=object) for name, colors in palettes.items() if colors}


def _embedding_facts(embedding: Embedding) -> dict[str, Any]:
    return {
        "method": embedding.method or "none",
        "reason": embedding.reason,
        "events": len(embedding.places),
        "samples": embedding.samples,
        "markers": np.array(list(embedding.markers), dtype=object),
    }


def _key(name: str, taken: Mapping[str, Any]) -> str:
    """A name as a key of an HDF5 group, where a slash would open another group."""
    key = name.replace("/", "_")
    while key in taken:
        key += "_"
    return key
