from __future__ import annotations

import re

from nktrace.model.palette import CATEGORIES, category_colors


def test_the_first_eight_are_the_palette_and_24_differ() -> None:
    names = [str(number) for number in range(24)]
    colors = category_colors(names)
    assert tuple(colors.values())[:8] == CATEGORIES
    assert len(set(colors.values())) == 24
    assert all(re.fullmatch("#[0-9a-f]{6}", color) for color in colors.values())


def test_a_colour_depends_on_the_place_alone() -> None:
    assert category_colors(["a", "b"])["b"] == category_colors(["x", "b", "c"])["b"]
    assert len(category_colors([str(number) for number in range(100)])) == 100
