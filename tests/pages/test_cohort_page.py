from __future__ import annotations

import re

import numpy as np

from nktrace.files.table_columns import CLUSTERS_BEFORE, CLUSTERS_BEHIND
from nktrace.model.palette import category_colors
from nktrace.pages.cohort import cohort_page
from tests.pages.reading import Page
from tests.pages.study_rows import an_embedding, chimerism, cohort_values, row, trajectories

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


def test_a_patient_in_whom_one_of_several_donors_is_found_counts_as_found() -> None:
    none = [line | {"donor": "all"} for line in chimerism("two") if line["status"] == "not_detected"]
    one = [line | {"donor": "D1"} for line in chimerism("two") if line["status"] == "quantified"]
    values = NOTHING | {"chimerism": none, "patients": [{"patient": "two", "arm": None}]}
    assert "0 of 1" in Page(cohort_page(**values)).text
    assert "1 of 1" in Page(cohort_page(**values, by_donor=one)).text


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
    known |= {"subset_share": "0.8", "members": "bright 0.80, other_dim 0.10"}
    rows = [known | {"cluster": str(i), "CD16": value} for i, value in enumerate(("0.2", "0.6", "1"))]
    page = Page(cohort_page(**NOTHING | {"clusters": rows}))
    assert [cell["style"] for cell in page.all("td") if "style" in cell] == [
        "--shade: 0%",
        "--shade: 50%",
        "--shade: 100%",
    ]
    assert "bright 0.80, other dim 0.10" in page.text
    assert "NKG2C" not in page.text  # no cluster of this panel has it


def test_a_marker_with_the_name_of_no_column_is_a_column_of_the_heat_map_and_nothing_else_is() -> None:
    known = dict.fromkeys((*CLUSTERS_BEFORE, *CLUSTERS_BEHIND), "NA")
    rows = [known | {"panel": "p", "cluster": "1", "fraction": "1", "stability": "0.9", "age": "0.5"}]
    page = Page(cohort_page(**NOTHING | {"clusters": rows}))
    assert len([cell for cell in page.all("td") if "style" in cell]) == 1
    assert "cluster subset of NK stability age most members" in page.text


def test_like_clusters_stand_together() -> None:
    known = {"panel": "p", "subset": "bright", "cl_id": "NA", "fraction": "0.5", "stability": "0.9"}
    medians = [("0.1", "0.9"), ("0.8", "0.1"), ("0.12", "0.9"), ("0.8", "0.14"), ("0.1", "0.86")]
    rows = [known | {"cluster": str(i), "CD16": a, "CD57": b} for i, (a, b) in enumerate(medians, start=1)]
    text = Page(cohort_page(**NOTHING | {"clusters": rows})).text
    order = re.findall(r"\b([1-5]) bright 50", text)
    assert sorted(order) == list("12345")
    assert {order.index(number) // 3 for number in "135"} == {0}


def test_ambiguous_and_unstable_clusters_say_so() -> None:
    known = {"panel": "p", "cl_id": "NA", "fraction": "0.5", "stability": "0.9", "CD16": "0.3"}
    rows = [known | {"cluster": "1", "subset": "ambiguous", "unstable": "true", "seed_agreement": "0.42"}]
    rows += [known | {"cluster": "2", "subset": "bright", "unstable": "false", "seed_agreement": "NA"}]
    page = Page(cohort_page(**NOTHING | {"clusters": rows}))
    text = page.text
    assert "ambiguous unstable" in text
    assert text.count("unstable") == 1
    assert {"agreement over seeds 0.42", "agreement over seeds –"} == {
        c["title"] for c in page.all("td") if "title" in c
    }


def test_cells_on_two_axes_are_coloured_by_subset_cluster_and_marker() -> None:
    page = Page(cohort_page(**cohort_values()))
    named = [svg["aria-label"] for svg in page.all("svg") if "two axes" in svg.get("aria-label", "")]
    assert [name.rpartition(", ")[2] for name in named] == ["by subset", "by cluster", "by CD16", "by plain"]
    assert "By subset bright plain no subset By cluster 1 2 1 plain 2 – in no cluster" in page.text
    assert "4 NK cells of 2 samples" in page.text
    assert "not for measuring" in page.text


def test_a_subset_has_one_colour_in_bars_dots_and_heat_map() -> None:
    values = cohort_values()
    page = Page(cohort_page(**values | {"embeddings": [an_embedding(subset=np.array(["plain"] * 4))]}))
    keys = [element["style"] for element in page.all("span") if element.get("class") == "key"]
    bars = {rect["fill"] for rect in page.all("rect") if "fill" in rect}
    color = category_colors(["bright", "plain"])["plain"]
    assert color in bars
    assert keys.count(f"--color: {color}") >= 3  # legend of the bars, heat map, legend of the dots


def test_a_panel_without_an_embedding_says_why() -> None:
    nothing = {"rows": [], "places": np.empty((0, 2)), "values": np.empty((0, 2)), "cluster": [], "subset": []}
    lone = an_embedding(**nothing, method="", reason="only two markers")
    text = Page(cohort_page(**cohort_values() | {"embeddings": [lone]})).text
    assert "No picture of single cells: only two markers." in text


def test_a_patient_has_one_colour_in_every_picture() -> None:
    rows = [line | {"patient": patient} for patient in ("P1", "P2") for line in trajectories()]
    rows += [line | {"platform": "beads"} for line in rows if line["patient"] == "P1" and line["measure"] == "nk"]
    patients = [{"patient": name, "arm": None} for name in ("P1", "P2")]
    page = Page(cohort_page(**NOTHING | {"trajectories": rows, "patients": patients}))
    keys = [element for element in page.all("span") if element.get("class", "").startswith("key")]
    first, second = keys[0]["style"], keys[1]["style"]
    assert [key["style"] for key in keys] == [first, second, first, first, second]  # donor NK, then all NK
    assert [key["class"] for key in keys] == ["key", "key", "key", "key dashed", "key"]


def test_arms_stand_side_by_side_and_are_not_compared() -> None:
    known = {"measure": "donor_nk", "quantity": "cmax"}
    rows = [row("cohort", group="arm:1e6", n=4, median=8.0, note="cells/µL; range 3 to 12", **known)]
    rows += [row("cohort", group="arm:2e6", n=2, note="cells/µL; range under 4 to 20", **known)]
    text = Page(cohort_page(**NOTHING | {"summary": rows})).text
    assert "donor NK cells 1e6 2e6 Peak (Cmax) 8, range 3 to 12 (n = 4) range under 4 to 20 (n = 2)" in text
    assert "Arms are not compared by a test" in text
    assert not re.search(r"\bp [=<]", text)
