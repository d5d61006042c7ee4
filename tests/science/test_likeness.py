from __future__ import annotations

import numpy as np

from nktrace.science.likeness import by_likeness


def test_a_shuffled_line_is_put_in_order() -> None:
    line = np.linspace(0, 1, 9) ** 1.3
    shuffled = np.array([4, 0, 7, 2, 8, 1, 5, 3, 6])
    order = by_likeness(np.stack([line, 2 * line], axis=1)[shuffled])
    found = shuffled[order]
    assert list(found) in ([*range(9)], [*range(8, -1, -1)])


def test_the_first_row_stands_in_the_first_half() -> None:
    for first in (0.0, 1.0):
        values = np.array([[first], [0.45], [0.5], [1 - first]])
        assert by_likeness(values)[0] == 0


def test_missing_values_and_few_rows_have_an_order() -> None:
    assert by_likeness(np.empty((0, 3))) == []
    assert by_likeness(np.ones((2, 3))) == [0, 1]
    assert sorted(by_likeness(np.array([[np.nan, 1.0], [0.2, np.nan], [0.3, 0.9], [np.nan, np.nan]]))) == [0, 1, 2, 3]
