"""Shares of exclusive subsets, one stacked bar per sample."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from nktrace.figures.svg import CATEGORIES, FAINT, INK, SOFT, add, drawing, path, titled, to_text

_LEFT, _TOP, _FOOT = 42.0, 8.0, 36.0


def subset_colors(names: Sequence[str]) -> dict[str, str]:
    """A colour per subset, the same on every page that lists the same subsets."""
    return {name: CATEGORIES[index % len(CATEGORIES)] for index, name in enumerate(names)}


def composition(
    days: Sequence[str],
    shares: Mapping[str, Sequence[float]],
    *,
    name: str,
    titles: Mapping[str, Sequence[str]],
    width: float = 560,
    height: float = 240,
) -> str:
    """Stacked bars as SVG.

    Args:
        days: the label below each bar.
        shares: fractions of each subset, one per bar; nan is drawn as nothing.
        name: what a screen reader says.
        titles: the tooltip of each subset's part of each bar.
    """
    root = drawing(width, height, name=name)
    tall, step = height - _TOP - _FOOT, (width - _LEFT - 6) / max(1, len(days))
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = _TOP + (1 - share) * tall
        add(root, "path", d=path([(_LEFT, y), (width - 6, y)]), stroke=FAINT, fill="none")
        words = f"{100 * share:g}\u202f%"
        add(root, "text", words, x=_LEFT - 6, y=y + 3.7, text_anchor="end", font_size=10.5, fill=SOFT)
    bar = min(step * 0.78, 64.0)
    every = max(1, math.ceil(26 / step))
    colors = subset_colors(list(shares))
    for index, label in enumerate(days):
        middle, base = _LEFT + (index + 0.5) * step, 0.0
        for subset, values in shares.items():
            if math.isnan(values[index]):
                continue
            top = base + values[index]
            group = titled(root, titles[subset][index])
            y = _TOP + (1 - top) * tall
            add(group, "rect", x=middle - bar / 2, y=y, width=bar, height=values[index] * tall, fill=colors[subset])
            base = top
        if index % every == 0:
            add(root, "text", label, x=middle, y=height - 22, text_anchor="middle", font_size=10.5, fill=SOFT)
    words, middle = "days from the infusion", (_LEFT + width - 6) / 2
    add(root, "text", words, x=middle, y=height - 6, text_anchor="middle", font_size=11, fill=INK)
    return to_text(root)
