"""The share of a cohort in whom something has happened by a day, from interval-censored times and deaths before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from nktrace.model.intervals import UNKNOWN, Interval
from nktrace.model.trajectories import Waiting

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Incidence:
    """Mass `step` in each interval (`left`, `right`]; what is missing to 1 are deaths before the event."""

    left: Array
    right: Array
    step: Array

    def by(self, day: float) -> float:
        """Share that has reached the threshold by `day`, at least: the mass of all intervals that end by then."""
        return float(self.step[self.right <= day].sum())

    def quantile(self, share: float) -> Interval:
        """The interval in which the incidence passes `share`, its middle as the value; unknown if it does not."""
        passed = np.flatnonzero(np.cumsum(self.step) >= share - 1e-6)
        if not passed.size or not np.isfinite(self.right[passed[0]]):
            return UNKNOWN
        left, right = float(self.left[passed[0]]), float(self.right[passed[0]])
        return Interval((left + right) / 2, left, right)


def turnbull(times: Sequence[Waiting]) -> Incidence:
    """Cumulative incidence of interval-censored times by self-consistency.

    Turnbull (J R Stat Soc B 1976); with deaths as a competing event of known day, Hudgens, Satten & Longini (Biometrics
    2001): without deaths after unseen time the maximum of their likelihood. Mass can lie only in the innermost
    intervals, from a left end to the next right end, and on days of death. Who is lost at `low` can have the event, or
    die, at any place after it.

    Who died some time after `low` had the event in an interval between the two, or never, and nowhere after the death.
    Which it was is decided by the hazard of the event in those at risk, as if having had it changed nothing of the risk
    of death. (By the plain mass of the places it would nearly always have been the event, which many share, and hardly
    ever the death on a day of its own.)

    Raises:
        ValueError: no times, or one that ends before it starts.
    """
    places = _places(times)
    mass = _self_consistent(places, np.ones((1, len(times))), tolerance=1e-8, max_steps=20_000)
    return Incidence(places.left, places.right, mass[0, : places.left.size])


def turnbull_resampled(times: Sequence[Waiting], *, size: int, rng: np.random.Generator) -> list[Incidence]:
    """The estimate of `size` resamples of the patients, over the places of the whole cohort."""
    places = _places(times)
    n = len(times)
    weights = rng.multinomial(n, np.full(n, 1 / n), size=size).astype(np.float64)
    mass = _self_consistent(places, weights, tolerance=1e-6, max_steps=2_000)
    return [Incidence(places.left, places.right, row) for row in mass[:, : places.left.size]]


@dataclass(frozen=True, slots=True)
class _Places:
    """Where mass can lie: the innermost intervals in their order, then the days of death; who can be where.

    Attributes:
        left, right: (interval,) ends.
        earlier: (interval, place) whether the place is over before the interval is.
        seen, possible: which patients (patient,) are told of by their places alone, and at which (seen, place).
        unseen: which died after time that no visit tells of.
        after: (unseen, interval + 1) whether the interval is after the last visit; the last stands for none.
        alive: (unseen, interval + 1) whether it is over by the death, too.
        own: (unseen, death) the day of it.
    """

    left: Array
    right: Array
    earlier: Array
    seen: NDArray[np.bool_]
    possible: Array
    after: Array
    alive: Array
    own: Array


def _places(times: Sequence[Waiting]) -> _Places:
    if not times or any(time.high < time.low for time in times):
        raise ValueError("turnbull needs at least one time, and each must end after it starts")
    left, right = _innermost([time for time in times if not time.never])
    deaths = np.unique([time.death for time in times if np.isfinite(time.death)])
    low, high, death = np.array([(time.low, time.high, time.death) for time in times]).T[:, :, None]
    never = np.array([time.never for time in times])
    seen = never | np.isinf(death[:, 0])
    after = np.where(left == right, (low < right) | ((low == right) & (low == high)), low <= left)
    reached = after & (right <= high) & ~never[:, None]
    died = np.where(never[:, None], death == deaths, (low < deaths) & np.isinf(high))
    none = np.ones((len(times), 1), dtype=bool)
    return _Places(
        left,
        right,
        earlier=np.hstack([right < right[:, None], deaths < right[:, None]]).astype(np.float64),
        seen=seen,
        possible=np.hstack([reached, died])[seen].astype(np.float64),
        after=np.hstack([after, none])[~seen].astype(np.float64),
        alive=np.hstack([after & (right <= death), ~none])[~seen].astype(np.float64),
        own=(death == deaths)[~seen].astype(np.float64),
    )


def _self_consistent(places: _Places, weights: Array, *, tolerance: float, max_steps: int) -> Array:
    """Mass of each place (draw, place), for draws of patients' weights (draw, patient)."""
    size = places.possible.shape[1]
    mass = np.full((weights.shape[0], size), 1 / size)
    total = weights.sum(axis=1, keepdims=True)
    of_seen, of_unseen = weights[:, places.seen], weights[:, ~places.seen]
    for _ in range(max_steps):
        share = np.maximum(mass @ places.possible.T, 1e-300)  # 0 for a patient who is not in the draw
        updated = mass * ((of_seen / share) @ places.possible)
        if of_unseen.size:
            updated += _unseen(places, mass, of_unseen)
        updated /= total
        change = np.abs(updated - mass).max()
        mass = updated
        if change < tolerance:
            break
    return mass


def _unseen(places: _Places, mass: Array, weights: Array) -> Array:
    """Where those lie (draw, place) who died after time that no visit tells of, by the hazards that `mass` has."""
    events = places.left.size
    at_risk = np.maximum(1 - mass @ places.earlier.T, 1e-300)
    hazard = np.minimum(mass[:, :events] / at_risk, 1.0)
    start = np.ones((mass.shape[0], 1))
    spared = np.hstack([start, np.cumprod(1 - hazard, axis=1)])  # had nobody died: not yet by each interval
    latent = spared * np.hstack([hazard, start])
    each = weights / np.maximum(latent @ places.after.T, 1e-300)
    reached = latent * (each @ places.alive)
    died = weights - each * (latent @ places.alive.T)
    return np.hstack([reached[:, :events], died @ places.own])


def _innermost(times: Sequence[Waiting]) -> tuple[Array, Array]:
    """Intervals (left, right] with no other end in between. An exact time is one of no length.

    At one day a right end comes before a left end (half-open intervals do not touch), but an exact time opens first.
    """
    ends = []
    for time in times:
        exact = time.low == time.high
        ends += [(time.low, 0 if exact else 2, "left"), (time.high, 1, "right")]
    ends.sort()
    left, right = [], []
    for (a, _, kind), (b, _, following) in pairwise(ends):
        if kind == "left" and following == "right":
            left.append(a)
            right.append(b)
    return np.array(left), np.array(right)
