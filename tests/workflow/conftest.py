"""A small simulated study, run once for all tests of the workflow; a test that changes something takes a copy."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

HOME = Path(__file__).resolve().parents[2]
SMALL = HOME / "resources" / "simulation" / "small.yaml"


Command = Callable[..., subprocess.CompletedProcess[str]]
Plan = Callable[..., dict[str, int]]


def _nktrace(*words: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command line as a user would."""
    command = [sys.executable, "-m", "nktrace.cli", *map(str, words)]
    env = os.environ | {"PYTHONUNBUFFERED": "1"}
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)


def _planned(study: Path, *targets: str) -> dict[str, int]:
    """How many jobs of each rule a run would do now."""
    words = ["--dry-run", "--quiet", "host", "--nocolor", *targets]
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(HOME / "Snakefile"), "--directory", str(study)]
    done = subprocess.run([*command, "--cores", "2", *words], capture_output=True, text=True, check=True)
    lines = (done.stdout + done.stderr).splitlines()
    jobs: dict[str, int] = {}
    for index, line in enumerate(lines):
        if line.startswith("Job stats"):
            for row in lines[index + 3 :]:
                cells = row.split()
                if len(cells) != 2 or cells[0] == "total":
                    break
                jobs[cells[0]] = int(cells[1])
            break
    return jobs


@pytest.fixture(scope="session")
def nktrace() -> Command:
    """The command line, as a function of its words."""
    return _nktrace


@pytest.fixture(scope="session")
def planned() -> Plan:
    """What a run would do, as a function of study and targets."""
    return _planned


@pytest.fixture(scope="session")
def finished_study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of the small study. Read it, never write to it."""
    study = tmp_path_factory.mktemp("small") / "study"
    made = _nktrace("simulate", SMALL, "--output", study)
    assert made.returncode == 0, made.stderr
    done = _nktrace("run", study, "--cores", "2")
    assert done.returncode == 0, done.stderr
    return study


@pytest.fixture
def study(finished_study: Path, tmp_path: Path) -> Path:
    """A copy of the finished study, times of files kept, to change at will."""
    copy = tmp_path / "study"
    shutil.copytree(finished_study, copy, symlinks=True, copy_function=shutil.copy2)
    return copy
