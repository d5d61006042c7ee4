"""`nktrace page-…`: tables in, one self-contained file out, or an error of one line and nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from nktrace.cli import main
from nktrace.files.embedding import write_embeddings
from nktrace.files.pictures import write_pictures
from nktrace.files.quality_pictures import write_quality_pictures
from nktrace.files.rows import PatientRow, dump_patient, dump_rows, dump_sample
from nktrace.files.tables import write_rows, write_table
from nktrace.model.quality_pictures import QualityPictures
from tests.pages.reading import Page
from tests.pages.study_rows import a_patient, a_picture, a_sample, cohort_values, patient_values, sample_values

NAME = "S1"


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """The tables of one patient with one sample."""
    values, cohort = sample_values(NAME), cohort_values(NAME)
    patient = patient_values(NAME)
    sample_dir, patient_dir, cohort_dir = (tmp_path / name for name in ("samples/S1", "patients/S1", "cohort"))
    for name, rows in (("populations", "populations"), ("gates", "cuts"), ("qc", "checks"), ("subsets", "subsets")):
        write_table(sample_dir / f"{name}.tsv", name, values[rows])
    write_table(sample_dir / "overrides.tsv", "overrides", values["overrides"])
    write_table(sample_dir / "nk_drift.tsv", "nk_drift", [])
    write_pictures(sample_dir / "pictures.npz", [a_picture("nk")])
    write_quality_pictures(sample_dir / "quality.npz", QualityPictures())
    for name in ("counts", "count_checks", "chimerism", "trajectories", "kinetics", "subset_change"):
        write_table(patient_dir / f"{name}.tsv", name, patient[name])
    for name in ("curves", "hla_cuts"):
        rows = patient["curves" if name == "curves" else "cuts"]
        write_rows(patient_dir / f"{name}.tsv", list(rows[0]), rows)
    changes = ("subset_change", "subset_change_tests")
    for name in ("trajectories", "kinetics", "chimerism", "subsets", "overrides", *changes):
        write_table(cohort_dir / f"{name}.tsv", name, cohort[name])
    write_table(cohort_dir / "qc.tsv", "qc", cohort["checks"])
    write_table(cohort_dir / "cohort.tsv", "cohort", cohort["summary"])
    write_embeddings(cohort_dir / "embedding.npz", cohort["embeddings"])
    write_rows(cohort_dir / "clusters.tsv", list(cohort["clusters"][0]), cohort["clusters"])
    return tmp_path


def test_the_page_of_a_sample(results: Path) -> None:
    output = results / "samples" / NAME / "report.html"
    command = ["page-sample", "--sample", dump_sample(a_sample(NAME)), "--output", str(output), str(output.parent)]
    assert main(command) == 0
    first = output.read_bytes()
    assert main(command) == 0
    assert output.read_bytes() == first
    assert "Sample S1" in Page(first.decode()).text


def test_the_page_of_a_patient(results: Path) -> None:
    output = results / "patients" / NAME / "report.html"
    row = dump_patient(PatientRow(patient=a_patient(NAME), samples=(a_sample(NAME),)))
    sample = results / "samples" / NAME
    options = ["--patient", row, "--settings", '{"kinetics": {}, "chimerism": {}}', "--results", str(output.parent)]
    assert main(["page-patient", *options, "--output", str(output), str(sample)]) == 0
    page = Page(output.read_text(encoding="utf-8"))
    assert "../../samples/S1/report.html" in {link["href"] for link in page.all("a")}


def test_the_page_of_the_cohort(results: Path) -> None:
    output = results / "report" / "index.html"
    values = cohort_values(NAME)
    options = ["--samples", dump_rows(values["samples"]), "--patients", dump_rows(values["patients"])]
    assert main(["page-cohort", *options, "--output", str(output), str(results / "cohort")]) == 0
    assert "NK cells of the cohort" in Page(output.read_text(encoding="utf-8")).text


def test_a_missing_table_is_one_line_and_no_page(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    directory = results / "samples" / NAME
    (directory / "qc.tsv").unlink()
    output = directory / "report.html"
    assert main(["page-sample", "--sample", dump_sample(a_sample(NAME)), "--output", str(output), str(directory)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not output.exists()
