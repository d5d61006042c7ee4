"""The digest of a command's code: what it imports counts, what it does not import does not."""

from __future__ import annotations

import subprocess
import sys

import pytest

from nktrace.cli import COMMANDS, STEPS
from nktrace.files.code import PACKAGE, code_digest, sources


@pytest.mark.parametrize("module", sorted({module for module, _ in (COMMANDS | STEPS).values()}))
def test_all_that_is_imported_is_found(module: str) -> None:
    """The modules that Python loads are among those found by reading."""
    program = (
        f"import sys, nktrace.commands.{module}\n"
        "print('\\n'.join(m.__file__ for n, m in sys.modules.items() if n.startswith('nktrace') and m.__file__))"
    )
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    found = {str(path) for path in sources(f"nktrace.commands.{module}")}
    package_files = {path for path in loaded if not path.endswith("__init__.py")}
    assert package_files <= found


def test_a_command_does_not_depend_on_its_neighbours() -> None:
    found = {path.relative_to(PACKAGE).as_posix() for path in sources("nktrace.commands.survey")}
    assert "files/fcs.py" in found
    assert "pages/render.py" not in found
    assert "science/chimerism.py" not in found


def test_templates_belong_to_the_pages() -> None:
    names = {path.name for path in sources("nktrace.commands.page_patient")}
    assert {"patient.html", "style.css"} <= names


def test_an_unknown_command_is_refused() -> None:
    with pytest.raises(FileNotFoundError):
        code_digest("no_such_command")
