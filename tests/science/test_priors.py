"""What a sample borrows from its cohort, and when it does not."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nktrace.model.gates import Edge, EdgePrior, Gate, GatedSample, GatePriors, Rectangle, Source, Status
from nktrace.science.priors import combine, combine_whole, control_priors, fit_priors

KEY = ("nk", "CD56", "min")
PRIOR = EdgePrior(mean=0.5, sd=0.04, n=8, source=Source.COHORT)


def own(value: float, *, half: float = 0.02, clear: bool = True, source: Source = Source.DATA, **more: object) -> Edge:
    return Edge(
        channel="CD56",
        edge="min",
        value=value,
        low=value - half,
        high=value + half,
        source=source,
        clear=clear,
        **more,  # type: ignore[arg-type]
    )


def sample(*edges: Edge, without: str = "", method: str = "valley") -> GatedSample:
    shape = Rectangle(("CD56",), (0.0,), (math.inf,))
    return GatedSample(
        (Gate(population="nk", parent="root", method=method, shape=shape, edges=edges),), {}, (), without
    )


def blend(edge: Edge, prior: EdgePrior | None = PRIOR) -> Edge:
    return combine(edge, prior, max_distance=3.0, z=1.96)


def test_agreeing_cuts_are_weighted_by_their_precision() -> None:
    edge = blend(own(0.56, half=1.96 * 0.04))  # as precise as the prior: the middle
    assert edge.value == pytest.approx(0.53)
    assert (edge.high - edge.low) / (2 * 1.96) == pytest.approx(0.04 / math.sqrt(2))
    assert edge.distance == pytest.approx(1.5)
    assert edge.prior == pytest.approx(0.5)


@pytest.mark.parametrize(("half", "source"), [(0.01, Source.DATA), (0.5, Source.COHORT)])
def test_the_source_is_the_one_that_weighs_more(half: float, source: Source) -> None:
    assert blend(own(0.55, half=half)).source is source


def test_a_clear_cut_far_away_stands_as_a_warning() -> None:
    edge = blend(own(0.7))
    assert edge.value == pytest.approx(0.7)
    assert edge.status is Status.WARN
    assert edge.distance == pytest.approx(5.0)
    assert "5.0 sd" in edge.reason


def test_a_weak_sample_far_away_takes_the_prior_with_a_warning() -> None:
    """It is less sure of its cut than the cohort is: that is no different sample."""
    edge = blend(own(0.9, half=1.96 * 0.06))
    assert edge.value == PRIOR.mean
    assert (edge.source, edge.status, edge.clear) == (Source.COHORT, Status.WARN, False)
    assert edge.distance == pytest.approx(10.0)
    assert "surer" in edge.reason


def test_a_weak_sample_within_its_own_error_is_not_far_away() -> None:
    edge = blend(own(0.7, half=1.96 * 0.06))  # 5 sd of the prior, but 2.8 of the difference
    assert edge.status is Status.OK
    assert 0.5 < edge.value < 0.6


@pytest.mark.parametrize("value", [0.9, math.nan, math.inf])
def test_a_sample_that_shows_no_cut_takes_the_prior(value: float) -> None:
    edge = blend(own(value, clear=False, reason="30 events in dump_neg"))
    assert edge.value == pytest.approx(0.5)
    assert (edge.low, edge.high) == (pytest.approx(0.5 - 1.96 * 0.04), pytest.approx(0.5 + 1.96 * 0.04))
    assert edge.source is Source.COHORT
    assert "8 samples" in edge.reason


def test_without_a_prior_the_own_cut_stands() -> None:
    assert repr(blend(own(0.9), None)) == repr(own(0.9))  # nan is not equal to itself


def test_one_odd_sample_moves_nothing() -> None:
    values = [0.50, 0.51, 0.49, 0.52, 0.50, 3.0]
    prior = fit_priors([sample(own(value)) for value in values]).edges[KEY]
    assert prior.mean == pytest.approx(0.505)
    assert prior.sd < 0.08
    assert (prior.n, prior.source) == (6, Source.COHORT)


def test_the_spread_covers_new_samples_of_the_same_kind() -> None:
    rng = np.random.default_rng(1)
    inside = []
    for _ in range(300):
        prior = fit_priors([sample(own(v)) for v in rng.normal(0.5, 0.05, 6)]).edges[KEY]
        inside.append(abs(rng.normal(0.5, 0.05) - prior.mean) <= 1.96 * prior.sd)
    assert np.mean(inside) >= 0.93


def test_equal_cuts_do_not_make_a_prior_of_no_width() -> None:
    assert fit_priors([sample(own(0.5, half=0.0))] * 5).edges[KEY].sd > 0.009


def test_cuts_that_a_sample_does_not_show_make_no_prior() -> None:
    unclear = sample(own(0.9, clear=False))
    borrowed = sample(own(0.9, source=Source.COHORT))
    assert fit_priors([unclear, borrowed, sample(own(math.inf))]).edges == {}


def test_a_cut_that_a_few_of_many_samples_show_is_no_cohorts() -> None:
    """Three of twelve: theirs alone; it would be laid through the others' cells."""
    without = [sample(own(0.9, clear=False)) for _ in range(9)]
    assert fit_priors([*(sample(own(0.5)) for _ in range(3)), *without]).edges == {}
    assert KEY in fit_priors([*(sample(own(0.5)) for _ in range(5)), *without]).edges


def test_a_small_batch_takes_the_panels_prior_widened() -> None:
    wider = GatePriors({KEY: PRIOR})
    prior = fit_priors([sample(own(0.8)), sample(own(0.82))], wider=wider).edges[KEY]
    assert prior.mean == pytest.approx(0.5)
    assert prior.sd == pytest.approx(0.06)
    large = fit_priors([sample(own(v)) for v in (0.8, 0.82, 0.81)], wider=wider).edges[KEY]
    assert large.mean == pytest.approx(0.81)


def test_pooled_events_help_where_no_sample_has_enough() -> None:
    few = [sample(own(0.3, clear=False)) for _ in range(4)]
    prior = fit_priors(few, pooled=sample(own(0.45))).edges[KEY]
    assert prior.mean == pytest.approx(0.45)
    assert prior.n == 4


def test_the_panels_prior_is_called_reference() -> None:
    samples = [sample(own(v)) for v in (0.5, 0.51, 0.52)]
    assert fit_priors(samples, source=Source.REFERENCE).edges[KEY].source is Source.REFERENCE


def fmo(value: float, *, half: float = 0.02) -> GatedSample:
    return sample(own(value, half=half, source=Source.CONTROL, left_out=True), without="CD56")


def test_an_fmo_stands_in_where_the_samples_show_no_cut() -> None:
    lent = control_priors([fmo(0.4)], Source.CONTROL)
    prior = fit_priors([sample(own(0.9, clear=False))], controls=lent).edges[KEY]
    assert (prior.mean, prior.source, prior.n, prior.fmo) == (pytest.approx(0.4), Source.CONTROL, 1, True)
    assert prior.sd == pytest.approx(0.02 / 1.96)
    shown = [sample(own(v)) for v in (0.5, 0.51, 0.52)]
    assert fit_priors(shown, controls=lent).edges == fit_priors(shown).edges


def test_a_batch_prefers_its_own_fmo_and_borrows_that_of_others() -> None:
    everywhere = GatePriors(control_priors([fmo(0.4), fmo(0.44)], Source.COHORT))
    own_tube = fit_priors([], wider=everywhere, controls=control_priors([fmo(0.4)], Source.CONTROL)).edges[KEY]
    assert (own_tube.mean, own_tube.source) == (pytest.approx(0.4), Source.CONTROL)
    borrowed = fit_priors([], wider=everywhere).edges[KEY]
    assert (borrowed.mean, borrowed.source, borrowed.n) == (pytest.approx(0.42), Source.COHORT, 2)
    assert borrowed.sd > own_tube.sd


def test_a_cut_from_an_fmo_says_so() -> None:
    unclear = own(math.nan, clear=False, reason="no clear valley in nk")
    mine = blend(unclear, control_priors([fmo(0.4)], Source.CONTROL)[KEY])
    assert (mine.value, mine.source) == (pytest.approx(0.4), Source.CONTROL)
    assert mine.reason == "no clear valley in nk: taken from the FMO control"
    theirs = blend(unclear, control_priors([fmo(0.4), fmo(0.41)], Source.COHORT)[KEY])
    assert theirs.source is Source.COHORT
    assert theirs.reason.endswith("taken from 2 FMO controls of other batches")


def test_a_clear_valley_is_not_drawn_to_the_end_of_the_negatives() -> None:
    edge = own(0.5)
    assert blend(edge, control_priors([fmo(0.4)], Source.CONTROL)[KEY]) is edge


def test_an_fmo_keeps_its_own_cut_beside_the_cohorts() -> None:
    edge = fmo(0.4).gates[0].edges[0]
    assert blend(edge) is edge


def test_numbers_of_one_shape_are_borrowed_together_or_not_at_all() -> None:
    def gate(*, clear: bool) -> Gate:
        return sample(own(0.9, clear=True), own(0.9, clear=clear)).gates[0]

    priors = {("CD56", "min"): PRIOR}
    borrowed = combine_whole(gate(clear=False), priors, max_distance=3.0, z=1.96)
    assert [edge.value for edge in borrowed] == pytest.approx([0.5, 0.5])
    kept = combine_whole(gate(clear=True), priors, max_distance=3.0, z=1.96)
    assert [edge.value for edge in kept] == pytest.approx([0.9, 0.9])
    assert kept[0].distance == pytest.approx(10.0)
    assert kept[0].status is Status.WARN
    assert "10.0 sd" in kept[0].reason
