"""Fixtures that tests of several floors share."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import settings

# no test fails on a clock: a busy machine is no fault
settings.register_profile("nktrace", deadline=None)
settings.load_profile("nktrace")

HOME = Path(__file__).resolve().parents[1]

SAMPLES = [
    "sample\tpatient\tday\trole\tstain\tpanel\tbatch\tfcs\tdonor",
    "S1\tP1\t-1\tblank\tNA\tmain\tB1\ts1.fcs\tNA",
    "S2\tP1\t7\ttimepoint\tNA\tmain\tB1\ts2.fcs\tNA",
    "D1\tNA\tNA\tdonor\tNA\tmain\tB1\td1.fcs\tDon1",
    "F1\tNA\tNA\tfmo\tCD56\tmain\tB1\tf1.fcs\tNA",
]
PATIENTS = [
    "patient\tdonor\tsex\trecipient_hla\tdonor_hla",
    "P1\tDon1\tF\tA*01:01,A*03:01;B*08:01,B*44:02\tA*02:01,A*03:01;B*07:02,B*35:01",
]
PANEL = [
    "channel\tmarker\tkind\tantibody",
    "Time\tNA\ttime\tNA",
    "FSC-A\tNA\tscatter\tNA",
    "BV605-A\tCD56\tlineage\tNA",
    "APC-A\tCD3\tlineage\tNA",
    "FITC-A\tHLA-A2\thla\tBB7.2",
]


@dataclass(frozen=True)
class WrittenStudy:
    """A small study on disk that has no faults; tests spoil one thing of it."""

    path: Path

    def write(self, name: str, lines: list[str] | str | bytes) -> None:
        """Write config/NAME from lines, text or bytes."""
        file = self.path / "config" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(lines, list):
            lines = "\n".join(lines) + "\n"
        file.write_bytes(lines if isinstance(lines, bytes) else lines.encode())

    def replace(self, name: str, old: str, new: str) -> None:
        """Replace a text that stands in config/NAME."""
        text = (self.path / "config" / name).read_text()
        assert old in text
        self.write(name, text.replace(old, new))


@pytest.fixture
def written_study(tmp_path: Path) -> WrittenStudy:
    study = WrittenStudy(tmp_path / "study")
    study.write("config.yaml", "data_dir: data\n")
    study.write("samples.tsv", SAMPLES)
    study.write("patients.tsv", PATIENTS)
    study.write("panels/main.tsv", PANEL)
    data = study.path / "data"
    data.mkdir()
    for name in ("s1", "s2", "d1", "f1"):
        (data / f"{name}.fcs").write_bytes(b"FCS3.1")
    return study


# --- the command line and the workflow, as a user calls them ----------------------------------------------------------

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
