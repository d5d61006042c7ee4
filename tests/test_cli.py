"""The command line as an impatient user types it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from nktrace.cli import COMMANDS, STEPS, WITHOUT_PANDAS, main


@pytest.mark.parametrize("command", [*COMMANDS, *STEPS])
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"usage: nktrace {command}")


def test_an_unknown_command_is_refused_with_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["rnu"])
    assert stop.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "run" in line


@pytest.mark.parametrize("command", [*COMMANDS, *STEPS])
def test_an_unknown_option_is_one_line_that_names_it(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([command, "--nonsense=a\nb"])
    assert stop.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("ERROR: nktrace")
    assert line.endswith(" --help")


def test_an_expected_error_is_one_line_and_exit_code_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(tmp_path / "nowhere")]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("ERROR: ")
    assert "nowhere" in lines[0]


def test_a_bad_row_on_the_command_line_is_an_error_line(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["survey", "--sample", "no json", "--panel", "p", "--settings", "{}", "--output", "o", "f.fcs"]
    assert main(words) == 2
    assert "--sample" in capsys.readouterr().err


@pytest.mark.parametrize("command", sorted(WITHOUT_PANDAS))
def test_steps_of_every_sample_start_without_the_heavy_libraries(command: str) -> None:
    """Start-up is the real cost of a workflow: these load neither pandas nor scikit-learn nor FlowKit."""
    program = (
        f"import sys; sys.argv = ['nktrace', {command!r}, '--help']\n"
        "from nktrace.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print([m for m in ('pandas', 'sklearn', 'flowkit', 'statsmodels') if sys.modules.get(m)])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_place_that_cannot_be_written_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "/proc/nowhere"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("ERROR: /proc/nowhere")
