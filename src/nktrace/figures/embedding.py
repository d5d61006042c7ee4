"""NK cells as dots on two axes that have no unit, hence without axes: coloured by a category or by a marker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from nktrace.figures.png import data_uri
from nktrace.figures.svg import INK, Element, add, drawing, to_text

_SIZE, _PIXELS, _ROOM = 260.0, 390, 0.03
# a dot: three by three pixels without the corners
_DOT = np.array([(0, 0), (-1, 0), (1, 0), (0, -1), (0, 1)])
_WHITE = (255, 255, 255)
_SHADES = 32
_FEW = 0.02
RAMP = ("#d3dde8", "#8fb8de", "#3f83c4", "#1b4f91", "#0a1e3d")  # from low to high


def category_dots(
    places: NDArray[np.float32],
    names: Sequence[str],
    colors: Mapping[str, str],
    *,
    name: str,
    numbered: Sequence[str] = (),
) -> str:
    """Dots in the colour of each event's category, as SVG; later events are drawn over earlier ones.

    Args:
        places: shape (events, 2), at least one.
        names: the category of each event.
        colors: of every category.
        name: what a screen reader says.
        numbered: categories whose name stands at the median of their events.
    """
    keys = list(colors)
    index = {key: number for number, key in enumerate(keys, start=1)}
    pixels = np.array([index[category] for category in names])
    root = _dots(places, pixels, [_rgb(color) for color in colors.values()], name)
    spots = _spots(places) * _SIZE
    for key in (key for key in keys if key in numbered):
        own = spots[pixels == index[key]]
        x, y = np.median(own, axis=0).tolist()
        y += 4 if len(own) > _FEW * len(spots) else -5  # a number would hide a small category: it stands above
        text = add(root, "text", key, x=min(max(x, 9), _SIZE - 9), y=max(y, 12), text_anchor="middle", font_size=13)
        text.attrib |= {"fill": INK, "font-weight": "700"}
        text.attrib |= {"stroke": "#fff", "stroke-width": "3.5", "stroke-linejoin": "round", "paint-order": "stroke"}
    return to_text(root)


def marker_dots(
    places: NDArray[np.float32], values: NDArray[np.float32], *, ends: tuple[float, float], name: str
) -> str:
    """Dots in the shade of a marker's value, as SVG: what lies beyond the two `ends` has their shade."""
    low, high = ends
    share = np.clip((values - low) / (high - low), 0, 1) if high > low else np.full(len(values), 0.5)
    return to_text(_dots(places, 1 + np.round(share * (_SHADES - 1)).astype(np.int64), _ramp(), name))


def _dots(
    places: NDArray[np.float32], color: NDArray[np.int64], palette: list[tuple[int, int, int]], name: str
) -> Element:
    """The picture with one dot per event; `color` counts from 1, since 0 is the paper."""
    tall = _tall(places)
    root = drawing(_SIZE, _SIZE * tall, name=name)
    centers = 1 + (_spots(places) * (_PIXELS - 3)).round().astype(np.int64)
    x, y = (centers[:, None, :] + _DOT).reshape(-1, 2).T
    pixels = np.zeros((round(_PIXELS * tall), _PIXELS), dtype=np.uint8)
    pixels[y, x] = np.repeat(color, len(_DOT))  # of several on one pixel the last stays
    add(root, "image", href=data_uri(pixels, [_WHITE, *palette]), width=_SIZE, height=_SIZE * tall)
    return root


def _spots(places: NDArray[np.float32]) -> NDArray[np.float64]:
    """Places from the upper left, as shares of the picture's width: both axes have one scale."""
    low, high = places.min(axis=0).astype(np.float64), places.max(axis=0).astype(np.float64)
    span = float((high - low).max()) or 1.0
    shares = (places - (low + high) / 2) / span * (1 - 2 * _ROOM)
    return np.stack([0.5 + shares[:, 0], _tall(places) / 2 - shares[:, 1]], axis=1)


def _tall(places: NDArray[np.float32]) -> float:
    """The picture's height as a share of its width: that of the events, within what stands well on a page."""
    wide, high = (places.max(axis=0) - places.min(axis=0)).tolist()
    return min(max(high / wide if wide else 1.0, 0.6), 1.0)


def _ramp() -> list[tuple[int, int, int]]:
    anchors = np.array([_rgb(color) for color in RAMP], dtype=np.float64)
    at = np.linspace(0, len(anchors) - 1, _SHADES)
    shades = np.stack([np.interp(at, range(len(anchors)), anchors[:, part]) for part in range(3)], axis=1)
    return [(int(red), int(green), int(blue)) for red, green, blue in shades.round()]


def _rgb(color: str) -> tuple[int, int, int]:
    red, green, blue = (int(color[at : at + 2], 16) for at in (1, 3, 5))
    return red, green, blue
