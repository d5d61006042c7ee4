from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nktrace.model.gates import ROOT, Ellipse, Gate, Polygon, Rectangle
from nktrace.model.transforms import Asinh, Linear, Logicle
from nktrace.science.gating.conversion import along_edges, asinh_of, least, lies_on_ellipse
from nktrace.science.gating.masks import inside_polygon
from nktrace.science.gating.showing import Shown, shown_gate
from nktrace.science.transforms import exact


@given(bound=st.floats(-3, 3), top=st.floats(0.1, 1e6))
def test_least_is_the_least(bound: float, top: float) -> None:
    def scale(x: np.ndarray) -> np.ndarray:
        return np.arcsinh(x / top)

    found = least(scale, bound)
    assert scale(np.array([[found]]))[0, 0] >= bound
    assert scale(np.array([[np.nextafter(found, -np.inf)]]))[0, 0] < bound


def test_least_where_a_scale_ends() -> None:
    def clipped(x: np.ndarray) -> np.ndarray:
        return np.clip(x, -100.0, 4096.0)

    def log(x: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            return np.log10(x)

    assert least(clipped, -100.0) == -math.inf
    assert least(clipped, -99.5) == -99.5
    assert least(clipped, 4096.0) == 4096.0
    assert least(clipped, 5000.0) == math.inf
    assert least(log, -math.inf) == 0.0  # nan, below zero, is nowhere


def test_points_along_edges_change_nothing_where_edges_are_straight() -> None:
    corners = np.array([[0.0, 0.0], [4.0, 1.0], [3.0, 5.0]])
    points = along_edges(corners, 4)
    assert points.shape == (12, 2)
    np.testing.assert_array_equal(points[::4], corners)
    x, y = np.random.default_rng(1).uniform(-1, 6, (2, 500))
    np.testing.assert_array_equal(inside_polygon(x, y, corners), inside_polygon(x, y, points))


def test_fasinh_is_our_asinh_but_for_factor_and_shift() -> None:
    t, m, a = 262144.0, 4.2, 0.5
    x = np.array([-1e4, -3.0, 0.0, 200.0, 2e5])
    ours, factor, shift = asinh_of(t, m, a)
    tens = math.log(10)
    theirs = (np.arcsinh(x * math.sinh(m * tens) / t) + a * tens) / ((m + a) * tens)
    np.testing.assert_allclose(exact(x, ours), factor * theirs + shift, rtol=1e-12)


def test_what_lies_on_an_ellipse() -> None:
    foci = np.array([[0.0, 0.0], [6.0, 0.0]])
    turn = np.linspace(0, 2 * math.pi, 20)
    border = np.column_stack([3 + 5 * np.cos(turn), 4 * np.sin(turn)])
    assert lies_on_ellipse(border, foci, 10.0)
    assert not lies_on_ellipse(border[:, ::-1], foci, 10.0)


# --- where gates are shown --------------------------------------------------------------------------------------------

LOGICLE = Logicle(262144.0, 0.5, 4.5, 0.0)
AXES = {
    "data": Shown("CD3", Linear(), LOGICLE),
    "drawn": Shown("CD56", Asinh(150.0), LOGICLE),
    "same": Shown("FSC-H", Linear(), Linear()),
}


def gate(shape: Rectangle | Polygon | Ellipse) -> Gate:
    return Gate(population="nk", parent=ROOT, method="rectangle", shape=shape)


def test_bounds_are_shown_on_the_scale_of_their_channel() -> None:
    shown = shown_gate(gate(Rectangle(("data", "same"), (300.0, -math.inf), (math.inf, 5e4))), AXES)
    place = float(exact(np.array([300.0]), LOGICLE)[0])
    assert shown.shape == Rectangle(("CD3", "FSC-H"), (place, -math.inf), (math.inf, 5e4))
    assert [(e.channel, e.edge, e.value) for e in shown.edges] == [("CD3", "min", place), ("FSC-H", "max", 5e4)]


def test_lines_are_shown_where_their_events_are() -> None:
    corners = ((0.2, -1.0), (6.0, 0.5), (4.0, 6.0), (1.0, 4.0))
    shown = shown_gate(gate(Polygon(("drawn", "same"), corners)), AXES)
    assert isinstance(shown.shape, Polygon)
    assert [e.edge for e in shown.edges] == [f"{axis}{i}" for i in range(4) for axis in "xy"]
    values = np.random.default_rng(2).uniform([-500, -2], [4e4, 7], (2_000, 2))
    drawn = inside_polygon(exact(values[:, 0], Asinh(150.0)), values[:, 1], np.array(corners))
    seen = inside_polygon(exact(values[:, 0], LOGICLE), values[:, 1], np.array(shown.shape.vertices))
    assert (drawn != seen).mean() < 0.01


def test_an_ellipse_is_shown_as_its_border() -> None:
    shown = shown_gate(gate(Ellipse(("same", "same"), (10.0, 20.0), ((4.0, 1.0), (1.0, 9.0)), 2.0)), AXES)
    assert isinstance(shown.shape, Polygon)
    apart = np.array(shown.shape.vertices) - (10.0, 20.0)
    inverse = np.linalg.inv([[4.0, 1.0], [1.0, 9.0]])
    np.testing.assert_allclose(np.einsum("ij,jk,ik->i", apart, inverse, apart), 2.0)
    assert [(e.edge, e.value) for e in shown.edges] == [("mean_x", 10.0), ("mean_y", 20.0)]
