"""A value with its interval."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Interval:
    """A point estimate between two bounds. `nan` stands for "not available".

    The point may lie outside the bounds where the bounds are clipped to what is possible and the point is not.
    """

    value: float
    low: float
    high: float

    @property
    def known(self) -> bool:
        return not math.isnan(self.value)


UNKNOWN = Interval(math.nan, math.nan, math.nan)
