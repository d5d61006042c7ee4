"""What people read about changes of subsets: ratios with intervals, bounds as bounds, and what n can't show."""

from __future__ import annotations

import re
from typing import Any

from nktrace.pages.cohort import cohort_page
from nktrace.pages.patient import patient_page
from nktrace.pages.subset_changes import patient_changes, statement
from tests.pages.reading import Page
from tests.pages.study_rows import a_patient, cohort_values, patient_values, row, subset_change


def test_a_change_is_read_as_a_ratio_of_odds_and_a_bound_as_a_bound() -> None:
    text = Page(patient_page(a_patient(), **patient_values())).text
    assert "Every subset and day (4 rows, 3 with a change" in text
    assert "2 (1.5 to 3)" in text
    assert "> 4" in text
    assert "< 1" in text
    assert "a change between two tubes is not told from these" in text


def test_what_neither_sample_resolves_is_left_to_their_own_pages() -> None:
    lacking = row("subset_change", patient="plain", subset="s", status="not_estimable", day=7.0, reason="no NKG2C here")
    rows = [*subset_change(), lacking, lacking | {"baseline_fraction": 0.1, "reason": "no gate today"}]
    text = Page(patient_page(a_patient(), **patient_values() | {"subset_change": rows})).text
    assert "no gate today" in text
    assert "no NKG2C here" not in text


def test_pictures_name_each_point_for_readers_without_eyes() -> None:
    page = Page(patient_page(a_patient(), **patient_values()))
    names = [picture["aria-label"] for picture in page.all("svg") if "aria-label" in picture]
    assert "plain over time, × the baseline's odds" in names
    assert "day 14: > 4 × the baseline's odds; plain" in page.text


def test_a_patient_without_any_change_has_the_reasons_and_no_picture() -> None:
    refused = [line for line in subset_change() if line["status"] == "not_estimable"]
    text = Page(patient_page(a_patient(), **patient_values() | {"subset_change": refused})).text
    assert "No change from a baseline can be given" in text
    assert (
        "Change from the baseline"
        not in Page(patient_page(a_patient(), **patient_values() | {"subset_change": []})).text
    )


def test_the_cohort_says_what_its_n_cannot_show_before_the_pictures() -> None:
    text = Page(cohort_page(**cohort_values())).text
    said = "With n = 4 no two-sided p of a single subset can be under 0.125: no change, however large, reaches 0.05."
    assert text.index(said) < text.index("Hodges–Lehmann estimate")
    assert "without a control group nothing here tells one cause from another" in text
    assert "Tests, all patients (1 rows)" in text
    assert "Tests, by arm (1 rows)" in text
    assert "4 patients, day 7: 2 (1.5 to ∞) × the baseline's odds; 0.875 interval" in text


def exact(n: int, subsets: int, **more: Any) -> list[dict[str, Any]]:
    known = {"n": n, "day": 7.0, "smallest_p": 2.0 ** (1 - n), "p": 1.0, "alpha": 0.05, **more}
    return [row("subset_change_tests", subset=f"s{number}", group="all", **known) for number in range(subsets)]


def test_the_statement_counts_the_family() -> None:
    assert statement(exact(6, 6)) == [
        "With n = 6 no two-sided p of a single subset can be under 0.0312, and with 6 subsets and states tested on a "
        "day none under 0.188 (Holm): after that correction no change, however large, reaches 0.05."
    ]
    assert "however large" not in statement(exact(12, 6))[0]
    both = statement(exact(6, 2) + exact(5, 2, day=28.0))
    assert [words.split(" no ")[0] for words in both] == ["With n = 6", "With n = 5"]
    assert statement([]) == []


def test_the_statement_holds_p_against_the_level_of_the_study() -> None:
    assert statement(exact(6, 1, alpha=0.01))[0].endswith("no change, however large, reaches 0.01.")
    assert "however large" not in statement(exact(4, 1, alpha=1 - 0.8))[0]
    assert statement(exact(4, 1, alpha=1 - 0.9))[0].endswith("reaches 0.1.")


def test_values_of_two_panels_are_not_joined() -> None:
    rows = [line | {"panel": panel} for panel in ("B", "A") for line in subset_change()]
    names = [figure["name"] for figure in patient_changes(rows)["figures"]]
    assert names == ["plain, panel A", "plain, panel B"]
    assert [figure["name"] for figure in patient_changes(rows[:4])["figures"]] == ["plain"]


def test_an_endless_interval_does_not_hide_the_values() -> None:
    known = {"patient": "plain", "subset": "s", "day": 7.0, "status": "ok"}
    wild = [row("subset_change", log_ratio=0.0, ci_low=-400.0, ci_high=0.5, **known)]
    picture = str(patient_changes(wild)["figures"][0]["image"])
    ticks = re.findall(r"<text[^>]*>([^<]*)</text>", picture)
    assert "1" in ticks
    assert not [tick for tick in ticks if tick.startswith("10⁻")]
