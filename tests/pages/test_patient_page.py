from __future__ import annotations

import re

import pytest

from nktrace.pages.patient import patient_page
from tests.pages.reading import Page
from tests.pages.study_rows import (
    a_patient,
    a_sample,
    chimerism,
    kinetics,
    overrides,
    patient_values,
    row,
    trajectories,
)

NOTHING = {
    "samples": [],
    "counts": [],
    "chimerism": [],
    "trajectories": [],
    "curves": [],
    "kinetics": [],
    "cuts": [],
    "subsets": [],
    "checks": [],
    "thresholds": {},
    "events": [],
}


def test_the_first_screen_answers_the_four_questions() -> None:
    text = Page(patient_page(a_patient(), **patient_values())).text
    head = text[: text.index("Donor NK cells over time")]
    assert "Whose? 12.0 % (10.0 to 14.0) donor, the highest share of NK cells (day 7)" in head
    assert "latest, day 14: not detected (LoD 2.00 %)" in head
    assert "How many? 12 (9 to 15) cells/µL, peak of donor NK cells (day 7)" in head
    assert "Which subset? plain 90.0 % (5.00 to 90.0) of NK cells (day 7)" in head
    assert "For how long? day 7 donor NK last detected" in head
    assert "first below detection: day 14 (7 to 14)" in head
    assert "half-life: not estimable" in head


def test_changed_gates_are_listed_with_their_samples() -> None:
    page = Page(patient_page(a_patient(), **NOTHING | {"overrides": overrides("S9")}))
    assert "Gates changed by an analyst" in page.text
    assert "../../samples/S9/report.html" in {link["href"] for link in page.all("a")}
    assert "boolean (whole batch) 30 40 400 S9, 2026-03-01T10:00:00Z" in page.text
    assert "Gates changed" not in Page(patient_page(a_patient(), **NOTHING)).text


def test_empty_tables_make_a_page() -> None:
    text = Page(patient_page(a_patient(arm="", donor="", sex="", dose_per_kg=float("nan")), **NOTHING)).text
    assert "cannot be told" in text
    assert "No donor fraction can be given" in text
    assert "No cell counts" in text


def test_donor_cells_that_were_never_found() -> None:
    none = [line for line in chimerism() if line["status"] == "not_detected"]
    never = [
        row(
            "kinetics",
            measure="donor_nk",
            quantity="tlast",
            status="not_estimable",
            unit="days",
            reason="under the limit of detection at every visit",
        )
    ]
    text = Page(patient_page(a_patient(), **NOTHING | {"chimerism": none, "kinetics": never})).text
    assert "no donor NK found" in text
    assert "For how long? – under the limit of detection at every visit" in text


def test_donor_cells_that_are_still_there_are_not_given_an_end() -> None:
    open_end = {"status": "censored", "reason": "still detected at the last visit that tells (day 7); no more known"}
    last = [line | open_end if line["quantity"] == "tlast" else line for line in kinetics()]
    text = Page(patient_page(a_patient(), **patient_values() | {"kinetics": last})).text
    assert "For how long? day 7 still detected at the last visit that tells (day 7)" in text


def test_a_liver_graft_before_the_infusion_takes_away_the_origin() -> None:
    before = patient_page(a_patient(first_donor_exposure_day=-3.0), **patient_values())
    assert "no origin is attributed here" in Page(before).text
    assert "no origin is attributed here" not in Page(patient_page(a_patient(), **patient_values())).text


def test_the_first_screen_says_how_donor_cells_changed_since_the_baseline() -> None:
    changed = {"change_from_baseline": 0.08, "change_low": 0.05, "change_high": 0.11}
    rows = [line | changed if line["day"] == 7.0 else line for line in chimerism()]
    net = row("kinetics", measure="donor_nk", quantity="cmax_net", value=7.0, ci_low=4.0, ci_high=10.0, status="ok")
    values = patient_values() | {"chimerism": rows, "kinetics": [*kinetics(), net | {"unit": "cells/µL"}]}
    text = Page(patient_page(a_patient(first_donor_exposure_day=-3.0), **values)).text
    assert "change from the baseline, day 7: 8.00 % (5.00 to 11.0) of NK cells" in text
    assert "peak above the baseline: 7 (4 to 10) cells/µL" in text
    assert "change from the baseline, day" not in Page(patient_page(a_patient(), **patient_values())).text


@pytest.mark.parametrize("first_day", [0.0, -3.0])
def test_no_causal_words(first_day: float) -> None:
    text = Page(patient_page(a_patient(first_donor_exposure_day=first_day), **patient_values())).text
    assert not re.search(r"\b(caus|due to|because of the infusion|effect|led to|thanks to)", text, re.IGNORECASE)


def test_a_tube_that_tells_no_subsets_apart_has_no_bar() -> None:
    known = {"nk_events": 10, "status": "ok"}
    rows = [
        row("subsets", sample="full", subset="bright", events=3, fraction_of_nk=0.3, **known),
        row("subsets", sample="full", subset="other_nk", events=7, fraction_of_nk=0.7, **known),
        row("subsets", sample="counting", subset="bright", **known),
        row("subsets", sample="counting", subset="other_nk", events=10, fraction_of_nk=1.0, **known),
    ]
    samples = [a_sample("full", day=1.0), a_sample("counting", day=1.0)]
    html = patient_page(a_patient(), **NOTHING | {"samples": samples, "subsets": rows})
    assert html.count("day 1: 30.0\u202f%") == 1
    assert "day 1: 100\u202f%" not in html


def test_counting_platforms_are_never_joined() -> None:
    other = [line | {"platform": "beads"} for line in trajectories() if line["measure"] == "nk"]
    page = Page(patient_page(a_patient(), **patient_values() | {"trajectories": trajectories() + other}))
    names = [picture["aria-label"] for picture in page.all("svg") if "aria-label" in picture]
    assert "NK cells (plain) over time, cells/µL" in names
    assert "NK cells (beads) over time, cells/µL" in names


def test_platforms_stand_beside_each_other_with_their_ratio() -> None:
    text = Page(patient_page(a_patient(), **patient_values())).text
    head, every = text[text.index("Counting platforms beside each other") :].split("Every check of the counts", 1)
    assert "all beads over dual 0.7 (0.6 to 0.75) × 1.25 warn" in head
    assert "0.9" not in head, "single days stand with all checks"
    assert "T, B and NK cells make up the lymphocytes: 1 of 2 hold." in head
    assert "Sum of the lineages" in every
    assert "70.0 %" in every or "70.0 %" in every
    assert "Counting platforms" not in Page(patient_page(a_patient(), **NOTHING)).text


def test_days_in_each_grade_are_shown_with_their_bounds() -> None:
    found = {"value": 5.0, "ci_low": 0.0, "ci_high": 10.0, "unit": "days", "status": "ok"}
    rows = [*kinetics(), row("kinetics", measure="lymphocytes", quantity="days_in_grade:3", n_points=4, **found)]
    text = Page(patient_page(a_patient(), **patient_values() | {"kinetics": rows})).text
    assert "Lymphocytes Days in grade 3 5 (0 to 10) days 4 ok" in text


def test_a_donor_fraction_without_a_count_is_drawn_once_as_a_share() -> None:
    fractions = [
        line | {"unit": "fraction", "observed": 0.12} for line in trajectories() if line["measure"] == "donor_nk"
    ]
    page = Page(patient_page(a_patient(), **patient_values() | {"trajectories": fractions}))
    names = [picture["aria-label"] for picture in page.all("svg") if "Donor" in picture.get("aria-label", "")]
    assert names == ["Donor share of NK cells over time, %"]


def test_no_answer_that_rests_on_a_doubtful_gate_stands_without_its_flag() -> None:
    values = patient_values()
    for table in ("chimerism", "trajectories", "subsets"):
        values[table] = [line | {"reason": f"gate_doubtful: {table} (one peak); else"} for line in values[table]]
    text = Page(patient_page(a_patient(), **values)).text
    head = text[: text.index("Donor NK cells over time")]
    whose, rest = head[head.index("Whose?") :].split("How many?")
    many, rest = rest.split("Which subset?")
    which, long = rest.split("For how long?")
    assert whose.count("gate doubtful: chimerism (one peak)") == 1
    assert many.count("gate doubtful: trajectories (one peak)") == 1
    assert which.count("gate doubtful: subsets (one peak)") == 1
    assert long.count("gate doubtful: trajectories (one peak)") == 1
    assert "else" not in head
    assert "gate doubtful" not in Page(patient_page(a_patient(), **patient_values())).text


def test_each_donor_that_is_told_from_the_others_stands_beside_all_of_them() -> None:
    values = patient_values()
    one = [line | {"donor": "D1", "donor_fraction": line["donor_fraction"] / 2} for line in chimerism()]
    counted = [
        line | {"measure": "donor_nk:D1", "observed": 6.0} for line in trajectories() if line["measure"] == "donor_nk"
    ]
    values["chimerism"] = [line | {"donor": "all"} for line in chimerism()]
    values["trajectories"] += counted
    values["kinetics"] += [line | {"measure": "donor_nk:D1"} for line in kinetics()]
    page = Page(patient_page(a_patient(), **values, by_donor=one))
    names = [picture["aria-label"] for picture in page.all("svg") if "onor" in picture.get("aria-label", "")]
    assert names == [
        "Donor NK cells (plain) over time, cells/µL",
        "Donor share of NK cells over time, %",
        "NK cells of donor D1 (plain) over time, cells/µL",
        "Donor share of NK cells (donor D1) over time, %",
    ]
    assert "12 (9 to 15) cells/µL, peak of donor NK cells (day 7)" in page.text
    assert "donor D1 alone, highest, day 7: 6.00 % (10.0 to 14.0)" in page.text
    none = [line | {"donor": "all"} for line in chimerism() if line["status"] == "not_detected"]
    hidden = Page(patient_page(a_patient(), **NOTHING | {"chimerism": none}, by_donor=one)).text
    assert "no donor NK found" not in hidden
    assert "donor NK found of one of several donors, by its own antibody" in hidden
    assert "day population donor events" in page.text.replace("#", "")
    assert "Each donor" not in Page(patient_page(a_patient(), **patient_values())).text


def test_a_day_without_a_value_has_a_cross_and_a_second_tube_that_cannot_tell_has_none() -> None:
    known = {"patient": "P1", "unit": "cells/µL", "platform": "dual", "censored": False}
    seen = {"observed": 100.0, "observed_low": 90.0, "observed_high": 110.0}
    rows = [
        row("trajectories", measure="nk", day=1.0, **known, **seen),
        row("trajectories", measure="nk", day=1.0, reason="second tube cannot tell", **known),
        row("trajectories", measure="nk", day=7.0, reason="file is cut short", **known),
    ]
    html = patient_page(a_patient(), **NOTHING | {"trajectories": rows})
    assert "day 7: no value; file is cut short" in html
    assert "day 1: no value" not in html
