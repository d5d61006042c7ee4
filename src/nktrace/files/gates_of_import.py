"""Gates of a study's sample that were drawn elsewhere, as its tables, pictures and later steps want them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from nktrace.files.acquisition import Acquisition
from nktrace.files.gate_import import import_gates
from nktrace.files.population_names import named_by, read_names
from nktrace.model.events import Events
from nktrace.model.gates import Gate, GatedSample, Status
from nktrace.model.imports import ImportedGates
from nktrace.model.transforms import Scale
from nktrace.science.gating.showing import Shown, shown_gate


@dataclass(frozen=True, slots=True, kw_only=True)
class GatedByImport:
    """A sample gated by imported gates.

    Attributes:
        imported: the gates as they leave in gates.xml.
        gated: the same on the scale of the panel and batch, with masks over all events of the file.
        events, scale: where they are shown: the sample's own, and the channels that the panel does not have.
    """

    imported: ImportedGates
    gated: GatedSample
    events: Events
    scale: Scale


def gate_by_import(
    tube: Acquisition, events: Events, scale: Scale, *, gates: Path | str, names: Path | str, gates_sample: str
) -> GatedByImport:
    """Gate a tube by gates that were drawn elsewhere.

    Args:
        tube: as acquired.
        events: its events on the scale of its batch.
        scale: that scale.
        gates: Gating-ML or FlowJo workspace.
        names: the table of names.
        gates_sample: name of the sample in the workspace, where it isn't plain.

    Raises:
        GatingError, CompensationError, UnreadableFcs, StudyFaults: as `import_gates`.
    """
    imported = import_gates(
        gates,
        tube.fcs.path,
        name=partial(named_by, read_names(names)),
        sample=gates_sample,
        max_condition=tube.max_condition,
    )
    marker_of = {detector: marker for marker, detector in tube.detectors.items()}
    axes: dict[str, Shown] = {}
    extra: dict[str, np.ndarray] = {}
    for axis, detector in imported.detectors.items():
        drawn = imported.scale.transforms[axis]
        if detector in marker_of and axis not in imported.uncompensated:
            marker = marker_of[detector]
            axes[axis] = Shown(marker, drawn, scale.transforms[marker])
        else:
            axes[axis] = Shown(axis, drawn, drawn)
            extra[axis] = imported.events.column(axis).astype(np.float32)
    table = np.asfortranarray(np.column_stack([events.values, *extra.values()]))
    masks = {population: mask & tube.finite for population, mask in imported.masks.items()}
    return GatedByImport(
        imported=imported,
        gated=GatedSample(tuple(_told(shown_gate(gate, axes), imported) for gate in imported.gates), masks),
        events=Events(table, (*events.channels, *extra)),
        scale=Scale(dict(scale.transforms) | {axis: imported.scale.transforms[axis] for axis in extra}),
    )


def _told(gate: Gate, imported: ImportedGates) -> Gate:
    """The gate with what is doubtful about it."""
    different = imported.differing.get(gate.population, 0)
    if not different:
        return gate
    return replace(gate, status=Status.WARN, reason=f"FlowKit has {different} events on its other side")
