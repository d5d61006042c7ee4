"""A baseline sharpens what is expected of the same person, as a distance from its own dim cells."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nktrace.model.gates import Edge, EdgePrior, Gate, GatedSample, GatePriors, Rectangle, Source, Status
from nktrace.science.patient_priors import cuts_of_baseline, of_patient, without_based
from nktrace.science.priors import combine, fit_priors

KEY = ("nk_bright", "CD56", "min")
OTHER = ("nk", "CD56", "min")
COHORT = GatePriors(
    {
        KEY: EdgePrior(mean=0.65, sd=0.02, n=10, source=Source.COHORT, base=0.45),
        OTHER: EdgePrior(mean=0.3, sd=0.02, n=10, source=Source.COHORT),
    }
)


def baseline(offset: float, *, base: float = 0.45, se: float = 0.005, clear: bool = True) -> GatedSample:
    value = base + offset
    half = 1.96 * se
    bright = Edge(
        channel="CD56",
        edge="min",
        value=value,
        low=value - half,
        high=value + half,
        base=base,
        clear=clear,
        source=Source.CONTROL,
    )
    absolute = Edge(channel="CD56", edge="min", value=0.3, low=0.29, high=0.31)
    shape = Rectangle(("CD56",), (0.0,), (math.inf,))
    gates = [
        Gate(population=name, parent="root", method="excess", shape=shape, edges=(edge,))
        for name, edge in (("nk_bright", bright), ("nk", absolute))
    ]
    return GatedSample(tuple(gates), {})


def personal(offset: float, **more: float) -> GatePriors:
    return of_patient(COHORT, cuts_of_baseline(baseline(offset, **more), z=1.96), name="P1-blank")


def test_a_persons_distance_pulls_and_sharpens() -> None:
    prior = personal(0.24).edges[KEY]
    assert prior.mean - prior.base == pytest.approx(0.2 + 0.5 * 0.04 * 16 / 17)  # 0.5 s² / (s² + e²), s = 4 e
    assert prior.sd == pytest.approx(0.02 * math.sqrt(1 - 0.25 * 16 / 17))
    assert prior.baseline == "P1-blank"


def test_another_staining_of_the_baseline_changes_nothing() -> None:
    assert personal(0.24, base=0.60).edges[KEY].mean == pytest.approx(personal(0.24).edges[KEY].mean)


def test_a_vague_baseline_says_little() -> None:
    assert personal(0.24, se=0.5).edges[KEY].mean == pytest.approx(COHORT.edges[KEY].mean, abs=1e-4)
    assert personal(0.24, se=0.5).edges[KEY].sd == pytest.approx(0.02, rel=1e-3)


def test_an_unclear_baseline_and_other_cuts_leave_the_cohort() -> None:
    assert of_patient(COHORT, cuts_of_baseline(baseline(0.3, clear=False), z=1.96), name="B") == COHORT
    assert personal(0.24).edges[OTHER] == COHORT.edges[OTHER]
    assert without_based(COHORT).edges.keys() == {OTHER}


def test_the_prediction_holds_where_half_of_the_variance_is_between_persons() -> None:
    """Simulated persons: the errors of the prediction are as large as it says, and smaller than the cohort's."""
    rng = np.random.default_rng(1)
    person = rng.normal(0.2, 0.02 * math.sqrt(0.5), 4_000)
    first, second = (person + rng.normal(0, 0.02 * math.sqrt(0.5), 4_000) for _ in range(2))
    seen = first + rng.normal(0, 0.005, 4_000)
    priors = [personal(x).edges[KEY] for x in seen]
    errors = np.array([y - (p.mean - p.base) for y, p in zip(second, priors, strict=True)])
    assert np.std(errors) / priors[0].sd == pytest.approx(1, abs=0.03)
    assert np.std(errors) < 0.9 * np.std(second)


def test_a_patient_without_a_cohort_has_its_baseline() -> None:
    alone = of_patient(GatePriors({}), cuts_of_baseline(baseline(0.2), z=1.96), name="B").edges[KEY]
    assert alone.mean == pytest.approx(0.65)
    assert alone.sd > 0.005
    assert alone.n == 1


def test_who_lent_is_said() -> None:
    weak = Edge(channel="CD56", edge="min", value=math.nan, clear=False, base=0.5, reason="few cells")
    lent = combine(weak, personal(0.24).edges[KEY], max_distance=3.0, z=1.96)
    assert lent.reason == "few cells: taken from the patient's P1-blank and 10 samples"
    assert lent.value == pytest.approx(personal(0.24).edges[KEY].mean + 0.05)
    far = Edge(channel="CD56", edge="min", value=0.80, low=0.79, high=0.81, base=0.45)
    found = combine(far, personal(0.20).edges[KEY], max_distance=3.0, z=1.96)
    assert (found.value, found.status) == (0.80, Status.WARN)
    assert "P1-blank" in found.reason


def test_cohorts_compare_distances_where_cuts_are_measured_from_a_base() -> None:
    """Three samples stained alike but for the brightness of all their NK cells: no spread remains."""
    samples = [baseline(0.2, base=base) for base in (0.35, 0.45, 0.60)]
    prior = fit_priors(samples).edges[KEY]
    assert prior.mean - prior.base == pytest.approx(0.2)
    assert prior.base == pytest.approx(0.45)
    assert prior.sd < 0.06
    moved = combine(
        Edge(channel="CD56", edge="min", value=0.9, low=0.899, high=0.901, base=0.7), prior, max_distance=3.0, z=1.96
    )
    assert moved.distance == pytest.approx(0.0, abs=1e-6)
