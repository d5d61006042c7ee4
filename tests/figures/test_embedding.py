from __future__ import annotations

import base64
import io

import numpy as np
from numpy.typing import NDArray

from nktrace.figures.embedding import RAMP, category_dots, marker_dots
from tests.figures.reading import elements, texts

RED, BLUE = "#ff0000", "#0000ff"


def pixels(svg: str) -> NDArray[np.float64]:
    """Red, green, blue and opacity of the picture within, shape (rows, columns, 4)."""
    import matplotlib.image

    (image,) = elements(svg, "image")
    return np.asarray(matplotlib.image.imread(io.BytesIO(base64.b64decode(image.attrib["href"].partition(",")[2]))))


def colored(svg: str, color: str) -> NDArray[np.int64]:
    """Rows and columns of the opaque pixels of a colour."""
    seen = pixels(svg)
    wanted = np.array([int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)])
    return np.argwhere((np.abs(seen[..., :3] - wanted).max(axis=2) < 0.01) & (seen[..., 3] > 0))


def test_a_dot_stands_where_its_event_is() -> None:
    places = np.array([(0, 0), (10, 10)], np.float32)
    svg = category_dots(places, ["a", "b"], {"a": RED, "b": BLUE}, name="cells")
    low, high = colored(svg, RED).mean(axis=0), colored(svg, BLUE).mean(axis=0)
    assert len(colored(svg, RED)) == len(colored(svg, BLUE)) == 5
    assert low[0] > high[0]  # lower
    assert low[1] < high[1]  # further left
    assert texts(svg) == []


def test_later_events_are_drawn_over_earlier_ones() -> None:
    places = np.array([(0, 0), (5, 5), (5, 5)], np.float32)
    svg = category_dots(places, ["a", "a", "b"], {"a": RED, "b": BLUE}, name="cells")
    assert len(colored(svg, BLUE)) == len(colored(svg, RED)) == 5


def test_categories_are_numbered_where_they_are() -> None:
    places = np.array([(0, 0), (0, 1), (10, 9), (10, 10)], np.float32)
    svg = category_dots(
        places, ["1", "1", "2", "none"], {"1": RED, "2": BLUE, "none": "#888888"}, name="c", numbered=["1", "2"]
    )
    first, second = (float(text.attrib["x"]) for text in elements(svg, "text"))
    assert texts(svg) == ["1", "2"]
    assert first < second


def test_shades_go_from_one_end_to_the_other_and_not_beyond() -> None:
    places = np.array([(0, 0), (5, 0), (5, 5), (0, 5)], np.float32)
    svg = marker_dots(places, np.array([-9, 0, 1, 50], np.float32), ends=(0, 1), name="CD16")
    assert len(colored(svg, RAMP[0])) == len(colored(svg, RAMP[-1])) == 10


def test_one_event_and_one_value_make_a_picture() -> None:
    one = np.array([(3, 3)], np.float32)
    assert len(colored(category_dots(one, ["a"], {"a": RED}, name="cells"), RED)) == 5
    assert "image" in marker_dots(one, np.array([0.4], np.float32), ends=(0.4, 0.4), name="CD16")


def test_names_cannot_become_markup() -> None:
    hostile = "<script>\"'&"
    svg = category_dots(np.zeros((2, 2), np.float32), [hostile] * 2, {hostile: RED}, name=hostile, numbered=[hostile])
    assert elements(svg, "script") == []
    assert texts(svg) == [hostile]
