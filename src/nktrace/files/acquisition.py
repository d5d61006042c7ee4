"""One tube as later steps see it: an FCS file, compensated, with its columns named by the panel's markers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nktrace.files.fcs import FcsFile, read_fcs
from nktrace.files.matrices import read_matrix
from nktrace.model.compensation import Spillover
from nktrace.model.events import Events, FloatArray, Mask
from nktrace.model.panel import Panel, bind
from nktrace.model.study import Sample
from nktrace.science.compensation import compensate, find_spillover, match_detectors
from nktrace.science.off_scale import off_scale_share


@dataclass(frozen=True, slots=True, kw_only=True)
class Acquisition:
    """The events of a tube in scale values: gain and amplification applied, time in seconds, compensated.

    Attributes:
        fcs: the file, for its keywords.
        events: shape (events of the file, markers of the panel), linear units.
        finite: events without nan or inf in any marker, shape (events,).
        detectors: $PnN per marker.
        tops: top of scale per marker.
        off_scale: share of events at that top, before compensation.
        spillover: the matrix that was taken out; None where there was none.
        uncompensated: why there was none although one was asked for; empty otherwise.
        columns: of the file, per marker.
        max_condition: limit on the condition number of the matrix.
        without: the marker that an FMO control lacks; empty for other samples.
    """

    fcs: FcsFile
    events: Events
    finite: Mask
    detectors: Mapping[str, str]
    tops: Mapping[str, float]
    off_scale: Mapping[str, float]
    spillover: Spillover | None
    uncompensated: str = ""
    columns: Mapping[str, int]
    max_condition: float
    without: str = ""

    def exact(self, rows: NDArray[np.intp]) -> Events:
        """Some events again, read and compensated in float64: for decisions that float32 leaves open."""
        values = self.fcs.scale_values(np.float64).select(rows)
        compensated = compensate(values, self.spillover, max_condition=self.max_condition)
        return Events(np.asfortranarray(compensated.values[:, list(self.columns.values())]), tuple(self.columns))


def read_acquisition(
    path: Path | str, sample: Sample, panel: Panel, *, matrix: Path | str | None, max_condition: float
) -> Acquisition:
    """Read, compensate and name the columns of a sample's file.

    Args:
        path: the FCS file.
        sample: its row, for `compensation`.
        panel: which columns are used, and what they are called.
        matrix: the matrix CSV that the row names, if it does.
        max_condition: a matrix with a larger condition number is refused.

    Raises:
        UnreadableFcs: the file cannot be read exactly.
        CompensationError: the matrix is singular, malformed, or names detectors that the file lacks.
        PanelMismatch: the file lacks a detector of the panel, or has it twice.
    """
    fcs = read_fcs(path)
    columns = bind(panel, names=fcs.names, labels=fcs.labels)
    spillover, why = _spillover(fcs, sample, matrix)
    spillover = match_detectors(spillover, fcs.names) if spillover else None
    measured = fcs.scale_values()
    off_scale = {m: off_scale_share(measured.values[:, column], fcs.tops[column]) for m, column in columns.items()}
    compensated = compensate(measured, spillover, max_condition=max_condition)
    values = compensated.values[:, list(columns.values())]
    return Acquisition(
        fcs=fcs,
        events=Events(np.asfortranarray(values), tuple(columns)),
        finite=_finite(values),
        detectors={marker: fcs.names[column] for marker, column in columns.items()},
        tops={marker: float(fcs.tops[column]) for marker, column in columns.items()},
        off_scale=off_scale,
        spillover=spillover,
        uncompensated=why,
        columns=columns,
        max_condition=max_condition,
        without=sample.left_out(panel),
    )


def _spillover(fcs: FcsFile, sample: Sample, matrix: Path | str | None) -> tuple[Spillover | None, str]:
    if sample.compensation == "none":
        return None, ""
    if matrix is not None:
        return read_matrix(matrix), ""
    spillover = find_spillover(fcs.keywords)
    return spillover, "" if spillover else "the file has no spillover keyword; events are not compensated"


def _finite(values: FloatArray) -> Mask:
    finite: Mask = np.ones(values.shape[0], dtype=np.bool_)
    for column in values.T:
        finite &= np.isfinite(column)
    return finite
