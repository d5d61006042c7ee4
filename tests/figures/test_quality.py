"""Pictures of quality checks: what is cut out is shaded, lines lie where the numbers say, names stay text."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from nktrace.figures.quality import CUT, control_picture, drift_picture, flow_picture, limit_bar, spill_picture
from nktrace.figures.svg import DONOR, GATE
from tests.figures.quality_values import pictures
from tests.figures.reading import elements, texts, titles


def test_what_is_cut_out_is_shaded_and_says_when() -> None:
    svg = flow_picture(pictures().flow)  # type: ignore[arg-type]
    assert [e.get("fill") for e in elements(svg, "rect")].count(CUT) == 2
    assert titles(svg) == [f"100% of the events from {i} to {i + 1} s are cut out" for i in (5, 6)]
    assert "events per second" in texts(svg)


def test_a_drift_names_its_detector_and_size() -> None:
    svg = drift_picture(pictures().drift)  # type: ignore[arg-type]
    assert titles(svg) == ["CD3 (positive): +0.80 sd from the first fifth to the last"]
    assert {"CD3", "+0.80 sd"} <= set(texts(svg))
    assert "nan" not in svg


def test_left_spillover_is_a_line_that_rises() -> None:
    svg = spill_picture(pictures().spill)  # type: ignore[arg-type]
    (line,) = (e.get("d", "") for e in elements(svg, "path") if e.get("stroke") == GATE)
    (_, y0), (_, y1) = ((float(v) for v in point.split()) for point in line.removeprefix("M").split("L"))
    assert y1 < y0  # upwards
    assert len(elements(svg, "circle")) == 3
    assert "CD3 (linear)" in texts(svg)


def test_the_own_batch_is_filled_and_decades_are_named() -> None:
    svg = control_picture(pictures().control)  # type: ignore[arg-type]
    assert [e.get("fill") for e in elements(svg, "circle")].count(DONOR) == 2
    assert {"b1", "CD3", "b3", "10³", "10⁴", "0"} <= set(texts(svg))


@pytest.mark.parametrize(
    ("draw", "name"),
    [(flow_picture, "flow"), (drift_picture, "drift"), (spill_picture, "spill"), (control_picture, "control")],
)
def test_names_stay_text_and_bytes_are_the_same(draw: Callable[..., str], name: str) -> None:
    hostile = getattr(pictures("<script>&"), name)
    assert "<script>" not in draw(hostile)
    assert draw(hostile) == draw(hostile)


@pytest.mark.parametrize(
    ("value", "limit", "least", "longer"),
    [(0.3, 0.2, False, True), (0.1, 0.2, False, False), (20.0, 100.0, True, False), (5_000.0, 100.0, True, True)],
)
def test_a_bar_stands_beside_its_limit(value: float, limit: float, least: bool, longer: bool) -> None:
    svg = limit_bar(value, limit, over=True, least=least)
    bar = float(elements(svg, "rect")[1].get("width", "nan"))
    (mark,) = (e.get("d", "") for e in elements(svg, "path"))
    assert (bar > float(mark.removeprefix("M").split()[0])) == longer
