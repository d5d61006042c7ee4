from __future__ import annotations

import math

import pytest

from nktrace.figures.axes import Days
from nktrace.figures.waiting import Step, Wait, days_of_waits, steps_picture, waits_picture
from tests.figures.reading import elements, texts, titles

DAYS = Days(0.0, 100.0)


def numbers(element: object, *names: str) -> list[float]:
    return [float(element.attrib[name]) for name in names]  # type: ignore[attr-defined]


def lanes(*waits: Wait) -> str:
    return waits_picture(waits, days=DAYS, name="reached", width=620)


def test_a_bar_goes_from_the_last_day_below_to_the_first_above() -> None:
    """500 units are 100 days, from 104 on."""
    svg = lanes(Wait(name="P1", low=20.0, high=40.0, at=30.0, title="between"))
    (bar,) = elements(svg, "rect")
    assert numbers(bar, "x", "width") == pytest.approx([204, 100])
    (dot,) = elements(svg, "circle")
    assert float(dot.attrib["cx"]) == pytest.approx(254)
    assert titles(svg) == ["P1: between"]


def test_not_yet_and_never_have_no_bar_and_are_told_apart() -> None:
    waiting = lanes(Wait(name="P1", low=20.0, high=math.inf))
    died = lanes(Wait(name="P1", low=20.0, high=math.inf, death=20.0))
    for svg in (waiting, died):
        assert not elements(svg, "rect") + elements(svg, "circle")
    assert [e.attrib["d"].endswith("Z") for e in elements(waiting, "path")].count(True) == 1  # the arrow's tip
    assert not [e for e in elements(died, "path") if e.attrib["d"].endswith("Z")]


def test_a_death_after_unseen_time_stands_on_its_day_and_has_no_arrow() -> None:
    svg = lanes(Wait(name="P1", low=20.0, high=math.inf, death=60.0))
    ways = [e.attrib["d"] for e in elements(svg, "path")]
    assert not [way for way in ways if way.endswith("Z")]
    (dotted,) = [e.attrib["d"] for e in elements(svg, "path") if "stroke-dasharray" in e.attrib]
    assert [float(place.split()[0]) for place in dotted[1:].split("L")] == pytest.approx([204, 404])
    crosses = [e.attrib["d"] for e in elements(svg, "path") if e.attrib.get("stroke-width") == "1.8"]
    assert [float(cross[1:].split()[0]) for cross in crosses] == pytest.approx([400, 400])
    assert Wait(name="P1", low=20.0, high=math.inf, death=60.0).last == 60


def test_every_patient_has_a_lane_and_a_long_name_is_cut() -> None:
    svg = lanes(*(Wait(name=name, low=1.0, high=2.0) for name in ("P1", "A-very-long-name-of-a-patient")))
    assert [words for words in texts(svg) if words[0] in "PA"] == ["P1", "A-very-long-n…"]


def test_the_axis_holds_every_day_that_is_known() -> None:
    waits = [Wait(name="a", low=5.0, high=9.0), Wait(name="b", low=60.0, high=math.inf)]
    days = days_of_waits(waits)
    assert days.low <= 0
    assert 60 < days.high < 70


def test_a_share_rises_in_a_box_and_the_line_is_what_it_is_at_least() -> None:
    steps = [
        Step(left=10.0, right=20.0, share=0.25, low=0.1, high=0.5, title="one"),
        Step(left=50.0, right=60.0, share=1.0, low=0.7, high=1.0, title="all"),
    ]
    svg = steps_picture(steps, until=80.0, days=DAYS, name="share", axis="share of patients")
    boxes = [e for e in elements(svg, "rect") if "stroke-dasharray" in e.attrib]
    bands = [e for e in elements(svg, "rect") if "stroke-dasharray" not in e.attrib]
    unit = numbers(boxes[0], "width")[0] / 10  # of a day
    height = numbers(boxes[0], "height")[0] / 0.25  # of all patients
    for box, known in zip(boxes, [[10 * unit, 10 * unit], [50 * unit, 10 * unit]], strict=True):
        assert numbers(box, "x", "width") == pytest.approx(known, abs=0.05)
    assert numbers(boxes[1], "height") == pytest.approx([0.75 * height], abs=0.05)
    for band, known in zip(
        bands, [[20 * unit, 40 * unit, 0.4 * height], [60 * unit, 20 * unit, 0.3 * height]], strict=True
    ):
        assert numbers(band, "x", "width", "height") == pytest.approx(known, abs=0.05)
    stairs = [e.attrib["d"] for e in elements(svg, "path") if e.attrib.get("stroke-width") == "2"]
    corners = [[tuple(map(float, place.split())) for place in d[1:].split("L")] for d in stairs]
    assert [round(x / unit) for step in corners for x, _ in step] == [0, 20, 20, 20, 60, 60, 60, 80]
    assert "share of patients" in texts(svg)


def test_without_a_band_none_is_drawn_and_without_a_step_the_share_stays_nought() -> None:
    svg = steps_picture([], until=80.0, days=DAYS, name="share", axis="share")
    assert not elements(svg, "rect")
    svg = steps_picture([Step(left=1.0, right=2.0, share=1.0)], until=80.0, days=DAYS, name="share", axis="share")
    assert len(elements(svg, "rect")) == 1
