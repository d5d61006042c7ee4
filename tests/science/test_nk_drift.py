"""Shifts of markers against the reference are found with their size; a change of composition is none."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from nktrace.model.clusters import Cluster, ClusterReference, empty_reference
from nktrace.model.intervals import UNKNOWN
from nktrace.model.nk_drift import MarkerShift
from nktrace.model.quality import Verdict
from nktrace.science.nk_checks import shift_checks
from nktrace.science.nk_drift import marker_shifts, sample_places, with_places

MARKERS = ("CD56", "CD16", "CD57", "NKG2C")
LIMIT = 0.07
# bright, early dim, terminal, adaptive; in linear units
LEVELS = np.array(
    [(12_000, 900, 150, 120), (2_500, 9_000, 150, 120), (2_300, 10_000, 6_000, 120), (2_100, 11_000, 7_000, 5_000)]
)
USUAL = (0.1, 0.4, 0.4, 0.1)


def linear(seed: int, shares: tuple[float, ...] = USUAL, size: int = 2_000) -> np.ndarray:
    """NK cells of skewed signals around the levels of their population, with the noise of the instrument."""
    rng = np.random.default_rng(seed)
    kind = rng.choice(4, size, p=shares)
    signal = LEVELS[kind] * np.exp(
        0.45 * (0.8 * rng.normal(size=(size, 4)) + 0.6 * (1 - rng.exponential(size=(size, 4))))
    )
    return signal + rng.normal(0, 60, (size, 4))


def scaled(values: np.ndarray) -> np.ndarray:
    return np.arcsinh(values / 150).astype(np.float32)


def reference(odd: dict[int, float] | None = None, samples: int = 6) -> ClusterReference:
    """Four populations over some samples, a prototype each; `odd` multiplies all values of a sample."""
    draws = {f"S{i}": scaled(linear(i) * (odd or {}).get(i, 1)) for i in range(samples)}
    values = np.concatenate(list(draws.values()))
    center = values.min(axis=0)
    width = np.full(4, np.ptp(values, axis=0).max(), np.float32)
    prototypes = [scaled(LEVELS), *(scaled(LEVELS * factor) for factor in (odd or {}).values())]
    number = 4 * len(prototypes)
    clusters = ClusterReference(
        panel="nk14",
        markers=MARKERS,
        center=center,
        width=width,
        prototypes=((np.concatenate(prototypes) - center) / width).astype(np.float32),
        metaclusters=np.arange(1, number + 1, dtype=np.int32),
        radius=np.ones(number, np.float32),
        clusters=tuple(
            Cluster(
                number=n + 1,
                subset="",
                shares={},
                cl_id="",
                medians={},
                fraction=0.1,
                stability=1.0,
                seed_agreement=1.0,
            )
            for n in range(number)
        ),
    )
    return with_places(clusters, [sample_places(draw, clusters) for draw in draws.values()])


def found(values: np.ndarray, known: ClusterReference | None = None, **options: object) -> dict[str, MarkerShift]:
    shifts = marker_shifts(
        scaled(values),
        known or reference(),
        level=0.95,
        rng=np.random.default_rng(0),
        **options,  # type: ignore[arg-type]
    )
    return {shift.marker: shift for shift in shifts}


@pytest.mark.parametrize("shares", [USUAL, (0.02, 0.2, 0.76, 0.02), (0.6, 0.3, 0.09, 0.01), (0.05, 0.1, 0.05, 0.8)])
def test_a_change_of_composition_is_no_shift(shares: tuple[float, ...]) -> None:
    checks = shift_checks(list(found(linear(99, shares)).values()), limit=LIMIT)
    assert {check.status for check in checks} == {Verdict.PASS}
    assert max(check.value for check in checks) < LIMIT / 2


@pytest.mark.parametrize("marker", range(4))
@pytest.mark.parametrize("shares", [USUAL, (0.05, 0.8, 0.1, 0.05)])
def test_three_times_the_values_of_one_marker_are_named_and_no_other(marker: int, shares: tuple[float, ...]) -> None:
    values = linear(98, shares)
    values[:, marker] *= 3
    shifts = found(values)
    status = {check.check: check.status for check in shift_checks(list(shifts.values()), limit=LIMIT)}
    named = f"nk_shift:{MARKERS[marker]}"
    assert status.pop(named) is not Verdict.PASS
    assert set(status.values()) == {Verdict.PASS}


def test_three_times_all_values_name_every_marker() -> None:
    checks = shift_checks(list(found(linear(97) * 3).values()), limit=LIMIT)
    assert Verdict.PASS not in {check.status for check in checks}
    assert all("above those of the reference" in check.reason for check in checks)


def test_the_shift_has_its_sign_its_size_and_an_interval_that_holds_it() -> None:
    values = linear(96)
    moved = scaled(values)
    moved[:, 1] -= 0.3
    known = reference()
    before = marker_shifts(scaled(values), known, level=0.95, rng=np.random.default_rng(0))[1].shift
    after = marker_shifts(moved, known, level=0.95, rng=np.random.default_rng(0))[1].shift
    assert after.value - before.value == pytest.approx(-0.3 / known.width[1], abs=0.003)
    assert before.low < 0 < before.high
    assert before.high - before.low < LIMIT / 4


def test_intervals_hold_the_place_of_the_population_as_often_as_they_say() -> None:
    known = reference(samples=20)
    covered = [
        shift.shift.low < 0 < shift.shift.high
        for seed in range(40)
        for shift in found(linear(200 + seed, size=300), known).values()
    ]
    assert np.mean(covered) > 0.8  # the reference's own places are known to a part of that


def test_one_odd_sample_of_the_reference_does_not_vouch_for_itself() -> None:
    known = reference(odd={3: 3.0})
    assert len(known.places) == 4
    assert Verdict.PASS not in {c.status for c in shift_checks(list(found(linear(3) * 3, known).values()), limit=LIMIT)}
    assert {c.status for c in shift_checks(list(found(linear(1), known).values()), limit=LIMIT)} == {Verdict.PASS}


def test_a_new_population_is_no_shift_of_the_others() -> None:
    values = linear(95)
    values[:600, 3] = 40_000  # a third begins to carry NKG2C
    checks = shift_checks(list(found(values).values()), limit=LIMIT)
    assert {check.status for check in checks} == {Verdict.PASS}


def test_a_marker_that_a_tube_lacks_is_skipped_and_says_so() -> None:
    values = linear(94)
    values[:, 2] = np.random.default_rng(1).normal(0, 60, len(values))
    shifts = found(values, left_out="CD57")
    assert shifts["CD57"].shift == UNKNOWN
    checks = {check.check: check for check in shift_checks(list(shifts.values()), limit=LIMIT)}
    assert checks["nk_shift:CD57"].status is Verdict.SKIPPED
    assert checks["nk_shift:CD57"].reason == "CD57 is left out of this tube"
    assert checks["nk_shift:CD16"].status is Verdict.PASS


def test_too_few_events_are_skipped_with_their_number() -> None:
    values = linear(93, size=60)
    values[:20, 0] = np.nan
    checks = shift_checks(list(found(values).values()), limit=LIMIT)
    assert {check.status for check in checks} == {Verdict.SKIPPED}
    assert {check.reason for check in checks} == {"40 NK events, 50 are needed"}
    assert all(np.isnan(check.value) for check in checks)


def test_a_reference_without_common_populations_is_skipped() -> None:
    known = dataclasses.replace(reference(), places=np.empty((0, 0), np.float32), spreads=np.empty((0, 0), np.float32))
    assert {s.reason for s in found(linear(1), known).values()} == {
        "there is no NK population that more than a third of the reference samples have"
    }
    empty = empty_reference("nk14", samples={}, reason="no NK")
    assert marker_shifts(np.empty((9, 0), np.float32), empty, level=0.95, rng=np.random.default_rng(0)) == ()
    assert with_places(empty, []) is empty


@pytest.mark.parametrize(("by", "least"), [(0.3, 4), (-0.3, 4), (0.5, 2), (-0.5, 2)])
def test_a_sample_far_off_fails(by: float, least: int) -> None:
    known = reference()
    shifts = marker_shifts(scaled(linear(91)) + by * known.width, known, level=0.95, rng=np.random.default_rng(0))
    # so far that populations come to lie on others: some markers can then seem to fit
    assert [check.status for check in shift_checks(shifts, limit=LIMIT)].count(Verdict.FAIL) >= least


@pytest.mark.parametrize("by", [1.0, -1.0, 1e30])
def test_a_sample_that_no_population_is_near_has_no_shift_and_fails(by: float) -> None:
    known = reference()
    shifts = marker_shifts(scaled(linear(91)) + by * known.width, known, level=0.95, rng=np.random.default_rng(0))
    assert [shift.shift for shift in shifts] == [UNKNOWN] * 4
    assert {shift.reason for shift in shifts} == {"no population of the reference is near the NK events of the sample"}
    checks = shift_checks(shifts, limit=LIMIT)
    assert {check.status for check in checks} == {Verdict.FAIL}
    assert all(np.isnan(check.value) and check.reason.startswith("no population of the ref") for check in checks)


def test_a_few_strays_near_a_population_do_not_speak_for_a_sample_that_is_not() -> None:
    known = reference()
    values = scaled(linear(91))
    values[60:] += known.width
    shifts = marker_shifts(values, known, level=0.95, rng=np.random.default_rng(0))
    assert all(shift.lost and shift.shift == UNKNOWN for shift in shifts)


def test_an_alignment_can_bring_a_lost_sample_back_or_lose_it() -> None:
    known = reference()
    near = scaled(linear(91))
    far = near + known.width
    options = {"level": 0.95, "rng": np.random.default_rng(0)}
    back = marker_shifts(far, known, aligned=near, **options)  # type: ignore[arg-type]
    assert all(shift.shift == UNKNOWN and abs(shift.aligned.value) < LIMIT / 2 for shift in back)
    assert {check.status for check in shift_checks(back, limit=LIMIT)} == {Verdict.PASS}
    gone = marker_shifts(near, known, aligned=far, **options)  # type: ignore[arg-type]
    assert all(shift.shift.known and shift.aligned == UNKNOWN for shift in gone)
    checks = shift_checks(gone, limit=LIMIT)
    assert {check.status for check in checks} == {Verdict.FAIL}
    assert all("near after alignment" in check.reason for check in checks)


def test_places_do_not_depend_on_the_order_of_the_samples() -> None:
    known = reference()
    samples = [sample_places(scaled(linear(seed)), known) for seed in range(6)]
    one, other = with_places(known, samples), with_places(known, reversed(samples))
    for name in ("places", "spreads", "between"):
        assert getattr(one, name).tobytes() == getattr(other, name).tobytes()


def test_the_spread_between_samples_is_that_of_their_gains() -> None:
    known = reference()
    gains = np.random.default_rng(7).normal(0, 0.2, 60)
    samples = []
    for seed, gain in enumerate(gains):
        values = scaled(linear(300 + seed))
        values[:, 1] += gain
        samples.append(sample_places(values, known))
    between = with_places(known, samples).between
    assert between[1] == pytest.approx(0.2 / known.width[1], rel=0.35)
    assert (np.delete(between, 1) < between[1] / 3).all()
    assert not with_places(known, samples[:4]).between.any(), "of four samples it is not known"


def test_a_population_that_is_rare_in_every_sample_is_none_to_register_to() -> None:
    known = reference()
    samples = [sample_places(scaled(linear(seed, (0.01, 0.5, 0.48, 0.01), 4_000)), known) for seed in range(6)]
    assert all((sample.events >= 20).all() for sample in samples)
    assert len(with_places(known, samples).places) == 2


def test_samples_of_few_events_give_no_places() -> None:
    known = dataclasses.replace(reference(), places=np.empty((0, 0), np.float32))
    assert with_places(known, [sample_places(scaled(linear(1, size=49)), known)]) is known
    assert with_places(known, [sample_places(scaled(linear(1, size=0)), known)]) is known


def test_the_verdict_is_on_what_an_alignment_leaves() -> None:
    values = linear(92)
    moved = values.copy()
    moved[:, 2] *= 3
    shift = found(moved, aligned=scaled(values))["CD57"]
    assert shift.shift.value > LIMIT
    assert abs(shift.aligned.value) < LIMIT / 2
    assert shift_checks([shift], limit=LIMIT)[0].status is Verdict.PASS
