"""Spillover between detectors. Numbers only; the arithmetic is in science/compensation.py."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Spillover:
    """How much of each fluorochrome's signal is seen in each detector.

    Attributes:
        detectors: one name per row and per column: $PnN, or as a matrix file writes it.
        matrix: shape (detectors, detectors), float64. A row is a fluorochrome (the detector that it is meant for),
            a column the detector that sees it; the diagonal is 1 as a rule. measured = true @ matrix.
    """

    detectors: tuple[str, ...]
    matrix: NDArray[np.float64]
