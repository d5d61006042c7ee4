"""Which of our populations a gate drawn elsewhere is: a small table, `gate` and `population`.

A gate is named by its path, `singlets/live/NK`, or by as much of its end as no other gate shares. Gates that the table
does not name keep their own names, written as ids.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from nktrace.files.cells import Column, Identifier
from nktrace.files.sheet_text import Sheet, read_sheet
from nktrace.model.errors import StudyFaults
from nktrace.model.gates import ROOT
from nktrace.model.imports import GatePath
from nktrace.model.panel import marker_key

COLUMNS = (
    Column(
        name="gate",
        needed=True,
        na=False,
        doc="The gate's path in the file, `Singlets/Live/NK cells`, or as much of its end as no other gate shares.",
    ),
    Column(
        name="population",
        kind=Identifier(),
        needed=True,
        na=False,
        doc="Our name for it: a population of the panel's gating table, by which later steps know it.",
    ),
)

# our populations by what laboratories call them, letters and digits only
_USUAL: dict[str, str] = {
    "singlet": "singlets", "singlecells": "singlets", "alive": "live", "livecells": "live", "viable": "live",
    "lymphs": "lymphocytes", "lymph": "lymphocytes", "lymphocyte": "lymphocytes", "wbc": "leukocytes",
    "tcells": "t_cells", "cd4tcells": "cd4_t", "cd4t": "cd4_t", "cd8tcells": "cd8_t", "cd8t": "cd8_t",
    "bcells": "b_cells", "nkcells": "nk", "totalnk": "nk", "nktcells": "nkt_like", "nkt": "nkt_like",
    "cd56bright": "nk_bright", "nkcd56bright": "nk_bright", "cd56brightnk": "nk_bright", "nkbright": "nk_bright",
    "cd56dim": "nk_dim", "nkcd56dim": "nk_dim", "cd56dimnk": "nk_dim", "nkdim": "nk_dim",
}  # fmt: skip
_OURS = frozenset(_USUAL.values()) | {"beads"}


def read_names(path: Path | str, *, shown: str = "") -> Sheet:
    """Read a table of names.

    Raises:
        StudyFaults: all faults of the table that need no gates.
    """
    sheet = read_sheet(Path(path), COLUMNS, shown=shown)
    for column in ("gate", "population"):
        sheet.refuse_twice(column)
    for row in sheet.rows:
        if row.values.get("population") == ROOT:
            sheet.fault(f"'{ROOT}' is every event of the file", row=row.number, column="population")
    if not sheet.rows and not sheet.faults:
        sheet.fault("the table has no names", mend="Write one row per gate that is a population of ours.")
    if sheet.faults:
        raise StudyFaults(sheet.faults)
    return sheet


def named_by(sheet: Sheet | None, paths: Sequence[GatePath]) -> dict[GatePath, str]:
    """The population of each gate: by the table, else its own name as an id that no other has.

    Raises:
        StudyFaults: the table names gates that do not exist, or more than one by one name.
    """
    named: dict[GatePath, str] = {}
    for row in sheet.rows if sheet else ():
        wanted = tuple(part.strip() for part in row["gate"].strip("/").split("/"))
        found = [path for path in paths if path == wanted] or [p for p in paths if p[-len(wanted) :] == wanted]
        fault = partial(sheet.fault, row=row.number, column="gate") if sheet else None
        if fault and len(found) > 1:
            mend = f"Write more of its path: {' or '.join(_joined(path) for path in found)}"
            fault(f"{len(found)} gates are called '{row['gate']}'", mend=mend)
        elif sheet and not found:
            what = f"there is no gate '{row['gate']}'"
            ends = [_joined(path[-len(wanted) :]) for path in paths]
            sheet.unknown(row["gate"], ends, what=what, row=row.number, column="gate")
        elif fault and found[0] in named:
            fault(f"'{row['gate']}' is {named[found[0]]} already", mend="A gate is one population.")
        else:
            named[found[0]] = row["population"]
    if sheet and sheet.faults:
        raise StudyFaults(sheet.faults)
    taken = {name.casefold() for name in (*named.values(), ROOT)}
    for path in paths:
        if path not in named:
            named[path] = _free(own_name(path[-1]), taken, ours=sheet is None)
            taken.add(named[path].casefold())
    return named


def own_name(gate: str) -> str:
    """A gate's name as an id: `CD3+ NK` is `CD3pos_NK`, `NK1.1-` is `NK1.1neg`."""
    text = re.sub(r"\+", "pos", re.sub(r"[-\u2212\u2013](?=$|[\s,/)])", "neg", gate.strip()))
    text = re.sub(r"[^A-Za-z0-9.-]+", "_", text, flags=re.ASCII).strip("_.-")
    return text or "gate"


def proposals(paths: Sequence[GatePath]) -> Mapping[GatePath, str]:
    """Populations of ours that gates are likely to be, by their names; each once, the first of several."""
    found: dict[GatePath, str] = {}
    for path in paths:
        key = marker_key(path[-1])
        ours = path[-1] if path[-1] in _OURS else _USUAL.get(key, key if key in _OURS else "")
        negative = path[-1].rstrip().endswith(("-", "\u2212", "neg"))
        if ours and not negative and ours not in found.values():
            found[path] = ours
    return found


def _free(name: str, taken: set[str], *, ours: bool) -> str:
    if name.casefold() in _OURS and not ours:  # the table does not say that it is ours
        name += "_gate"
    number, free = 1, name
    while free.casefold() in taken:
        number += 1
        free = f"{name}_{number}"
    return free


def _joined(path: GatePath) -> str:
    return "/".join(path)
