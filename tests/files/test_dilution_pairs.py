"""Which files of a study are mixed: own blank and donor reference of one panel that has an HLA marker."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from nktrace.files.dilution_pairs import dilution_pairs
from nktrace.model.errors import NktraceError
from nktrace.model.study import GateImport, Patient, Role, Sample, Study

PANELS = {
    "hla.tsv": ["channel\tmarker\tkind\tantibody", "FITC-A\tHLA-A2\thla\tBB7.2"],
    "counting.tsv": ["channel\tmarker\tkind", "APC-A\tCD3\tlineage"],
}


def row(name: str, role: Role, *, day: float = -1.0, panel: str = "hla", **more: object) -> Sample:
    sample = Sample(sample=name, patient="P1", day=day, role=role, panel=panel, batch="b", fcs=f"{name}.fcs")
    return replace(sample, **more)  # type: ignore[arg-type]


def study(tmp_path: Path, *samples: Sample, imports: tuple[str, ...] = ()) -> Study:
    for name, lines in PANELS.items():
        (tmp_path / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return Study(
        {sample.sample: sample for sample in samples},
        {name: Patient(patient=name, donor="D1") for name in ("P1", "P2")},
        panels={Path(name).stem: name for name in PANELS},
        imports={name: GateImport(sample=name, gates="g.xml", names="n.tsv") for name in imports},
    )


def found(tmp_path: Path, *samples: Sample, imports: tuple[str, ...] = ()) -> dict[tuple[str, str], list[str]]:
    pairs = dilution_pairs(study(tmp_path, *samples, imports=imports), patients=(), directory=tmp_path)
    return {key: [sample.sample for sample in pair] for key, pair in pairs.items()}


DONOR = row("donor", Role.DONOR)


def test_the_blank_goes_before_a_baseline_and_the_last_blank_before_others(tmp_path: Path) -> None:
    samples = row("old", Role.BLANK, day=-9), row("new", Role.BLANK, day=-5), row("base", Role.BASELINE)
    assert found(tmp_path, *samples, DONOR) == {("P1", "hla"): ["new", "donor"]}
    assert found(tmp_path, samples[2], DONOR) == {("P1", "hla"): ["base", "donor"]}


def test_what_is_not_stained_alike_or_not_gated_here_is_not_mixed(tmp_path: Path) -> None:
    blank = row("blank", Role.BLANK)
    assert found(tmp_path, blank) == {}
    assert found(tmp_path, replace(blank, panel="counting"), DONOR) == {}
    assert found(tmp_path, replace(blank, panel="counting"), replace(DONOR, panel="counting")) == {}
    assert found(tmp_path, replace(blank, condition="K562"), DONOR) == {}
    assert found(tmp_path, blank, DONOR, imports=("blank",)) == {}


def test_one_donor_serves_every_patient_who_has_it(tmp_path: Path) -> None:
    donor = replace(DONOR, patient=None, donor="D1")
    blanks = row("one", Role.BLANK), row("two", Role.BLANK, patient="P2")
    assert found(tmp_path, *blanks, donor) == {("P1", "hla"): ["one", "donor"], ("P2", "hla"): ["two", "donor"]}
    only = dilution_pairs(study(tmp_path, *blanks, donor), patients=["P2"], directory=tmp_path)
    assert list(only) == [("P2", "hla")]


def test_an_unknown_patient_of_the_settings_is_named(tmp_path: Path) -> None:
    with pytest.raises(NktraceError, match="P11"):
        dilution_pairs(study(tmp_path), patients=["P11"], directory=tmp_path)
