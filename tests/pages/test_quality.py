"""The checks of a sample's page: each value beside its limit, with the picture of what was judged."""

from __future__ import annotations

import math

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


def shift_rows(*shifts: tuple[str, float, float | None]) -> dict[str, object]:
    """Rows of qc.tsv and nk_drift.tsv: marker, shift, and shift after alignment."""
    checks = [
        row("qc", sample="s", check=f"nk_shift:{marker}", value=abs(shift), limit=0.07, status=status, reason="why")
        for marker, shift, after in shifts
        for status in ["warn" if abs(shift if after is None else after) > 0.07 else "pass"]
    ]
    drift = [
        row(
            "nk_drift",
            sample="s",
            marker=marker,
            shift=shift,
            ci_low=shift - 0.01,
            ci_high=shift + 0.01,
            aligned_shift=math.nan if after is None else after,
        )
        for marker, shift, after in shifts
    ]
    return {"checks": checks, "drift": drift}


def test_shifts_of_markers_share_one_picture_that_every_row_leads_to() -> None:
    page = a_page(**shift_rows(("CD57", 0.1, None), ("CD16", -0.02, None), ("CD56", 0.12, 0.01)), pictures=[])
    assert [(figure["id"], figure["class"]) for figure in page.all("figure")] == [("check-nk_shifts", "warn")]
    assert [link["href"] for link in page.all("a") if link["href"].startswith("#")] == ["#check-nk_shifts"] * 3
    for words in ("CD57: +10.0%", "CD56: +12.0%, +1.0% aligned", "NK shift: CD57"):
        assert words in page.text


def test_without_a_shift_there_is_no_picture_of_shifts() -> None:
    skipped = [row("qc", sample="s", check="nk_shift:CD57", value=math.nan, limit=0.07, status="skipped", reason="few")]
    unknown = [row("nk_drift", sample="s", marker="CD57", shift=math.nan, ci_low=math.nan, ci_high=math.nan)]
    page = a_page(checks=skipped, drift=unknown, pictures=[], quality=type(pictures())())
    assert not page.all("figure")
    assert "few" in page.text


def test_hostile_markers_stay_text() -> None:
    hostile = a_page(HOSTILE, **shift_rows((HOSTILE, 0.2, 0.1)))
    assert not {"script", "img"} & {tag for tag, _ in hostile.elements}
    assert not {"script", "img"} & {tag for tag, _ in a_page(HOSTILE).elements}
