"""Runs Snakemake, and what a person sees of it: one line that moves on, and the errors of the steps that failed."""

from __future__ import annotations

import fcntl
import re
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from shlex import quote
from typing import TextIO

from nktrace.files.installation import home
from nktrace.model.errors import NktraceError

_FINISHED = re.compile(r"^Finished jobid: \d+ \(Rule: (?P<rule>.+)\)")
_STEPS = re.compile(r"^(?P<done>\d+) of (?P<all>\d+) steps")
_FAILED_RULE = re.compile(r"^Error in rule (?P<rule>.+):")
_FAILED_LOG = re.compile(r"^\s+log: (?P<log>.+?) \(check log file")
_SECONDS_BETWEEN_LINES = 5.0


def snakemake(study: Path, targets: list[str], *, cores: int, profile: str, dry_run: bool) -> int:
    """Run Snakemake on a study; its whole log goes to results/logs/snakemake.log. 0 if every step succeeded.

    Args:
        study: directory that holds config/.
        targets: files to make; none for the whole study.
        cores: processes at once.
        profile: a directory of workflow/profiles/, or any path of a profile.
        dry_run: only say what would be done.

    Raises:
        NktraceError: there is no such profile, results can't be written, or another run works on the study.
    """
    place = home() / "workflow" / "profiles" / profile
    if not place.is_dir():
        place = Path(profile).resolve()
    if not (place / "config.yaml").is_file():
        raise NktraceError(f"there is no profile '{profile}'", where="--profile", mend="Use local or ci")
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(home() / "Snakefile")]
    command += ["--directory", str(study), "--workflow-profile", str(place), "--cores", str(cores), "--nocolor"]
    if dry_run:
        # a profile that prints commands is asked for every step, another for how many there are of each;
        # --quiet takes every word up to the next option
        each = "printshellcmds: true" in (place / "config.yaml").read_text(encoding="utf-8")
        return _plan([*command, "--quiet", "host", "--dry-run", *targets], short=not each)
    log = study / "results" / "logs" / "snakemake.log"
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        record = log.open("a", encoding="utf-8", errors="replace")
    except OSError as error:
        raise NktraceError(f"results can't be written there ({error.strerror})", where=str(log)) from None
    with record:
        _alone(record, study)
        return _follow([*command, *targets], record, log=log)


def _plan(command: list[str], *, short: bool) -> int:
    """Say what a dry run says; in short only its table of steps, where there are any."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    before, title, after = done.stdout.rpartition("Job stats:\n")
    print(after.split("\n\n")[0] if short and title and not done.returncode else before + title + after)
    return done.returncode


def _alone(record: TextIO, study: Path) -> None:
    """Take the log for this run, which then begins anew; the system gives it back however the run ends.

    Raises:
        NktraceError: another run has it.
    """
    try:
        fcntl.flock(record, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise NktraceError("another run works on this study", where=str(study), mend="Wait until it ends") from None
    except OSError:  # a file system without locks: Snakemake's own lock still holds
        pass
    record.truncate(0)


def _follow(command: list[str], record: TextIO, *, log: Path) -> int:
    """Run a command, keep all it says, and show how far it is.

    Args:
        command: Snakemake's command line.
        record: where its whole output goes.
        log: the path of that.

    Returns:
        Its exit code.
    """
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as process:
        assert process.stdout is not None  # noqa: S101 (it is piped)
        show = _Progress()
        stopped = False
        try:
            for line in process.stdout:
                record.write(line)
                show.take(line)
        except KeyboardInterrupt:
            stopped = True
            process.terminate()
            record.writelines(process.stdout)
        show.end()
    record.flush()
    if stopped:
        print("Stopped. Finished work is kept; the same command goes on from here.", file=sys.stderr)
    elif process.returncode:
        _say_errors(log)
    return process.returncode


class _Progress:
    """Turns Snakemake's lines into one line that is rewritten (terminal) or repeated now and then (elsewhere)."""

    def __init__(self) -> None:
        self._rule = ""
        self._shown = ""
        self._started = self._last = time.monotonic()
        self._terminal = sys.stderr.isatty()

    def take(self, line: str) -> None:
        """One line of Snakemake's log."""
        if found := _FINISHED.match(line):
            self._rule = found["rule"].replace("_", " ")
        elif found := _STEPS.match(line):
            done, total = int(found["done"]), int(found["all"])
            now = time.monotonic()
            text = f"{done:>5} of {total} steps  {now - self._started:4.0f} s  {self._rule}"
            if self._terminal:
                print(f"\r{text:<70}", end="", file=sys.stderr, flush=True)
                self._shown = text
            elif now - self._last >= _SECONDS_BETWEEN_LINES or done == total:
                print(text, file=sys.stderr, flush=True)
                self._last = now
        elif line.startswith("Nothing to be done"):
            print("Nothing to be done: all results are up to date.", file=sys.stderr)

    def end(self) -> None:
        if self._shown:
            print(file=sys.stderr)


def _say_errors(record: Path) -> None:
    """One line per failed step with what its log says; what went wrong before any step as it stands."""
    lines = record.read_text(encoding="utf-8", errors="replace").splitlines()
    if any(line.startswith("LockException") for line in lines):
        study = record.parents[2]
        locks = quote(str(study / ".snakemake" / "locks"))
        mend = f"Wait until Snakemake ends there; if none runs, one was killed: rm -r {locks}, and start again"
        raise NktraceError("the study is locked", where=str(study), mend=mend)
    failed = list(_failed_steps(lines))
    for rule, path in failed:
        print(f"FAILED {rule}: {_reason(record.parents[2] / path)} [{path}]", file=sys.stderr)
    if not failed:
        start = next(
            (i for i, line in enumerate(lines) if "Error" in line or "Exception" in line), max(0, len(lines) - 5)
        )
        print("\n".join(lines[start:]), file=sys.stderr)


def _failed_steps(lines: Iterable[str]) -> Iterable[tuple[str, str]]:
    rule = ""
    seen: set[str] = set()
    for line in lines:
        if found := _FAILED_RULE.match(line):
            rule = found["rule"]
        elif rule and (found := _FAILED_LOG.match(line)) and found["log"] not in seen:
            seen.add(found["log"])
            yield rule, found["log"]


def _reason(log: Path) -> str:
    """The ERROR line of a step's log, or its last line where it broke unexpectedly."""
    if not log.is_file():
        return "no log was written"
    lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")]
    return (errors or lines or ["it said nothing"])[-1].removeprefix("ERROR: ")
