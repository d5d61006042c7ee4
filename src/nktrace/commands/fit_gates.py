"""`nktrace fit-gates`: scale and gate priors of a panel from the surveys of its samples, frozen as its reference."""

from __future__ import annotations

import argparse
import math
from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from nktrace.files.choices import from_json, values_of
from nktrace.files.gate_reference import PANEL, GateReference, write_gate_reference
from nktrace.files.gating_table import read_gating_table
from nktrace.files.panels import read_panel
from nktrace.files.survey import Survey, read_survey
from nktrace.model.events import Events
from nktrace.model.gates import GatedSample, Source
from nktrace.model.panel import Panel
from nktrace.model.transforms import Scale
from nktrace.science.drawing import generator
from nktrace.science.gating.parent import Estimation
from nktrace.science.gating.tree import gate_sample, resolve
from nktrace.science.priors import fit_priors
from nktrace.science.rescaling import rescaled
from nktrace.science.transforms import estimate_scale, to_scale

if TYPE_CHECKING:
    from nktrace.files.settings import Settings

_POOLED_EVENTS = 500_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("surveys", nargs="+", help="survey.parquet of each reference sample")
    parser.add_argument("--panel", required=True, help="panel sheet")
    parser.add_argument("--gating", required=True, help="gating table")
    parser.add_argument("--settings", required=True, type=from_json, metavar="JSON")
    parser.add_argument("--output", required=True, metavar="DIR", help="directory of the reference, published whole")


def run(args: argparse.Namespace) -> int:
    """Scale per batch, then each survey gated by itself, then priors per batch and for the panel."""
    panel = read_panel(args.panel)
    rows, skipped = resolve(read_gating_table(args.gating), panel)
    batches: dict[str, list[Survey]] = defaultdict(list)
    for survey in sorted((read_survey(path) for path in args.surveys), key=lambda survey: survey.sample):
        if not survey.failure:
            batches[survey.batch].append(survey)
    surveys = [survey for members in batches.values() for survey in members]
    scales = {batch: _scale(members, panel) for batch, members in batches.items()}
    scales[PANEL] = _scale(surveys, panel)

    # cuts of all batches are compared on the panel's scale, and kept on each batch's own
    def gate(name: str, events: Events, tops: Mapping[str, float]) -> GatedSample:
        return gate_sample(
            to_scale(events, scales[PANEL]),
            rows,
            panel=panel,
            priors=None,
            tops=tops,
            options=estimation(args.settings),
            rng=generator(args.settings.seed, name, "survey gates"),
            skipped=skipped,
        )

    gated = {survey.sample: gate(survey.sample, survey.events, survey.tops) for survey in surveys}
    pooled = gate(PANEL, _together(surveys), surveys[0].tops) if surveys else None
    everywhere = fit_priors(list(gated.values()), pooled=pooled)
    priors = {PANEL: fit_priors(list(gated.values()), source=Source.REFERENCE, pooled=pooled)}
    for batch, members in batches.items():
        of_batch = fit_priors([gated[survey.sample] for survey in members], wider=everywhere)
        priors[batch] = rescaled(of_batch, old=scales[PANEL], new=scales[batch])
    samples = [(survey.sample, survey.batch) for survey in surveys]
    write_gate_reference(args.output, GateReference(panel=panel.name, scales=scales, priors=priors, samples=samples))
    return 0


def _together(surveys: list[Survey]) -> Events:
    """The draws of all samples as one tube, every k-th event of each where they are many."""
    step = max(1, sum(len(survey.events) for survey in surveys) // _POOLED_EVENTS)
    values = np.concatenate([survey.events.values[::step] for survey in surveys])
    return Events(np.asfortranarray(values), surveys[0].events.channels)


def estimation(settings: Settings) -> Estimation:
    """The section `gating` of the settings as the estimators take it."""
    return Estimation(**values_of(settings.gating), level=settings.level)


def _scale(surveys: list[Survey], panel: Panel) -> Scale:
    """One scale for these samples, from their pooled draws."""
    pooled = {}
    for detector in panel.used:
        values = [survey.events.column(detector.marker) for survey in surveys] or [np.empty(0, np.float32)]
        known = [top for survey in surveys if not math.isnan(top := survey.tops[detector.marker])]
        top = max(known, default=math.nan)
        pooled[detector.marker] = (detector.transform, np.concatenate(values), top)
    return estimate_scale(pooled)
