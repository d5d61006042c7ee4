from __future__ import annotations

from nktrace.pages.cohort import cohort_page
from tests.pages.reading import Page
from tests.pages.study_rows import chimerism, cohort_values, row, trajectories

NOTHING: dict[str, list] = {
    "samples": [],
    "patients": [],
    "checks": [],
    "trajectories": [],
    "kinetics": [],
    "chimerism": [],
    "summary": [],
    "subsets": [],
    "clusters": [],
}


def test_files_that_could_not_be_read_stand_before_the_patients() -> None:
    text = Page(cohort_page(**cohort_values())).text
    assert text.index("Files that could not be read sample reason lone plain") < text.index("Patients patient arm")


def test_donor_cells_are_counted_only_over_patients_in_whom_they_can_be_told() -> None:
    rows = chimerism("found") + [line | {"patient": "none"} for line in chimerism() if line["status"] == "not_detected"]
    rows += [line | {"patient": "blind"} for line in chimerism() if line["status"] == "indeterminate"]
    patients = [{"patient": name, "arm": None} for name in ("found", "none", "blind")]
    text = Page(cohort_page(**NOTHING | {"chimerism": rows, "patients": patients})).text
    assert "1 of 2" in text


def test_empty_tables_make_a_page() -> None:
    text = Page(cohort_page(**NOTHING)).text
    assert "The study has no patients" in text
    assert "0 of 0" in text


def test_every_check_that_failed_or_warned_is_there_with_its_reason() -> None:
    checks = [
        row("qc", sample="a", check="dead", value=0.6, limit=0.5, status="warn", reason="60 % dead"),
        row("qc", sample="b", check="time_removed", value=0.9, limit=0.2, status="fail", reason="clogged"),
        row("qc", sample="c", check="dead", value=0.1, limit=0.5, status="pass"),
    ]
    samples = [
        {"sample": name, "patient": None, "day": None, "role": "fmo", "panel": "p", "batch": "b"} for name in "abc"
    ]
    text = Page(cohort_page(**NOTHING | {"checks": checks, "samples": samples})).text
    assert "2 checks with a warning or a failure" in text
    assert text.index("clogged") < text.index("60 % dead")


def test_the_heat_map_shades_from_the_lowest_median_of_a_panel_to_its_highest() -> None:
    known = {"panel": "p", "subset": "bright", "cl_id": "NA", "NKG2C": "NA", "fraction": "0.5", "stability": "0.9"}
    rows = [known | {"cluster": str(i), "CD16": value} for i, value in enumerate(("0.2", "0.6", "1"))]
    page = Page(cohort_page(**NOTHING | {"clusters": rows}))
    assert [cell["style"] for cell in page.all("td") if "style" in cell] == [
        "--shade: 0%",
        "--shade: 50%",
        "--shade: 100%",
    ]
    assert "NKG2C" not in page.text  # no cluster of this panel has it


def test_a_patient_has_one_colour_in_every_picture() -> None:
    rows = [line | {"patient": patient} for patient in ("P1", "P2") for line in trajectories()]
    rows += [line | {"platform": "beads"} for line in rows if line["patient"] == "P1" and line["measure"] == "nk"]
    patients = [{"patient": name, "arm": None} for name in ("P1", "P2")]
    page = Page(cohort_page(**NOTHING | {"trajectories": rows, "patients": patients}))
    keys = [element for element in page.all("span") if element.get("class", "").startswith("key")]
    first, second = keys[0]["style"], keys[1]["style"]
    assert [key["style"] for key in keys] == [first, second, first, first, second]  # donor NK, then all NK
    assert [key["class"] for key in keys] == ["key", "key", "key", "key dashed", "key"]
