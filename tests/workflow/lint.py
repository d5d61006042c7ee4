"""`snakemake --lint` of the demo study, without the lint that wants conda or a container for each rule.

Every rule calls `nktrace`, which the lock installs; an environment per rule would only hide which one is used.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

LEFT_OUT = ("Specify a conda environment or container for each rule.",)
HOME = Path(__file__).resolve().parents[2]


def remaining(text: str) -> list[str]:
    """The lints of Snakemake's report that are not left out, each with the place that it is about."""
    place, found = "", []
    for line in text.splitlines():
        if line.startswith("Lints for"):
            place = line.removeprefix("Lints for ").rstrip(":")
        elif (lint := re.match(r"    \* (.+?):?$", line)) and lint[1] not in LEFT_OUT:
            found.append(f"{place}: {lint[1]}")
    return found


def main() -> int:
    """Print every remaining lint; exit code 1 if there is one."""
    command = [sys.executable, "-m", "snakemake", "--lint", "--cores", "1"]
    done = subprocess.run(command, cwd=HOME, capture_output=True, text=True, check=False)
    text = done.stdout + done.stderr
    if "Lints for" not in text and done.returncode:  # it does not even parse
        print(text, file=sys.stderr)
        return done.returncode
    left = remaining(text)
    print("\n".join(left), end="\n" if left else "")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
