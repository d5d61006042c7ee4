"""Gates that were drawn in another program, as they are once read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from nktrace.model.compensation import Spillover
from nktrace.model.events import Events, Mask
from nktrace.model.gates import Gate
from nktrace.model.transforms import Scale

GatePath = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedGates:
    """The gates of one sample as another program drew them, and the events that they hold.

    Attributes:
        gates: parents before their children; shapes on `scale`.
        paths: where each population stands in the document.
        masks: members of each population (and so of all its ancestors), shape (events of the file,).
        scale: transform of each axis, by a name that only these gates use.
        detectors: $PnN of each axis.
        uncompensated: axes that are looked at before compensation.
        spillover: the matrix that the gates were drawn on, as FlowKit reads it; None without one.
        events: every event on these axes, float64.
        stored: events of a population as the workspace stores them.
        differing: events that FlowKit decides otherwise, of the populations where there are any.
        notes: how what was not plain was read.
    """

    gates: tuple[Gate, ...]
    paths: Mapping[str, GatePath]
    masks: Mapping[str, Mask]
    scale: Scale
    detectors: Mapping[str, str]
    uncompensated: frozenset[str] = frozenset()
    spillover: Spillover | None
    events: Events
    stored: Mapping[str, int] = field(default_factory=dict)
    differing: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
