"""The FCS headers of a study against its sheets: does each file have its panel's detectors, and its spillover?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from nktrace.files.fcs import FcsFile, read_fcs
from nktrace.files.matrices import read_matrix
from nktrace.files.sample_rules import COMPENSATIONS
from nktrace.model.compensation import Spillover
from nktrace.model.errors import CompensationError, Fault, NktraceError, PanelMismatch, UnreadableFcs
from nktrace.model.panel import Panel, bind
from nktrace.model.study import Sample
from nktrace.science.compensation import find_spillover, match_detectors

_SHEET = "config/samples.tsv"


@dataclass(slots=True)
class Headers:
    """What the headers say.

    Attributes:
        events: by sample, of the files that can be read.
        volumes: samples whose file has `$VOL`.
        unreadable: one line per file that can't be read; the run goes on without it.
        uncompensated: samples that take the file's spillover where the file has none.
        faults: what the sheets say and a file contradicts; files alike share one, at the first row.
    """

    events: dict[str, int] = field(default_factory=dict)
    volumes: set[str] = field(default_factory=set)
    unreadable: list[Fault] = field(default_factory=list)
    uncompensated: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)


def read_headers(
    directory: Path, samples: Mapping[str, Sample], panels: Mapping[str, Panel], rows: Mapping[str, int]
) -> Headers:
    """Read the header of every sample's file.

    Args:
        directory: the study, which paths are relative to.
        samples: by id.
        panels: by name; samples of other panels are not compared with one.
        rows: the line of each sample in samples.tsv.
    """
    headers = Headers()
    alike: dict[tuple[str, str, str], list[int]] = {}
    for name, sample in samples.items():
        try:
            file = read_fcs(directory / sample.fcs, header_only=True)
        except UnreadableFcs as error:
            what = f"{sample.fcs} can't be read: {error.what}"
            mend = f"{error.mend.rstrip('.')}. The run goes on without it.".removeprefix(". ")
            headers.unreadable.append(Fault(file=_SHEET, row=rows[name], column="fcs", what=what, mend=mend))
            continue
        headers.events[name] = file.event_count
        if file.keywords.get("$VOL"):
            headers.volumes.add(name)
        for column, found in _contradictions(directory, sample, file, panels.get(sample.panel), headers):
            where = f"{found.where}: " if found.where else ""
            alike.setdefault((column, where + found.what, found.mend), []).append(rows[name])
    for (column, what, mend), at in alike.items():
        others = f" (and in {len(at) - 1} more rows, from row {at[1]} to {at[-1]})" if len(at) > 1 else ""
        headers.faults.append(Fault(file=_SHEET, row=at[0], column=column, what=what + others, mend=mend))
    return headers


def _contradictions(
    directory: Path, sample: Sample, file: FcsFile, panel: Panel | None, headers: Headers
) -> list[tuple[str, NktraceError]]:
    """What of a row its file contradicts, with the column."""
    found: list[tuple[str, NktraceError]] = []
    if panel is not None:
        try:
            bind(panel, names=file.names, labels=file.labels)
        except PanelMismatch as error:
            found.append(("panel", error))
    try:
        spillover = _spillover(directory, sample, file)
        if spillover is not None:
            match_detectors(spillover, file.names)
        elif sample.compensation == "keyword":
            headers.uncompensated.append(sample.sample)
    except CompensationError as error:
        found.append(("compensation", error))
    return found


def _spillover(directory: Path, sample: Sample, file: FcsFile) -> Spillover | None:
    if sample.compensation == "keyword":
        return find_spillover(file.keywords)
    return None if sample.compensation in COMPENSATIONS else read_matrix(directory / sample.compensation)
