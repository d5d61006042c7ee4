"""Events at the end of a detector's range: how many there are says how much of a marker was not measured."""

from __future__ import annotations

import math

import numpy as np

from nktrace.model.events import FloatArray

_TOP = 1023 / 1024  # as the margin gate has it


def off_scale_share(values: FloatArray, top: float) -> float:
    """Share of events at the top of a detector's scale, before compensation; nan where there is no top or no event."""
    return float(np.mean(values >= _TOP * top)) if top > 0 and values.size else math.nan
