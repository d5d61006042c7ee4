"""Which doubtful gates a population rests on, as flags that stand in the `reason` of every number made from it.

`gate_doubtful: nk_bright (why)` for a gate of status `warn`, `gate_failed: …` for `fail`; one flag for each gate. What
leaves out artefacts, beads, doublets or dead cells defines no population: its doubt is a note on the tube's quality.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from nktrace.model.gates import Status

DOUBTFUL, FAILED = "gate_doubtful: ", "gate_failed: "
CLEANING = frozenset(("time", "beads", "margin", "cells", "singlets", "live"))

Flags = tuple[str, ...]


class Judged(Protocol):
    """A gate, or what a table tells of one."""

    @property
    def population(self) -> str: ...
    @property
    def parent(self) -> str: ...
    @property
    def status(self) -> Status: ...
    @property
    def reason(self) -> str: ...


def flag_of(gate: Judged) -> Flags:
    """The flag of one gate by itself, none if it is sound; of a boolean those of the gates that it names."""
    if gate.status is Status.OK:
        return ()
    if named := flags_in(gate.reason):
        return named
    code = FAILED if gate.status is Status.FAIL else DOUBTFUL
    return (f"{code}{gate.population} ({gate.reason.replace('; ', ', ') or gate.status.value})",)


def doubts(gates: Iterable[Judged]) -> dict[str, Flags]:
    """By population the flags of its own gate and of the gates above it, nearest first; sound populations are absent.

    Args:
        gates: parents before their children, as in a gating table.
    """
    found: dict[str, Flags] = {}
    for gate in gates:
        if gate.population not in CLEANING:
            flags = together(flag_of(gate), found.get(gate.parent, ()))
            if flags:
                found[gate.population] = flags
    return found


def failed(flags: Iterable[str]) -> bool:
    """Whether one of the gates failed: then the population is not known, and nothing can be counted in it."""
    return any(flag.startswith(FAILED) for flag in flags)


def flags_in(reason: str | None) -> Flags:
    """The flags in a `reason` of a table."""
    return tuple(part for part in (reason or "").split("; ") if part.startswith((DOUBTFUL, FAILED)))


def together(*flags: Sequence[str]) -> Flags:
    """Flags of several populations, each gate once."""
    return tuple(dict.fromkeys(flag for some in flags for flag in some))
