"""XML from elsewhere: read only if it can do no harm. No document type, no entities, no depth or size without end."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path
from xml.parsers import expat

from nktrace.model.errors import GatingError

MAX_BYTES = 512 * 2**20
MAX_DEPTH = 200  # readers descend by recursion; a workspace of fifty nested gates is 160 deep
MEND = "Export it anew from the program that drew the gates."


def read_xml(path: Path | str) -> ET.Element:
    """The root element of an XML file.

    A first pass looks at the form only and refuses what could harm the second, or another reader after it: document
    types (with them entities that grow or fetch files), nesting deeper than `MAX_DEPTH`, more than `MAX_BYTES`.

    Raises:
        GatingError: the file is missing, is not XML, or is one of these.
    """
    path = Path(path)
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise GatingError(
                f"{size / 2**20:.0f} MB are more than the {MAX_BYTES // 2**20} MB that are read", where=str(path)
            )
        text = path.read_bytes()
    except OSError as error:
        raise GatingError(f"cannot be read: {error.strerror}", where=str(path)) from None
    _refuse_harm(text, str(path))
    return ET.fromstring(text)  # noqa: S314 - without entities, which is what makes XML dangerous


def _refuse_harm(text: bytes, where: str) -> None:
    depth = 0

    def doctype(*_: object) -> None:
        raise GatingError("it has a document type, which could hide what is read", where=where, mend=MEND)

    def start(*_: object) -> None:
        nonlocal depth
        depth += 1
        if depth > MAX_DEPTH:
            raise GatingError(f"its elements are nested deeper than {MAX_DEPTH}", where=where, mend=MEND)

    def end(_: object) -> None:
        nonlocal depth
        depth -= 1

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = doctype
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    try:
        parser.Parse(text, True)
    except expat.ExpatError as error:
        raise GatingError(f"it is not XML: {error}", where=where, mend=MEND) from None
    except (LookupError, ValueError) as error:  # an encoding that does not exist, or of more than one byte
        raise GatingError(f"it is not XML that can be read: {error}", where=where, mend=MEND) from None
