"""Real files stand beside the project, never in it: a clone without them skips these tests and says so."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.data_real.finished import RealStudy

SHARED_DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
STUDIES = Path(__file__).parent / "studies"

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The directory of real files."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the real files (../shared/data beside the project) are not here")
    return SHARED_DATA


@pytest.fixture(scope="session")
def real_study(
    shared_data: Path, tmp_path_factory: pytest.TempPathFactory, nktrace: Command
) -> Callable[[str], RealStudy]:
    """A study of studies/ by its name, copied, pointed to its real files and run the whole way, once a session."""
    folders = {"aurora": "human_pbmc_aurora", "mouse": "mouse_spleen_nk", "hipc": "human_pbmc_hipc"}
    folders |= {"volumetric": "volumetric_counts", "gvhd": "gvhd_longitudinal"}
    done: dict[str, RealStudy] = {}

    def finished(name: str) -> RealStudy:
        if name not in done:
            path = (tmp_path_factory.mktemp("real") / name).resolve()
            shutil.copytree(STUDIES / name, path)
            data = shared_data / folders[name]
            config = path / "config" / "config.yaml"
            config.write_text(f"data_dir: {os.path.relpath(data, path)}\n", encoding="utf-8")
            run = nktrace("run", path, "--cores", "2")
            assert run.returncode == 0, run.stdout + run.stderr
            done[name] = RealStudy(path, data)
        return done[name]

    return finished
