"""What holds for every page: no name becomes markup, nothing is fetched, the same values give the same bytes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from nktrace.pages.cohort import cohort_page
from nktrace.pages.patient import patient_page
from nktrace.pages.sample import sample_page
from tests.pages.reading import Page
from tests.pages.study_rows import (
    HOSTILE,
    PLAIN,
    a_patient,
    a_sample,
    cohort_values,
    patient_values,
    sample_values,
)

PAGES: dict[str, Callable[[str], str]] = {
    "sample": lambda name: sample_page(a_sample(name), **sample_values(name)),
    "patient": lambda name: patient_page(a_patient(name, first_donor_exposure_day=-3.0), **patient_values(name)),
    "cohort": lambda name: cohort_page(**cohort_values(name)),
}
EVERY_PAGE = pytest.mark.parametrize("write", PAGES.values(), ids=PAGES)


@EVERY_PAGE
def test_a_hostile_name_stays_text(write: Callable[[str], str]) -> None:
    page = Page(write(HOSTILE))
    assert not {"script", "img", "iframe", "object"} & {tag for tag, _ in page.elements}
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    assert " ".join(HOSTILE.split()) in page.text  # shown as it was written, dollars, braces and all


@EVERY_PAGE
def test_a_hostile_name_gives_the_page_the_same_elements_as_a_plain_one(write: Callable[[str], str]) -> None:
    hostile, plain = Page(write(HOSTILE)), Page(write(PLAIN))
    assert [tag for tag, _ in hostile.elements] == [tag for tag, _ in plain.elements]
    assert [list(a) for _, a in hostile.elements] == [list(a) for _, a in plain.elements]


@EVERY_PAGE
def test_links_stay_within_the_results(write: Callable[[str], str]) -> None:
    links = [attributes["href"] for attributes in Page(write(HOSTILE)).all("a")]
    assert links
    for link in links:
        assert link.startswith("../") or "/" not in link
        assert ":" not in link
        assert "<" not in link


@EVERY_PAGE
def test_nothing_is_fetched(write: Callable[[str], str]) -> None:
    html = write(PLAIN)
    assert "http:" not in html
    assert "https:" not in html
    assert "@import" not in html
    assert "url(" not in html
    page = Page(html)
    assert not page.all("link")
    assert all(image["href"].startswith("data:image/png;base64,") for image in page.all("image"))
    (policy,) = (meta["content"] for meta in page.all("meta") if meta.get("http-equiv") == "Content-Security-Policy")
    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


@EVERY_PAGE
def test_no_two_elements_share_an_id(write: Callable[[str], str]) -> None:
    ids = [attributes["id"] for _, attributes in Page(write(PLAIN)).elements if "id" in attributes]
    assert len(ids) == len(set(ids))


@EVERY_PAGE
def test_the_same_values_give_the_same_bytes(write: Callable[[str], str]) -> None:
    assert write(PLAIN) == write(PLAIN)


@EVERY_PAGE
def test_pictures_and_tables_say_what_they_are(write: Callable[[str], str]) -> None:
    page = Page(write(PLAIN))
    pictures = page.all("svg")
    assert any(picture.get("role") == "img" for picture in pictures)
    assert all(picture.get("aria-label") for picture in pictures if picture.get("role") == "img")
    assert all(cell.get("scope") in ("col", "row") for cell in page.all("th"))
    assert page.all("html") == [{"lang": "en"}]


@EVERY_PAGE
def test_a_page_is_for_research(write: Callable[[str], str]) -> None:
    assert "for research, not a medical device" in Page(write(PLAIN)).text
