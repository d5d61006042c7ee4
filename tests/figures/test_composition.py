from __future__ import annotations

import math

import pytest

from nktrace.figures.composition import composition
from tests.figures.reading import elements, texts, titles


def draw(shares: dict[str, list[float]], days: list[str]) -> str:
    said = {name: [f"{name} {day}" for day in days] for name in shares}
    return composition(days, shares, name="subsets", titles=said)


def test_bars_are_stacked_to_the_whole() -> None:
    svg = draw({"bright": [0.1, 0.4], "dim": [0.9, 0.6]}, ["1", "7"])
    bars = [
        {key: float(value) for key, value in e.attrib.items() if key in ("y", "height")} for e in elements(svg, "rect")
    ]
    assert sum(bar["height"] for bar in bars[:2]) == pytest.approx(sum(bar["height"] for bar in bars[2:]), abs=0.05)
    assert bars[1]["y"] + bars[1]["height"] == pytest.approx(bars[0]["y"], abs=0.05)
    assert titles(svg) == ["bright 1", "dim 1", "bright 7", "dim 7"]


def test_what_is_unknown_is_drawn_as_nothing() -> None:
    assert len(elements(draw({"bright": [math.nan], "dim": [0.5]}, ["1"]), "rect")) == 1


def test_labels_of_many_days_do_not_crowd() -> None:
    days = [str(day) for day in range(60)]
    svg = draw({"bright": [1.0] * 60}, days)
    assert len([word for word in texts(svg) if word.isdigit()]) <= 25


def test_every_day_stands_below_its_bar_where_there_is_room() -> None:
    days = ["−1", "1", "2", "4", "7", "14", "21", "28"]
    said = {"bright": days}
    svg = composition(days, {"bright": [1.0] * 8}, name="subsets", titles=said, width=280, height=190)
    assert [word for word in texts(svg) if word in days] == days


def test_bars_that_rest_on_little_are_pale() -> None:
    said = {"bright": ["few", "many"]}
    svg = composition(["1", "7"], {"bright": [0.4, 0.5]}, name="subsets", titles=said, pale=[True, False])
    assert ["fill-opacity" in rect.attrib for rect in elements(svg, "rect")] == [True, False]
