"""`nktrace fit-gates`: scale and gate priors of a panel from the surveys of its samples, frozen as its reference."""

from __future__ import annotations

import argparse
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from nktrace.files.choices import from_json, values_of
from nktrace.files.gate_reference import PANEL, GateReference, write_gate_reference
from nktrace.files.gating_table import read_gating_table
from nktrace.files.panels import read_panel
from nktrace.files.survey import Survey, read_survey
from nktrace.model.events import Events
from nktrace.model.gates import GatedSample, GatePriors, GatingTable, Source
from nktrace.model.panel import Kind, Panel
from nktrace.model.study import Role
from nktrace.model.transforms import Scale
from nktrace.science.control_drift import fit_controls
from nktrace.science.drawing import generator
from nktrace.science.gating.parent import Estimation
from nktrace.science.gating.tree import gate_sample, resolve
from nktrace.science.priors import SURVEY_LEVEL, control_priors, fit_priors
from nktrace.science.quality import judged_rows
from nktrace.science.rescaling import rescaled
from nktrace.science.transforms import estimate_scale, to_scale

if TYPE_CHECKING:
    from nktrace.files.settings import Settings

_POOLED_EVENTS = 500_000
_POOLED_PER_SECOND = 1_000.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("surveys", nargs="+", help="survey.parquet of each reference sample")
    parser.add_argument("--panel", required=True, help="panel sheet")
    parser.add_argument("--gating", required=True, help="gating table")
    parser.add_argument("--settings", required=True, type=from_json, metavar="JSON")
    parser.add_argument("--output", required=True, metavar="DIR", help="directory of the reference, published whole")


def run(args: argparse.Namespace) -> int:
    """Fit the reference of a panel and publish it."""
    surveys = [read_survey(path) for path in args.surveys]
    table = read_gating_table(args.gating)
    write_gate_reference(args.output, fit_reference(surveys, read_panel(args.panel), table, settings=args.settings))
    return 0


def fit_reference(surveys: list[Survey], panel: Panel, table: GatingTable, *, settings: Settings) -> GateReference:
    """Scale per batch, then each survey gated by itself, then priors per batch and for the panel.

    FMO controls come after the samples: gated with the priors of their batch, so that what stands above the marker that
    they lack is gated as in the samples, they give the cuts on this marker and nothing else.
    """
    rows, skipped = resolve(table, panel)
    readable = sorted((survey for survey in surveys if not survey.failure), key=lambda survey: survey.sample)
    batches = _by_batch(survey for survey in readable if not survey.without)
    controls = _by_batch(survey for survey in readable if survey.without)
    surveys = [survey for members in batches.values() for survey in members]
    scales = {batch: _scale(members, panel) for batch, members in batches.items()}
    scales[PANEL] = _scale(surveys, panel)

    def gate(
        name: str, events: Events, tops: Mapping[str, float], *, priors: GatePriors | None = None, without: str = ""
    ) -> GatedSample:
        """On the panel's scale, where cuts of all batches are compared; they are kept on each batch's own."""
        return gate_sample(
            to_scale(events, scales[PANEL]),
            rows,
            panel=panel,
            priors=priors,
            tops=tops,
            options=replace(estimation(settings), level=SURVEY_LEVEL),
            rng=generator(settings.seed, name, "survey gates"),
            skipped=skipped,
            without=without,
        )

    gated = {survey.sample: gate(survey.sample, survey.events, survey.tops) for survey in surveys}
    pooled = gate(PANEL, _together(surveys, panel, settings.seed), surveys[0].tops) if surveys else None
    everyone = list(gated.values())
    members = {batch: [gated[survey.sample] for survey in batches.get(batch, [])] for batch in (*batches, *controls)}

    everywhere = fit_priors(everyone, pooled=pooled)
    tubes: dict[str, list[GatedSample]] = {}
    for batch, fmo in controls.items():
        of_samples = fit_priors(members[batch], wider=everywhere)
        tubes[batch] = [gate(c.sample, c.events, c.tops, priors=of_samples, without=c.without) for c in fmo]

    all_tubes = [tube for of_batch in tubes.values() for tube in of_batch]
    lent = fit_priors(everyone, pooled=pooled, controls=control_priors(all_tubes, Source.COHORT))
    to_others = control_priors(all_tubes, Source.REFERENCE)
    priors = {PANEL: fit_priors(everyone, source=Source.REFERENCE, pooled=pooled, controls=to_others)}
    for batch, mine in members.items():
        own = control_priors(tubes.get(batch, []), Source.CONTROL)
        fitted = fit_priors(mine, wider=lent, controls=own)
        priors[batch] = rescaled(fitted, old=scales[PANEL], new=scales.get(batch, scales[PANEL]))
    samples = [(survey.sample, survey.batch) for survey in readable]
    again = [survey for survey in surveys if survey.role == Role.BATCH_CONTROL]
    kept = fit_controls([_control(survey, gated[survey.sample], scales[PANEL]) for survey in again], panel=panel)
    return GateReference(panel=panel.name, scales=scales, priors=priors, samples=samples, controls=kept)


def _control(survey: Survey, gated: GatedSample, scale: Scale) -> tuple[str, str, Events]:
    """A batch control's live single cells on the panel's scale, with its name and batch."""
    cells = survey.events.select(judged_rows(gated, len(survey.events)))
    return survey.sample, survey.batch, to_scale(cells, scale)


def _by_batch(surveys: Iterable[Survey]) -> dict[str, list[Survey]]:
    batches: dict[str, list[Survey]] = defaultdict(list)
    for survey in surveys:
        batches[survey.batch].append(survey)
    return batches


def _together(surveys: list[Survey], panel: Panel, seed: int) -> Events:
    """The draws of all samples as one tube, every k-th event of each where they are many.

    They come in random order at an even pace: one sample after the other would be a run whose signals jump.
    """
    step = max(1, sum(len(survey.events) for survey in surveys) // _POOLED_EVENTS)
    values = np.concatenate([survey.events.values[::step] for survey in surveys])
    values = values[generator(seed, PANEL, "together").permutation(values.shape[0])]
    for clock in panel.of_kind(Kind.TIME):
        values[:, surveys[0].events.channels.index(clock.marker)] = np.arange(values.shape[0]) / _POOLED_PER_SECOND
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
