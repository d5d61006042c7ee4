"""What the results rest on: hashes of every input, the configuration, the code, the packages, and when."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import json
import platform
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nktrace import __version__
from nktrace.files.atomic import replacing
from nktrace.files.code import PACKAGE
from nktrace.files.installation import knowledge
from nktrace.files.sheets import read_study
from nktrace.model.overrides import Override

KNOWLEDGE = ("nk_subsets.tsv", "hla_antibodies.tsv", "reference_ranges.tsv", "grades.tsv")
WORDS = {"keyword", "none", "controls"}  # compensations that are no file
PACKAGES = (
    "numpy", "scipy", "pandas", "pyarrow", "scikit-learn", "flowkit", "flowio", "anndata", "snakemake", "pydantic",
)  # fmt: skip
EXTRAS = {"umap-learn": "umap"}  # optional packages and their modules


def collect(study: Path) -> dict[str, Any]:
    """The record of a study's run.

    Returns:
        Keys `nktrace` (version and digest of the code), `python`, `packages`, `configuration` (settings, and the
        sha256 of every file of config/), `inputs` (sha256 per sample's FCS file), `knowledge`, `gating` and `matrices`
        (sha256 of the tables in use, those that come with nktrace included), `imports` (sha256 of gates drawn
        elsewhere, by sample), `compensation` (sha256 of what was computed from controls), `references` (sha256 of every
        file of the frozen references), `overrides` (each as written, with its file and the sha256 of that), `finished`
        (UTC, ISO 8601).

    Raises:
        StudyFaults: the sheets have faults.
    """
    sheets, settings = read_study(study)
    return {
        "nktrace": {"version": __version__, "code_sha256": _code()},
        "python": platform.python_version(),
        "packages": {name: importlib.metadata.version(name) for name in (*PACKAGES, *_extras())},
        "configuration": {"settings": settings.model_dump(mode="json"), "files": hashes(study / "config", study)},
        "inputs": {
            sample.sample: {"fcs": sample.fcs, "sha256": sha256(study / sample.fcs)}
            for sample in sheets.samples.values()
            if (study / sample.fcs).is_file()
        },
        "knowledge": {name: sha256(study / knowledge(name, study)) for name in KNOWLEDGE},
        "gating": {panel: sha256(study / path) for panel, path in sheets.gating.items()},
        "matrices": {
            path: sha256(study / path)
            for path in sorted({sample.compensation for sample in sheets.samples.values()} - WORDS)
        },
        "imports": {
            name: {"gates": imported.gates, "sha256": sha256(study / imported.gates)}
            for name, imported in sheets.imports.items()
        },
        "compensation": hashes(study / "results" / "compensation", study),
        "references": hashes(study / "results" / "reference", study),
        "overrides": [_override(override, study) for override in sheets.overrides],
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _extras() -> list[str]:
    return [package for package, module in EXTRAS.items() if importlib.util.find_spec(module)]


def _override(override: Override, study: Path) -> dict[str, Any]:
    """What an analyst made of a gate: who, when and why, and all else that the file says."""
    written = {f.name: getattr(override, f.name) for f in fields(override) if f.name != "change"}
    return {name: value for name, value in written.items() if value} | {"sha256": sha256(study / override.file)}


def write(path: Path | str, record: dict[str, Any]) -> None:
    """Write the record as JSON, whole or not at all."""
    with replacing(path) as draft:
        draft.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def hashes(directory: Path, study: Path) -> dict[str, str]:
    """sha256 of every file below a directory, by its path within the study, sorted."""
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    return {path.relative_to(study).as_posix(): sha256(path) for path in files}


def sha256(path: Path) -> str:
    """The sha256 of a file, read in blocks."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _code() -> str:
    digest = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*.py")):
        digest.update(path.relative_to(PACKAGE).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()
