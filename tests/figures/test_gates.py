from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from matplotlib.image import imread

from nktrace.figures.gates import gate_picture
from tests.figures.reading import elements, texts
from tests.pages.study_rows import a_picture


def pixels(svg: str) -> np.ndarray:
    (image,) = elements(svg, "image")
    return np.round(imread(io.BytesIO(base64.b64decode(image.attrib["href"].split(",")[1]))) * 255).astype(int)


def test_one_event_beside_thousands_can_be_seen_and_stands_where_it_belongs() -> None:
    counts = np.zeros((20, 10), dtype=np.uint32)
    counts[3, 0], counts[15, 9] = 1, 1_000_000  # x then y, from the lower left
    seen = pixels(gate_picture(a_picture(counts=counts)))
    assert seen.shape[:2] == (10, 20)
    assert (seen[..., 3] > 0).sum() == 2
    assert seen[9, 3, :3].sum() < 0.85 * 3 * 255  # the lower edge is the last row
    assert seen[0, 15, :3].sum() < seen[9, 3, :3].sum()


def test_a_gate_of_no_event_is_drawn() -> None:
    seen = pixels(gate_picture(a_picture(counts=np.zeros((5, 5), dtype=np.uint32))))
    assert not seen[..., 3].any()


def test_a_transformed_axis_is_labelled_in_data_units() -> None:
    ticks = ((0.1, -1e3), (0.3, 0.0), (0.5, 1e3), (0.55, 2e3), (0.75, 1e4), (0.9, 1e5))
    svg = gate_picture(a_picture("nk", x_ticks=ticks, y_ticks=()))
    assert [word for word in texts(svg) if word.endswith(("³", "⁴", "⁵"))] == ["−10³", "10³", "10⁴", "10⁵"]
    assert "100k" in texts(svg)  # scatter is linear


def test_labels_of_crowded_decades_give_way_to_zero_and_the_greatest() -> None:
    svg = gate_picture(a_picture(x_ticks=((0.30, 0.0), (0.33, 1e1), (0.36, 1e2), (0.9, 1e5)), y_ticks=((0.0, 0.0),)))
    assert [word for word in texts(svg) if word.startswith("10")] == ["10⁵"]


@pytest.mark.parametrize("name", ["$x_1^{2}$", r"\alpha \n", "<b>&amp;", "名前 µ−", "n" * 90])
def test_any_name_of_a_marker_is_written_as_it_stands(name: str) -> None:
    written = [word for word in texts(gate_picture(a_picture(name))) if word and word[0] == name[0]]
    assert written == [name if len(name) <= 26 else name[:25] + "…"] * 2


def test_the_inside_is_tinted_but_not_where_a_boolean_is_something_else() -> None:
    def fill(expression: str) -> str:
        svg = gate_picture(a_picture(expression=expression))
        return next(e.attrib["fill"] for e in elements(svg, "path") if e.attrib.get("stroke-width") == "1.7")

    assert fill("") != "none"
    assert fill("nk & !bright") == "none"


def test_the_outline_stands_at_its_place_in_the_picture() -> None:
    line = np.array([[0.0, 0.0], [1.0, 10.0]])
    svg = gate_picture(a_picture(x_range=(0.0, 1.0), y_range=(0.0, 10.0), outlines=(line,)))
    (outline,) = (e for e in elements(svg, "path") if e.attrib.get("stroke-width") == "1.7")
    inner = elements(svg, "svg")[1]
    assert outline.attrib["d"] == f"M0 {inner.attrib['height']}L{inner.attrib['width']} 0"
