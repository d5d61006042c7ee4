"""`nktrace export-nk`: nk.h5ad, a fixed draw of the cohort's NK cells, as many from each sample, for scanpy."""

from __future__ import annotations

import argparse

import numpy as np

from nktrace.files.anndata import NkSample, write_nk_anndata
from nktrace.files.choices import from_json
from nktrace.files.nk import count_nk, read_nk
from nktrace.files.rows import load_rows
from nktrace.model.errors import SettingsError
from nktrace.science.drawing import draw_rows, even_shares, generator


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("nk", nargs="+", help="nk.parquet of each sample, in any order")
    parser.add_argument("--rows", required=True, metavar="JSON", help="a list of {sample, patient, day}")
    parser.add_argument("--settings", required=True, type=from_json, metavar="JSON")
    parser.add_argument("--output", required=True, help="nk.h5ad")


def run(args: argparse.Namespace) -> int:
    """Draw from each sample by its name and the seed, and write the draws in the order of the samples' names."""
    rows = {row.get("sample"): row for row in load_rows(args.rows)}
    sizes = {sample: (path, size) for path in args.nk for sample, size in [count_nk(path)]}
    unknown = sorted(sizes.keys() - rows.keys())
    if unknown:
        raise SettingsError(f"there is no row of {', '.join(unknown)}", where="--rows")
    samples = sorted(sizes)
    shares = even_shares([sizes[sample][1] for sample in samples], args.settings.clustering.export_events)
    draws = []
    for sample, share in zip(samples, shares, strict=True):
        path, size = sizes[sample]
        drawn = draw_rows(np.arange(size), share, generator(args.settings.seed, sample, "export"))
        draws.append(NkSample(read_nk(path).select(drawn), rows[sample].get("patient"), rows[sample].get("day")))
    write_nk_anndata(args.output, draws)
    return 0
