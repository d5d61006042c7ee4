"""An installed wheel carries the workflow and the knowledge tables, and runs any study."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

HOME = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with nothing but the wheel's content."""
    place = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", str(HOME), "--no-deps", "--no-build-isolation", "--wheel-dir"]
    subprocess.run([*command, str(place)], check=True, capture_output=True)
    (wheel,) = place.glob("nktrace-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(place / "site")
    return place / "site"


@pytest.mark.slow
def test_a_wheel_runs_a_study_elsewhere(site: Path, study: Path) -> None:
    env = os.environ | {"PYTHONPATH": str(site)}
    where = "import nktrace.files.installation as i; print(i.home())"
    found = subprocess.run([sys.executable, "-c", where], env=env, capture_output=True, text=True, check=True)
    assert Path(found.stdout.strip()).is_relative_to(site)
    page = study / "results" / "report" / "index.html"
    page.unlink()
    command = [sys.executable, "-m", "nktrace.cli", "run", str(study), "--cores", "2"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, cwd=study.parent, check=False)
    assert done.returncode == 0, done.stderr
    assert page.is_file()
