"""A picture as the elements in it."""

from __future__ import annotations

from xml.etree import ElementTree as ET


def root(svg: str) -> ET.Element:
    return ET.fromstring(svg)  # noqa: S314 (our own picture)


def texts(svg: str) -> list[str]:
    """What is written in the picture, tooltips aside."""
    return [element.text or "" for element in root(svg).iter("text")]


def titles(svg: str) -> list[str]:
    return [element.text or "" for element in root(svg).iter("title")]


def elements(svg: str, tag: str) -> list[ET.Element]:
    return list(root(svg).iter(tag))
