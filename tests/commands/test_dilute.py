"""A dilution from two FCS files to its tables and page: what is mixed is found, the same again, and names stay text."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nktrace.cli import main
from nktrace.commands.fit_gates import fit_reference
from nktrace.commands.whole_way import Source, WholeWay
from nktrace.files.blanks import write_blanks
from nktrace.files.fcs import write_fcs
from nktrace.files.gate_reference import read_gate_reference, write_gate_reference
from nktrace.files.gating_table import read_gating_table
from nktrace.files.installation import resource
from nktrace.files.panels import read_panel
from nktrace.files.rows import PatientRow, dump_patient, dump_sample
from nktrace.files.settings import Settings
from nktrace.files.shifts import read_shifts
from nktrace.files.survey import Survey
from nktrace.files.tables import read_table, write_table
from nktrace.model.events import Events
from nktrace.model.panel import Panel
from nktrace.model.study import Patient, Role, Sample
from nktrace.model.subsets import NK
from nktrace.science.gating.tree import resolve
from nktrace.science.hla_controls import LINEAGE_OF
from tests.conftest import Command, WrittenStudy
from tests.pages.reading import Page
from tests.pages.study_rows import HOSTILE
from tests.science.gating.tube import BLOOD, blood, panel_of

MARKED = Panel("main", (*BLOOD.detectors, *panel_of("hla", HLA_A2="hla").detectors))
PATIENT = Patient(
    patient="P1", recipient_hla="A*01:01,A*03:01;B*08:01,B*44:02", donor_hla="A*02:01,A*11:01;B*07:02,B*35:01"
)
BLANK = Sample(sample="B", patient="P1", day=-1, role=Role.BLANK, panel="main", batch="b1", fcs="b.fcs")
DONOR = replace(BLANK, sample="D", role=Role.DONOR, day=math.nan, fcs="d.fcs")
LEVELS = [0.01, 0.1, 0.5]
SETTINGS: dict[str, object] = {
    "data_dir": "",
    "dilution": {"levels": LEVELS, "draws": 3},
    "chimerism": {"blank_cv": 0.0, "cut_bootstrap": 10},
    "gating": {"bootstrap": 10},
}


def tube(seed: int, *, donor: bool) -> Events:
    """Blood of one person; 0.2 % of the recipient's cells look like the donor's, 1 % of the donor's do not."""
    events, _ = blood(seed, events=8_000, nk=0.3)
    rng = np.random.default_rng(seed)
    marked = rng.random(len(events)) < (0.99 if donor else 0.002)
    stain = rng.normal(0.2, 0.05, len(events)) + 0.5 * marked
    return Events(np.asfortranarray(np.column_stack([events.values, stain]).astype(np.float32)), MARKED.markers)


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """FCS files, panel sheet and gate reference."""
    place = tmp_path_factory.mktemp("laboratory")
    lines = ["channel\tmarker\tkind\ttransform\tantibody"]
    lines += [f"{d.channel}\t{d.marker}\t{d.kind.value}\tlinear\tNA" for d in BLOOD.detectors]
    (place / "main.tsv").write_text("\n".join([*lines, "HLA-A2\tHLA-A2\thla\tlinear\tBB7.2"]) + "\n")
    tubes = {"b": tube(1, donor=False), "d": tube(2, donor=True)}
    for name, events in tubes.items():
        write_fcs(place / f"{name}.fcs", events)
    tops = dict.fromkeys(MARKED.markers, 262_144.0)
    surveys = [Survey(sample=n, panel="main", batch="b1", events=events, tops=tops) for n, events in tubes.items()]
    table = read_gating_table(resource("gating/nk.tsv"))
    write_gate_reference(
        place / "gates", fit_reference(surveys, MARKED, table, settings=Settings.model_validate(SETTINGS))
    )
    return place


def dilute(
    laboratory: Path,
    output: Path,
    *,
    patient: Patient = PATIENT,
    settings: dict[str, object] = SETTINGS,
    blanks: Path | None = None,
) -> int:
    knowledge = {name: str(resource(f"{name}.tsv")) for name in ("hla_antibodies", "nk_subsets")}
    words = ["--patient", dump_patient(PatientRow(patient, (BLANK, DONOR))), "--panel", str(laboratory / "main.tsv")]
    words += ["--gating", str(resource("gating/nk.tsv")), "--reference", str(laboratory / "gates")]
    words += ["--antibodies", knowledge["hla_antibodies"], "--subsets", knowledge["nk_subsets"]]
    words += ["--settings", json.dumps(settings), "--output-dir", str(output)]
    words += ["--blanks", str(blanks)] if blanks else []
    return main(["dilute-pair", *words, "--", str(laboratory / "b.fcs"), str(laboratory / "d.fcs")])


@pytest.fixture(scope="module")
def diluted(laboratory: Path) -> Path:
    assert dilute(laboratory, laboratory / "P1") == 0
    return laboratory / "P1"


def test_what_is_mixed_is_found_in_every_lineage(diluted: Path) -> None:
    rows = read_table(diluted / "dilution.tsv", "dilution")
    for population in ("nk", "nk_dim", "cd3", "b_cells"):
        for level in LEVELS[1:]:
            mine = [row for row in rows if row["population"] == population and row["level"] == level]
            assert len(mine) == 3
            found, true = (sum(row[name] for row in mine) for name in ("donor_fraction", "true_fraction"))
            assert found / true == pytest.approx(1, abs=0.1)
            assert all(row["status"] in ("detected", "quantified") for row in mine)
    nk = [row for row in rows if row["population"] == "nk"]
    assert np.ptp([row["events"] for row in nk]) < 0.15 * max(row["events"] for row in nk)
    assert all(row["expected_fraction"] == pytest.approx(row["level"], abs=0.002) for row in nk)
    assert all(row["donor_events"] == 0 for row in rows if row["level"] == 0)
    assert {row["antibody"] for row in rows} == {"BB7.2"}


def test_the_controls_of_each_draw_are_other_halves(diluted: Path) -> None:
    rows = read_table(diluted / "dilution.tsv", "dilution")
    cuts = {row["draw"]: row["cut"] for row in rows if row["population"] == "nk"}
    assert len(set(cuts.values())) == 3
    assert all(0.25 < cut < 0.65 for cut in cuts.values())  # between the two populations


def test_which_files_they_were(diluted: Path) -> None:
    (pair,) = read_table(diluted / "dilution_pairs.tsv", "dilution_pairs")
    assert (pair["blank_fcs"], pair["donor_fcs"], pair["status"], pair["respilled"]) == ("b.fcs", "d.fcs", "ok", False)
    assert pair["blank_events"] == pair["donor_events"] == 8_000
    assert pair["blank_nk"] > 1_000


def test_the_same_files_give_the_same_bytes(laboratory: Path, diluted: Path, tmp_path: Path) -> None:
    assert dilute(laboratory, tmp_path) == 0
    for name in ("dilution.tsv", "dilution_pairs.tsv"):
        assert (tmp_path / name).read_bytes() == (diluted / name).read_bytes()


def test_a_pair_that_no_antibody_tells_apart_says_so(laboratory: Path, tmp_path: Path) -> None:
    assert dilute(laboratory, tmp_path, patient=replace(PATIENT, donor_hla=PATIENT.recipient_hla)) == 0
    assert read_table(tmp_path / "dilution.tsv", "dilution") == []
    (pair,) = read_table(tmp_path / "dilution_pairs.tsv", "dilution_pairs")
    assert pair["status"] == "not_possible"
    assert "no antibody" in pair["reason"]


def test_the_limits_rest_on_the_scatter_of_the_studys_blanks(laboratory: Path, tmp_path: Path) -> None:
    settings = SETTINGS | {"chimerism": {"assumed_blank_cv": 0.5, "cut_bootstrap": 10}}
    alike = [{"patient": f"P{n}", "events": 4_000, "marker_events": 8} for n in range(2, 12)]
    of = {"panel": "main", "marker": "HLA-A2", "direction": "donor_positive", "population": NK}
    write_blanks(tmp_path / "blanks.tsv", [row | of for row in alike])
    assert dilute(laboratory, tmp_path, settings=settings, blanks=tmp_path / "blanks.tsv") == 0
    rows = read_table(tmp_path / "dilution.tsv", "dilution")
    for row in rows:
        told = LINEAGE_OF.get(row["population"], NK) == NK
        assert ("blank_cv_assumed (0.5)" in (row["reason"] or "")) != told
    page = report([tmp_path], tmp_path / "told", settings=settings)
    assert "as much as the blanks of the study's patients show" in page.text
    assert "assumed_blank_cv" not in page.text
    write_table(tmp_path / "dilution.tsv", "dilution", [row | {"reason": "blank_cv_assumed (0.5)"} for row in rows])
    page = report([tmp_path], tmp_path / "assumed", settings=settings)
    assert "coefficient of variation of 50" in page.text
    assert "assumed_blank_cv" in page.text


def test_a_mixtures_gates_have_the_error_that_a_samples_have(laboratory: Path, tmp_path: Path) -> None:
    sample, sheet, table = dump_sample(BLANK), laboratory / "main.tsv", resource("gating/nk.tsv")
    words = ["--sample", sample, "--panel", str(sheet), "--gating", str(table), "--settings", json.dumps(SETTINGS)]
    words += ["--reference", str(laboratory / "gates"), "--output-dir", str(tmp_path), str(laboratory / "b.fcs")]
    assert main(["gate", *words]) == 0
    panel = read_panel(sheet)
    way = WholeWay(
        panel=panel,
        gating=resolve(read_gating_table(table), panel)[0],
        reference=read_gate_reference(laboratory / "gates"),
        rules=(),
        antibodies={},
        blanks={},
        settings=Settings.model_validate({"data_dir": ""} | SETTINGS),
    )
    found = way.gated(laboratory / "b.fcs", Source(BLANK, "b.fcs", None, {})).tube.shifts
    known = read_shifts(tmp_path / "shifts.parquet")
    assert [(s.population, s.channel, s.edge) for s in found] == [(s.population, s.channel, s.edge) for s in known]
    assert any("nk" in shift.high.change for shift in found)
    for mine, other in zip(found, known, strict=True):
        np.testing.assert_array_equal(mine.low.events, other.low.events)
        np.testing.assert_array_equal(mine.high.events, other.high.events)


def report(pairs: list[Path], output: Path, *, settings: dict[str, object] = SETTINGS) -> Page:
    words = ["dilution", "--settings", json.dumps(settings), "--output-dir", str(output), *map(str, pairs)]
    assert main(words) == 0
    return Page((output / "dilution.html").read_text(encoding="utf-8"))


def test_the_page_says_what_was_done_and_what_it_does_not_show(diluted: Path, tmp_path: Path) -> None:
    page = report([diluted], tmp_path)
    for words in ("does not replace a wet dilution", "EP06", "EP17", "H62", "b.fcs", "d.fcs", "Too few draws"):
        assert words in page.text
    assert len([svg for svg in page.all("svg") if svg.get("role") == "img"]) == 3
    (row,) = [r for r in read_table(tmp_path / "dilution_summary.tsv", "dilution_summary") if r["population"] == "nk"]
    assert row["recovery"] == pytest.approx(1, abs=0.1)
    assert row["slope"] == pytest.approx(1, abs=0.05)
    levels = read_table(tmp_path / "dilution_levels.tsv", "dilution_levels")
    assert [r["level"] for r in levels if r["population"] == "nk"] == [0.0, *LEVELS]


def test_names_stay_text_on_the_page(laboratory: Path, diluted: Path, tmp_path: Path) -> None:
    plain = report([diluted], tmp_path / "plain")
    hostile = " ".join(HOSTILE.split())
    for name in ("dilution.tsv", "dilution_pairs.tsv"):
        text = (diluted / name).read_text(encoding="utf-8").replace("P1\t", f"{hostile}\t").replace("BB7.2", hostile)
        target = tmp_path / "spoilt" / name
        target.parent.mkdir(exist_ok=True)
        target.write_text(text.replace("b.fcs", hostile), encoding="utf-8")
    page = report([tmp_path / "spoilt"], tmp_path / "out")
    assert [tag for tag, _ in page.elements] == [tag for tag, _ in plain.elements]
    assert hostile in page.text


def test_a_study_without_a_pair_is_told_so(written_study: WrittenStudy, nktrace: Command) -> None:
    written_study.replace("samples.tsv", "\tdonor\t", "\tbatch_control\t")
    done = nktrace("dilute", written_study.path)
    assert done.returncode == 2
    assert "ERROR" in done.stderr
    assert "Traceback" not in done.stderr
