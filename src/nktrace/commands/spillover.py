"""`nktrace spillover`: the spillover matrix of a batch from its single stains, and how far it can be trusted."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from nktrace.files.acquisition import Acquisition, read_acquisition
from nktrace.files.atomic import replacing
from nktrace.files.choices import from_json
from nktrace.files.compensation_report import write_controls, write_pairs
from nktrace.files.matrices import write_matrix
from nktrace.files.panels import read_panel
from nktrace.files.rows import load_sample
from nktrace.model.compensation import Spillover
from nktrace.model.errors import PanelMismatch, SettingsError, UnreadableFcs
from nktrace.model.panel import Panel
from nktrace.model.spillover import ControlReport, ControlTube, Usability
from nktrace.model.study import Role, Sample
from nktrace.pages.compensation import compensation_page
from nktrace.science.intervals import normal_quantile
from nktrace.science.single_stains import Needs
from nktrace.science.spillover import estimate


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--fcs", nargs="+", required=True, help="FCS files of the single stains and unstained tubes")
    parser.add_argument(
        "--samples",
        nargs="+",
        required=True,
        type=load_sample,
        metavar="ROW",
        help="the row of each file as JSON, in their order",
    )
    parser.add_argument("--panel", required=True, help="panel sheet")
    parser.add_argument("--settings", required=True, type=from_json, metavar="JSON")
    parser.add_argument("--output", required=True, type=Path, help="matrix CSV")
    parser.add_argument("--report", required=True, type=Path, help="TSV of the controls")
    parser.add_argument("--pairs", required=True, type=Path, help="TSV of the coefficients")
    parser.add_argument("--page", required=True, type=Path, help="page (HTML)")


def run(args: argparse.Namespace) -> int:
    """Write matrix, tables and page; a control that cannot be read is a row that says why."""
    samples: list[Sample] = args.samples
    if len(samples) != len(args.fcs):
        what = f"{len(samples)} rows for {len(args.fcs)} files"
        raise SettingsError(what, where="--samples", mend="Give one for each file.")
    panel = read_panel(args.panel)
    tubes, channels, unreadable = _read(args.fcs, samples, panel)
    choices = args.settings.compensation
    found = estimate(
        tubes,
        panel.fluorescence,
        Needs(events=choices.min_control_events, stain_index=choices.min_stain_index),
        unreadable=unreadable,
    )
    batch, z = samples[0].batch, normal_quantile(args.settings.level)
    names = tuple(channels.get(marker, panel.detector(marker).aliases[0]) for marker in panel.fluorescence)
    write_matrix(args.output, Spillover(names, found.spillover.matrix))
    write_controls(args.report, found.controls, batch=batch, panel=panel.name)
    write_pairs(args.pairs, found.pairs, z=z, batch=batch, panel=panel.name)
    html = compensation_page(found, tubes, batch=batch, panel=panel.name, tables=_tables(args))
    with replacing(args.page) as draft:
        draft.write_text(html, encoding="utf-8")
    return 0


def _tables(args: argparse.Namespace) -> list[str]:
    return [path.name for path in (args.output, args.report, args.pairs)]


def _read(
    paths: Sequence[str], samples: Sequence[Sample], panel: Panel
) -> tuple[list[ControlTube], dict[str, str], list[ControlReport]]:
    """The tubes that can be read, the $PnN of each marker, and reports of single stains that can't be."""
    tubes: list[ControlTube] = []
    channels: dict[str, str] = {}
    unreadable: list[ControlReport] = []
    for path, sample in zip(paths, samples, strict=True):
        marker = _stain(sample, panel)
        raw = replace(sample, compensation="none")
        try:
            read = read_acquisition(path, raw, panel, matrix=None, max_condition=float("inf"))
        except (UnreadableFcs, PanelMismatch) as error:
            unreadable += _unread(sample, marker, str(error))
            continue
        channels = channels or dict(read.detectors)
        tubes.append(_tube(read, sample, marker))
    return tubes, channels, unreadable


def _tube(read: Acquisition, sample: Sample, marker: str) -> ControlTube:
    events = read.events if read.finite.all() else read.events.select(read.finite)
    return ControlTube(sample=sample.sample, marker=marker, material=sample.material, events=events, tops=read.tops)


def _stain(sample: Sample, panel: Panel) -> str:
    """The marker of a single stain, empty for an unstained tube.

    Raises:
        SettingsError: the row is of another role, or its stain is no fluorescence detector of the panel.
    """
    if sample.role is Role.UNSTAINED:
        return ""
    if sample.role is not Role.SINGLE_STAIN:
        raise SettingsError(f"its role is {sample.role}", where=sample.sample, mend="Controls alone give a matrix.")
    detector = panel.stained(sample.stain or "")
    if detector is None or detector.marker not in panel.fluorescence:
        raise SettingsError(f"'{sample.stain}' is no fluorescence detector of the panel", where=sample.sample)
    return detector.marker


def _unread(sample: Sample, marker: str, why: str) -> Iterator[ControlReport]:
    if marker:
        yield ControlReport(marker=marker, sample=sample.sample, status=Usability.UNREADABLE, reason=why)
