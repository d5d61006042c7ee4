"""Shares of exclusive subsets, one stacked bar per sample."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from nktrace.figures.svg import FAINT, INK, SOFT, add, drawing, path, titled, to_text
from nktrace.model.palette import category_colors

_LEFT, _TOP, _FOOT = 42.0, 8.0, 36.0
_LETTER, _PALE = 6.2, 0.4  # width of a letter of the days; opacity of a bar that rests on little


def composition(
    days: Sequence[str],
    shares: Mapping[str, Sequence[float]],
    *,
    name: str,
    titles: Mapping[str, Sequence[str]],
    pale: Sequence[bool] = (),
    width: float = 560,
    height: float = 240,
) -> str:
    """Stacked bars as SVG.

    Args:
        days: the label below each bar.
        shares: fractions of each subset, one per bar; nan is drawn as nothing.
        name: what a screen reader says.
        titles: the tooltip of each subset's part of each bar.
        pale: bars that rest on little; none where empty.
    """
    root = drawing(width, height, name=name)
    tall, step = height - _TOP - _FOOT, (width - _LEFT - 6) / max(1, len(days))
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = _TOP + (1 - share) * tall
        add(root, "path", d=path([(_LEFT, y), (width - 6, y)]), stroke=FAINT, fill="none")
        words = f"{100 * share:g}\u202f%"
        add(root, "text", words, x=_LEFT - 6, y=y + 3.7, text_anchor="end", font_size=10.5, fill=SOFT)
    bar = min(step * 0.78, 64.0)
    every = max(1, math.ceil((_LETTER * max((len(day) for day in days), default=0) + 6) / step))
    colors = category_colors(list(shares))
    for index, label in enumerate(days):
        middle, base = _LEFT + (index + 0.5) * step, 0.0
        for subset, values in shares.items():
            if math.isnan(values[index]):
                continue
            top = base + values[index]
            group = titled(root, titles[subset][index])
            y = _TOP + (1 - top) * tall
            rect = add(group, "rect", x=middle - bar / 2, y=y, width=bar, height=values[index] * tall)
            rect.set("fill", colors[subset])
            if pale and pale[index]:
                rect.set("fill-opacity", str(_PALE))
            base = top
        if index % every == 0:
            add(root, "text", label, x=middle, y=height - 22, text_anchor="middle", font_size=10.5, fill=SOFT)
    words, middle = "day from the infusion, a bar per sample", (_LEFT + width - 6) / 2
    add(root, "text", words, x=middle, y=height - 6, text_anchor="middle", font_size=11, fill=INK)
    return to_text(root)
