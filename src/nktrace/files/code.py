"""Which code a command runs: a digest of every module of nktrace that it imports, found by reading, not by importing.

Rules carry it as a `params` value, so a change of code reruns the steps that use it and no others. Light on purpose:
the workflow imports it at every parse.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]


@cache
def code_digest(command: str) -> str:
    """Twelve hex digits over the sources that `nktrace.commands.COMMAND` imports within nktrace, directly or not.

    Templates beside an imported module (pages/*.html) count as part of it.
    """
    digest = hashlib.sha256()
    for path in sources(f"nktrace.commands.{command}"):
        digest.update(path.relative_to(PACKAGE).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def sources(module: str) -> list[Path]:
    """The files of a module and of all that it imports within nktrace, sorted.

    Raises:
        FileNotFoundError: there is no such module.
    """
    found: set[Path] = set()
    waiting = [module]
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        path = _file_of(name)
        if path is None:
            if name == module:
                raise FileNotFoundError(module)
            continue
        found.add(path)
        if path.parent.name == "pages":
            found.update(path.parent.glob("templates/*"))
        waiting.extend(_imports(path))
        waiting.append(name.rpartition(".")[0])  # a package's own imports are made before those of its modules
    return sorted(found)


@cache
def _file_of(module: str) -> Path | None:
    base = PACKAGE.joinpath(*module.split(".")[1:])
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return path
    return None


@cache
def _imports(path: Path) -> tuple[str, ...]:
    return tuple(_names(ast.parse(path.read_bytes())))


def _names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("nktrace"))
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("nktrace"):
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
