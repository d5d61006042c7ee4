"""The gating tree of one sample: which rows this panel can carry out, and their gates from root to leaf."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import cast

import numpy as np

from nktrace.model.events import Events, Mask
from nktrace.model.gates import (
    ROOT,
    BooleanSettings,
    ControlSettings,
    Edge,
    EdgePrior,
    ExcessSettings,
    Gate,
    GatedSample,
    GatePriors,
    GatingRow,
    GatingTable,
    MethodSettings,
    Skipped,
    ValleySettings,
)
from nktrace.model.overrides import Override
from nktrace.model.panel import Kind, Panel, marker_key
from nktrace.science.gating import REGISTRY
from nktrace.science.gating.boolean import names, renamed, with_named_doubts
from nktrace.science.gating.masks import mask
from nktrace.science.gating.overriding import overridden
from nktrace.science.gating.parent import Estimation, Parent, gate_of
from nktrace.science.priors import combine, combine_whole

_KIND = "kind:"
_EXTENT = 1.5  # interval of a prior over the range of the central 98 % of the events: a wider one tells nothing


def resolve(table: GatingTable, panel: Panel) -> tuple[tuple[GatingRow, ...], tuple[Skipped, ...]]:
    """The rows that a panel can carry out, each with its markers, and those that it cannot.

    Where the panel lacks a row's markers, an exclusion (`time`, `margin`, `singlets`, `optional=yes`) is skipped: its
    children hang on its parent, which also stands in for it in booleans. Any other row is dropped with its
    descendants and with every boolean that names one of them.
    """
    rows: list[GatingRow] = []
    skipped: list[Skipped] = []
    instead: dict[str, str] = {}
    dropped: set[str] = set()
    for row in table.rows:
        parent = instead.get(row.parent, row.parent)
        row = replace(row, parent=parent)
        if parent in dropped:
            skipped.append(_dropped(row, f"its parent {parent} is missing"))
        elif isinstance(row.settings, BooleanSettings):
            expression = renamed(row.settings.of, instead)
            missing = sorted(names(expression) & dropped)
            if not missing:
                rows.append(replace(row, settings=BooleanSettings(expression)))
                continue
            skipped.append(_dropped(row, f"it names {', '.join(missing)}, which this panel does not have"))
        else:
            markers = [marker_of(alternatives, panel) for alternatives in row.channels]
            lacking = [" or ".join(a) for a, m in zip(row.channels, markers, strict=True) if m is None]
            if not lacking:
                markers_found = tuple((m,) for m in markers if m is not None)
                rows.append(replace(row, channels=markers_found, settings=_pointed(row.settings, instead)))
                continue
            reason = f"panel {panel.name} has no {' and no '.join(lacking)}"
            if row.exclusion:
                instead[row.population] = parent
                skipped.append(Skipped(population=row.population, parent=parent, reason=reason, dropped=False))
                continue
            skipped.append(_dropped(row, reason))
        dropped.add(row.population)
    return tuple(rows), tuple(skipped)


def _pointed(settings: MethodSettings, instead: Mapping[str, str]) -> MethodSettings:
    """Settings that name a population, where that one was skipped."""
    if isinstance(settings, ControlSettings | ExcessSettings):
        return replace(settings, of=instead.get(settings.of, settings.of))
    if isinstance(settings, ValleySettings):
        return replace(settings, anchor=instead.get(settings.anchor, settings.anchor))
    return settings


def _dropped(row: GatingRow, reason: str) -> Skipped:
    return Skipped(population=row.population, parent=row.parent, reason=reason, dropped=True)


def marker_of(alternatives: tuple[str, ...], panel: Panel) -> str | None:
    """The panel's marker for the first alternative that it has: by exact name, else by letters and digits."""
    for name in alternatives:
        if name.startswith(_KIND):
            of_kind = panel.of_kind(Kind(name.removeprefix(_KIND)))
            if of_kind:
                return of_kind[0].marker
            continue
        if name in panel:
            return name
        alike = [marker for marker in panel.markers if marker_key(marker) == marker_key(name)]
        if len(alike) == 1:
            return alike[0]
    return None


def gate_sample(
    events: Events,
    rows: tuple[GatingRow, ...],
    *,
    panel: Panel,
    priors: GatePriors | None,
    tops: Mapping[str, float],
    options: Estimation,
    rng: np.random.Generator,
    skipped: tuple[Skipped, ...] = (),
    without: str = "",
    overrides: Mapping[str, Override] | None = None,
) -> GatedSample:
    """Gate one sample from root to leaf: each row's own estimate, what the cohort lends it, and the members.

    Args:
        events: every event of the file, channels named by marker, on the transformed scale.
        rows: resolved for this panel, parents first.
        panel: for the kind of each detector.
        priors: of the batch; None in the survey, where each sample speaks for itself.
        tops: top of scale of each marker, before its transform, used for detectors on a linear scale.
        options: settings of the estimates.
        rng: each row draws from a child of its own, so that a row more or less changes no other row.
        skipped: what `resolve` left out, handed through.
        without: the marker that an FMO control lacks.
        overrides: by population what an analyst made of its gate; all below follows.
    """
    masks: dict[str, Mask] = {ROOT: np.ones(len(events), dtype=np.bool_)}
    ancestors: dict[str, tuple[str, ...]] = {ROOT: ()}
    inherited: dict[str, dict[tuple[str, str], Edge]] = {ROOT: {}}
    kinds = {detector.marker: detector.kind for detector in panel.used}
    gates: list[Gate] = []
    for row in rows:
        parent = Parent(
            population=row.parent,
            events=events,
            masks=masks,
            ancestors=ancestors[row.parent],
            inherited=inherited[row.parent],
            gates={gate.population: gate for gate in gates},
            kinds=kinds,
            tops=tops,
            without=without,
            options=options,
            rng=_child(rng, row.population),
        )
        parent = replace(parent, expected=_expected(priors, row, parent))
        gate = _with_prior(parent, row, REGISTRY[row.method].estimate(parent, row))
        if overrides and row.population in overrides:
            gate = overridden(gate, overrides[row.population], parent=parent, row=row)
        gates.append(gate)
        masks[row.population] = masks[row.parent] & mask(gate.shape, events, masks)
        ancestors[row.population] = () if _cleans(row, kinds) else (row.parent, *ancestors[row.parent])
        own = {(edge.channel, edge.edge): edge for edge in gate.edges if row.method not in ("time", "margin")}
        inherited[row.population] = inherited[row.parent] | own
    del masks[ROOT]
    return GatedSample(with_named_doubts(gates), masks, skipped, without)


def _child(rng: np.random.Generator, population: str) -> np.random.Generator:
    """A generator that hangs on the seed of `rng` and on a name, not on how many rows stand above."""
    seed = cast(np.random.SeedSequence, rng.bit_generator.seed_seq)
    named = (*seed.spawn_key, *population.encode())
    return np.random.default_rng(np.random.SeedSequence(seed.entropy, spawn_key=named))


def _cleans(row: GatingRow, kinds: Mapping[str, Kind]) -> bool:
    """Whether a row leaves out artefacts, doublets, beads or dead cells.

    A density that still holds them tells nothing of what is kept: a valley between debris and cells is no cut for CD69.
    """
    technical = any(kinds.get(marker) in (Kind.VIABILITY, Kind.BEAD) for marker in row.markers)
    return technical or row.method in ("time", "margin", "singlets")


def expanded(gated: GatedSample, kept: Mask) -> GatedSample:
    """The gates of some events of a file as memberships of all: those left out are in no population.

    Args:
        gated: masks over the kept events.
        kept: shape (events of the file,).
    """
    if kept.all():
        return gated
    masks = {}
    for population, members in gated.masks.items():
        masks[population] = np.zeros(kept.shape[0], dtype=np.bool_)
        masks[population][kept] = members
    return replace(gated, masks=masks)


def _expected(priors: GatePriors | None, row: GatingRow, parent: Parent) -> dict[tuple[str, str], EdgePrior]:
    """The priors of a row that say where among the parent's events a cut lies.

    One whose interval is wider than the events themselves says nothing (the samples that it comes from share no
    scale), and would cut anywhere, beyond all events too.
    """
    of_row = {
        (channel, edge): prior
        for (name, channel, edge), prior in (priors.edges.items() if priors is not None else ())
        if name == row.population
    }
    if parent.size < parent.options.min_events or REGISTRY[row.method].priors == "whole":
        return of_row
    extent = {channel: float(np.ptp(np.quantile(parent.values(channel), (0.01, 0.99)))) for channel, _ in of_row}
    return {key: prior for key, prior in of_row.items() if 2 * parent.z * prior.sd <= _EXTENT * extent[key[0]]}


def _with_prior(parent: Parent, row: GatingRow, gate: Gate) -> Gate:
    method = REGISTRY[row.method]
    if not parent.expected or method.priors == "none":
        return gate
    if method.priors == "whole":
        edges = combine_whole(gate, dict(parent.expected), max_distance=parent.options.max_distance, z=parent.z)
    else:
        edges = tuple(
            combine(
                edge,
                parent.expected.get((edge.channel, edge.edge)),
                max_distance=parent.options.max_distance,
                z=parent.z,
            )
            for edge in gate.edges
        )
    return gate_of(row, method.shape(row, edges), edges)
