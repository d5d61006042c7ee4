"""Gates: the rows of a gating table, the shapes they end in, and the cuts with their intervals.

A method of the table is a settings class here and an estimator in science/gating/; every method ends in one of the
shapes below, and each shape exists in Gating-ML 2.0. Coordinates are scale values: gain and amplification applied,
time in seconds, compensated, transformed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import math

from nktrace.model.events import Mask

ROOT = "root"


class Source(StrEnum):
    """Where a gate came from (`gate_source`)."""

    DATA = "data"
    COHORT = "cohort"
    REFERENCE = "reference"
    CONTROL = "control"
    FIXED = "fixed"
    OVERRIDE = "override"
    IMPORT = "import"


class Status(StrEnum):
    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


# --- shapes -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Rectangle:
    """Half-open bounds in one or more channels: low <= x < high; ±inf where a side is open."""

    channels: tuple[str, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Windows:
    """A union of half-open intervals in one channel (time). In Gating-ML an `or` of rectangles."""

    channel: str
    intervals: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Polygon:
    """A closed polygon in two channels; the first vertex is not repeated."""

    channels: tuple[str, str]
    vertices: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Ellipse:
    """Points whose squared Mahalanobis distance from `mean` is at most `distance_square`."""

    channels: tuple[str, str]
    mean: tuple[float, float]
    covariance: tuple[tuple[float, float], tuple[float, float]]
    distance_square: float


@dataclass(frozen=True, slots=True)
class Boolean:
    """A combination of other populations, `of`, as parsed by science/gating/boolean.py: `a & !b | (c & d)`."""

    expression: str


Shape = Rectangle | Windows | Polygon | Ellipse | Boolean


# --- gates --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """One cut of a gate: a row of gates.tsv.

    Attributes:
        channel: the marker; for a vertex of a two-dimensional shape the channel of that coordinate.
        edge: `min`, `max`, or for other shapes the name of the number (`x0`, `y0`, …).
        value, low, high: on the transformed scale; low and high are nan where the cut is fixed.
        prior: centre of the cohort's prior, nan without one.
        distance: own estimate minus prior, in the prior's sd; nan without either.
    """

    channel: str
    edge: str
    value: float
    low: float = math.nan
    high: float = math.nan
    prior: float = math.nan
    source: Source = Source.FIXED
    distance: float = math.nan


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """A population's gate as used for one sample."""

    population: str
    parent: str
    method: str
    shape: Shape
    edges: tuple[Edge, ...] = ()
    source: Source = Source.FIXED
    status: Status = Status.OK
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A row of the gating table that this panel cannot carry out, and why."""

    population: str
    parent: str
    reason: str
    dropped: bool  # True: it and its descendants are absent; False: an exclusion left out, children hang on its parent


@dataclass(frozen=True, slots=True)
class GatedSample:
    """What gating makes of a sample: its gates in table order, membership per population, and what was skipped.

    `masks[p]` has shape (events of the file,) and is True for members of p (and so of all its ancestors).
    """

    gates: tuple[Gate, ...]
    masks: dict[str, Mask]
    skipped: tuple[Skipped, ...] = ()


# --- the gating table -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TimeSettings:
    """`time`: cut out stretches whose flow rate or signal is off; `bins` over the run, limits in robust sd."""

    bins: int = 100
    max_deviation: float = 6.0


@dataclass(frozen=True, slots=True)
class MarginSettings:
    """`margin`: remove events at the ends of a scatter detector's range."""


@dataclass(frozen=True, slots=True)
class SingletsSettings:
    """`singlets`: a band around area against height (or width); its half-width is `sd` robust sd of the singlets."""

    sd: float = 4.0


@dataclass(frozen=True, slots=True)
class ValleySettings:
    """`valley`: cut at the lowest density between two peaks, keep the side `sign` (or the band between two cuts).

    `quantile`: where there is one peak only and no prior, cut at this quantile of the parent's main peak's tail.
    `min_depth`: how deep the valley must be, as a share of the lower peak, to count as one.
    """

    sign: str = "+"
    min_depth: float = 0.1


@dataclass(frozen=True, slots=True)
class MixtureSettings:
    """`mixture`: two skewed components; cut where their posterior is even, keep the side `sign`."""

    sign: str = "+"


@dataclass(frozen=True, slots=True)
class ControlSettings:
    """`control`: cut at a quantile of a negative population (`of`, a population of the same sample; or `fmo`)."""

    of: str = "fmo"
    sign: str = "+"
    quantile: float = 0.995


@dataclass(frozen=True, slots=True)
class RectangleSettings:
    """`rectangle`: fixed bounds, `x=min:max;y=min:max`, a side may be empty."""

    x: tuple[float, float]
    y: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class PolygonSettings:
    """`polygon`: fixed vertices, `points=x,y x,y …`."""

    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class EllipseSettings:
    """`ellipse`: `mean=x,y;covariance=xx,xy,yy;distance_square=d`; without them fitted to the parent's main peak."""

    mean: tuple[float, float] | None = None
    covariance: tuple[float, float, float] | None = None
    distance_square: float = 9.21


@dataclass(frozen=True, slots=True)
class BooleanSettings:
    """`boolean`: `of=a & !b`."""

    of: str


MethodSettings = (
    TimeSettings
    | MarginSettings
    | SingletsSettings
    | ValleySettings
    | MixtureSettings
    | ControlSettings
    | RectangleSettings
    | PolygonSettings
    | EllipseSettings
    | BooleanSettings
)

METHODS: dict[str, type] = {
    "time": TimeSettings,
    "margin": MarginSettings,
    "singlets": SingletsSettings,
    "valley": ValleySettings,
    "mixture": MixtureSettings,
    "control": ControlSettings,
    "rectangle": RectangleSettings,
    "polygon": PolygonSettings,
    "ellipse": EllipseSettings,
    "boolean": BooleanSettings,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class GatingRow:
    """A row of config/gating/NAME.tsv, parsed. `channels` holds the alternatives (`A|B`) of each dimension."""

    population: str
    parent: str
    channels: tuple[tuple[str, ...], ...]
    method: str
    settings: MethodSettings
    optional: bool = False


@dataclass(frozen=True, slots=True)
class GatingTable:
    """The gating hierarchy of a panel, parents before children."""

    name: str
    rows: tuple[GatingRow, ...]


# --- priors ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgePrior:
    """What one cut looks like over the samples of a batch (or of the panel): centre and spread, from n samples."""

    mean: float
    sd: float
    n: int
    source: Source


@dataclass(frozen=True, slots=True)
class GatePriors:
    """Prior per (population, channel, edge)."""

    edges: dict[tuple[str, str, str], EdgePrior]
