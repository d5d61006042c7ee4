"""Pictures of quality checks as plain arrays: what the sample page draws beside the rows, and files store."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowPicture:
    """The flow rate over the run.

    Attributes:
        borders: of equally long stretches, seconds from the first event, shape (stretches + 1,).
        rate: events per second, shape (stretches,).
        removed: share of each stretch's events that the time gate cut out, shape (stretches,).
        usual: the median rate.
        limit: relative deviation from it that warns.
    """

    borders: Floats
    rate: Floats
    removed: Floats
    usual: float
    limit: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """Where a population of one detector stands over the run, in its sd from its place over the whole run.

    Attributes:
        channel: the marker; `peak` is `negative`, `positive`, or empty where the detector has one population.
        seconds, shift, error: middle of each stretch, shift and its standard error, shape (stretches,).
        drift: last fifth minus first fifth.
    """

    channel: str
    peak: str
    seconds: Floats
    shift: Floats
    error: Floats
    drift: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftPicture:
    """The detectors that drift most, the worst first, and the drift that warns."""

    courses: tuple[Course, ...]
    limit: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SpillPicture:
    """The pair of detectors with the largest residual spillover, linear units.

    Attributes:
        x_range, y_range: first and last bin edge of source and receiver.
        counts: events per bin, shape (bins of x, bins of y).
        x, y: levels of the source and the centre of the receiver's negatives there.
        slope, low, high, intercept: of the line through them, the slope with its interval.
    """

    source: str
    receiver: str
    x_range: tuple[float, float]
    y_range: tuple[float, float]
    counts: NDArray[np.uint32]
    x: Floats
    y: Floats
    slope: float
    low: float
    high: float
    intercept: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlPicture:
    """Where the worst marker stands in the controls of all batches, on the panel's scale.

    Attributes:
        marker: name.
        batches: in order, the own one among them.
        own: the batch that is judged.
        negative, positive: places in each batch, nan where there is no such population, shape (batches,).
        ticks: (position, value before the transform).
    """

    marker: str
    batches: tuple[str, ...]
    own: str
    negative: Floats
    positive: Floats
    ticks: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityPictures:
    """The pictures of a sample's checks; None where a check was skipped."""

    flow: FlowPicture | None = None
    drift: DriftPicture | None = None
    spill: SpillPicture | None = None
    control: ControlPicture | None = None
