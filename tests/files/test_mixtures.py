"""A mixture as an FCS file: the events that were drawn, with the keywords and the clock of the blank."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nktrace.files.acquisition import Acquisition, read_acquisition
from nktrace.files.fcs import read_fcs, write_fcs
from nktrace.files.mixtures import read_pair, write_mixture, write_part
from nktrace.model.dilution import Mixture
from nktrace.model.errors import PanelMismatch
from nktrace.model.events import Events
from nktrace.model.panel import Detector, Kind, Panel
from nktrace.model.study import Role, Sample

NAMES = ("Time", "FITC-A", "PE-A")
KINDS = dict.fromkeys(NAMES, Kind.LINEAGE) | {"Time": Kind.TIME}
PANEL = Panel("p", tuple(Detector(channel=n, marker=n, kind=kind, transform="linear") for n, kind in KINDS.items()))
SAMPLE = Sample(sample="S", role=Role.BLANK, panel="p", batch="b", fcs="s.fcs")
BLANK, DONOR = "2,FITC-A,PE-A,1,0.1,0,1", "2,FITC-A,PE-A,1,0.3,0.05,1"
MIXTURE = Mixture(
    is_donor=np.array([False, True, False, True]), row=np.array([2, 1, 5, 4]), clock=np.array([2, 2, 5, 8])
)


def tube(path: Path, spillover: str, *, events: int, names: tuple[str, ...] = NAMES) -> Acquisition:
    rng = np.random.default_rng(events)
    values = rng.normal(500, 100, (events, len(names))).astype(np.float32)
    values[:, 0] = np.arange(events) * 10
    keywords = {"$SPILLOVER": spillover, "$CYT": path.stem, "$TIMESTEP": "1"}
    write_fcs(path, Events(np.asfortranarray(values), names), keywords=keywords)
    panel = replace(PANEL, detectors=tuple(d for d in PANEL.detectors if d.marker in names))
    return read_acquisition(path, SAMPLE, panel, matrix=None, max_condition=1000)


def test_a_mixture_is_read_back_event_by_event(tmp_path: Path) -> None:
    blank, donor = (tube(tmp_path / f"{n}.fcs", BLANK, events=n) for n in (10, 6))
    write_mixture(tmp_path / "mix.fcs", read_pair(blank, donor, time="Time"), MIXTURE)
    file = read_fcs(tmp_path / "mix.fcs")
    assert file.event_count == int(file.keywords["$TOT"]) == 4
    assert file.keywords["$CYT"] == "10"
    values = file.scale_values()
    assert list(values.column("Time")) == [20, 20, 50, 80]
    own, added = blank.fcs.scale_values().values, donor.fcs.scale_values().values
    assert (values.values[[0, 2], 1:] == own[[2, 5], 1:]).all()
    assert (values.values[[1, 3], 1:] == added[[1, 4], 1:]).all()


def test_events_of_another_matrix_are_compensated_as_by_their_own(tmp_path: Path) -> None:
    blank, donor = tube(tmp_path / "blank.fcs", BLANK, events=10), tube(tmp_path / "donor.fcs", DONOR, events=6)
    pair = read_pair(blank, donor, time="Time")
    assert pair.respilled
    write_mixture(tmp_path / "mix.fcs", pair, MIXTURE)
    mixed = read_acquisition(tmp_path / "mix.fcs", SAMPLE, PANEL, matrix=None, max_condition=1000).events.values
    assert mixed[[0, 2], 1:] == pytest.approx(blank.events.values[[2, 5], 1:], rel=1e-5)
    assert mixed[[1, 3], 1:] == pytest.approx(donor.events.values[[1, 4], 1:], rel=1e-4)


def test_a_part_of_a_file_keeps_its_order_and_clock(tmp_path: Path) -> None:
    blank = tube(tmp_path / "blank.fcs", BLANK, events=10)
    write_part(tmp_path / "part.fcs", blank.fcs, np.array([1, 4, 7]))
    assert list(read_fcs(tmp_path / "part.fcs").scale_values().column("Time")) == [10, 40, 70]


def test_a_donor_reference_that_lacks_a_detector_is_refused_by_name(tmp_path: Path) -> None:
    blank = tube(tmp_path / "blank.fcs", BLANK, events=10)
    donor = tube(tmp_path / "donor.fcs", "1,FITC-A,1", events=6, names=("Time", "FITC-A"))
    with pytest.raises(PanelMismatch, match="PE-A"):
        read_pair(blank, donor, time="Time")
