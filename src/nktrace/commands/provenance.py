"""`nktrace provenance`: what the results rest on."""

from __future__ import annotations

import argparse
from pathlib import Path

from nktrace.files.provenance import collect, write


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("study", type=Path, help="directory that holds config/ and results/")
    parser.add_argument("--output", required=True, help="provenance.json")


def run(args: argparse.Namespace) -> int:
    """Hash every input and write the record."""
    write(args.output, collect(args.study))
    return 0
