"""`nktrace export-nk`: a fixed draw of the cohort's NK cells, as many from each sample, for scanpy and for pictures."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from nktrace import __version__
from nktrace.files.anndata import NkSample, write_nk_anndata
from nktrace.files.choices import from_json
from nktrace.files.clusters import read_reference, reference_hash
from nktrace.files.embedding import write_embeddings
from nktrace.files.nk import NkTable, count_nk, read_nk
from nktrace.files.panels import read_panel
from nktrace.files.rows import load_rows
from nktrace.files.subset_rules import read_subset_rules
from nktrace.model.clusters import ClusterReference
from nktrace.model.embedding import Embedding
from nktrace.model.errors import SettingsError
from nktrace.science.drawing import draw_rows, even_shares, generator
from nktrace.science.embedding import NONE, embed_events, embedding_method
from nktrace.science.subsets import by_priority


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("nk", nargs="+", help="nk.parquet of each sample, in any order")
    parser.add_argument("--rows", required=True, metavar="JSON", help="a list of {sample, patient, day, batch, …}")
    parser.add_argument("--panels", required=True, nargs="+", metavar="TSV", help="panel sheets of the samples")
    parser.add_argument("--subsets", required=True, help="nk_subsets.tsv")
    parser.add_argument(
        "--references",
        required=True,
        nargs="+",
        type=Path,
        metavar="JSON",
        help="clusters/reference.json of each panel",
    )
    parser.add_argument("--settings", required=True, type=from_json, metavar="JSON")
    parser.add_argument("--output", required=True, help="nk.h5ad")
    parser.add_argument("--embedding", required=True, help="embedding.npz, for the cohort's page")


def run(args: argparse.Namespace) -> int:
    """Draw from each sample by its name and the seed; write the draws in the order of the samples' names."""
    clustering, seed = args.settings.clustering, args.settings.seed
    method = embedding_method(clustering.embedding)
    rows = {row.get("sample"): row for row in load_rows(args.rows)}
    panels = {panel.name: panel for panel in map(read_panel, args.panels)}
    files = {read_reference(file.parent).panel: file for file in args.references}
    subsets = [rule.subset for rule in by_priority(read_subset_rules(args.subsets))]
    sizes = {sample: (path, size) for path in args.nk for sample, size in [count_nk(path)]}
    _refuse_missing("row", sizes.keys() - rows.keys(), "--rows")
    samples = sorted(sizes)
    shares = even_shares([sizes[sample][1] for sample in samples], clustering.export_events)
    tables = []
    for sample, share in zip(samples, shares, strict=True):
        path, size = sizes[sample]
        tables.append(read_nk(path).select(draw_rows(np.arange(size), share, generator(seed, sample, "export"))))
    names = {table.panel for table in tables}
    _refuse_missing("panel sheet", names - panels.keys(), "--panels")
    _refuse_missing("reference", names - files.keys(), "--references")
    embeddings = [
        _embedding([t for t in tables if t.panel == panel], read_reference(files[panel].parent), method, seed)
        for panel in sorted(names)
    ]
    write_nk_anndata(
        args.output,
        [NkSample(table, rows[table.sample]) for table in tables],
        panels=panels,
        subsets=subsets,
        embeddings=embeddings,
        facts={
            "version": __version__,
            "seed": seed,
            "level": args.settings.level,
            "references": {panel: _facts(files[panel]) for panel in sorted(names)},
        },
    )
    write_embeddings(args.embedding, embeddings)
    return 0


def _refuse_missing(what: str, names: Iterable[str], option: str) -> None:
    if missing := sorted(names):
        raise SettingsError(f"there is no {what} of {', '.join(missing)}", where=option)


def _embedding(tables: Sequence[NkTable], reference: ClusterReference, method: str, seed: int) -> Embedding:
    """The embedding of a panel's draws; without events where there is none."""
    markers = reference.markers
    values = np.concatenate([table.markers.take(markers).values for table in tables])
    rows, places, reason = np.empty(0, np.int64), np.empty((0, 2), np.float32), "not asked for"
    if method != NONE:
        blocks = {table.sample: table.markers.take(markers).values for table in tables}
        rows, places, reason = embed_events(blocks, reference, method=method, seed=seed)
    return Embedding(
        panel=reference.panel,
        method="" if reason else method,
        reason=reason,
        samples=sum(len(table.event) > 0 for table in tables),
        markers=markers,
        rows=rows,
        places=places,
        values=values[rows],
        cluster=np.concatenate([table.cluster for table in tables])[rows],
        subset=np.concatenate([table.subset for table in tables])[rows],
    )


def _facts(reference: Path) -> dict[str, str]:
    """Which reference the clusters are of (PANEL/VERSION/clusters/reference.json), and the scales beside it as JSON."""
    scales = reference.parents[1] / "gates" / "scale.json"
    return {
        "version": reference.parents[1].name,
        "sha256": reference_hash(reference.parent),
        "scales": scales.read_text(encoding="utf-8") if scales.is_file() else "",
    }
