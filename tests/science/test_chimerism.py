from __future__ import annotations

import math

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from nktrace.model.chimerism import Category, ChimerismStatus, Controls, Estimate, MarkerCounts
from nktrace.model.errors import MarkerDoesNotSeparate
from nktrace.model.intervals import Interval
from nktrace.science.chimerism import (
    change,
    donor_cells,
    donor_fraction,
    estimate,
    infused_bound,
    limits_of,
)
from nktrace.science.intervals import clopper_pearson, jeffreys, wilson
from tests.reference.donor_fraction import donor_fraction_by_sampling


def counts(positive: int, events: int) -> MarkerCounts:
    return MarkerCounts(events=events, positive=positive)


def controls(blank: tuple[int, int] = (5, 20_000), donor: tuple[int, int] = (4925, 5000), cv: float = 0.0) -> Controls:
    return Controls(blank=counts(*blank), donor=counts(*donor), blank_cv=cv)


def judged(positive: int, events: int, given: Controls | None = None) -> Estimate:
    return judged_of(counts(positive, events), given or controls())


def judged_of(sample: MarkerCounts, given: Controls) -> Estimate:
    return estimate(
        sample,
        given,
        level=0.95,
        min_separation=0.8,
        min_events=50,
        complete=0.95,
        mixed=0.01,
    )


def test_vectors_of_binomial_intervals() -> None:
    assert clopper_pearson(0, 10_000, 0.95).high == pytest.approx(0.000369, abs=5e-7)
    assert wilson(0, 10_000, 0.95).high == pytest.approx(0.000384, abs=5e-7)
    assert jeffreys(0, 10_000, 0.95).high == pytest.approx(0.000251, abs=5e-7)
    for method, low, high in (
        (clopper_pearson, 0.000775, 0.002619),
        (wilson, 0.000858, 0.002620),
        (jeffreys, 0.000820, 0.002539),
    ):
        found = method(12, 8_000, 0.95)
        assert (found.low, found.high) == (pytest.approx(low, abs=5e-7), pytest.approx(high, abs=5e-7))


@pytest.mark.parametrize(("positive", "events"), [(1, 20), (12, 8_000), (499, 500), (6, 19)])
def test_binomial_intervals_agree_with_statsmodels(positive: int, events: int) -> None:
    for ours, theirs in ((clopper_pearson, "beta"), (wilson, "wilson"), (jeffreys, "jeffreys")):
        found = ours(positive, events, 0.95)
        assert (found.low, found.high) == pytest.approx(proportion_confint(positive, events, 0.05, theirs), abs=1e-9)


def test_vector_of_the_fraction() -> None:
    found = donor_fraction(counts(60, 10_000), controls())
    assert found.value == pytest.approx(0.005839, abs=5e-7)
    assert (found.high - found.low) / (2 * 1.96) == pytest.approx(0.000792, rel=0.05)


@pytest.mark.parametrize(
    ("sample", "blank", "donor"),
    [
        ((60, 10_000), (5, 20_000), (4925, 5000)),
        ((3, 300), (1, 2_000), (190, 200)),
        ((150, 300), (20, 2_000), (190, 200)),
        ((90_000, 100_000), (300, 1_000), (199, 200)),
        ((400, 100_000), (3, 1_000), (950, 1_000)),
    ],
)
def test_the_lattice_gives_what_sampling_gives(
    sample: tuple[int, int], blank: tuple[int, int], donor: tuple[int, int]
) -> None:
    low, high = donor_fraction_by_sampling(sample, blank, donor, draws=200_000, rng=np.random.default_rng(3))
    found = donor_fraction(counts(*sample), controls(blank, donor), min_separation=0.1)
    width = high - low
    room = 1 - 0.025 ** (1 / sample[1])
    assert found.low == pytest.approx(max(low, 0), abs=0.02 * width)
    assert found.high == pytest.approx(min(max(high, room), 1), abs=0.02 * width)


def test_the_interval_is_the_same_every_time() -> None:
    assert donor_fraction(counts(60, 10_000), controls(cv=0.3)) == donor_fraction(counts(60, 10_000), controls(cv=0.3))


def test_the_point_is_not_clipped_and_the_interval_is() -> None:
    below = donor_fraction(counts(0, 5_000), controls((40, 20_000)))
    assert below.value < 0
    assert below.low == 0 < below.high
    above = donor_fraction(counts(5_000, 5_000), controls())
    assert above.value > 1
    assert above.low < 1 == above.high


def test_a_recipient_positive_antibody_is_the_same_formula_on_negative_events() -> None:
    """2 % of the recipient's cells stain too dim, 0.1 % of the donor's stain: 12 % negative events are 10.2 % donor."""
    dropout, false_positive = counts(200, 10_000), counts(9_990, 10_000)
    found = donor_fraction(counts(1_200, 10_000), Controls(blank=dropout, donor=false_positive))
    assert found.value == pytest.approx((0.12 - 0.02) / (0.999 - 0.02))
    assert found.low < found.value < found.high


def test_controls_that_do_not_separate_are_refused() -> None:
    with pytest.raises(MarkerDoesNotSeparate):
        donor_fraction(counts(60, 10_000), controls(donor=(3_500, 5_000)))
    with pytest.raises(MarkerDoesNotSeparate, match="donor reference has no events"):
        donor_fraction(counts(60, 10_000), controls(donor=(0, 0)))
    assert judged(60, 10_000, controls(donor=(3_500, 5_000))).status is ChimerismStatus.INDETERMINATE


def test_status_goes_by_the_count_and_the_limit_of_quantitation() -> None:
    bounds = limits_of(counts(0, 10_000), controls())
    assert judged(bounds.lob_events, 10_000).status is ChimerismStatus.NOT_DETECTED
    assert judged(bounds.lob_events + 1, 10_000).status is ChimerismStatus.DETECTED
    assert judged(300, 10_000).status is ChimerismStatus.QUANTIFIED
    assert judged(3, 49).status is ChimerismStatus.INDETERMINATE


def test_a_negative_carries_its_limit_and_may_be_zero() -> None:
    found = judged(3, 10_000)
    assert found.status is ChimerismStatus.NOT_DETECTED
    assert found.fraction.low == 0
    assert found.limits.lod >= 20 / 10_000
    assert found.category is None


def test_every_status_but_quantified_has_a_reason() -> None:
    for positive, events in ((0, 10_000), (20, 10_000), (5, 20)):
        assert judged(positive, events).reasons
    assert judged(5_000, 10_000).reasons == ()


def test_categories() -> None:
    assert judged(9_800, 10_000).category is Category.COMPLETE
    assert judged(5_000, 10_000).category is Category.MIXED
    assert judged(80, 10_000).category is Category.MICRO


def test_scattering_blanks_widen_the_interval_and_raise_the_limits() -> None:
    blank = (100, 20_000)
    narrow, wide = (donor_fraction(counts(80, 10_000), controls(blank, cv=cv)) for cv in (0.0, 0.5))
    assert wide.high - wide.low > 1.3 * (narrow.high - narrow.low)
    low, high = (limits_of(counts(80, 10_000), controls(blank, cv=cv)) for cv in (0.0, 0.5))
    assert high.lob_events > low.lob_events
    assert high.lod > low.lod


def test_change_from_baseline_shares_the_error_of_the_controls() -> None:
    """Both samples are corrected by one small blank: its error cancels in the difference."""
    given = controls(blank=(2, 500))
    found = change(counts(300, 10_000), given, counts(200, 10_000), given, level=0.95)
    now, then = (donor_fraction(counts(x, 10_000), given) for x in (300, 200))
    assert found.value == pytest.approx(now.value - then.value)
    assert found.low < found.value < found.high
    assert found.high - found.low < math.hypot(now.high - now.low, then.high - then.low)


def test_donor_cells_are_count_times_fraction_with_both_errors() -> None:
    cells = Interval(200.0, 180.0, 222.2)
    found = donor_cells(counts(1_000, 10_000), controls(), cells, level=0.95)
    fraction = donor_fraction(counts(1_000, 10_000), controls())
    assert found.value == pytest.approx(200 * fraction.value)
    relative = math.hypot(math.log(222.2 / 200), math.log(fraction.high / fraction.value))
    assert math.log(found.high / found.value) == pytest.approx(relative, rel=0.1)
    assert not donor_cells(counts(10, 10_000), controls(), Interval(*[math.nan] * 3), level=0.95).known


def test_plausibility_bound() -> None:
    assert infused_bound(1e6) == pytest.approx(14.3, abs=0.05)
    assert infused_bound(2e6) == pytest.approx(28.6, abs=0.05)


@pytest.mark.parametrize(
    ("events", "a", "b", "fraction"),
    [(300, 0.0, 0.95, 0.05), (3_000, 0.0005, 0.9, 0.01), (3_000, 0.005, 0.95, 0.005), (20_000, 0.002, 0.95, 0.5)],
)
def test_coverage_on_a_few_cells(events: int, a: float, b: float, fraction: float) -> None:
    rng, repeats = np.random.default_rng(11), 80
    held = 0
    for _ in range(repeats):
        sample = counts(int(rng.binomial(events, a * (1 - fraction) + b * fraction)), events)
        given = controls((int(rng.binomial(20_000, a)), 20_000), (int(rng.binomial(5_000, b)), 5_000))
        found = donor_fraction(sample, given)
        held += found.low <= fraction <= found.high
    assert held / repeats >= 0.95 - 3.5 * math.sqrt(0.95 * 0.05 / repeats)


def test_donor_cells_are_never_more_than_all_cells() -> None:
    """A sample that stains better than the donor reference has a fraction above 1."""
    given = controls(donor=(4400, 5000))
    found = donor_cells(counts(9_950, 10_000), given, Interval(100.0, 99.0, 101.0), level=0.95)
    assert found.value == 100
    assert found.low <= found.value <= found.high
    unknown = donor_cells(counts(1_000, 10_000), given, Interval(100.0, math.nan, math.nan), level=0.95)
    assert unknown.known
    assert math.isnan(unknown.low)
    assert math.isnan(unknown.high)


def test_scatter_without_bounds_gives_no_detection_and_no_limit_above_one() -> None:
    for cv in (1e-9, 3.0):
        assert limits_of(counts(0, 10_000), controls(cv=cv)).lob_events > 0
    found = judged(2_000, 3_000, controls(blank=(300, 3_000), cv=6.0))
    assert found.status is ChimerismStatus.NOT_DETECTED
    assert math.isnan(found.limits.lod)
    assert "limit above 1" in " ".join(found.reasons)


def test_limit_of_blank_and_interval_agree_where_blanks_tell_the_scatter() -> None:
    blanks = tuple(counts(x, 2_000) for x in (0, 30, 1, 2, 0))
    given = Controls(blank=sum(blanks[1:], blanks[0]), donor=counts(4925, 5000), tubes=blanks, scatter_of=blanks)
    for positive in range(20, 2_000, 60):
        low = donor_fraction(counts(positive, 10_000), given).low
        detected = positive > limits_of(counts(positive, 10_000), given).lob_events
        assert detected == (low > 0) or positive / 10_000 == pytest.approx(
            limits_of(counts(positive, 10_000), given).lob_events / 10_000, abs=0.006
        )
    assert judged(2_000, 10_000, given).status is ChimerismStatus.QUANTIFIED


def test_two_antibodies_that_put_few_cells_in_a_class_do_not_separate() -> None:
    few = Controls(
        blank=MarkerCounts(events=300, positive=0, unclear=700),
        donor=MarkerCounts(events=990, positive=985, unclear=10),
    )
    assert few.separation > 0.9 > few.told_apart
    assert judged(60, 10_000, few).status is ChimerismStatus.INDETERMINATE


def test_cells_in_no_class_are_nobodys() -> None:
    """A tenth of the events are doublets of both persons: the fraction is that of the others."""
    given = Controls(
        blank=MarkerCounts(events=9_800, positive=1, unclear=200),
        donor=MarkerCounts(events=4_500, positive=4_500, unclear=500),
    )
    donor, recipient = 0.3 * 0.9, 0.7 * 0.98
    clear = round((donor + recipient) * 9_000)
    sample = MarkerCounts(events=clear, positive=round(donor * 9_000), unclear=10_000 - clear)
    found = donor_fraction(sample, given)
    assert found.value == pytest.approx(0.3, abs=0.002)
    assert found.low < 0.3 < found.high


def test_controls_of_two_batches_share_no_error() -> None:
    one, other = controls(blank=(20, 2_000)), controls(blank=(20, 2_000), donor=(4926, 5000))
    shared = change(counts(300, 10_000), one, counts(200, 10_000), one, level=0.95)
    apart = change(counts(300, 10_000), one, counts(200, 10_000), other, level=0.95)
    assert apart.high - apart.low > 1.15 * (shared.high - shared.low)


def test_the_interval_covers_beside_a_small_blank_without_background() -> None:
    """A blank without a positive event leaves it open that there is no background at all."""
    rng, repeats, held = np.random.default_rng(5), 150, 0
    for _ in range(repeats):
        sample = counts(int(rng.binomial(20_000, 0.95 * 0.005)), 20_000)
        found = donor_fraction(sample, controls((0, 300), (int(rng.binomial(5_000, 0.95)), 5_000), cv=0.5))
        held += found.low <= 0.005 <= found.high
    assert held / repeats >= 0.95 - 3.5 * math.sqrt(0.95 * 0.05 / repeats)


@pytest.mark.parametrize("fraction", [0.95, 0.99, 1.0])
def test_false_positives_among_donor_cells_scatter_between_tubes_too(fraction: float) -> None:
    """By an antibody against the recipient a donor cell that stains looks like the recipient's."""
    rng, repeats, held = np.random.default_rng(7), 120, 0

    def false_positive() -> float:
        return 0.005 * float(rng.gamma(4, 0.25))

    for _ in range(repeats):
        donor = int(rng.binomial(20_000, fraction))
        seen = int(rng.binomial(donor, 1 - false_positive()) + rng.binomial(20_000 - donor, 0.01))
        reference = counts(int(rng.binomial(5_000, 1 - false_positive())), 5_000)
        given = Controls(blank=counts(200, 20_000), donor=reference, blank_cv=0.5, against_recipient=True)
        found = donor_fraction(counts(seen, 20_000), given)
        held += found.low <= fraction <= found.high
    assert held / repeats >= 0.95 - 3.5 * math.sqrt(0.95 * 0.05 / repeats)


@pytest.mark.parametrize(("now", "then"), [(0.01, 0.0), (0.0, 0.01), (1.0, 0.9)])
def test_a_change_from_or_to_an_end_is_covered_and_holds_its_point(now: float, then: float) -> None:
    rng, repeats, held = np.random.default_rng(3), 150, 0
    for _ in range(repeats):
        given = controls((int(rng.binomial(20_000, 0.002)), 20_000), (int(rng.binomial(5_000, 0.95)), 5_000))
        drawn = [counts(int(rng.binomial(20_000, 0.002 * (1 - f) + 0.95 * f)), 20_000) for f in (now, then)]
        found = change(drawn[0], given, drawn[1], given, level=0.95)
        held += found.low <= now - then <= found.high
        assert found.low <= found.value <= found.high
    assert held / repeats >= 0.95 - 3.5 * math.sqrt(0.95 * 0.05 / repeats)


def test_cells_that_may_be_anybodys_widen_the_interval_to_both_sides() -> None:
    given = Controls(
        blank=MarkerCounts(events=9_800, positive=5, unclear=200, neither=200),
        donor=MarkerCounts(events=4_900, positive=4_895, unclear=100, neither=100),
    )
    usual = MarkerCounts(events=8_800, positive=2_640, unclear=1_200, neither=1_200)
    odd = MarkerCounts(events=8_800, positive=2_640, unclear=1_200, neither=1_200, hidden=0.1)
    narrow, wide = donor_fraction(usual, given), donor_fraction(odd, given)
    assert wide.value == narrow.value
    assert wide.low == pytest.approx(0.9 * narrow.low, abs=0.003)
    assert wide.high == pytest.approx(0.9 * narrow.high + 0.1, abs=0.003)
    none = MarkerCounts(events=8_800, positive=0, unclear=1_200, neither=1_200, hidden=0.1)
    assert judged_of(none, given).status is ChimerismStatus.INDETERMINATE
