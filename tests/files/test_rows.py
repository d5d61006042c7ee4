"""Rows of sheets as JSON: what a rule hands over is what the step gets."""

from __future__ import annotations

import math

import pytest

from nktrace.files.rows import PatientRow, dump_patient, dump_rows, dump_sample, load_patient, load_rows, load_sample
from nktrace.model.errors import SettingsError
from nktrace.model.study import Patient, Role, Sample

SAMPLE = Sample(sample="S1", patient="P1", day=-1.5, role=Role.BLANK, panel="nk", batch="B1", fcs="data/a b'c.fcs")


def test_a_sample_comes_back_as_it_was() -> None:
    back = load_sample(dump_sample(SAMPLE))
    assert back.day == -1.5
    assert back.role is Role.BLANK
    assert back.fcs == "data/a b'c.fcs"
    assert math.isnan(back.wbc_per_ul)
    assert back.donor is None
    assert dump_sample(back) == dump_sample(SAMPLE)


def test_a_patient_comes_back_with_its_samples() -> None:
    row = PatientRow(patient=Patient(patient="P1", dose_per_kg=1e6), samples=(SAMPLE,), events=({"day": "3"},))
    back = load_patient(dump_patient(row))
    assert back.patient.dose_per_kg == 1e6
    assert math.isnan(back.patient.death_day)
    assert back.samples[0].sample == "S1"
    assert back.events == ({"day": "3"},)


def test_lists_come_back() -> None:
    assert load_rows(dump_rows([{"sample": "S1", "day": math.nan}])) == [{"sample": "S1", "day": None}]


@pytest.mark.parametrize("text", ["", "not json", "[]", "3"])
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(SettingsError):
        load_sample(text)
