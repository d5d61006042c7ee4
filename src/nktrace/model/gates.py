"""Gates: the rows of a gating table, the shapes they end in, and the cuts with their intervals.

A method of the table is a settings class here and an estimator in science/gating/; every method ends in one of the
shapes below, and each shape exists in Gating-ML 2.0. Coordinates are scale values: gain and amplification applied,
time in seconds, compensated, transformed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from nktrace.model.errors import GatingError
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
        value, low, high: on the transformed scale; low and high are nan where the cut is fixed. An open side is ±inf.
        prior: centre of the cohort's prior, nan without one.
        source: where the cut came from.
        distance: own estimate minus prior, in the prior's sd; nan without either.
        clear: whether the sample itself shows the cut (a valley, not a fallback): only clear cuts make priors.
        left_out: whether this is what an FMO control says of the marker that it lacks.
        base: the place that the cut is measured from, the control's median; nan where it stands for itself. Staining
            and activation move both alike, so that samples are compared by the distance between them.
        status, reason: `ok` without a reason, or what is doubtful about this cut.
    """

    channel: str
    edge: str
    value: float
    low: float = math.nan
    high: float = math.nan
    prior: float = math.nan
    source: Source = Source.FIXED
    distance: float = math.nan
    clear: bool = True
    left_out: bool = False
    base: float = math.nan
    status: Status = Status.OK
    reason: str = ""


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

    `masks[p]` has shape (events of the file,) and is True for members of p (and so of all its ancestors). `without` is
    the marker that an FMO control lacks, empty for other samples.
    """

    gates: tuple[Gate, ...]
    masks: dict[str, Mask]
    skipped: tuple[Skipped, ...] = ()
    without: str = ""


# --- the gating table -----------------------------------------------------------------------------------------------


def _one_of(setting: str, value: str, *allowed: str) -> None:
    if value not in allowed:
        raise GatingError(f"{setting}={value} is not one of {', '.join(allowed)}")


def _signs(value: str) -> None:
    if not value or len(value) > 2 or set(value) - {"+", "-"}:
        raise GatingError(f"sign={value} is not `+` or `-`, one for each channel")


@dataclass(frozen=True, slots=True)
class TimeSettings:
    """`time`: cut out stretches whose flow rate or signal is off; `bins` over the run, limits in robust sd."""

    bins: int = 100
    max_deviation: float = 8.0


@dataclass(frozen=True, slots=True)
class MarginSettings:
    """`margin`: remove events at the ends of a scatter detector's range."""


@dataclass(frozen=True, slots=True)
class SingletsSettings:
    """`singlets`: a band around height (or width) against area; its half-width is `sd` robust sd of the singlets."""

    sd: float = 4.0


@dataclass(frozen=True, slots=True)
class ScatterSettings:
    """`scatter`: a line across forward and side scatter with dead cells and debris beyond, in the plainest valley.

    `min_depth`, `min_share`: as of `valley`; fewer live cells than `min_share` are not told from dead ones.
    """

    min_depth: float = 0.1
    min_share: float = 0.05


@dataclass(frozen=True, slots=True)
class ValleySettings:
    """`valley`: cut at the lowest density between two peaks, keep the side `sign`; with two channels one sign for each.

    `which`: of several valleys the `deepest` between the largest populations, or the `first` or `last` along the axis.
    `anchor`: a population of the same sample, above the parent or beside it, in whose density the two sides of the cut
    are plain. A valley of the parent counts only if the anchor's lies between the same peaks; else the cut is at the
    shoulder of the parent's main peak, or where the anchor has it.
    `negative`: a population above this one in the table that surely lacks the marker. Without a valley, a prior or an
    anchor the cut is above its events.
    `lone`: what a single peak is taken for where nothing else tells: `negative` (cut above it) or `positive` (below).
    `min_depth`: how deep the valley must be, as a share of the lower peak, to count as one.
    `min_share`: the smallest share of the parent that a population beside a valley may be.
    """

    sign: str = "+"
    which: str = "deepest"
    anchor: str = ""
    negative: str = ""
    lone: str = "negative"
    min_depth: float = 0.1
    min_share: float = 0.002

    def __post_init__(self) -> None:
        _signs(self.sign)
        _one_of("which", self.which, "deepest", "first", "last")
        _one_of("lone", self.lone, "negative", "positive")


@dataclass(frozen=True, slots=True)
class MixtureSettings:
    """`mixture`: two skewed components; cut where their posterior is even, keep the side `sign`."""

    sign: str = "+"

    def __post_init__(self) -> None:
        _signs(self.sign)


@dataclass(frozen=True, slots=True)
class ControlSettings:
    """`control`: a cut from a negative population: `of` is `fmo` or a population of the same sample.

    The cut is at that `quantile` of the control.
    """

    of: str = "fmo"
    sign: str = "+"
    quantile: float = 0.995

    def __post_init__(self) -> None:
        _signs(self.sign)
        if not 0.5 < self.quantile < 1:
            raise GatingError(f"quantile={self.quantile} is not between 0.5 and 1")


@dataclass(frozen=True, slots=True)
class ExcessSettings:
    """`excess`: the brighter part of the parent, where more events are bright than the population `of` explains.

    `of` is a population of the same sample that holds few bright cells (CD16+ NK cells for CD56-bright ones). If it is
    a cut of the same parent on one channel, its members are cut higher than the others: a step in two dimensions.
    """

    of: str


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

    def __post_init__(self) -> None:
        if (self.mean is None) != (self.covariance is None):
            raise GatingError("an ellipse needs both mean and covariance, or none of them")
        if self.covariance is not None:
            xx, xy, yy = self.covariance
            if not (xx > 0 and yy > 0 and xx * yy > xy * xy):
                mend = "It is xx,xy,yy: xx and yy above 0, and xy² below their product."
                raise GatingError("the covariance is not that of an ellipse", mend=mend)
        if not self.distance_square > 0:
            raise GatingError(f"distance_square={self.distance_square:g} is not above 0")


@dataclass(frozen=True, slots=True)
class BooleanSettings:
    """`boolean`: `of=a & !b`."""

    of: str


MethodSettings = (
    TimeSettings
    | MarginSettings
    | SingletsSettings
    | ScatterSettings
    | ValleySettings
    | MixtureSettings
    | ControlSettings
    | ExcessSettings
    | RectangleSettings
    | PolygonSettings
    | EllipseSettings
    | BooleanSettings
)

METHODS: dict[str, type] = {
    "time": TimeSettings,
    "margin": MarginSettings,
    "singlets": SingletsSettings,
    "scatter": ScatterSettings,
    "valley": ValleySettings,
    "mixture": MixtureSettings,
    "control": ControlSettings,
    "excess": ExcessSettings,
    "rectangle": RectangleSettings,
    "polygon": PolygonSettings,
    "ellipse": EllipseSettings,
    "boolean": BooleanSettings,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class GatingRow:
    """A row of config/gating/NAME.tsv, parsed.

    Attributes:
        channels: the alternatives (`A|B`) of each dimension; one each once the panel is known (`resolve`). An
            alternative `kind:time`, `kind:viability` … is the panel's first marker of that kind.
        optional: an exclusion, left out where the panel lacks its markers; `time`, `margin`, `singlets` always are.
    """

    population: str
    parent: str
    channels: tuple[tuple[str, ...], ...]
    method: str
    settings: MethodSettings
    optional: bool = False

    @property
    def markers(self) -> tuple[str, ...]:
        """The first alternative of each dimension: the markers themselves in a resolved row."""
        return tuple(alternatives[0] for alternatives in self.channels)

    @property
    def exclusion(self) -> bool:
        """Whether the row is skipped, not dropped, where the panel lacks its markers."""
        return self.optional or self.method in ("time", "margin", "singlets")


@dataclass(frozen=True, slots=True)
class GatingTable:
    """The gating hierarchy of a panel, parents before children."""

    name: str
    rows: tuple[GatingRow, ...]


# --- priors ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgePrior:
    """What one cut looks like over the samples of a batch (or of the panel): centre and spread, from n samples.

    `base`: where the cut is measured from, nan where it stands for itself: a sample whose own base lies elsewhere has
    its cut as much farther. `baseline`: the sample of the same patient that sharpened it, empty without one. `fmo`: the
    cut ends the negatives of n FMO controls, of the batch (`source` is `control`) or of other batches.
    """

    mean: float
    sd: float
    n: int
    source: Source
    fmo: bool = False
    base: float = math.nan
    baseline: str = ""


@dataclass(frozen=True, slots=True)
class GatePriors:
    """Prior per (population, channel, edge)."""

    edges: dict[tuple[str, str, str], EdgePrior]
