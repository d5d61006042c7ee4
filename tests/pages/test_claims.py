"""The pages of a cohort of 6 and one of 19 say what so many patients carry, and no more."""

from __future__ import annotations

import math

import pytest

from nktrace.pages.claims import carried, detection, statements
from tests.pages.forbidden import claims, said
from tests.pages.shapes import Cohort, cohort_of, summary_of
from tests.pages.study_rows import row

NO_EFFECT = "neither an effect nor a cause can be read from it"
NO_ORIGIN = "origin is not attributable"


@pytest.fixture(scope="module")
def six(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    return cohort_of("demo_release", tmp_path_factory.mktemp("six") / "results")


@pytest.fixture(scope="module")
def nineteen(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    return cohort_of("liver", tmp_path_factory.mktemp("nineteen") / "results")


@pytest.fixture(params=["six", "nineteen"])
def cohort(request: pytest.FixtureRequest) -> Cohort:
    return request.getfixturevalue(request.param)


def test_the_list_finds_claims() -> None:
    assert len(claims("Responders had significantly more cells, due to the infusion.")) == 3
    assert claims("Donor cells persisted; the origin is not attributable.") == []
    assert claims("Infused NK cells persisted for 28 days") != []


def test_no_page_claims_what_its_patients_cannot_show(cohort: Cohort) -> None:
    assert claims(said(cohort.page)) == []
    for patient in cohort.patients:
        assert claims(said(cohort.patient_page(patient.patient))) == [], patient.patient


def test_the_number_of_patients_stands_before_every_number(cohort: Cohort) -> None:
    text = said(cohort.page)
    n = len(cohort.patients)
    assert f"n = {n}. What stands here describes these patients" in text
    assert NO_EFFECT in text
    assert text.index(NO_EFFECT) < text.index("highest donor share")
    assert "a change has no cause" in text or "nothing here tells one cause from another" in text
    assert "Groups are described, not compared" in text
    assert "a subset also changes where cells of either come or go" in text


def test_graft_and_infusion_are_told_apart_nowhere(six: Cohort, nineteen: Cohort) -> None:
    assert NO_ORIGIN not in said(six.page)
    text = said(nineteen.page)
    assert "In 19 of 19 donor cells were there before the infusion (a graft, from day −3 on)" in text
    assert NO_ORIGIN in text
    assert text.index(NO_ORIGIN) < text.index("highest donor share")
    for patient in nineteen.patients:
        page = said(nineteen.patient_page(patient.patient))
        assert "no origin is attributed here" in page
        assert page.index("no origin is attributed here") < page.index("Donor NK cells over time")
    for patient in six.patients:
        assert "no origin is attributed" not in said(six.patient_page(patient.patient))


def test_shares_of_patients_have_exact_intervals() -> None:
    """By Clopper and Pearson, as in the documents of the project: 6 of 6, none of 6, 6 of 19."""
    assert detection(6, 6) == "6 of 6 (54.1 to 100\u202f%)"
    assert detection(0, 6) == "0 of 6 (0 to 45.9\u202f%)"
    assert detection(6, 19) == "6 of 19 (12.6 to 56.6\u202f%)"
    assert detection(0, 0) == "0 of 0"


def test_every_summary_has_its_n_and_no_interval_that_n_does_not_carry(cohort: Cohort) -> None:
    rows = summary_of(cohort)
    assert rows
    for one in rows:
        assert 0 <= one["n"] <= len(cohort.patients)
        if math.isnan(one["median"]):
            continue
        has_interval = not math.isnan(one["ci_low"]) and not math.isnan(one["ci_high"])
        if one["n"] < 6 and one["method"].startswith("order statistics"):
            assert not has_interval, (
                f"{one['measure']} {one['quantity']}: no 95 % interval of a median has n = {one['n']}"
            )
        if "proportion" in one["method"]:
            assert has_interval


def test_no_p_value_is_smaller_than_n_allows(six: Cohort) -> None:
    text = said(six.page)
    assert "With n = 6 no two-sided p of a single subset can be under 0.0312" in text
    assert "no change, however large, reaches 0.05" in text


def test_two_patients_have_no_median_and_three_no_quartiles() -> None:
    values = {"median": 3.1, "q1": 3.0, "q3": 3.2, "method": "order statistics", "note": "range 2.98 to 3.25"}
    of_two, of_three, of_four = (carried(row("cohort", n=n, **values)) for n in (2, 3, 4))
    assert math.isnan(of_two["median"])
    assert math.isnan(of_two["q1"])
    assert (of_three["median"], math.isnan(of_three["q3"])) == (3.1, True)
    assert (of_four["q1"], of_four["q3"]) == (3.0, 3.2)


def test_neither_method_nor_note_brings_the_median_of_few_back() -> None:
    """Turnbull's median of one patient is the middle between two of its visits."""
    note = "days; median in (4, 7]; no band under n = 10; left out: P1 (already above; platform dual)"
    known = {"median": 5.5, "q1": 5.5, "q3": 5.5, "method": "Turnbull, interval-censored", "note": note}
    of_one, of_three = (carried(row("cohort", n=n, **known), reached=1) for n in (1, 3))
    assert all(math.isnan(of_one[name]) for name in ("median", "q1", "q3"))
    assert (of_one["count"], of_one["note"]) == (
        *("1 of 1",),
        "days; no band under n = 10; left out: P1 (already above; platform dual)",
    )
    assert (of_three["median"], math.isnan(of_three["q1"]), of_three["count"]) == (5.5, True, "")
    change = row("cohort", n=2, median=0.4, method="signed rank, exact; Hodges-Lehmann")
    assert math.isnan(carried(change)["median"])


def test_a_share_of_two_patients_is_a_count() -> None:
    share = row("cohort", n=2, median=0.5, ci_low=0.0126, ci_high=0.987, method="proportion, Clopper-Pearson")
    assert carried(share)["count"] == "1 of 2 (0.0126 to 0.987)"
    assert carried({**share, "n": 4})["count"] == ""
    assert carried({**share, "n": 4})["median"] == 0.5


def test_a_status_is_not_called_by_the_name_of_a_quantity(six: Cohort) -> None:
    """`detected` is a status of a sample and a quantity over the patients."""
    page = said(six.patient_page("P1"))
    assert "; detected; LoD" in page
    assert "Patients in whom" not in page


def test_some_patients_met_donor_cells_before() -> None:
    mixed = [{"patient": "A", "first_donor_exposure_day": -3.0}, {"patient": "B", "first_donor_exposure_day": 0.0}]
    assert statements(mixed)[1].startswith("In 1 of 2 donor cells were there before the infusion")
    assert "describes this patient" in statements([{"patient": "A"}])[0]
    assert statements([]) == []
