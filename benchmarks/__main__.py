"""Every benchmark in turn, each in a process of its own; some minutes in all.

    python -m benchmarks [NAME …]

What each prints is shown as it comes and kept in benchmarks/measured/NAME.txt, from which `python -m
benchmarks.validation_page` writes docs/validation.md. A table at the end says what each took.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OUTPUT = Path(__file__).parent / "measured"

# name -> (arguments, what it measures); the arguments keep each under two minutes (accuracy, gate_coverage and
# chimerism_through_gates: five; chimerism: ten)
BENCHMARKS: dict[str, tuple[tuple[str, ...], str]] = {
    "reading": ((), "FCS files read, beside FlowIO"),
    "scaling": ((), "compensation and logicle, beside FlowKit"),
    "end_to_end": ((), "one tube from FCS to gates, beside FlowKit"),
    "compensation": ((), "spillover from single stains, beside medians and least squares"),
    "accuracy": ((), "F1 of the gates, beside a plain valley gate and a classifier that knows the truth"),
    "gate_coverage": (("20",), "coverage of NK fractions, without and with gate uncertainty"),
    "quality": ((), "faults of runs and of compensation that the checks find"),
    "clustering": ((), "clusters, beside FlowSOM's: agreement with labels, speed, memory"),
    "chimerism": (("500",), "coverage and detection of donor fractions"),
    "chimerism_through_gates": ((), "donor fractions from FCS files on, and what gates and HLA cuts take from them"),
    "trajectories": (("300",), "coverage of curves, kinetics and times to thresholds"),
    "subset_change": ((), "coverage of changes of subsets, errors of the tests over patients"),
}


@dataclass(frozen=True)
class Took:
    """A benchmark that was run."""

    name: str
    seconds: float
    code: int


def command(name: str) -> list[str]:
    """How a benchmark is run by hand."""
    return ["-m", f"benchmarks.{name}", *BENCHMARKS[name][0]]


def run(name: str) -> Took:
    """Run one, show what it prints, keep it."""
    print(f"== {name}: {BENCHMARKS[name][1]}\n", flush=True)
    began = time.monotonic()
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    lines = []
    with subprocess.Popen(
        [sys.executable, *command(name)], cwd=ROOT, env=os.environ | threads, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            lines.append(line)
    print()
    if process.returncode == 0:
        OUTPUT.mkdir(parents=True, exist_ok=True)
        (OUTPUT / f"{name}.txt").write_text("".join(f"{line.rstrip()}\n" for line in lines), encoding="utf-8")
    return Took(name, time.monotonic() - began, process.returncode)


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        print(f"There is no benchmark {', '.join(unknown)}. There are: {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    took = [run(name) for name in names or BENCHMARKS]
    print(f"{'benchmark':<14}{'seconds':>9}  {'':<8}measures")
    for one in took:
        print(f"{one.name:<14}{one.seconds:>9.0f}  {'failed' if one.code else 'done':<8}{BENCHMARKS[one.name][1]}")
    return 1 if any(one.code for one in took) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
