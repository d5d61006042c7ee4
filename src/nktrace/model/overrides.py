"""An analyst's change of one gate of one sample, or of a batch of a panel: what, who, when and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the workflow reads overrides at each parse, and this brings numpy
    from nktrace.model.gates import GatingRow

SHIFT = "shift"


@dataclass(frozen=True, slots=True)
class ShiftSettings:
    """`shift`: the gate that the sample would get by itself, moved by `x` and, with two channels, `y` scale units."""

    x: float = 0.0
    y: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """One gate as an analyst wants it.

    Attributes:
        sample: whom it concerns; else `batch` and `panel`.
        population: whose gate it is.
        method, channels, settings: as written; `channels` is empty where those of the gate stand.
        who, when, why: when is UTC, ISO 8601.
        reference_version: on whose scale the numbers are.
        change: the row that replaces the gating table's, or by how much the gate moves.
        file: where it is written.
    """

    sample: str | None = None
    batch: str | None = None
    panel: str | None = None
    population: str
    method: str
    channels: str = ""
    settings: str = ""
    who: str
    when: str
    why: str
    reference_version: int = 1
    change: GatingRow | ShiftSettings
    file: str = ""

    @property
    def reason(self) -> str:
        """What stands in the `reason` of the gate; `;` parts reasons there, so it has none."""
        return f"override by {self.who} at {self.when}: {self.why}".replace(";", ",")
