from __future__ import annotations

import re
from typing import Any

from nktrace.pages.cohort import cohort_page
from nktrace.pages.patient import patient_page
from nktrace.pages.swimmer import course
from tests.figures.reading import elements, texts, titles
from tests.pages.reading import Page
from tests.pages.study_rows import a_patient, cohort_values, patient_values, row

DAYS = (-1.0, 1.0, 7.0, 28.0)


def visit(patient: str, day: float) -> dict[str, Any]:
    return {"sample": f"{patient}-{day:g}", "patient": patient, "day": day, "role": "timepoint"}


def told(patient: str, day: float, status: str) -> dict[str, Any]:
    share = {"donor_fraction": 0.1, "ci_low": 0.05, "ci_high": 0.2} if status == "quantified" else {}
    return row(
        "chimerism", sample=f"{patient}-{day:g}", patient=patient, day=day, population="nk", status=status, **share
    )


def event(patient: str, day: float, kind: str, note: str = "") -> dict[str, str]:
    return {"patient": patient, "day": f"{day:g}", "kind": kind, "note": note}


def infusion(patient: str, name: str, day: float, donor: str) -> dict[str, str]:
    known = {"patient": patient, "infusion": name, "day": f"{day:g}", "donor": donor, "donor_hla": ""}
    return known | {"cells_per_kg": "1000000", "viability": "", "cd3_fraction": ""}


def drawn(*patients: dict[str, Any], statuses: tuple[str, ...] = ("not_detected", "quantified", "quantified")) -> str:
    samples = [visit(patient["patient"], day) for patient in patients for day in DAYS]
    chimerism = [told(p["patient"], d, status) for p in patients for d, status in zip(DAYS, statuses, strict=False)]
    found = course(patients, samples, chimerism)
    assert found is not None
    return str(found["image"])


def test_every_visit_says_whether_donor_cells_were_detected() -> None:
    said = titles(drawn({"patient": "P1"}))
    assert [title.rpartition(": ")[2] for title in said if "donor NK cells" in title] == [
        "donor NK cells not detected, –",
        "donor NK cells detected, 10.0\u202f% (5.00 to 20.0)",
        "donor NK cells detected, 10.0\u202f% (5.00 to 20.0)",
        "donor NK cells cannot be told",
    ]


def test_nothing_is_coloured_between_visits_of_different_answers() -> None:
    fills = [box.attrib["fill"] for box in elements(drawn({"patient": "P1"}), "rect")]
    assert fills.count("#f5b999") == 1  # day 1 to 7 alone


def test_infusions_have_their_donor_where_there_are_several_and_their_dose() -> None:
    both = [infusion("P1", "i1", 0, "D1"), infusion("P1", "i2", 7, "D2")]
    assert {"D1 1\u2009×\u200910⁶/kg", "D2 1\u2009×\u200910⁶/kg"} <= set(
        texts(drawn({"patient": "P1", "infusions": both}))
    )
    assert "1\u2009×\u200910⁶/kg" in texts(drawn({"patient": "P1", "infusions": both[:1]}))


def test_a_death_long_after_the_last_visit_does_not_press_the_visits_together() -> None:
    def width(**patient: Any) -> float:
        boxes = [float(box.attrib["x"]) for box in elements(drawn({"patient": "P1", **patient}), "rect")]
        return max(boxes) - min(boxes)

    assert width(death_day=900.0) == width()
    assert "died on day 900" in texts(drawn({"patient": "P1", "death_day": 900.0}))


def test_nineteen_patients_fit_and_no_marks_overlap() -> None:
    events = [event("P", day, kind) for day in (3, 3, 3.2, 3.4, 5) for kind in ("infection", "steroid", "rejection")]
    svg = drawn(*({"patient": f"P{i}", "arm": f"arm {i % 2}", "events": events} for i in range(19)))
    _, _, _, tall = map(float, re.search(r'viewBox="([^"]+)"', svg).group(1).split())  # type: ignore[union-attr]
    words = elements(svg, "text")
    assert {f"P{i}" for i in range(19)} <= set(texts(svg))
    assert all(0 < float(word.attrib["y"]) < tall for word in words)
    boxes = {(b.attrib["x"], b.attrib["y"]) for b in elements(svg, "rect") if b.attrib.get("rx") == "3"}
    assert len(boxes) == 19 * 12  # two of a kind on one day are one
    assert all(
        one == other or abs(float(one[0]) - float(other[0])) >= 18 or abs(float(one[1]) - float(other[1])) >= 12
        for one in boxes
        for other in boxes
    )


def test_arms_stand_together_under_their_names() -> None:
    said = texts(drawn({"patient": "P1", "arm": "b"}, {"patient": "P2", "arm": "a"}, {"patient": "P3", "arm": "b"}))
    assert [word for word in said if word in ("a", "b", "P1", "P2", "P3")] == ["b", "P1", "P3", "a", "P2"]


def test_nobody_without_visits_has_a_lane() -> None:
    assert course([{"patient": "P1"}], [], []) is None


def test_no_words_of_cause_stand_beside_what_happened() -> None:
    values = cohort_values()
    values["patients"][0] |= {"events": [event("plain", 3, "rejection", "grade 2")], "death_day": 20.0}
    for html in (cohort_page(**values), patient_page(a_patient(death_day=9.0), **patient_values())):
        text = Page(html).text
        assert "need not come from it" in text
        assert not re.search(r"\b(caused|due to|because of|led to|result of|response to)", text, re.IGNORECASE)


def test_what_is_too_far_from_the_visits_for_the_pictures_is_told_in_words() -> None:
    html = patient_page(a_patient(death_day=400.0), **patient_values())
    assert "Too far from the visits for the pictures: day 400: death." in Page(html).text
