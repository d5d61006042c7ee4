"""Membership in every shape, to the event."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nktrace.model.gates import Boolean, Ellipse, Polygon, Rectangle, Windows
from nktrace.science.gating.masks import mask, within
from tests.science.gating.tube import events_of

XY = events_of(x=np.array([0.0, 1.0, 2.0, 3.0, np.nan]), y=np.array([0.0, 1.0, 2.0, 3.0, 1.0]))


def members(shape: object) -> list[int]:
    return np.flatnonzero(mask(shape, XY, {})).tolist()  # type: ignore[arg-type]


def test_rectangles_are_half_open() -> None:
    assert members(Rectangle(("x",), (1.0,), (3.0,))) == [1, 2]
    assert members(Rectangle(("x", "y"), (-math.inf, 1.0), (math.inf, 2.5))) == [1, 2]


def test_windows_are_a_union() -> None:
    assert members(Windows("x", ((0.0, 1.0), (2.0, 3.5)))) == [0, 2, 3]


def test_a_polygon_and_an_ellipse() -> None:
    assert members(Polygon(("x", "y"), ((0.5, 0.5), (2.5, 0.5), (2.5, 2.5), (0.5, 2.5)))) == [1, 2]
    assert members(Ellipse(("x", "y"), (1.0, 1.0), ((1.0, 0.0), (0.0, 1.0)), 2.0)) == [0, 1, 2]


def test_a_boolean_combines_masks() -> None:
    one = np.array([1, 1, 0, 0, 0], dtype=bool)
    assert mask(Boolean("!one"), XY, {"one": one}).tolist() == (~one).tolist()


@given(st.floats(-1e30, 1e30), st.integers(-3, 3))
def test_float32_events_against_float64_bounds_are_decided_exactly(bound: float, step: int) -> None:
    values = np.array([np.float32(bound)], dtype=np.float32)
    for _ in range(abs(step)):
        values = np.nextafter(values, np.float32(np.inf if step > 0 else -np.inf))
    wide = values.astype(np.float64)
    assert within(values, bound, math.inf).tolist() == (wide >= bound).tolist()
    assert within(values, -math.inf, bound).tolist() == (wide < bound).tolist()


def test_bounds_beyond_float32_hold_all_or_nothing() -> None:
    values = np.array([0.0, 3e38], dtype=np.float32)
    assert within(values, -1e300, 1e300).all()
    assert not within(values, 1e300, math.inf).any()


def test_an_unknown_channel_is_an_error() -> None:
    with pytest.raises(KeyError):
        mask(Rectangle(("z",), (0.0,), (1.0,)), XY, {})


def test_a_polygon_with_an_edge_of_hardly_any_height() -> None:
    """Far from that edge its crossing is beyond any number, and nobody asks for it."""
    shape = Polygon(channels=("x", "y"), vertices=((0.0, 0.0), (0.0, 200_000.0), (100.0, 4.5e-303)))
    events = events_of(x=np.array([10.0, 90.0]), y=np.array([100_000.0, 100_000.0]))
    assert mask(shape, events, {}).tolist() == [True, False]
