"""Gates over the density of their parents."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nktrace.figures.axes import Linear, decade
from nktrace.figures.png import data_uri
from nktrace.figures.svg import GATE, INK, SOFT, Element, add, drawing, path, to_text, window
from nktrace.model.pictures import Picture, Ticks

WIDTH, HEIGHT = 240.0, 226.0
_LEFT, _TOP, _RIGHT, _BOTTOM = 46.0, 8.0, 232.0, 184.0
_SHADES = 32
_LONGEST_NAME = 26
_APART = 21.0  # the least distance of two labels


def _palette() -> list[tuple[int, int, int]]:
    """White, then from a light blue that one lone event still shows in to nearly black."""
    anchors = np.array([(169, 201, 235), (74, 139, 201), (31, 90, 156), (18, 53, 95), (8, 20, 42)], dtype=np.float64)
    at = np.linspace(0, len(anchors) - 1, _SHADES - 1)
    shades = np.stack([np.interp(at, range(len(anchors)), anchors[:, channel]) for channel in range(3)], axis=1)
    return [(255, 255, 255), *((int(r), int(g), int(b)) for r, g, b in shades.round())]


_PALETTE = _palette()


def gate_picture(picture: Picture, *, name: str = "") -> str:
    """One gate as SVG: the parent's density, the outline over it, axes in data units where these are known.

    The inside of an outline is tinted, but not for a boolean gate, which need not be the inside of anything.
    """
    x, y = Linear(*picture.x_range), Linear(*picture.y_range)
    width, height = _RIGHT - _LEFT, _BOTTOM - _TOP
    root = drawing(WIDTH, HEIGHT, name=name or f"Gate {picture.population} on {' and '.join(picture.channels)}")
    inner = window(root, x=_LEFT, y=_TOP, width=width, height=height)
    image = density_uri(picture.counts)
    add(inner, "image", href=image, width=width, height=height, preserveAspectRatio="none")
    for outline in picture.outlines:
        points = [(x.place(px) * width, (1 - y.place(py)) * height) for px, py in outline.tolist()]
        closed = len(points) > 2 and points[0] == points[-1] and not picture.expression
        add(
            inner,
            "path",
            d=path(points, closed=closed),
            stroke=GATE,
            stroke_width=1.7,
            stroke_linejoin="round",
            fill=GATE if closed else "none",
            fill_opacity=0.05,
        )
    _x_axis(root, x, picture.channels[0], picture.x_ticks)
    _y_axis(root, y, picture.channels[1], picture.y_ticks)
    return to_text(root)


def density_uri(counts: NDArray[np.uint32]) -> str:
    """A two-dimensional histogram, shape (bins of x, bins of y), as an image: darker is denser."""
    return data_uri(_shades(counts), _PALETTE)


def _shades(counts: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """The fourth root shows a handful of cells beside a crowd of thousands; an empty bin is 0, any other at least 1."""
    root = np.sqrt(np.sqrt(counts.T[::-1].astype(np.float64)))
    most = max(float(root.max(initial=0.0)), 1.0)
    return np.where(root > 0, 1 + np.round(root / most * (_SHADES - 2)), 0).astype(np.uint8)


def _x_axis(root: Element, axis: Linear, name: str, ticks: Ticks) -> None:
    width = _RIGHT - _LEFT
    add(root, "path", d=path([(_LEFT, _BOTTOM), (_RIGHT, _BOTTOM)]), stroke=SOFT, fill="none")
    for place, words in _placed(axis, ticks, width, _APART):
        x = _LEFT + place * width
        add(root, "path", d=path([(x, _BOTTOM), (x, _BOTTOM + (5 if words else 3))]), stroke=SOFT, fill="none")
        if words:
            add(root, "text", words, x=x, y=_BOTTOM + 16, text_anchor="middle", font_size=10, fill=SOFT)
    middle = (_LEFT + _RIGHT) / 2
    add(root, "text", _short(name), x=middle, y=HEIGHT - 10, text_anchor="middle", font_size=12, fill=INK)


def _y_axis(root: Element, axis: Linear, name: str, ticks: Ticks) -> None:
    height = _BOTTOM - _TOP
    add(root, "path", d=path([(_LEFT, _TOP), (_LEFT, _BOTTOM)]), stroke=SOFT, fill="none")
    for place, words in _placed(axis, ticks, height, _APART / 1.5):
        y = _BOTTOM - place * height
        add(root, "path", d=path([(_LEFT - (5 if words else 3), y), (_LEFT, y)]), stroke=SOFT, fill="none")
        if words:
            add(root, "text", words, x=_LEFT - 7, y=y + 3.5, text_anchor="end", font_size=10, fill=SOFT)
    middle = (_TOP + _BOTTOM) / 2
    turn = f"rotate(-90 11 {middle:g})"
    add(root, "text", _short(name), x=11, y=middle, text_anchor="middle", font_size=12, fill=INK, transform=turn)


def _placed(axis: Linear, ticks: Ticks, length: float, apart: float) -> list[tuple[float, str]]:
    """Where each tick stands (0 to 1) and what it says: on a transformed axis zero and decades, the greatest first."""
    if not ticks:
        return [(axis.place(value), words) for value, words in axis.ticks(4)]
    labels: dict[float, str] = {}
    for position, value in sorted(ticks, key=lambda tick: (tick[1] != 0, -tick[1])):
        place = axis.place(position)
        if is_decade(value) and all(abs(place - other) * length >= apart for other in labels):
            labels[place] = decade(value)
    places = [axis.place(position) for position, _ in ticks]
    return [(place, labels.get(place, "")) for place in places]


def is_decade(value: float) -> bool:
    """Zero, or a power of ten with either sign."""
    return value == 0 or f"{abs(value):.1e}".startswith("1.0")


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"
