"""Runs of a tube with a known disturbance: which events arrived when the flow or the signal was off."""

from __future__ import annotations

import numpy as np

from nktrace.model.events import Events, Mask
from tests.science.gating.tube import BLOOD, blood

SECONDS = 120.0
KINDS = {detector.marker: detector.kind for detector in BLOOD.detectors}
STAINS = tuple(d.marker for d in BLOOD.detectors if d.marker not in ("Time", "FSC-A", "FSC-H", "SSC-A"))
# name -> share of the run's time that is disturbed
SPANS = {
    "short clog": 0.05,
    "long clog": 0.3,
    "clog with dim signals": 0.12,
    "burst": 0.01,
    "short burst": 0.003,
    "air bubble": 0.02,
    "jump of one marker": 0.06,
    "jump that lasts": 0.3,
}
QUIET = ("quiet", "flow that rises", "slow drift", "coarse clock", "unsteady flow")


def run(name: str, seed: int, *, events: int = 30_000) -> tuple[Events, Mask]:
    """A simulated tube as it would pass the instrument, events in order, and which of them are disturbed.

    The flow is never quite steady: its logarithm wanders with an sd of 10 %.
    """
    rng = np.random.default_rng([seed, events])
    tube, _ = blood(seed, events=events)
    values = tube.values.copy(order="F")
    place = np.linspace(0, 1, 4_001)
    wander = 0.15 if name == "unsteady flow" else 0.1
    rate = np.exp(np.interp(place, np.linspace(0, 1, 60), wander * rng.normal(size=60)))
    if name == "flow that rises":
        rate *= 0.5 + place
    span = SPANS.get(name, 0.0)
    start = 1 - span if name == "jump that lasts" else rng.uniform(0.1, 0.88 - span)
    within = (place >= start) & (place < start + span)
    if "clog" in name:
        rate[within] *= 0.25
    elif "burst" in name:
        rate[within] *= 4
    elif name == "air bubble":
        rate[within] *= 0.1
    passed = np.concatenate([[0.0], np.cumsum(rate[1:])])
    at = np.interp(np.sort(rng.random(events)), passed / passed[-1], place)
    disturbed = (at >= start) & (at < start + span)

    def column(marker: str) -> np.ndarray:
        return values[:, tube.channels.index(marker)]

    if name == "clog with dim signals":
        for marker in STAINS:
            column(marker)[disturbed] -= 0.05
        for marker in ("FSC-A", "FSC-H", "SSC-A"):
            column(marker)[disturbed] *= 0.62
    if name.startswith("jump"):
        column("CD56")[disturbed] += 0.07
    if name == "slow drift":
        for marker in STAINS:
            column(marker)[:] += 0.1 * (at - 0.5)
    tick = 1.0 if name == "coarse clock" else 0.01
    column("Time")[:] = np.floor(at * SECONDS / tick) * tick
    return Events(values, tube.channels), disturbed
