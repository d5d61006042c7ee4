"""Compensation and scales on files of real instruments."""

from __future__ import annotations

import numpy as np
import pytest
from flowutils.compensate import compensate as flowkit_compensate

from nktrace.files.fcs import read_fcs
from nktrace.model.errors import CompensationError
from nktrace.science.compensation import compensate, find_spillover
from nktrace.science.transforms import estimate_logicle, exact

CARRIES = {
    "mouse_spleen_nk/68983.fcs": 11,
    "fcs_corpus/flowworkspacedata__diva__124500.fcs": 8,
    "fcs_corpus/flowkit__test_comp_example.fcs": 14,
    "fcs_corpus/flowio__fcs_files__B01_KC-A-W---91-US.fcs": 8,
    "fcs_corpus/fcsparser__FlowCytometers__Fortessa__FCS_3.0_Fortessa_PBS_Specimen_001_A1_A01.fcs": 4,
}


@pytest.mark.parametrize("name", CARRIES)
def test_the_files_own_matrix_as_flowkit_applies_it(shared_data, name):
    file = read_fcs(shared_data / name)
    spillover = find_spillover(file.keywords)
    assert spillover is not None
    assert len(spillover.detectors) == CARRIES[name]
    events = file.scale_values(np.float64)
    columns = [events.channels.index(detector) for detector in spillover.detectors]
    theirs = flowkit_compensate(events.values, spillover.matrix, columns)
    ours = compensate(events, spillover, max_condition=1000)
    np.testing.assert_allclose(ours.values, theirs, rtol=1e-10, atol=1e-7)


def test_a_matrix_without_numbers_is_refused(shared_data):
    path = next((shared_data / "fcs_corpus").glob("*FCS_3.1_Well_A1.001.fcs"))
    with pytest.raises(CompensationError, match="needs 43 fields and has 7"):
        find_spillover(read_fcs(path, header_only=True).keywords)


@pytest.mark.parametrize("name", ["mouse_spleen_nk/68983.fcs", "human_pbmc_aurora"])
def test_estimated_scales_hold_the_cells(shared_data, name):
    """Zero lies near the left, nearly all events on the scale, and their middle takes a good part of it."""
    path = shared_data / name
    file = read_fcs(path if path.is_file() else min(path.glob("*.fcs")))
    events = compensate(file.scale_values(), find_spillover(file.keywords), max_condition=1000)
    for channel, top in zip(file.names, file.tops, strict=True):
        if channel.startswith(("FSC", "SSC", "Time")):
            continue
        logicle = estimate_logicle(events.column(channel), top=top)
        low, high = np.quantile(exact(events.column(channel), logicle), [0.005, 0.999])
        assert exact(np.zeros(1), logicle)[0] < 0.35, channel
        assert low > -0.12, channel
        assert 0.3 < high <= 1.0, channel
