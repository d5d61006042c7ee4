"""`nktrace survey`: a seeded draw of compensated events of one sample."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import numpy as np

from nktrace.files.acquisition import Acquisition, read_acquisition
from nktrace.files.choices import from_json
from nktrace.files.panels import read_panel
from nktrace.files.rows import load_sample
from nktrace.files.survey import Survey, write_survey
from nktrace.model.errors import CompensationError, PanelMismatch, UnreadableFcs
from nktrace.model.events import Events
from nktrace.model.study import Sample
from nktrace.science.drawing import draw_rows, generator

if TYPE_CHECKING:
    from nktrace.files.settings import Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_tube_arguments(parser)
    parser.add_argument("--output", required=True, help="survey.parquet")


def add_tube_arguments(parser: argparse.ArgumentParser) -> None:
    """What every step that reads an FCS file is told."""
    parser.add_argument("fcs", help="the FCS file")
    parser.add_argument("--sample", required=True, type=load_sample, metavar="ROW", help="the sample's row as JSON")
    parser.add_argument("--panel", required=True, help="panel sheet")
    parser.add_argument("--settings", required=True, type=from_json, metavar="JSON")
    parser.add_argument("--matrix", nargs="?", help="spillover matrix CSV, where the row names one")


def run(args: argparse.Namespace) -> int:
    """Write the draw; a file that cannot be read gives an empty one that says why."""
    panel = read_panel(args.panel)
    ids = {"sample": args.sample.sample, "panel": args.sample.panel, "batch": args.sample.batch}
    try:
        tube = read_acquisition(
            args.fcs,
            args.sample,
            panel,
            matrix=args.matrix,
            max_condition=args.settings.compensation.max_condition,
        )
    except (UnreadableFcs, CompensationError, PanelMismatch) as error:
        empty = Events(np.empty((0, len(panel.markers)), np.float32, order="F"), panel.markers)
        write_survey(args.output, Survey(**ids, events=empty, tops={}, failure=str(error)))
        return 0
    write_survey(args.output, survey_of(tube, args.sample, args.settings))
    return 0


def survey_of(tube: Acquisition, sample: Sample, settings: Settings) -> Survey:
    """The draw of a tube, the same for the same seed and name of the sample."""
    rows = draw_rows(np.flatnonzero(tube.finite), settings.survey.events, generator(settings.seed, sample.sample))
    events = tube.events.select(rows)
    ids = {"sample": sample.sample, "panel": sample.panel, "batch": sample.batch}
    return Survey(**ids, events=events, tops=tube.tops, without=tube.without, role=sample.role.value)
