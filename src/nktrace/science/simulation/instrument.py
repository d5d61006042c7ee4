"""The cytometer: pulses of coinciding cells, spillover, photon noise, electronics, drift, clogs, the range's end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nktrace.model.events import Events, Mask
from nktrace.model.panel import Kind
from nktrace.model.simulation import SimulatedDetector
from nktrace.science.simulation.cells import Cells, Float32

TOP = 262_144.0  # $PnR of an 18-bit instrument
TICK = 0.01  # seconds: the resolution of the Time channel
FSC_THRESHOLD = 12_000.0  # smaller pulses do not trigger
HEIGHT_OF_AREA = 0.82  # of a single cell
WIDTH_SCALE = 65_536.0
CLOG_RATE, CLOG_SIGNAL = 0.25, 0.62  # what is left of the flow and of the signals in a clog


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulses:
    """Events as they pass the laser, before noise: areas and heights of scatter, and expected fluorescence."""

    fsc_area: Float32
    fsc_height: Float32
    ssc_area: Float32
    ssc_height: Float32
    emission: Float32
    autofluorescence: Float32


@dataclass(frozen=True, slots=True)
class Clock:
    """Arrival times in seconds, ascending, and which events arrived during a clog."""

    seconds: NDArray[np.float64]
    clogged: Mask


def coincide(cells: Cells, *, rows: NDArray[np.int64], rng: np.random.Generator) -> Pulses:
    """Join cells to doublets: areas and light add, the height grows only as far as the pulses overlap.

    Args:
        cells: n cells that make the events, followed by one partner for each doublet.
        rows: which events are doublets, shape (doublets,); n = len(cells) - len(rows).
        rng: generator.
    """
    n = cells.fsc.size - rows.size
    overlap = rng.beta(1.0, 2.5, rows.size).astype(np.float32)
    areas, heights = [], []
    for area in (cells.fsc, cells.ssc):
        wobble = 1.0 + 0.022 * rng.standard_normal(area.size, dtype=np.float32)
        height = area * np.float32(HEIGHT_OF_AREA) * wobble.astype(np.float32)
        first, partner = height[rows], height[n:]
        joined_height = height[:n].copy()
        joined_height[rows] = np.maximum(first, partner) + overlap * np.minimum(first, partner)
        joined_area = area[:n].copy()
        joined_area[rows] += area[n:]
        areas.append(joined_area)
        heights.append(joined_height)
    emission, autofluorescence = cells.emission[:n].copy(order="F"), cells.autofluorescence[:n].copy(order="F")
    emission[rows] += cells.emission[n:]
    autofluorescence[rows] += cells.autofluorescence[n:]
    return Pulses(
        fsc_area=areas[0],
        fsc_height=heights[0],
        ssc_area=areas[1],
        ssc_height=heights[1],
        emission=emission,
        autofluorescence=autofluorescence,
    )


def arrivals(n: int, *, events_per_second: float, clog_span: float | None, rng: np.random.Generator) -> Clock:
    """When events arrive: a Poisson stream, nearly stopped for a span of the run where there is a clog."""
    gaps = rng.standard_exponential(n)
    if clog_span is None:
        return Clock(np.cumsum(gaps) / events_per_second, np.zeros(n, dtype=np.bool_))
    start = int(n * rng.uniform(0.2, 0.7))
    stop = min(n, start + max(1, int(n * clog_span * CLOG_RATE)))
    clogged = np.zeros(n, dtype=np.bool_)
    clogged[start:stop] = True
    gaps[clogged] /= CLOG_RATE
    return Clock(np.cumsum(gaps) / events_per_second, clogged)


def spill_matrix(
    detectors: Sequence[SimulatedDetector], *, error: float = 0.0, rng: np.random.Generator | None = None
) -> NDArray[np.float64]:
    """Spillover, shape (d, d), row = fluorochrome; with `rng` blurred by `error`, as a laboratory's estimate is."""
    index = {detector.channel: column for column, detector in enumerate(detectors)}
    matrix = np.eye(len(detectors))
    for row, detector in enumerate(detectors):
        for channel, share in detector.spill.items():
            if channel in index:
                matrix[row, index[channel]] = share
    if rng is None:
        return matrix
    blurred = matrix * np.exp(error * rng.standard_normal(matrix.shape))
    np.fill_diagonal(blurred, 1.0)
    return blurred


def photoelectrons(mean: Float32, *, rng: np.random.Generator) -> Float32:
    """Poisson counts by their Cornish-Fisher expansion: mean, variance and skewness are the Poisson's, not the steps.

    The electronics' noise blurs the steps anyway, and this takes a tenth of the time.
    """
    z = rng.standard_normal(mean.size, dtype=np.float32)
    return np.maximum(mean + np.sqrt(mean) * z + (z * z - np.float32(1.0)) / np.float32(6.0), np.float32(0.0))


def detect(
    pulses: Pulses,
    clock: Clock,
    *,
    detectors: Sequence[SimulatedDetector],
    drift: float,
    rng: np.random.Generator,
) -> Events:
    """What the instrument writes, every detector of the panel in its order, Time in seconds.

    Fluorescence is spilled, then counted in photoelectrons (Poisson), then blurred by the electronics, which gives
    the spreading and the negative values that compensated data have. No value leaves the detector's range.
    """
    fluorescent = [detector for detector in detectors if detector.fluorescent]
    n = pulses.fsc_area.size
    weather = (1.0 + drift * (clock.seconds / clock.seconds[-1] - 0.5)).astype(np.float32)
    weather[clock.clogged] *= CLOG_SIGNAL
    matrix = spill_matrix(fluorescent).astype(np.float32)
    expected = (pulses.emission @ matrix + pulses.autofluorescence) * weather[:, None]
    values = np.empty((n, len(detectors)), dtype=np.float32, order="F")
    scatter = {
        "FSC-A": pulses.fsc_area * weather,
        "FSC-H": pulses.fsc_height * weather,
        "FSC-W": WIDTH_SCALE * HEIGHT_OF_AREA * pulses.fsc_area / pulses.fsc_height,
        "SSC-A": pulses.ssc_area * weather,
        "SSC-H": pulses.ssc_height * weather,
        "SSC-W": WIDTH_SCALE * HEIGHT_OF_AREA * pulses.ssc_area / pulses.ssc_height,
    }
    for name in ("FSC-A", "FSC-H"):
        low = scatter[name] < FSC_THRESHOLD
        scatter[name][low] = FSC_THRESHOLD * (1.0 + 0.15 * rng.standard_exponential(int(low.sum()), dtype=np.float32))
    position = {detector.channel: column for column, detector in enumerate(fluorescent)}
    for column, detector in enumerate(detectors):
        if detector.kind is Kind.TIME:
            values[:, column] = np.floor(clock.seconds / TICK) * TICK
        elif detector.kind is Kind.SCATTER:
            values[:, column] = scatter[detector.marker]
        else:
            electrons = photoelectrons(expected[:, position[detector.channel]] * np.float32(detector.photons), rng=rng)
            noise = detector.noise * rng.standard_normal(n, dtype=np.float32)
            values[:, column] = electrons / np.float32(detector.photons) + noise
        if detector.kind is not Kind.TIME:
            np.clip(values[:, column], -0.01 * TOP, TOP - 1.0, out=values[:, column])
    return Events(values, tuple(detector.channel for detector in detectors))
