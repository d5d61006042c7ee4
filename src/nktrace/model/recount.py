"""What an independent second engine made of a sample's gates."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Recount:
    """The last count of a sample's populations by FlowKit.

    Attributes:
        flowkit: its version.
        when: UTC, ISO 8601.
        populations: how many were counted.
        different: those whose counts were not the same.
        current: whether the sample's gates are still those that were counted.
    """

    flowkit: str
    when: str
    populations: int
    different: tuple[str, ...]
    current: bool
