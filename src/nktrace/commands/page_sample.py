"""`nktrace page-sample`: the page of one sample."""

from __future__ import annotations

import argparse
from pathlib import Path

from nktrace.files.atomic import replacing
from nktrace.files.pictures import read_pictures
from nktrace.files.rows import load_sample
from nktrace.files.tables import read_table
from nktrace.pages.sample import sample_page


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("directory", type=Path, help="results/samples/SAMPLE")
    parser.add_argument("--sample", required=True, type=load_sample, metavar="ROW", help="the sample's row as JSON")
    parser.add_argument("--output", required=True, help="report.html")


def run(args: argparse.Namespace) -> int:
    """Read the sample's tables and pictures, write its page."""
    tables = {
        name: read_table(args.directory / f"{name}.tsv", name) for name in ("populations", "gates", "qc", "subsets")
    }
    html = sample_page(
        args.sample,
        populations=tables["populations"],
        cuts=tables["gates"],
        checks=tables["qc"],
        subsets=tables["subsets"],
        pictures=read_pictures(args.directory / "pictures.npz"),
    )
    with replacing(args.output) as draft:
        draft.write_text(html, encoding="utf-8")
    return 0
