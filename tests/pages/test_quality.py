"""The checks of a sample's page: each value beside its limit, with the picture of what was judged."""

from __future__ import annotations

from nktrace.pages.sample import sample_page
from tests.figures.quality_values import pictures
from tests.pages.reading import Page
from tests.pages.study_rows import HOSTILE, a_picture, a_sample, row

CHECKS = ("flow_rate", "time_removed", "signal_drift", "margin", "compensation_residual", "control_drift", "nk_events")
NOTHING = {"populations": [], "cuts": [], "subsets": []}


def a_page(name: str = "CD3", **changes: object) -> Page:
    checks = [row("qc", sample="s", check=c, value=0.1, limit=0.2, status="pass", reason="why") for c in CHECKS]
    values = {"checks": checks, "pictures": [a_picture("margin")], "quality": pictures(name)} | NOTHING | changes
    return Page(sample_page(a_sample(), **values))  # type: ignore[arg-type]


def test_every_check_that_can_be_drawn_is_and_its_row_leads_there() -> None:
    page = a_page()
    drawn = {figure["id"] for figure in page.all("figure")}
    expected = {"flow_rate", "signal_drift", "compensation_residual", "control_drift"}
    assert drawn == {f"check-{check}" for check in expected} | {"gate-margin"}
    links = [link["href"] for link in page.all("a") if link["href"].startswith("#")]
    assert set(links) == {f"#{name}" for name in drawn}
    assert links.count("#check-flow_rate") == 2  # what was cut out is shaded there


def test_a_check_without_a_picture_has_no_link() -> None:
    page = a_page(pictures=[], quality=type(pictures())())
    assert not page.all("figure")
    assert not [link for link in page.all("a") if link["href"].startswith("#")]


def test_hostile_markers_stay_text() -> None:
    assert not {"script", "img"} & {tag for tag, _ in a_page(HOSTILE).elements}
