"""How an HLA marker moved between two batches, from the same cells stained in both (role `batch_control`).

Dark cells and bright cells need not move alike: another antibody lot or titre moves bright cells only, another voltage
both. So each is measured on the controls that have it, as a ratio, and a cut between the two moves by both, the more
by that of the bright cells the nearer it lies to them (linear in the logarithm). Which part a control has needs no cut
in the second batch: it is one material, so the same share of it is bright in both (as in science/control_drift.py).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nktrace.model.events import FloatArray
from nktrace.model.intervals import Interval
from nktrace.science.intervals import normal_quantile

LEAST_SHARE = 0.2  # of a control's cells; fewer are no part to measure (false positives, dropout)
DARK = 0.95  # the quantile that stands for the dark cells: their median is near zero and has no ratio


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """Signals of the one batch over those of the other, with the standard error of the logarithm."""

    value: float = 1.0
    sd: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchShift:
    """How signals of one batch become those of another.

    Attributes:
        dark, bright: ratios; None where no control has such cells: these are taken as unmoved.
        dark_at, bright_at: where these cells are in the first batch, linear units, 0 < dark_at < bright_at.
    """

    dark: Ratio | None
    bright: Ratio | None
    dark_at: float
    bright_at: float

    def cut(self, cut: Interval, *, level: float) -> Interval:
        """A cut of the first batch as it stands in the second, wider by the error of the ratios."""
        value, low, high = self.forth(np.array([cut.value, cut.low, cut.high])).tolist()
        weight = float(self._weight(np.array([cut.value]))[0])
        sd = math.hypot((1 - weight) * (self.dark or Ratio()).sd, weight * (self.bright or Ratio()).sd)
        error = normal_quantile(level) * sd * abs(value)
        return Interval(value, value - math.hypot(value - low, error), value + math.hypot(high - value, error))

    def forth(self, values: FloatArray) -> FloatArray:
        """Values of the first batch as they would be in the second."""
        logs = self._logs()
        weight = self._weight(values)
        moved: FloatArray = values * np.exp((1 - weight) * logs[0] + weight * logs[1])
        return moved

    def back(self, values: FloatArray) -> FloatArray:
        """Values of the second batch as they would be in the first."""
        dark, bright = self._logs()
        there = BatchShift(
            dark=Ratio(value=math.exp(-dark)),
            bright=Ratio(value=math.exp(-bright)),
            dark_at=self.dark_at * math.exp(dark),
            bright_at=self.bright_at * math.exp(bright),
        )
        return there.forth(values)

    def _logs(self) -> tuple[float, float]:
        return math.log((self.dark or Ratio()).value), math.log((self.bright or Ratio()).value)

    def _weight(self, values: FloatArray) -> FloatArray:
        """0 for values as low as the dark cells', 1 for values as high as the bright cells', between in logarithms."""
        start, end = math.log(self.dark_at), math.log(self.bright_at)
        places = np.log(np.maximum(values, self.dark_at))
        weight: FloatArray = np.minimum((places - start) / (end - start), 1.0)
        return weight

    def __str__(self) -> str:
        told = (("bright", self.bright), ("dark", self.dark))
        return ", ".join(f"{name} cells {f'x {ratio.value:.3g}' if ratio else 'not known'}" for name, ratio in told)


def batch_shift(
    controls: Mapping[str, tuple[FloatArray, FloatArray]],
    *,
    cut: float,
    dark: FloatArray,
    bright: FloatArray,
    least_events: int,
) -> BatchShift | None:
    """The shift from one batch to another; None where no control has cells enough in both, or the parts would cross.

    Over several controls the mean is taken, and where they agree less well than their counts say, that is the error.

    Args:
        controls: marker values in the first and in the second batch, by the person that the cells are of.
        cut: of the first batch, which tells whether a control's cells carry the antigen.
        dark, bright: marker values of other cells without and with the antigen, to place what no control has; may be
            empty.
        least_events: of a control in each batch.
    """
    pairs: dict[str, list[tuple[_Place, _Place]]] = {"dark": [], "bright": []}
    for before, after in controls.values():
        if min(before.size, after.size) < least_events:
            continue
        share = float(np.mean(before >= np.float64(cut)))
        for name, start, size, at in (("dark", 0.0, 1 - share, DARK), ("bright", 1 - share, share, 0.5)):
            pair = _Place.of(before, start, size, at), _Place.of(after, start, size, at)
            if size >= LEAST_SHARE and min(pair[0].value, pair[1].value) > 0:
                pairs[name].append(pair)
    ratios = {name: _ratio(found) for name, found in pairs.items()}
    dark_at, bright_at = _place(pairs["dark"], dark, DARK), _place(pairs["bright"], bright, 0.5)
    lone = ratios["bright"] or ratios["dark"]
    if lone is None:
        return None
    if not 0 < dark_at < bright_at:  # the one part has no place, so that all moves like the other
        return BatchShift(dark=lone, bright=lone, dark_at=1.0, bright_at=2.0)
    found = BatchShift(dark=ratios["dark"], bright=ratios["bright"], dark_at=dark_at, bright_at=bright_at)
    dark_there, bright_there = found.forth(np.array([dark_at, bright_at])).tolist()
    return found if dark_there < bright_there else None


@dataclass(frozen=True, slots=True)
class _Place:
    """A quantile of a part of a control, and the standard error of its logarithm."""

    value: float
    error: float

    @classmethod
    def of(cls, values: FloatArray, start: float, size: float, at: float) -> _Place:
        """The quantile `at` of the cells between the quantiles `start` and `start + size`; its error is its rank's."""
        middle, step = start + size * at, math.sqrt(at * (1 - at) * size / values.size)
        low, value, high = np.quantile(values, np.clip([middle - step, middle, middle + step], 0, 1)).tolist()
        return cls(value, math.log(high / low) / 2 if low > 0 else 0.0)


def _ratio(pairs: Sequence[tuple[_Place, _Place]]) -> Ratio | None:
    if not pairs:
        return None
    logs = [math.log(after.value / before.value) for before, after in pairs]
    counted = math.sqrt(sum(before.error**2 + after.error**2 for before, after in pairs)) / len(pairs)
    seen = float(np.std(logs, ddof=1)) / math.sqrt(len(logs)) if len(logs) > 1 else 0.0
    return Ratio(value=math.exp(float(np.mean(logs))), sd=max(counted, seen))


def _place(pairs: Sequence[tuple[_Place, _Place]], others: FloatArray, at: float) -> float:
    """Where cells are in the first batch: by the controls, else by other cells; nan where neither tells."""
    if pairs:
        return float(np.mean([before.value for before, _ in pairs]))
    return float(np.quantile(others, at)) if others.size else math.nan
