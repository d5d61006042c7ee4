"""The nearest valid name for a typo."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_SHORT = 12  # so many names at most are listed where none is near


def nearest(word: str, valid: Iterable[str]) -> str | None:
    """The valid name most like `word`, letter case apart; None where nothing is near."""
    names = {name.casefold(): name for name in valid}
    near = difflib.get_close_matches(word.casefold(), names, n=1, cutoff=0.6)
    return names[near[0]] if near else None


def suggestion(word: str, valid: Iterable[str]) -> str:
    """How to mend a name that is not valid: the nearest one, else the list of all where it is short."""
    names = sorted(set(valid))
    near = nearest(word, names)
    if near is not None:
        return f"Did you mean '{near}'?"
    if 0 < len(names) <= _SHORT:
        return f"There is: {', '.join(names)}."
    return ""
