"""A small simulated study, run once for all tests of the workflow; a test that changes something takes a copy."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

HOME = Path(__file__).resolve().parents[2]
SMALL = HOME / "resources" / "simulation" / "small.yaml"

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def finished_study(tmp_path_factory: pytest.TempPathFactory, nktrace: Command) -> Path:
    """A finished run of the small study. Read it, never write to it."""
    study = tmp_path_factory.mktemp("small") / "study"
    made = nktrace("simulate", SMALL, "--output", study)
    assert made.returncode == 0, made.stderr
    done = nktrace("run", study, "--cores", "2")
    assert done.returncode == 0, done.stderr
    return study


@pytest.fixture
def study(finished_study: Path, tmp_path: Path) -> Path:
    """A copy of the finished study, times of files kept, to change at will."""
    copy = tmp_path / "study"
    shutil.copytree(finished_study, copy, symlinks=True, copy_function=shutil.copy2)
    return copy
