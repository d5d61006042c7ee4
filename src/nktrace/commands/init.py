"""`nktrace init`: a commented study to start from."""

from __future__ import annotations

import argparse
from pathlib import Path
from shlex import quote

from nktrace.files.atomic import replacing
from nktrace.files.installation import resource
from nktrace.files.study_docs import commented_columns, commented_settings, readme
from nktrace.model.errors import NktraceError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("study", type=Path, metavar="DIR", help="directory to write config/ into; made if need be")
    parser.add_argument("--data-dir", default="data", help="where the FCS files are, relative to DIR (default: data)")


def run(args: argparse.Namespace) -> int:
    """Write the sheets with their columns explained; a file that exists is never overwritten."""
    files = {
        "config.yaml": commented_settings(args.data_dir),
        "samples.tsv": commented_columns("samples") + _template("samples.tsv"),
        "patients.tsv": commented_columns("patients") + _template("patients.tsv"),
        "panels/main.tsv": commented_columns("panels") + _template("panels/main.tsv"),
        "README.md": readme(),
    }
    config = args.study / "config"
    if args.study.exists() and not args.study.is_dir():
        raise NktraceError("this is a file, not a directory", where=str(args.study))
    there = [name for name in files if (config / name).exists()]
    if there:
        mend = "Nothing was written: choose another directory, or move these away."
        raise NktraceError(f"there is already {', '.join(there)}", where=str(config), mend=mend)
    for name, text in files.items():
        with replacing(config / name) as draft:
            draft.write_text(text, encoding="utf-8")
    print(f"Wrote a study to {args.study}:")
    for name in files:
        print(f"  config/{name}")
    print(f"Fill in the sheets (config/README.md explains every column), then: nktrace check {quote(str(args.study))}")
    return 0


def _template(name: str) -> str:
    return resource(f"study/{name}").read_text(encoding="utf-8")
