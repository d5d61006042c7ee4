"""results/samples/SAMPLE/recount.json: when FlowKit counted a sample's populations, and which gates it had before it.

No rule makes or needs this file. The sample's page tells what is in it, if the gates are still the same.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from nktrace.files.atomic import replacing
from nktrace.model.errors import NktraceError
from nktrace.model.recount import Recount

FILE = "recount.json"


def write_recount(directory: Path, counts: Mapping[str, tuple[int, int | None]]) -> None:
    """Write down that the populations of results/samples/SAMPLE were counted now.

    Args:
        directory: of the sample.
        counts: ours and FlowKit's, by population.
    """
    record = {
        "flowkit": importlib.metadata.version("flowkit"),
        "recounted": datetime.now(UTC).isoformat(timespec="seconds"),
        "gates_sha256": _digest(directory / "gates.xml"),
        "populations": len(counts),
        "different": [name for name, (ours, theirs) in counts.items() if ours != theirs],
    }
    with replacing(directory / FILE) as draft:
        draft.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def read_recount(directory: Path) -> Recount | None:
    """The last count of a sample, None where there was none.

    Raises:
        NktraceError: the file is not what `write_recount` writes.
    """
    path = directory / FILE
    if not path.is_file():
        return None
    try:
        record = json.loads(path.read_bytes())
        return Recount(
            flowkit=str(record["flowkit"]),
            when=str(record["recounted"]),
            populations=int(record["populations"]),
            different=tuple(str(name) for name in record["different"]),
            current=record["gates_sha256"] == _digest(directory / "gates.xml"),
        )
    except (ValueError, KeyError, TypeError):
        raise NktraceError("it is not what `nktrace recount` wrote", where=str(path), mend="Delete it.") from None


def _digest(path: Path) -> str:
    """The sha256 of a file; empty where there is none."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
