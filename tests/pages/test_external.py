from __future__ import annotations

from typing import Any

import pytest

from nktrace.model.external import measured_by
from nktrace.pages.cohort import cohort_page
from nktrace.pages.external import cohort_methods
from nktrace.pages.patient import patient_page
from tests.pages.reading import Page
from tests.pages.study_rows import a_patient, cohort_values, patient_values, row

SHARP = "<b>\"&'"
NAN = float("nan")


def comparisons(name: str = "P1") -> list[dict[str, Any]]:
    known = {"patient": name, "population": "nk", "method": "ddPCR", "material": name, "lineages": "nk", "covered": 1.0}
    told = {"flow_fraction": 0.05, "flow_low": 0.04, "flow_high": 0.06, "flow_lod": 0.001, "flow_censored": False}
    value = {"external_fraction": 0.04, "external_low": 0.03, "external_high": 0.05, "external_censored": False}
    gap = {"difference": 0.01, "difference_low": -0.004, "difference_high": 0.024}
    below = {"external_fraction": 0.0, "external_lod": 0.07, "external_censored": True}
    everything, nothing = known | {"population": "leukocytes"}, known | {"lineages": None}
    bound = told | {"flow_fraction": float("nan"), "flow_low": 0.001, "flow_high": 0.8}
    return [
        row("external_chimerism", day=1.0, flow_day=1.0, status="ok", reason=name, **known, **told, **value, **gap),
        row("external_chimerism", day=7.0, flow_day=7.0, status="censored", **known, **told, **below),
        row("external_chimerism", day=9.0, flow_day=9.0, status="bound", **everything, **bound, **value),
        row("external_chimerism", day=60.0, status="not_comparable", reason="no flow sample", **nothing, **value),
    ]


def agreement(**values: Any) -> list[dict[str, Any]]:
    known = {"method": "ddPCR", "population": "nk", "n_pairs": 2, "n_patients": 1, "n_censored": 1, "n_left_out": 1}
    numbers = {"bias": 0.0953, "limit_low": -0.5, "limit_high": 0.7, "concordance": 0.9}
    return [row("external_agreement", quantity=name, value=v, **known, **values) for name, v in numbers.items()]


def test_a_patients_page_lays_methods_side_by_side_and_hides_no_limit() -> None:
    page = Page(patient_page(a_patient(), **patient_values(), external=comparisons()))
    text = page.text
    assert "Beside other methods" in text
    assert "4.00 % (3.00 to 5.00)" in text
    assert "5.00 % (4.00 to 6.00)" in text
    assert "< 7.00 %" in text
    assert "0.100 to 80.0 %" in text
    assert "no flow sample" in text


def test_without_other_methods_nothing_of_it_appears() -> None:
    assert "other methods" not in Page(patient_page(a_patient(), **patient_values())).text
    assert "other methods" not in Page(cohort_page(**cohort_values())).text


def test_the_cohorts_page_tells_bias_as_a_ratio_of_odds_and_what_so_few_cannot_show() -> None:
    values = cohort_values() | {"patients": [{"patient": "P1", "arm": None}]}
    rows = agreement(ci_low=-0.3, ci_high=0.5)
    text = Page(cohort_page(**values, external_chimerism=comparisons(), external_agreement=rows)).text
    assert "ddPCR, NK cells" in text
    assert "1.1 (0.741 to 1.65)" in text
    assert "cannot be told from none" in text
    assert "under 10 patients" in text
    few = Page(cohort_page(**values, external_chimerism=comparisons(), external_agreement=agreement())).text
    assert "Too few to tell agreement" in few


@pytest.mark.parametrize(
    ("high", "lod", "bound"), [(0.965, 0.05, False), (1.0, 0.05, True), (NAN, 0.05, True), (0.965, NAN, False)]
)
def test_a_value_near_one_is_drawn_as_it_is_counted(high: float, lod: float, bound: bool) -> None:
    """As a bound, a triangle, in the picture of the ratio; as a point where its interval excludes 1."""
    first = comparisons()[0]
    near = first | {"external_fraction": 0.96, "external_low": 0.955, "external_high": high, "external_lod": lod}
    assert (measured_by("external", near).told == (0.96, 0.96)) is not bound
    (kind,) = cohort_methods([{"patient": "P1"}], [near], agreement(ci_low=-0.3, ci_high=0.5))
    picture = str(kind["figures"][1]["image"])
    assert ("<circle" in picture) is not bound


def test_a_pair_that_tells_nothing_is_not_in_the_picture_of_the_ratio() -> None:
    """Both as near to 1 as they can tell; and a method that gives 1 with neither a limit nor an interval."""
    first = comparisons()[0]
    one = {"fraction": 1.0, "low": 0.98, "high": 1.0, "lod": 0.01}
    both = first | {f"{method}_{name}": value for method in ("flow", "external") for name, value in one.items()}
    unknown = first | {"external_fraction": 1.0, "external_low": NAN, "external_high": NAN, "external_lod": NAN}
    for pair in (both, unknown):
        (kind,) = cohort_methods([{"patient": "P1"}], [pair], agreement(ci_low=-0.3, ci_high=0.5))
        picture = str(kind["figures"][1]["image"])
        assert "P1, day 1" in str(kind["figures"][0]["image"])
        assert "P1, day 1" not in picture


def test_names_are_text() -> None:
    values = cohort_values() | {"patients": [{"patient": SHARP, "arm": None}]}
    for html in (
        patient_page(a_patient(), **patient_values(), external=comparisons(SHARP)),
        cohort_page(**values, external_chimerism=comparisons(SHARP), external_agreement=agreement()),
    ):
        assert SHARP not in html
        assert SHARP in Page(html).text
