"""`nktrace page-sample`: the page of one sample."""

from __future__ import annotations

import argparse
from pathlib import Path

from nktrace.files.atomic import replacing
from nktrace.files.pictures import read_pictures
from nktrace.files.quality_pictures import read_quality_pictures
from nktrace.files.recounts import read_recount
from nktrace.files.rows import load_sample
from nktrace.files.tables import read_table
from nktrace.model.study import Sample
from nktrace.pages.sample import sample_page


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("directory", type=Path, help="results/samples/SAMPLE")
    parser.add_argument("--sample", required=True, type=load_sample, metavar="ROW", help="the sample's row as JSON")
    parser.add_argument("--output", required=True, help="report.html")


def run(args: argparse.Namespace) -> int:
    """Write the page of a sample."""
    write_page(args.sample, args.directory, args.output)
    return 0


def write_page(sample: Sample, directory: Path, output: Path | str) -> None:
    """Read a sample's tables and pictures in results/samples/SAMPLE, write its page."""
    tables = {
        name: read_table(directory / f"{name}.tsv", name)
        for name in ("populations", "gates", "overrides", "qc", "nk_drift", "subsets")
    }
    html = sample_page(
        sample,
        populations=tables["populations"],
        cuts=tables["gates"],
        checks=tables["qc"],
        subsets=tables["subsets"],
        overrides=tables["overrides"],
        drift=tables["nk_drift"],
        recount=read_recount(directory),
        pictures=read_pictures(directory / "pictures.npz"),
        quality=read_quality_pictures(directory / "quality.npz"),
    )
    with replacing(output) as draft:
        draft.write_text(html, encoding="utf-8")
