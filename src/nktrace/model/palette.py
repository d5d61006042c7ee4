"""Colours of categories, the same on every page and in nk.h5ad."""

from __future__ import annotations

from collections.abc import Sequence

# Okabe & Ito 2008, the yellow and the sky blue darkened for thin lines on white: told apart by colour-blind readers
CATEGORIES = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#b8a600", "#7f7f7f")
_DARK, _LIGHT = 0.55, 0.5  # further rounds: towards black, then towards white


def category_colors(names: Sequence[str]) -> dict[str, str]:
    """A colour per name by its place: the eight, then these darker, then lighter, then from the start again.

    Beyond eight a name must also stand beside its mark: no so many colours are told apart by everyone.
    """
    shades = [*CATEGORIES, *(_mixed(c, 0, _DARK) for c in CATEGORIES), *(_mixed(c, 255, _LIGHT) for c in CATEGORIES)]
    return {name: shades[index % len(shades)] for index, name in enumerate(names)}


def _mixed(color: str, end: int, share: float) -> str:
    """The colour with a share of black (0) or white (255)."""
    parts = (int(color[at : at + 2], 16) for at in (1, 3, 5))
    return "#" + "".join(f"{round((1 - share) * part + share * end):02x}" for part in parts)
