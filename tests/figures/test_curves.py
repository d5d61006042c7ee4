from __future__ import annotations

import math

from nktrace.figures.axes import Days, Linear, Log
from nktrace.figures.curves import Line, Point, Track, curve_picture, days_of, overlay, sparkline
from nktrace.figures.happenings import Happening
from tests.figures.reading import elements, texts, titles

SEEN = Point(day=7, value=20.0, low=10.0, high=40.0, title="day 7: 20")
BELOW = Point(day=14, value=5.0, censored=True, title="day 14: below 5")


def track(*points: Point, **values: object) -> Track:
    return Track(**{"name": "Donor NK cells", "unit": "cells/µL", "points": points, **values})  # type: ignore[arg-type]


def picture(one: Track) -> str:
    return curve_picture(one, days=days_of([one]))


def test_a_measured_value_is_a_dot_and_one_below_its_limit_an_open_triangle() -> None:
    svg = picture(track(SEEN, BELOW))
    assert len(elements(svg, "circle")) == 1
    assert [e.attrib["fill"] for e in elements(svg, "path") if e.attrib["d"].endswith("Z")] == ["#fff"]
    assert titles(svg) == ["day 7: 20", "day 14: below 5"]


def test_a_visit_without_a_value_is_a_cross_at_the_foot() -> None:
    svg = picture(track(SEEN, gaps=[(21.0, "the file could not be read")]))
    assert titles(svg) == ["day 21: no value; the file could not be read", "day 7: 20"]
    assert len(elements(svg, "path")) == len(elements(picture(track(SEEN)), "path")) + 2


def test_higher_is_higher_and_later_is_further_right() -> None:
    low, high = Point(day=1, value=2.0), Point(day=9, value=200.0)
    first, second = elements(picture(track(low, high)), "circle")
    assert float(first.attrib["cx"]) < float(second.attrib["cx"])
    assert float(first.attrib["cy"]) > float(second.attrib["cy"])


def test_a_band_and_its_curve_are_drawn_only_where_there_is_one() -> None:
    curve = [(1.0, 10.0, 5.0, 20.0), (14.0, 4.0, 1.0, 9.0)]
    without, fitted = (elements(picture(one), "path") for one in (track(SEEN, BELOW), track(SEEN, BELOW, curve=curve)))
    assert len(fitted) == len(without) + 2
    assert not [e for e in without if "fill-opacity" in e.attrib]


def test_a_band_that_explodes_does_not_flatten_the_points() -> None:
    curve = [(1.0, 20.0, 1e-9, 1e9), (7.0, 20.0, 15.0, 25.0)]
    (dot,) = elements(picture(track(SEEN, curve=curve)), "circle")
    (plain,) = elements(picture(track(SEEN)), "circle")
    assert abs(float(dot.attrib["cy"]) - float(plain.attrib["cy"])) < 40


def test_a_curve_that_sinks_below_the_picture_does_not_run_along_its_foot() -> None:
    curve = [(1.0, 20.0, 15.0, 25.0), (7.0, 15.0, 10.0, 22.0), (14.0, 1e-6, 1e-9, 1e-3), (21.0, 1e-9, 1e-12, 1e-6)]
    svg = picture(track(SEEN, curve=curve))
    (line,) = (e.attrib["d"] for e in elements(svg, "path") if e.attrib["d"].count("L") == 3)
    heights = [float(corner.split()[1]) for corner in line.removeprefix("M").split("L")]
    assert heights[3] > heights[2] > heights[1]


def test_thresholds_limits_ranges_and_events_are_named() -> None:
    svg = picture(
        track(
            SEEN,
            thresholds=(100.0,),
            limits=[(7.0, 3.0)],
            blanks=[(7.0, 1.0)],
            reference=(90.0, 900.0),
            events=[Happening(day=3.0, kind="infection", title="infection <severe>")],
        )
    )
    said = {"threshold: 100 cells/µL", "limit of detection on day 7: 3", "limit of blank on day 7: 1"}
    assert said | {"infection <severe>"} <= set(titles(svg))
    assert "In" in texts(svg)
    assert len(elements(svg, "rect")) == 2


def test_zero_cells_with_an_upper_bound_are_not_lost_on_a_logarithmic_axis() -> None:
    svg = picture(track(Point(day=7, value=0.0, low=0.0, high=3.0, title="none"), SEEN))
    assert len(elements(svg, "circle")) == 2


def test_only_zeros_and_unknown_intervals_are_drawn() -> None:
    assert elements(picture(track(Point(day=7, value=0.0, low=math.nan, high=math.nan))), "circle")


def test_pictures_side_by_side_share_their_days() -> None:
    days = days_of([track(SEEN), track(Point(day=100, value=1.0))])
    assert days.low < 0
    assert days.high > 100


def test_lines_say_whose_they_are() -> None:
    lines = [Line(name="S1", points=[SEEN, BELOW], color="#000"), Line(name="S<2>", points=[SEEN], color="#111")]
    svg = overlay(lines, name="Donor NK cells", unit="cells/µL")
    assert {"S1", "S<2>", "day 7: 20"} <= set(titles(svg))


def test_a_line_towards_a_value_below_its_limit_is_dotted() -> None:
    line = Line(name="S1", points=[SEEN, Point(day=10, value=12.0), BELOW], color="#000")
    drawn = [e.attrib for e in elements(overlay([line], name="x", unit="y"), "path") if "stroke-opacity" in e.attrib]
    assert ["stroke-dasharray" in line for line in drawn] == [False, True]


def test_a_small_picture_of_one_patient() -> None:
    svg = sparkline([SEEN, BELOW], days=Days(-1, 15), values=Log(1.0, 100.0), name="S1")
    assert len(elements(svg, "circle")) == 1
    assert sparkline([], days=Days(-1, 15), values=Linear(0.0, 1.0), name="S1")
