"""Elements of an SVG picture. ElementTree escapes every text and attribute, so a name can't become markup."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree as ET

from nktrace.model.palette import CATEGORIES as CATEGORIES

Element = ET.Element

INK, SOFT, LINE, FAINT = "#1c2733", "#52606d", "#c5ced8", "#e8ecf1"
DONOR, PLAIN, GATE, NORMAL = "#c2410c", "#1d4ed8", "#d1242f", "#dcf1e3"


def drawing(width: float, height: float, *, name: str) -> Element:
    """An empty picture with the name that a screen reader says; it scales with the page."""
    return ET.Element("svg", {"viewBox": f"0 0 {_number(width)} {_number(height)}", "role": "img", "aria-label": name})


def add(parent: Element, tag: str, words: str = "", **attributes: str | float) -> Element:
    """A child element. `stroke_width=1` is written `stroke-width="1"`; numbers have two decimals at most."""
    named = {
        key.replace("_", "-"): value if isinstance(value, str) else _number(value) for key, value in attributes.items()
    }
    element = ET.SubElement(parent, tag, named)
    if words:
        element.text = words
    return element


def titled(parent: Element, title: str) -> Element:
    """A group whose tooltip is the title."""
    group = add(parent, "g")
    if title:
        add(group, "title", title)
    return group


def window(parent: Element, *, x: float, y: float, width: float, height: float) -> Element:
    """A part of the picture with its own origin, which cuts off what lies beyond (no clip-path, hence no id)."""
    return add(parent, "svg", x=x, y=y, width=width, height=height, overflow="hidden")


def path(points: Sequence[tuple[float, float]], *, closed: bool = False) -> str:
    """The `d` of straight lines through the points."""
    return "M" + "L".join(f"{_number(x)} {_number(y)}" for x, y in points) + ("Z" if closed else "")


def to_text(picture: Element) -> str:
    """The picture as an element to stand within HTML."""
    return ET.tostring(picture, encoding="unicode")


def alone(picture: str) -> str:
    """A picture's text as an SVG file of its own."""
    return picture.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" font-family="sans-serif" ', 1) + "\n"


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if abs(value) >= 0.005 else "0"
