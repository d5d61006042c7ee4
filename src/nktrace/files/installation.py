"""Where the workflow and the knowledge tables are: beside the sources in a checkout, inside the package in a wheel."""

from __future__ import annotations

import os
from pathlib import Path

from nktrace.model.errors import NktraceError

_PACKAGE = Path(__file__).resolve().parents[1]
_CHECKOUT = _PACKAGE.parents[1]


def home() -> Path:
    """The directory that holds Snakefile, workflow/ and resources/.

    Raises:
        NktraceError: the installation is incomplete.
    """
    for place in (_PACKAGE / "_study", _CHECKOUT):
        if (place / "Snakefile").is_file() and (place / "resources").is_dir():
            return place
    raise NktraceError("Snakefile and resources/ are missing: nktrace is not completely installed", mend="Install it.")


def resource(name: str) -> Path:
    """A file of resources/, such as `nk_subsets.tsv` or `gating/nk.tsv`."""
    return home() / "resources" / name


def shipped(name: str, study: Path | str = ".") -> str:
    """A resource as a path from the study: relative where it lies within, so that a moved study reruns nothing."""
    path = resource(name)
    inside = Path(os.path.relpath(path, Path(study).resolve()))
    return path.as_posix() if inside.parts[0] == ".." else inside.as_posix()


def knowledge(name: str, study: Path | str = ".") -> str:
    """A knowledge table: the study's own `config/NAME` where it has one, else the one that comes with nktrace.

    Returns:
        A path from the study, as rules take it; `study / knowledge(name, study)` opens it from anywhere.
    """
    own = Path(study) / "config" / name
    return own.relative_to(study).as_posix() if own.is_file() else shipped(name, study)
