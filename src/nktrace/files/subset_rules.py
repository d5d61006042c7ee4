"""The rules of NK subsets: resources/nk_subsets.tsv, or a laboratory's own config/nk_subsets.tsv.

A row names a subset by the signs that a cell must show (`required`), separated by blanks. A sign is `bright`, `dim` or
`nk` (gated populations), or a marker with `+` or `-`. `A|B+` takes the first of two names of a marker that was gated;
`A+/B+` holds where either sign does. In marker names everything but letters and digits counts as `_`.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Sequence
from pathlib import Path

from nktrace.files.cells import CellError, Choice, Column, Identifier, Number
from nktrace.files.sheet_text import Row, Sheet, read_sheet
from nktrace.model.errors import StudyFaults
from nktrace.model.subsets import NK, Sign, SubsetKind, SubsetRule
from nktrace.science.subsets import normalised, population_of

WORDS = {"bright": "nk_bright", "dim": "nk_dim", "nk": NK}
_CL_ID = re.compile(r"CL:\d{7}", re.ASCII)


def _sign(text: str) -> Sign:
    if text in WORDS:
        return Sign(text, (WORDS[text],))
    names = text[:-1].split("|")
    if not text.endswith(("+", "-")) or not all(normalised(name) for name in names):
        raise CellError(f"'{text}' is not a sign", mend=f"Write {', '.join(WORDS)}, or a marker with + or -, as CD57+.")
    return Sign(text, tuple(dict.fromkeys(population_of(name) for name in names)), positive=text.endswith("+"))


def _required(text: str) -> tuple[tuple[Sign, ...], ...]:
    return tuple(tuple(_sign(sign) for sign in word.split("/")) for word in text.split())


def _supporting(text: str) -> tuple[Sign, ...]:
    if "/" in text:
        raise CellError("alternatives with '/' decide nothing here", mend="List the signs one by one.")
    return tuple(_sign(word) for word in text.split())


def _cl_id(text: str) -> None:
    if not _CL_ID.fullmatch(text):
        raise CellError(f"'{text}' is not a Cell Ontology id", mend="Write it as CL:0000623, or NA.")


COLUMNS = (
    Column(name="subset", kind=Identifier(), needed=True, na=False, doc="Its name, unique in the table."),
    Column(
        name="priority",
        kind=Number(low=0, above_low=True),
        needed=True,
        when="for exclusive subsets",
        doc="Exclusive subsets are tried in this order, and a cell belongs to the first that it meets: a part of "
        "a subset has a smaller number than the whole, `0.5` to stand before `1`.",
    ),
    Column(
        name="kind",
        kind=Choice(tuple(SubsetKind)),
        needed=True,
        na=False,
        doc="`exclusive`: one of the subsets that share out the NK cells; `state`: overlaps with everything.",
    ),
    Column(
        name="required",
        needed=True,
        na=False,
        check=_required,
        doc="The signs that decide, separated by blanks: `dim CD57+ NKG2A-`. `A|B+`: two names of one marker; "
        "`A+/B+`: either sign. The last exclusive subset requires `nk` alone and takes what is left.",
    ),
    Column(
        name="supporting",
        default="",
        check=_supporting,
        doc="Signs that go with the subset and decide nothing; `reason` tells how many of its cells show them.",
    ),
    Column(name="cl_id", default="", check=_cl_id, doc="The Cell Ontology id, as `CL:0000623`."),
    Column(
        name="cl_match",
        kind=Choice(("exact", "broad", "none")),
        default="none",
        doc="Whether the id means just this subset, or one that it is part of.",
    ),
    Column(name="definition", default="", doc="For people."),
    Column(name="source", default="", doc="Where the definition is published."),
)


def read_subset_rules(path: Path | str) -> tuple[SubsetRule, ...]:
    """The rules, in the order of the table.

    Raises:
        StudyFaults: all faults of the table at once.
    """
    sheet = read_sheet(Path(path), COLUMNS)
    sheet.refuse_twice("subset")
    rules = [_rule(row, sheet) for row in sheet.rows if all(column.name in row for column in COLUMNS)]
    if not sheet.faults:
        _check_order(rules, sheet)
    if sheet.faults:
        raise StudyFaults(sheet.faults)
    return tuple(rules)


def _rule(row: Row, sheet: Sheet) -> SubsetRule:
    exclusive, priority = row["kind"] == SubsetKind.EXCLUSIVE, row["priority"]
    if exclusive and priority is None:
        sheet.fault("an exclusive subset needs its priority", row=row.number, column="priority", mend="Number it.")
    if not exclusive and priority is not None:
        mend = "Write NA: states overlap, so none comes first."
        sheet.fault("a state has no priority", row=row.number, column="priority", mend=mend)
    if bool(row["cl_id"]) != (row["cl_match"] != "none"):
        mend = "With an id it is exact or broad, without one it is none."
        sheet.fault(f"cl_id and '{row['cl_match']}' contradict", row=row.number, column="cl_match", mend=mend)
    return SubsetRule(
        subset=row["subset"],
        priority=priority,
        kind=SubsetKind(row["kind"]),
        required=_required(row["required"]),
        supporting=_supporting(row["supporting"]),
        cl_id=row["cl_id"],
        cl_match=row["cl_match"],
        definition=row["definition"],
        source=row["source"],
    )


def _check_order(rules: Sequence[SubsetRule], sheet: Sheet) -> None:
    """Every NK cell ends in exactly one exclusive subset, and no row stands behind one that takes all its cells."""
    exclusive = sorted((rule for rule in rules if rule.priority is not None), key=lambda rule: rule.priority or 0)
    for first, second in itertools.pairwise(exclusive):
        if first.priority == second.priority:
            sheet.fault(f"{first.subset} and {second.subset} have one priority", mend="Give each its own.")
        if first.catches_all:
            what = f"{first.subset} takes every NK cell, and leaves none to {second.subset}"
            sheet.fault(what, column="priority", mend=f"Give {first.subset} the largest number.")
    for first, second in itertools.combinations(exclusive, 2):
        if not first.catches_all and _implies(second, first):
            what = f"{second.subset} gets no cell: all that meet it meet {first.subset}, which comes first"
            mend = f"Give {second.subset} a smaller number than {first.subset}."
            sheet.fault(what, column="priority", mend=mend)
    if not exclusive or not exclusive[-1].catches_all:
        mend = "Let the last exclusive row require `nk` alone, as other_nk does."
        sheet.fault("NK cells that meet no rule have nowhere to go", column="required", mend=mend)


def _implies(part: SubsetRule, whole: SubsetRule) -> bool:
    """Whether every cell that meets `part` meets `whole`: each clause of the one follows from a clause of the other."""

    def signs(rule: SubsetRule) -> list[set[tuple[tuple[str, ...], bool]]]:
        return [{(sign.populations, sign.positive) for sign in clause} for clause in rule.required]

    return all(any(narrow <= wide for narrow in signs(part)) for wide in signs(whole))


def rules_digest(rules: Sequence[SubsetRule]) -> str:
    """What the rules say, whatever the layout of their table."""
    return hashlib.sha256(repr(tuple(rules)).encode()).hexdigest()[:12]
