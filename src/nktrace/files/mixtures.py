"""Two files of one panel as they were acquired, and FCS files made of their events."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nktrace.files.acquisition import Acquisition
from nktrace.files.fcs import FcsFile, write_fcs
from nktrace.model.dilution import Mixture
from nktrace.model.errors import PanelMismatch
from nktrace.model.events import Events, FloatArray
from nktrace.science.compensation import compensate, same_spillover, spilled


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Blank and donor reference, neither compensated nor transformed.

    Attributes:
        blank, donor: the files, for their keywords.
        recipient_values: the blank's events, shape (events, columns of the blank's file).
        donor_values: the donor's events on the same columns.
        time: the column of the time, or None.
        respilled: the donor reference has another spillover matrix than the blank.
    """

    blank: FcsFile
    donor: FcsFile
    recipient_values: FloatArray
    donor_values: FloatArray
    time: int | None
    respilled: bool


def read_pair(blank: Acquisition, donor: Acquisition, *, time: str | None) -> Pair:
    """The events of both files.

    Where the two have different spillover matrices, the donor's events are compensated by their own and spilled by the
    blank's, as if they had been acquired with it.

    Args:
        time: the panel's marker of kind `time`, if it has one.

    Raises:
        PanelMismatch: the donor reference lacks a detector of the blank.
    """
    events = donor.fcs.scale_values()
    missing = [name for name in blank.fcs.names if name not in events.channels]
    if missing:
        raise PanelMismatch(
            f"it lacks detectors of the blank's file: {', '.join(missing)}",
            where=str(donor.fcs.path),
            mend="A dilution mixes events of two files, which need the same $PnN",
        )
    respilled = not same_spillover(blank.spillover, donor.spillover)
    if respilled:
        events = spilled(compensate(events, donor.spillover, max_condition=donor.max_condition), blank.spillover)
    return Pair(
        blank=blank.fcs,
        donor=donor.fcs,
        recipient_values=blank.fcs.scale_values().values,
        donor_values=events.take(blank.fcs.names).values,
        time=None if time is None else blank.columns[time],
        respilled=respilled,
    )


def write_part(path: Path | str, fcs: FcsFile, rows: NDArray[np.intp]) -> None:
    """Write some events of a file, in its order, with its keywords."""
    _write(path, fcs, fcs.scale_values().select(rows))


def write_mixture(path: Path | str, pair: Pair, mixture: Mixture) -> None:
    """Write a mixture with the keywords of the blank's file; `$TOT` and the clock are those of the mixture."""
    values = np.empty((mixture.row.size, pair.recipient_values.shape[1]), dtype=np.float32, order="F")
    own, added = np.flatnonzero(~mixture.is_donor), np.flatnonzero(mixture.is_donor)
    for column in range(values.shape[1]):
        values[own, column] = pair.recipient_values[mixture.row[own], column]
        values[added, column] = pair.donor_values[mixture.row[added], column]
    if pair.time is not None:
        values[:, pair.time] = pair.recipient_values[mixture.clock, pair.time]
    _write(path, pair.blank, Events(values, pair.blank.names))


def _write(path: Path | str, fcs: FcsFile, events: Events) -> None:
    write_fcs(path, events, labels=fcs.labels, tops=fcs.tops, keywords=fcs.keywords)
