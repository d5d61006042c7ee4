"""`snakemake --lint` of the demo study, without the lint that wants conda or a container for each rule.

Every rule calls `nktrace`, which the lock installs; an environment per rule would only hide which one is used.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

LEFT_OUT = ("Specify a conda environment or container for each rule.",)
HOME = Path(__file__).resolve().parents[2]


def main() -> int:
    """Print every remaining lint; exit code 1 if there is one."""
    command = [sys.executable, "-m", "snakemake", "--lint", "json", "--cores", "1"]
    done = subprocess.run(command, cwd=HOME, capture_output=True, text=True, check=False)
    start = done.stdout.find("{")
    if start < 0:
        # clean, or the workflow does not even parse
        print(done.stdout + done.stderr, file=sys.stderr)
        return done.returncode
    report = json.loads(done.stdout[start:])
    found = [("Snakefile", lint) for file in report["snakefiles"] for lint in file["lints"]]
    found += [(rule["name"], lint) for rule in report["rules"] for lint in rule["lints"]]
    left = [(place, lint) for place, lint in found if lint["title"] not in LEFT_OUT]
    for place, lint in left:
        print(f"{place}: {lint['title']} {lint['body']}")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
